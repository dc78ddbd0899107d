"""The owner of an account: what it belongs to, and how it came into the market."""

from typing import Final, NamedTuple

GROUP: Final[str] = "group"
AGENT: Final[str] = "agent"
HOUSE: Final[str] = "house"


class Owner(NamedTuple):
    """An owner as the scenario drew it.

    ``kind`` is ``group`` (of the population), ``agent`` or ``house``, ``name`` that of the group or
    of the agents' table. A trader has an instrument (of several the first; -1: none), a side
    (``long`` or ``short``), a margin mode, and what it does on a margin call (one of
    `seawall.population.CALL_ANSWERS`). ``entered`` says whether it ever held a position; of agents
    that is not kept.
    """

    kind: str
    name: str
    instrument_id: int = -1
    side: str = ""
    isolated: bool = False
    on_call: str = ""
    entered: bool = True


OTHERS: Final[Owner] = Owner(GROUP, "others")
"""Owners that belong to nothing that has a name."""
