"""The frame every agent shares: one account, its position and resting orders, and its own chance.

An agent wakes, looks at its `MarketView`, hands commands to the `Desk` and says when it wants to
wake next. Events about its own account arrive through `on_event` and only change what it
remembers.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

from engine.commands import IOC, SELL
from engine.events import (
    Deleveraged,
    LiquidationEnded,
    LiquidationStarted,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TakenOver,
)
from seawall.agents.view import Desk, MarketView

NEVER: Final[int] = -1


class RestingOrder:
    """An own order as far as its owner knows."""

    __slots__ = ("order_id", "price_ticks", "qty_lots", "side")

    def __init__(self, order_id: int, side: int, price_ticks: int, qty_lots: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots


class Agent:
    """An agent with one account. ``capital`` is in the quote currency."""

    __slots__ = (
        "account_id",
        "capital",
        "cash",
        "coins",
        "leverage",
        "locked",
        "name",
        "orders",
        "position_lots",
        "rng",
        "view",
    )

    def __init__(
        self,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
        capital: float,
        leverage: int,
    ) -> None:
        self.name = name
        self.account_id = account_id
        self.view = view
        self.rng = rng
        self.capital = capital
        self.leverage = leverage
        self.position_lots = 0
        self.locked = False
        self.orders: dict[int, RestingOrder] = {}
        self.cash = 0.0
        self.coins = 0.0

    def largest_order(self) -> float:
        """What an order that opens a position is worth at most, in quote currency."""
        return self.capital * self.leverage

    def funded(self, amount_q: int) -> None:
        """Its account was opened with so many quanta of the settlement asset."""

    def first_wake(self, begin_ns: int) -> int:
        """When to wake for the first time."""
        return begin_ns + self.rng.randrange(1_000_000_000)

    def wake(self, desk: Desk) -> int:
        """Act; returns the next wake-up time, or `NEVER`."""
        raise NotImplementedError

    def on_event(self, event: Any) -> None:
        """Something (an `engine.events.Event`) happened to the agent's account."""
        kind = type(event)  # an `isinstance` of a message costs many times this comparison
        if kind is OrderAmended:
            self._amended(event)
        elif kind is OrderFilled:
            self._filled(event)
        elif kind is OrderAccepted:
            self._accepted(event)
        elif kind is OrderClosed:
            self._closed(event)
        elif kind is LiquidationStarted:
            self.locked = True
        elif kind is LiquidationEnded:
            self.locked = False
        elif kind is Deleveraged or kind is TakenOver:
            self._settled(event.qty_lots, event.value_q)

    def adopt(self, positions: Mapping[int, int]) -> None:
        """Take over an account that has traded before: with these lots by instrument id, bought at
        the last price, and no order."""
        self.position_lots = positions.get(self.view.instrument_id, 0)
        self.orders.clear()
        self.coins = self.exposure() / self.view.price() if self.position_lots else 0.0
        self.cash = -self.coins * self.view.price()

    def state(self) -> list[Any]:
        """What changed since it was built, and its chance."""
        version, words, spare = self.rng.getstate()
        orders = self.orders.values()
        return [
            self.position_lots,
            self.locked,
            [[each.order_id, each.side, each.price_ticks, each.qty_lots] for each in orders],
            self.cash,
            self.coins,
            [version, list(words), spare],
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned, of the same agent just built."""
        self.position_lots, self.locked, orders, self.cash, self.coins, chance = state
        self.orders = {row[0]: RestingOrder(*row) for row in orders}
        self.rng.setstate((chance[0], tuple(chance[1]), chance[2]))

    def _accepted(self, event: OrderAccepted) -> None:
        self.orders[event.order_id] = RestingOrder(
            event.order_id, event.side, event.price_ticks, event.qty_lots
        )

    def _amended(self, event: OrderAmended) -> None:
        order = self.orders.get(event.order_id)
        if order is not None:
            order.price_ticks = event.price_ticks
            order.qty_lots = event.remaining_lots

    def _closed(self, event: OrderClosed) -> None:
        self.orders.pop(event.order_id, None)

    def _filled(self, event: OrderFilled) -> None:
        self.position_lots = event.position_lots
        paid = event.side * self.view.notional(event.qty_lots, event.price_ticks)
        self.cash -= paid
        self.coins += paid / event.price_ticks
        order = self.orders.get(event.order_id)
        if order is not None:
            order.qty_lots -= event.qty_lots
            if order.qty_lots <= 0:
                del self.orders[event.order_id]

    def _settled(self, qty_lots: int, value_q: int) -> None:
        """The venue closed so much of the position, at this value of it."""
        left_lots = shrink(self.position_lots, qty_lots)
        moved_lots = left_lots - self.position_lots
        self.position_lots = left_lots
        paid, bought = self.view.settled(moved_lots, value_q * moved_lots / qty_lots)
        self.cash -= paid
        self.coins += bought

    def profit(self) -> float:
        """What trading has brought so far at the last price, without fees, in quote currency."""
        return self.cash + self.coins * self.view.price()

    def exposure(self) -> float:
        """Signed value of the position in the quote currency at the last price."""
        return self.view.notional(self.position_lots, self.view.price())

    def take(
        self, desk: Desk, side: int, lots: int, limit_ticks: int, reduce: bool = False
    ) -> None:
        """An immediate-or-cancel order within the instrument's largest size."""
        lots = min(lots, self.view.max_lots)
        limit_ticks = self.view.inside_band(side, limit_ticks) if limit_ticks > 0 else 0
        if lots > 0 and limit_ticks > 0:
            desk.submit(
                self.account_id,
                self.view.instrument_id,
                side,
                lots,
                limit_ticks,
                IOC,
                False,
                reduce,
            )


def shrink(position_lots: int, qty_lots: int) -> int:
    """A position after ``qty_lots`` of it (whatever the sign) were taken away."""
    size = max(0, abs(position_lots) - abs(qty_lots))
    return size if position_lots > 0 else -size


def worse(price_ticks: float, side: int, share: float) -> int:
    """A price moved by ``share`` to where an order of that side is more willing to trade."""
    factor = 1.0 - share if side == SELL else 1.0 + share
    return max(1, round(price_ticks * factor))


def wait_ns(rng: random.Random, mean_ns: float) -> int:
    """An exponential waiting time of at least a microsecond."""
    return max(1_000, int(rng.expovariate(1.0 / mean_ns)))
