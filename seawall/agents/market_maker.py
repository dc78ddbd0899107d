"""Market makers: ladders around fair value that widen and shrink as they get worse to hold.

Nothing in here is a threshold. A maker's sizes fall with the volatility it sees, with its inventory
and with the capital it has lost: who lost half quotes half, who lost all nothing. What returns does
so by each maker's own half-life, so makers neither leave nor come back together.
"""

import random
from collections.abc import Mapping
from typing import Any

from engine.events import CommandRejected
from engine.reasons import Reason
from seawall.agents.base import Agent, wait_ns
from seawall.agents.plans import MarketMakerPlan
from seawall.agents.quotes import Quotes
from seawall.agents.view import Desk, MarketView

_TOO_LARGE = (
    Reason.INSUFFICIENT_MARGIN,
    Reason.LEVERAGE_ABOVE_MAXIMUM,
    Reason.NOTIONAL_ABOVE_MAXIMUM,
)


class MarketMaker(Agent):
    """One firm: an account, its capital, and its quotes."""

    __slots__ = ("plan", "quotes")

    def __init__(
        self,
        plan: MarketMakerPlan,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        self.quotes = Quotes(plan, self, rng)

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return super().largest_order() if self.plan.size > 0 else 0.0

    def prepare(self, first_ticks: Mapping[int, int]) -> None:
        """Take no more leverage than the margin table is worth."""
        self.leverage = self.quotes.choose_leverage(first_ticks[self.view.instrument_id])

    def wake(self, desk: Desk) -> int:
        """Requote."""
        refresh_ns = self.plan.refresh_ns
        following = desk.now_ns + refresh_ns // 2 + wait_ns(self.rng, refresh_ns / 2)
        if self.view.index_ticks > 0 and not self.locked:
            worth = self.capital + self.profit()
            limit = self.plan.inventory_limit * max(worth, 1e-9 * self.capital)
            load = self.exposure() / limit
            self.quotes.look(desk.now_ns, max(0.0, min(1.0, worth / self.capital)))
            self.quotes.requote(
                desk, self.account_id, load, abs(load), max(0.0, worth) * self.leverage
            )
        return following

    def on_event(self, event: Any) -> None:
        """As every agent; what the venue finds too large is quoted smaller."""
        if type(event) is CommandRejected:
            if event.reason in _TOO_LARGE:
                self.quotes.refused()
        else:
            super().on_event(event)

    def state(self) -> list[Any]:
        """As every agent, and what it thinks of the market."""
        return [super().state(), self.quotes.state()]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, quotes = state
        super().restore(common)
        self.quotes.restore(quotes)
