"""What the hedges of arbitrage desks came to: no account of the exchange shows it."""

from collections.abc import Iterable

import msgspec

from seawall.agents.arbitrageur import Arbitrageur
from seawall.agents.base import Agent
from seawall.simulating.owners import group_of


class HedgeResult(msgspec.Struct):
    """The spot legs of the ``desks`` of a table, in quote currency and to the cent.

    ``result`` is what their spot accounts have, coins at the index, less what was there at first
    and with transfers; ``costs`` were paid out of it. ``under_way`` is on its way between a spot
    account and the exchange, and at neither.
    """

    name: str
    desks: int = 0
    result: float = 0.0
    costs: float = 0.0
    under_way: float = 0.0


def hedge_results(agents: Iterable[Agent]) -> list[HedgeResult]:
    """One result for each table of arbitrageurs."""
    found: dict[str, HedgeResult] = {}
    for agent in agents:
        if isinstance(agent, Arbitrageur):
            _, name = group_of(agent)
            _add(found.setdefault(name, HedgeResult(name)), agent)
    return list(found.values())


def _add(sums: HedgeResult, desk: Arbitrageur) -> None:
    funds = desk.funds
    index_ticks = desk.view.index_ticks
    sums.desks += 1
    sums.result = round(sums.result + funds.spot.equity(index_ticks) - funds.spot.paid_in, 2)
    sums.costs = round(sums.costs + funds.spot.costs, 2)
    sums.under_way = round(sums.under_way + desk.view.worth(funds.under_way_q, index_ticks), 2)
