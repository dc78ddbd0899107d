"""The opening of a market: makers first, everybody else once its books stand.

Venues list a contract with a stretch in which orders only rest, or with an auction: nobody takes
from a book that nobody has filled. Here the makers have the first second to themselves, and a book
stands when it has both sides after that. Until then other agents wait: the lone bid of one who
waits for a deep fall is no price to sell at.
"""

from typing import Final

from engine.units import SECOND_NS
from seawall.agents.base import Agent
from seawall.agents.market_maker import MarketMaker
from seawall.agents.view import MarketView

MAKERS_FIRST_NS: Final[int] = SECOND_NS
"""How long the makers have a new book to themselves."""


class Opening:
    """Which contracts are still closed to all but makers. One without a maker is open at once:
    whoever comes first makes its book."""

    __slots__ = ("_closed", "_led", "_views", "_waited_for")

    def __init__(self) -> None:
        self._views: dict[int, MarketView] = {}
        self._led: set[int] = set()
        self._closed: set[int] = set()
        self._waited_for: set[int] = set()

    def expect(self, agent: Agent, begin_ns: int) -> int:
        """An agent comes to a market that begins then; returns when it wakes first."""
        if not isinstance(agent, MarketMaker):
            return agent.first_wake(begin_ns + MAKERS_FIRST_NS)
        for view, _ in agent.markets():
            self._views[view.instrument_id] = view
            self._led.add(view.instrument_id)
            self._closed.add(view.instrument_id)
        return agent.first_wake(begin_ns)

    def again(self) -> None:
        """All orders are gone: the makers come first again."""
        self._closed = set(self._led)

    def keeps_out(self, agent: Agent) -> bool:
        """Whether the agent has to wait for the book of its contract."""
        instrument_id = agent.view.instrument_id
        if instrument_id not in self._closed or isinstance(agent, MarketMaker):
            return False
        view = self._views[instrument_id]
        if view.best_bid() and view.best_ask():
            self._closed.remove(instrument_id)
            return False
        self._waited_for.add(instrument_id)
        return True

    def warnings(self) -> list[str]:
        """Contracts in which nobody could trade."""
        return [
            f"{self._views[instrument_id].spec.symbol} never opened: none of its makers quoted "
            "both sides, and the other agents waited for it"
            for instrument_id in sorted(self._closed & self._waited_for)
        ]

    def state(self) -> list[list[int]]:
        """What is closed, and what was waited for."""
        return [sorted(self._closed), sorted(self._waited_for)]

    def restore(self, state: list[list[int]]) -> None:
        """Take over what `state` returned."""
        closed, waited_for = state
        self._closed, self._waited_for = set(closed), set(waited_for)
