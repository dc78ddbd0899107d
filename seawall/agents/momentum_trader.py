"""Trend followers: the stronger a move against what chance explains, the more they follow."""

import math
import random
from typing import Any, Final

from engine.commands import BUY, SELL
from seawall.agents.base import Agent, wait_ns, worse
from seawall.agents.plans import MomentumPlan
from seawall.agents.view import Desk, MarketView

_WORTH_IT: Final[float] = 0.05
"""The share of ``clip`` from which on an order that follows is worth sending."""


class MomentumTrader(Agent):
    """Sells into a fall, buys into a rise, and closes as the move dies down."""

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
        """Go some way to the position the trend asks for."""
        plan = self.plan
        following = desk.now_ns + plan.refresh_ns // 2 + wait_ns(self.rng, plan.refresh_ns / 2)
        if self.locked or self.is_under_way(desk.now_ns):
            return following
        move = self.view.change(self._window)
        side = BUY if move > 0 else SELL
        strength = self.strength(move)
        held = self.exposure()
        missing = plan.capital * plan.exposure_limit * strength * self._nerve() - held * side
        more = min(plan.clip * strength, missing)
        if more >= plan.clip * _WORTH_IT and self._act(desk, side, more, False):
            self._close_after_ns = desk.now_ns + self._hold_ns
        elif self.position_lots and desk.now_ns > self._close_after_ns:
            back = SELL if held > 0 else BUY
            self._act(desk, back, min(plan.clip * (1.0 - strength), abs(held)), True)
        return following

    def strength(self, move: float) -> float:
        """How much of what it can do a move calls for: near 0 for what chance explains, a half at
        ``threshold`` beyond one standard deviation, 1 far beyond."""
        ratio = move / (self._threshold + self.view.volatility * math.sqrt(self._window))
        power = min(1e6, ratio * ratio * ratio * ratio)
        return power / (1.0 + power)

    def _nerve(self) -> float:
        """What losses have left of its readiness to hold a position, 1 to 0."""
        limit = self.plan.loss_limit * self.plan.capital
        return max(0.0, min(1.0, 1.0 + self.profit() / limit)) if limit > 0.0 else 0.0

    def _act(self, desk: Desk, side: int, notional: float, reduce: bool) -> bool:
        """Take; returns whether there was something to order."""
        touch = self.view.best_ask() if side == BUY else self.view.best_bid()
        lots = self.view.lots(notional, touch)
        if reduce:
            lots = min(max(lots, 1), abs(self.position_lots))
        if lots <= 0:
            return False
        limit = worse(touch, side, self.plan.slippage) if touch else 0
        self.take(desk, side, lots, limit, reduce, self.sent)
        return True

    def state(self) -> list[Any]:
        """As every agent, and when it may close."""
        return [super().state(), self._close_after_ns]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, self._close_after_ns = state
        super().restore(common)
