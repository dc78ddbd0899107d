"""Order flow without a reason: large orders cut into pieces, which come in bursts.

A trader works one metaorder after the other. Lengths have a Pareto tail, so the signs of trades
remember each other for long (Lillo, Mike and Farmer 2005); pieces come by a Hawkes clock, so they
cluster. Whether a piece takes or rests depends on the queues at the touch: what is scarce is taken
at once, what there is plenty of can be waited for (Huang, Lehalle and Rosenbaum 2015).
"""

import math
import random
from typing import Any, Final

from engine.commands import BUY, SELL
from seawall.agents.base import Agent, worse
from seawall.agents.hawkes import HawkesClock
from seawall.agents.plans import NoisePlan
from seawall.agents.view import Desk, MarketView

_FULL: Final[float] = 0.5
"""The share of its buying power at which a trader only trades back."""

_FURTHEST: Final[float] = 0.05
"""How far from the mid an order rests at most."""

_REST_VOLATILITY: Final[float] = 3.0
"""What volatility (per root second) adds to the mean distance at which orders rest."""


class NoiseTrader(Agent):
    """Buys and sells for no reason, leaning against its own position."""

    __slots__ = ("_clock", "_expiry", "_pieces", "_side", "plan")

    def __init__(
        self, plan: NoisePlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        # lognormal with mean one: few trade often, most seldom
        spread = plan.every_sigma
        own = math.exp(rng.gauss(0.0, spread) + spread * spread / 2)
        self._clock = HawkesClock(plan.every_ns * own, plan.excitation, plan.burst_half_life_ns)
        self._expiry: list[tuple[int, int]] = []
        self._side = BUY
        self._pieces = 0

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return super().largest_order() if self.plan.size > 0 else 0.0

    def wake(self, desk: Desk) -> int:
        """One piece, and the cancellation of the orders that are too old."""
        view = self.view
        following = desk.now_ns + self._clock.wait_ns(self.rng)
        while self._expiry and self._expiry[0][0] <= desk.now_ns:
            _, order_id = self._expiry.pop(0)
            if order_id in self.orders:
                desk.cancel(self.account_id, order_id)
        if view.last_ticks > 0 or view.best_bid():
            self._trade(desk)
        return following

    def _trade(self, desk: Desk) -> None:
        """The next piece of the metaorder, or the first of another one."""
        view = self.view
        lean = self.exposure() / (self.capital * self.leverage * _FULL)
        if self._pieces == 0 or lean * self._side >= 1.0:
            self._begin(lean)
        self._pieces -= 1
        notional = self.plan.size * math.exp(self.rng.gauss(0.0, self.plan.size_sigma))
        lots = view.lots(notional, view.mid())
        if self.rng.random() < self._patience():
            self._rest(desk, lots)
        else:
            touch = view.best_ask() if self._side == BUY else view.best_bid()
            limit = worse(touch, self._side, self.plan.slippage) if touch else 0
            self.take(desk, self._side, lots, limit)

    def _begin(self, lean: float) -> None:
        """Draw side and length of a metaorder."""
        plan = self.plan
        # cubed: a metaorder that fits its account calls for no opposite one
        bias = max(-1.0, min(1.0, lean * lean * lean))
        self._side = BUY if self.rng.random() > 0.5 + 0.5 * bias else SELL
        length = plan.pieces * (1.0 - self.rng.random()) ** (-1.0 / plan.pieces_alpha)
        self._pieces = min(plan.pieces_max, int(length))

    def _patience(self) -> float:
        """The chance that this piece rests: ``passive_share`` where both queues are equal."""
        view = self.view
        bid = view.queue(BUY)
        ask = view.queue(SELL)
        if bid + ask == 0:
            return self.plan.passive_share
        other = (ask if self._side == BUY else bid) / (bid + ask)
        weight = self.plan.queue_weight
        return min(1.0, self.plan.passive_share * (1.0 - weight + 2.0 * weight * other))

    def _rest(self, desk: Desk, lots: int) -> None:
        """Rest around the own side of the touch, also inside the spread."""
        view = self.view
        bid, ask = view.best_bid(), view.best_ask()
        mid = view.mid()
        mean = view.half_spread() + _REST_VOLATILITY * view.volatility
        offset = min(_FURTHEST, self.rng.expovariate(1.0) * mean)
        price = worse(mid, -self._side, offset)
        if bid and ask:
            price = min(price, ask - 1) if self._side == BUY else max(price, bid + 1)
        price = view.inside_band(self._side, price)
        if 0 < lots <= view.max_lots and price > 0:
            order_id = desk.submit(
                self.account_id, view.instrument_id, self._side, lots, price, post_only=True
            )
            self._expiry.append((desk.now_ns + self.plan.lifetime_ns, order_id))

    def state(self) -> list[Any]:
        """As every agent, its metaorder, its clock, and when its orders are too old."""
        expiry = [list(each) for each in self._expiry]
        return [super().state(), expiry, self._side, self._pieces, self._clock.excess]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, expiry, self._side, self._pieces, self._clock.excess = state
        super().restore(common)
        self._expiry = [(at_ns, order_id) for at_ns, order_id in expiry]
