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
"""Part of the capital that is put to use: the rest is for fees, and orders that are too large."""

_PRICE_TOLERANCE: Final[float] = 0.4
"""A resting order may be off by this part of its distance from the anchor."""

_TOO_LARGE: Final[float] = 1.1
"""Of its size a resting order may be so much: more, and all together could not be carried."""

_TOO_SMALL: Final[float] = 0.7
"""Of its size a resting order has to be so much."""

_WORTH_TAKING: Final[float] = 0.05
"""The share of ``depth`` from which on it takes: what comes back in seconds is no order."""


class LatentTrader(Agent):
    """One owner of intentions, with its own speed of refill."""

    __slots__ = ("_density", "_placed", "_refused", "_take_id", "_taking", "_taking_lots", "plan")

    def __init__(
        self, plan: LatentPlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        half_life_ns = max(1, rng.randint(*plan.refill_half_life_ns))
        self._density = LatentDensity(plan.depth, plan.distance, rng.random(), half_life_ns)
        slices = len(self._density.distances)
        self._placed: dict[int, list[int]] = {BUY: [0] * slices, SELL: [0] * slices}
        self._take_id = 0
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
        self.forget_lost(desk.now_ns)
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
        elif self._taking_lots > 0 and not event.liquidation:
            share = min(1.0, event.qty_lots / self._taking_lots)
            self._density.use(event.side, 0, self._taking, share)
            self._taking_lots -= event.qty_lots

    def _show(self, desk: Desk, side: int) -> None:
        """Bring one side of the book in line with the intentions, the nearest first."""
        capital = _MARGIN_ROOM * self.leverage * (self.capital + self.profit())
        amounts = self._density.shown(side, capital, capital - side * self.exposure())
        crossing = self._crossing(side)
        self._cut(desk, side, crossing, amounts)
        if crossing:
            self._take(desk, side, crossing, sum(amounts[:crossing]))
        for number in range(crossing, len(amounts)):
            if self._refused:
                return
            self._rest(desk, side, number, amounts[number])

    def _crossing(self, side: int) -> int:
        """How many slices, the nearest ones, want to trade at what the book offers."""
        touch = self.view.best_ask() if side == BUY else self.view.best_bid()
        slices = len(self._density.distances)
        number = 0
        while touch and number < slices and side * (self._price(side, number) - touch) >= 0:
            number += 1
        return number

    def _cut(self, desk: Desk, side: int, crossing: int, amounts: list[float]) -> None:
        """Withdraw what is shown and not wanted any more, before anything needs its margin."""
        for number, order_id in enumerate(self._placed[side]):
            order = self.orders.get(order_id)
            if order is None:
                continue
            price = self._price(side, number)
            lots = self._lots(amounts[number], price)
            if lots <= 0 or number < crossing:
                desk.cancel(self.account_id, order_id)
            elif order.qty_lots > _TOO_LARGE * lots:
                desk.amend(self.account_id, order_id, self.view.inside_band(side, price), lots)

    def _price(self, side: int, number: int) -> int:
        """The price of a slice in ticks, 0 where it is less than one."""
        distance = self._density.distances[number]
        return round(self.view.index_ticks * math.exp(-side * distance))

    def _lots(self, amount: float, price_ticks: int) -> int:
        """Lots worth that money at the price or the mark, whichever is higher: the venue margins
        an order at the mark, so that it could not be carried otherwise. None below a tick."""
        lots = self.view.lots(amount, max(price_ticks, self.view.mark_ticks))
        return lots if price_ticks > 0 and lots >= max(1, self.view.spec.min_lots) else 0

    def _take(self, desk: Desk, side: int, crossing: int, amount: float) -> None:
        """Trade what the first slices want, at no worse a price than the last of them accepts."""
        if amount < self.plan.depth * _WORTH_TAKING or self._is_out(self._take_id):
            return
        self._taking = crossing
        price = self._price(side, crossing - 1)
        self._taking_lots = self._lots(amount, price)
        self._take_id = self.take(desk, side, self._taking_lots, price, sent=self.sent)

    def _is_out(self, order_id: int) -> bool:
        """Whether an order is under way, or in the book."""
        return order_id in self.sent or order_id in self.orders

    def _rest(self, desk: Desk, side: int, number: int, amount: float) -> None:
        """Place, move or enlarge the order of a slice."""
        view = self.view
        price = view.inside_band(side, self._price(side, number))
        lots = min(self._lots(amount, price), view.max_lots)
        if lots <= 0:
            return
        order_id = self._placed[side][number]
        order = self.orders.get(order_id)
        if order is None:
            if order_id not in self.sent:
                self._placed[side][number] = desk.submit(
                    self.account_id,
                    view.instrument_id,
                    side,
                    lots,
                    price,
                    post_only=True,
                    sent=self.sent,
                )
        elif self._is_off(order, number, price, lots):
            desk.amend(self.account_id, order.order_id, price, lots)

    def _is_off(self, order: RestingOrder, number: int, price: int, lots: int) -> bool:
        distance = self._density.distances[number] * self.view.index_ticks
        return (
            abs(order.price_ticks - price) > max(1.0, _PRICE_TOLERANCE * distance)
            or order.qty_lots < _TOO_SMALL * lots
        )

    def state(self) -> list[Any]:
        """As every agent, its intentions and where it shows them."""
        return [
            super().state(),
            self._density.state(),
            [list(self._placed[BUY]), list(self._placed[SELL])],
            self._take_id,
            self._taking,
            self._taking_lots,
            self._refused,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, density, placed, take_id, taking, taking_lots, refused = state
        self._take_id, self._taking, self._taking_lots = take_id, taking, taking_lots
        self._refused = refused
        super().restore(common)
        self._density.restore(density)
        self._placed = {BUY: list(placed[0]), SELL: list(placed[1])}
