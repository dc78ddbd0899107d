"""The invariants, each named once, with the cost of its check.

The checks themselves live next to the state they look at (`seawall.invariants`); this list is the
contract, printed when one breaks and shown in the documentation.
"""

from typing import Final, NamedTuple

CONSTANT: Final[str] = "constant"
LINEAR: Final[str] = "linear"


class Invariant(NamedTuple):
    """``cost`` is `CONSTANT` (after every command) or `LINEAR` (every N commands, at the end)."""

    name: str
    cost: str
    meaning: str


CONSERVATION: Final = Invariant(
    "conservation",
    CONSTANT,
    "wallets minus entry values, house included, equal deposits minus withdrawals, per asset",
)
CONSERVATION_FULL: Final = Invariant(
    "conservation from nothing", LINEAR, "the same, added up over every account"
)
POSITIONS_SUM_TO_ZERO: Final = Invariant(
    "positions sum to zero",
    LINEAR,
    "per instrument; open interest is the same from both sides",
)
POSITIONS_KNOWN_TO_THE_BOOK: Final = Invariant(
    "positions known to the book",
    LINEAR,
    "the positions that bound reduce-only orders in the book are those of the ledger",
)
BOOK_SOUND: Final = Invariant(
    "book sound", LINEAR, "never crossed; level totals equal their orders"
)
RESERVATIONS: Final = Invariant(
    "reservations equal resting orders",
    LINEAR,
    "what risk reserves per order and position is what rests in the book",
)
ORDERS_COVERED: Final = Invariant(
    "orders covered",
    LINEAR,
    "an account has the margin and the losses of all its open orders; below initial margin none of "
    "them can enlarge a position or bankrupt it",
)
NO_MISSED_CROSSING: Final = Invariant(
    "no missed crossing",
    LINEAR,
    "every account's level is what revaluing it from nothing gives, and lies inside its bands",
)
CALLED: Final = Invariant(
    "whoever is in the call band is called",
    LINEAR,
    "an account outside liquidation below the call level has an open call, or one that expired and "
    "was only a notice; a call that is over is not open",
)
NOT_NEGATIVE: Final = Invariant(
    "no account negative outside the waterfall",
    LINEAR,
    "equity below zero means liquidation, fund and backstop are never below zero; except while the "
    "rulebook halts liquidations at a stale index",
)
ONE_STAGE: Final = Invariant(
    "one liquidation per account",
    LINEAR,
    "risk and the liquidation engine agree on which accounts are in liquidation",
)

TRIGGERS_WAIT: Final = Invariant(
    "triggers wait",
    LINEAR,
    "no trigger order waits whose price has come; each is known by id, by trader and by contract",
)

STATE_HASHED: Final = Invariant(
    "state hash kept",
    LINEAR,
    "the hash that is kept while accounts and books change is the one of the state from nothing",
)

ALL: Final = (
    CONSERVATION,
    CONSERVATION_FULL,
    POSITIONS_SUM_TO_ZERO,
    POSITIONS_KNOWN_TO_THE_BOOK,
    BOOK_SOUND,
    RESERVATIONS,
    ORDERS_COVERED,
    NO_MISSED_CROSSING,
    CALLED,
    NOT_NEGATIVE,
    ONE_STAGE,
    TRIGGERS_WAIT,
    STATE_HASHED,
)


def require(holds: bool, invariant: Invariant, figures: object) -> None:
    """Fail with the invariant's name and the figures that broke it.

    Raises:
        AssertionError: ``holds`` is false.
    """
    if not holds:
        raise AssertionError(f"{invariant.name}: {invariant.meaning}; found {figures}")
