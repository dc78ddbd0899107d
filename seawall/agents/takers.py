"""The patient buyer of deep falls."""

import random
from typing import Any

from engine.commands import BUY, SELL
from seawall.agents.base import NEVER, Agent, wait_ns, worse
from seawall.agents.plans import DipBuyerPlan
from seawall.agents.view import Desk, MarketView


class DipBuyer(Agent):
    """Puts money below the market and waits."""

    __slots__ = ("_anchor", "_depth", "_seen_ns", "_target", "plan")

    def __init__(
        self, plan: DipBuyerPlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        self._depth = rng.uniform(*plan.depth)
        self._target = rng.uniform(*plan.target)
        self._anchor = 0.0
        self._seen_ns = 0

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return super().largest_order() * self.plan.budget

    def wake(self, desk: Desk) -> int:
        """Follow the slow price with the bids; offer what was bought."""
        plan = self.plan
        view = self.view
        following = desk.now_ns + plan.refresh_ns // 2 + wait_ns(self.rng, plan.refresh_ns / 2)
        if view.index_ticks <= 0:
            return desk.now_ns + 1_000_000_000
        if self.locked:
            return NEVER if self.position_lots == 0 else following
        if self._seen_ns == 0:
            self._anchor = float(view.index_ticks)
        kept = 0.5 ** ((desk.now_ns - self._seen_ns) / plan.anchor_half_life_ns)
        self._anchor += (view.index_ticks - self._anchor) * (1.0 - kept) if self._seen_ns else 0.0
        self._seen_ns = desk.now_ns
        self._bid(desk)
        self._offer(desk)
        return following

    def _bid(self, desk: Desk) -> None:
        plan = self.plan
        view = self.view
        money = plan.capital * plan.leverage * plan.budget - max(0.0, self.exposure())
        bids = sorted(
            (o for o in self.orders.values() if o.side == BUY), key=lambda o: -o.price_ticks
        )
        ask = view.best_ask()
        for rung in range(plan.rungs):
            depth = min(0.97, self._depth * (1.0 + rung / plan.rungs))
            price = max(1, round(self._anchor * (1.0 - depth)))
            if ask and price >= ask:
                price = ask - 1
            # the venue margins a resting bid at the mark, not at its own price
            value = max(price, view.mark_ticks)
            lots = min(view.lots(money / plan.rungs, value), view.max_lots) if price > 0 else 0
            if rung < len(bids):
                old = bids[rung]
                if lots <= 0:
                    desk.cancel(self.account_id, old.order_id)
                elif abs(old.price_ticks - price) > 0.02 * price:
                    desk.amend(self.account_id, old.order_id, price, lots)
            elif lots > 0:
                desk.submit(self.account_id, view.instrument_id, BUY, lots, price, post_only=True)

    def _offer(self, desk: Desk) -> None:
        """One resting offer for the whole position at cost plus target."""
        if self.position_lots <= 0:
            return
        offers = [o for o in self.orders.values() if o.side == SELL]
        if offers and offers[0].qty_lots >= min(self.position_lots, self.view.max_lots) * 0.9:
            return
        for order in offers:
            desk.cancel(self.account_id, order.order_id)
        cost = -self.cash / self.coins if self.coins > 0 else float(self.view.last_ticks)
        price = max(worse(cost, BUY, self._target), self.view.best_bid() + 1)
        lots = min(self.position_lots, self.view.max_lots)
        desk.submit(
            self.account_id,
            self.view.instrument_id,
            SELL,
            lots,
            price,
            post_only=True,
            reduce_only=True,
        )

    def state(self) -> list[Any]:
        """As every agent, and the slow price."""
        return [super().state(), self._anchor, self._seen_ns]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, self._anchor, self._seen_ns = state
        super().restore(common)
