"""Latent traders: depth from capital, shown as resting orders, used up by trades, slow to return.

Their anchor is the index. What the book offers on the wrong side of an intention's price is taken;
everything else rests. What was bought stays bought: it leaves less room for the next purchase and
more for sales, and a loss is capital that is gone.
"""

import math
import random
from typing import Any, Final

from engine.commands import BUY, SELL
from engine.events import CommandRejected, OrderFilled
from engine.reasons import Reason
from seawall.agents.base import Agent, wait_ns
from seawall.agents.holding import RestingOrder
from seawall.agents.latent_density import LatentDensity
from seawall.agents.plans import LatentPlan
from seawall.agents.view import Desk, MarketView

_MARGIN_ROOM: Final[float] = 0.9
"""Part of the capital that is put to use: the rest is for fees, and prices that move meanwhile."""

_PRICE_TOLERANCE: Final[float] = 0.25
"""A resting order may be off by this part of its distance from the anchor."""

_SIZE_TOLERANCE: Final[float] = 0.25
"""A resting order may be smaller by this part of its size, or larger by as much of its own."""


class LatentTrader(Agent):
    """One owner of intentions, with its own speed of refill."""

    __slots__ = ("_density", "_placed", "_refused", "_taking", "_taking_lots", "plan")

    def __init__(
        self, plan: LatentPlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        half_life_ns = max(1, rng.randint(*plan.refill_half_life_ns))
        self._density = LatentDensity(plan.depth, plan.distance, rng.random(), half_life_ns)
        slices = len(self._density.distances)
        self._placed: dict[int, list[int]] = {BUY: [0] * slices, SELL: [0] * slices}
        self._taking = 0
        self._taking_lots = 0
        self._refused = False

    def largest_order(self) -> float:
        """As every agent; nothing without depth."""
        return super().largest_order() if self.plan.depth > 0 else 0.0

    def wake(self, desk: Desk) -> int:
        """Take what the book offers beyond the intentions, and show the others."""
        refresh_ns = self.plan.refresh_ns
        following = desk.now_ns + refresh_ns // 2 + wait_ns(self.rng, refresh_ns / 2)
        if self.view.index_ticks <= 0 or self.locked:
            return following
        self._density.heal(desk.now_ns)
        self._refused = False
        for side in (BUY, SELL):
            self._show(desk, side)
        return following

    def on_event(self, event: Any) -> None:
        """As every agent; fills use intentions up."""
        kind = type(event)
        if kind is OrderFilled:
            self._used(event)
        elif kind is CommandRejected and event.reason == Reason.INSUFFICIENT_MARGIN:
            self._refused = True
        super().on_event(event)

    def _used(self, event: OrderFilled) -> None:
        placed = self._placed[event.side]
        order = self.orders.get(event.order_id)
        if event.order_id in placed and order is not None:
            number = placed.index(event.order_id)
            self._density.use(event.side, number, number + 1, event.qty_lots / order.qty_lots)
        elif self._taking_lots > 0:
            share = min(1.0, event.qty_lots / self._taking_lots)
            self._density.use(event.side, 0, self._taking, share)
            self._taking_lots -= event.qty_lots

    def _show(self, desk: Desk, side: int) -> None:
        """Bring one side of the book in line with the intentions, the nearest first."""
        view = self.view
        capital = _MARGIN_ROOM * self.leverage * (self.capital + self.profit())
        amounts = self._density.shown(side, capital, capital - side * self.exposure())
        placed = self._placed[side]
        touch = view.best_ask() if side == BUY else view.best_bid()
        taken = 0.0
        crossing = 0
        for number, amount in enumerate(amounts):
            if self._refused:
                return
            price = self._price(side, number)
            order = self.orders.get(placed[number])
            if touch and side * (price - touch) >= 0:
                taken += amount
                crossing = number + 1
                if order is not None:
                    desk.cancel(self.account_id, order.order_id)
                continue
            if number == crossing and crossing:
                self._take(desk, side, crossing, taken)
            self._rest(desk, side, number, price, amount, order)

    def _price(self, side: int, number: int) -> int:
        """The price of a slice in ticks, 0 where it is less than one."""
        distance = self._density.distances[number]
        return round(self.view.index_ticks * math.exp(-side * distance))

    def _lots(self, amount: float, price_ticks: int) -> int:
        """Lots worth that money at the price or the mark, whichever is higher: the venue margins
        an order at the mark, so that it could not be carried otherwise."""
        lots = self.view.lots(amount, max(price_ticks, self.view.mark_ticks))
        return lots if lots >= self.view.spec.min_lots else 0

    def _take(self, desk: Desk, side: int, crossing: int, amount: float) -> None:
        """Trade what the first slices want, at no worse a price than the last of them accepts."""
        self._taking = crossing
        price = self._price(side, crossing - 1)
        self._taking_lots = self._lots(amount, price)
        self.take(desk, side, self._taking_lots, price)

    def _rest(
        self,
        desk: Desk,
        side: int,
        number: int,
        price: int,
        amount: float,
        order: RestingOrder | None,
    ) -> None:
        """Place, move, resize or cancel the order of a slice."""
        view = self.view
        price = view.inside_band(side, price)
        lots = min(self._lots(amount, price), view.max_lots) if price > 0 else 0
        if order is None:
            if lots > 0:
                self._placed[side][number] = desk.submit(
                    self.account_id, view.instrument_id, side, lots, price, post_only=True
                )
        elif lots <= 0:
            desk.cancel(self.account_id, order.order_id)
        elif self._is_off(order, number, price, lots):
            desk.amend(self.account_id, order.order_id, price, lots)

    def _is_off(self, order: RestingOrder, number: int, price: int, lots: int) -> bool:
        distance = self._density.distances[number] * self.view.index_ticks
        small, large = sorted((order.qty_lots, lots))
        return (
            abs(order.price_ticks - price) > max(1.0, _PRICE_TOLERANCE * distance)
            or small < (1.0 - _SIZE_TOLERANCE) * large
        )

    def state(self) -> list[Any]:
        """As every agent, its intentions and where it shows them."""
        return [
            super().state(),
            self._density.state(),
            [list(self._placed[BUY]), list(self._placed[SELL])],
            self._taking,
            self._taking_lots,
            self._refused,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, density, placed, self._taking, self._taking_lots, self._refused = state
        super().restore(common)
        self._density.restore(density)
        self._placed = {BUY: list(placed[0]), SELL: list(placed[1])}
