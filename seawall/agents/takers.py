"""Traders without leverage pressure: noise, momentum and the patient buyer of deep falls."""

import math
import random
from typing import Any

from engine.commands import BUY, SELL
from seawall.agents.base import NEVER, Agent, wait_ns, worse
from seawall.agents.plans import DipBuyerPlan, MomentumPlan, NoisePlan
from seawall.agents.view import Desk, MarketView


class NoiseTrader(Agent):
    """Buys and sells for no reason, leaning against its own position."""

    __slots__ = ("_expiry", "plan")

    def __init__(
        self, plan: NoisePlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        self._expiry: list[tuple[int, int]] = []

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return super().largest_order() if self.plan.size > 0 else 0.0

    def wake(self, desk: Desk) -> int:
        """One order, and the cancellation of those that are too old."""
        plan = self.plan
        view = self.view
        following = desk.now_ns + wait_ns(self.rng, plan.every_ns)
        while self._expiry and self._expiry[0][0] <= desk.now_ns:
            _, order_id = self._expiry.pop(0)
            if order_id in self.orders:
                desk.cancel(self.account_id, order_id)
        if view.last_ticks <= 0 and not view.best_bid():
            return following
        lean = self.exposure() / (plan.capital * plan.leverage * 0.5)
        side = BUY if self.rng.random() > 0.5 + 0.5 * max(-1.0, min(1.0, lean)) else SELL
        notional = plan.size * math.exp(self.rng.gauss(0.0, plan.size_sigma))
        mid = view.mid()
        lots = view.lots(notional, mid)
        if self.rng.random() < plan.passive_share:
            offset = 0.0005 + self.rng.expovariate(1.0) * (0.001 + 3 * view.volatility)
            price = view.inside_band(side, worse(mid, -side, min(0.05, offset)))
            if 0 < lots <= view.max_lots:
                order_id = desk.submit(
                    self.account_id, view.instrument_id, side, lots, price, post_only=True
                )
                self._expiry.append((desk.now_ns + plan.lifetime_ns, order_id))
        else:
            touch = view.best_ask() if side == BUY else view.best_bid()
            self.take(desk, side, lots, worse(touch, side, plan.slippage) if touch else 0)
        return following

    def state(self) -> list[Any]:
        """As every agent, and when its resting orders are too old."""
        return [super().state(), [list(each) for each in self._expiry]]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, expiry = state
        super().restore(common)
        self._expiry = [(at_ns, order_id) for at_ns, order_id in expiry]


class MomentumTrader(Agent):
    """Sells into a fall, buys into a rise, and closes when the move has stopped."""

    __slots__ = ("_close_after_ns", "_hold_ns", "_threshold", "_window", "plan")

    def __init__(
        self, plan: MomentumPlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        self._window = rng.uniform(*plan.window_ns) / 1e9
        self._threshold = rng.uniform(*plan.threshold)
        self._hold_ns = rng.randint(*plan.hold_ns)
        self._close_after_ns = 0

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return min(super().largest_order(), self.plan.clip)

    def wake(self, desk: Desk) -> int:
        """Follow the trend, or close."""
        plan = self.plan
        view = self.view
        following = desk.now_ns + plan.refresh_ns // 2 + wait_ns(self.rng, plan.refresh_ns / 2)
        if self.locked:
            return following
        move = view.change(self._window)
        limit = plan.capital * plan.exposure_limit
        exposure = self.exposure()
        # beyond what the current volatility makes by chance over the window
        hurt = self.profit() < -plan.loss_limit * plan.capital
        if not hurt and abs(move) > self._threshold + view.volatility * math.sqrt(self._window):
            side = BUY if move > 0 else SELL
            if exposure * side < limit:
                self._act(desk, side, min(plan.clip, limit - exposure * side), False)
                self._close_after_ns = desk.now_ns + self._hold_ns
        elif self.position_lots and desk.now_ns > self._close_after_ns:
            self._act(desk, SELL if exposure > 0 else BUY, min(plan.clip, abs(exposure)), True)
        return following

    def _act(self, desk: Desk, side: int, notional: float, reduce: bool) -> None:
        touch = self.view.best_ask() if side == BUY else self.view.best_bid()
        lots = self.view.lots(notional, touch)
        if reduce:
            lots = min(max(lots, 1), abs(self.position_lots))
        self.take(desk, side, lots, worse(touch, side, self.plan.slippage) if touch else 0, reduce)

    def state(self) -> list[Any]:
        """As every agent, and when it may close."""
        return [super().state(), self._close_after_ns]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, self._close_after_ns = state
        super().restore(common)


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
