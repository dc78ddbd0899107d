"""Arbitrage against the index: buys the contract below it, sells it above, with limited capital.

It acts a reaction delay after it saw the gap. The more volatile the market, the larger the gap it
asks for: until its hedge in the spot market is done the price may have moved.
"""

import random
from typing import Any

from engine.commands import BUY, SELL
from seawall.agents.base import Agent, wait_ns, worse
from seawall.agents.plans import ArbitrageurPlan
from seawall.agents.view import Desk, MarketView


class Arbitrageur(Agent):
    """One arbitrage desk."""

    __slots__ = ("_caution", "_entry", "_pending", "plan")

    def __init__(
        self,
        plan: ArbitrageurPlan,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        self._entry = rng.uniform(*plan.entry)
        self._caution = rng.uniform(*plan.caution)
        self._pending = False

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return min(super().largest_order(), self.plan.clip)

    def wake(self, desk: Desk) -> int:
        """Look for a gap, or act on the one seen a reaction delay ago."""
        view = self.view
        if self.locked or view.index_ticks <= 0:
            self._pending = False
        elif self._pending:
            self._pending = False
            self._act(desk)
        elif self._gap_side():
            self._pending = True
            return desk.now_ns + self.rng.randint(*self.plan.reaction_ns) + 1
        return desk.now_ns + wait_ns(self.rng, self.plan.refresh_ns)

    def required_gap(self) -> float:
        """The gap worth opening a position for now, as a share of the index."""
        return min(0.95, self._entry + self._caution * self.view.volatility)

    def _gap_side(self) -> int:
        """BUY where the contract is cheap enough to act on, SELL where expensive, 0 otherwise."""
        view = self.view
        ask, bid = view.best_ask(), view.best_bid()
        # a position is closed at a smaller gap than the one it is opened at
        buy_gap = -self.plan.exit if self.position_lots < 0 else self.required_gap()
        sell_gap = -self.plan.exit if self.position_lots > 0 else self.required_gap()
        if ask and ask < view.index_ticks * (1.0 - buy_gap):
            return BUY
        if bid and bid > view.index_ticks * (1.0 + sell_gap):
            return SELL
        return 0

    def _act(self, desk: Desk) -> None:
        side = self._gap_side()
        if not side:
            return
        view = self.view
        plan = self.plan
        room = plan.capital * plan.exposure_limit - self.exposure() * side
        lots = view.lots(min(plan.clip, room), view.index_ticks) if room > 0 else 0
        if self.position_lots * side < 0:
            # close first; the new position waits for its own, larger gap
            lots = min(lots, abs(self.position_lots))
            limit = worse(view.index_ticks, side, plan.exit)
        else:
            limit = worse(view.index_ticks, -side, self.required_gap())
        self.take(desk, side, lots, limit)

    def state(self) -> list[Any]:
        """As every agent, and whether it is about to act."""
        return [super().state(), self._pending]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, self._pending = state
        super().restore(common)
