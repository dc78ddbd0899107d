"""What an account holds in one market: its position, its resting orders and what they cost."""

from collections.abc import Mapping
from typing import Any, Final

from engine.events import (
    CommandRejected,
    Deleveraged,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TakenOver,
)
from engine.units import MINUTE_NS
from seawall.agents.view import MarketView

_LOST_NS: Final[int] = MINUTE_NS
"""An order of which nothing was heard for so long never arrived."""


class RestingOrder:
    """An own order as far as its owner knows."""

    __slots__ = ("order_id", "price_ticks", "qty_lots", "side")

    def __init__(self, order_id: int, side: int, price_ticks: int, qty_lots: int) -> None:
        self.order_id = order_id
        self.side = side
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots


class Holding:
    """Position and orders in the market of ``view``. ``cash`` is what trading has brought in quote
    currency, ``coins`` what it was paid for: the position at its prices. ``sent`` are orders that
    were not answered yet, and when they were sent, of those owners who wait for answers."""

    __slots__ = ("cash", "coins", "orders", "position_lots", "sent", "view")

    def __init__(self, view: MarketView) -> None:
        self.view = view
        self.position_lots = 0
        self.orders: dict[int, RestingOrder] = {}
        self.sent: dict[int, int] = {}
        self.cash = 0.0
        self.coins = 0.0

    def on_event(self, event: Any) -> None:
        """Something (an `engine.events.Event`) happened to it."""
        kind = type(event)  # an `isinstance` of a message costs many times this comparison
        if kind is OrderAmended:
            self._amended(event)
        elif kind is OrderFilled:
            self._filled(event)
        elif kind is OrderAccepted:
            self._accepted(event)
        elif kind is OrderClosed:
            self.orders.pop(event.order_id, None)
        elif kind is CommandRejected:
            self.answered(event.order_id)
        elif kind is Deleveraged or kind is TakenOver:
            self._settled(event.qty_lots, event.value_q)

    def answered(self, order_id: int) -> None:
        """The venue said something of an order: it is under way no longer."""
        self.sent.pop(order_id, None)

    def forget_lost(self, now_ns: int) -> None:
        """Wait no longer for answers that would have come."""
        for order_id, sent_ns in list(self.sent.items()):
            if now_ns - sent_ns > _LOST_NS:
                del self.sent[order_id]

    def adopt(self, positions: Mapping[int, int]) -> None:
        """The account has traded before: it has these lots by instrument id, bought at the last
        price, and no order."""
        self.position_lots = positions.get(self.view.instrument_id, 0)
        self.orders.clear()
        self.sent.clear()
        self.coins = self.exposure() / self.view.price() if self.position_lots else 0.0
        self.cash = -self.coins * self.view.price()

    def holding_state(self) -> list[Any]:
        """What changed since it was empty."""
        orders = self.orders.values()
        return [
            self.position_lots,
            [[each.order_id, each.side, each.price_ticks, each.qty_lots] for each in orders],
            self.cash,
            self.coins,
            [list(each) for each in self.sent.items()],
        ]

    def restore_holding(self, state: list[Any]) -> None:
        """Take over what `holding_state` returned."""
        self.position_lots, orders, self.cash, self.coins, sent = state
        self.orders = {row[0]: RestingOrder(*row) for row in orders}
        self.sent = dict(sent)

    def _accepted(self, event: OrderAccepted) -> None:
        self.answered(event.order_id)
        self.orders[event.order_id] = RestingOrder(
            event.order_id, event.side, event.price_ticks, event.qty_lots
        )

    def _amended(self, event: OrderAmended) -> None:
        order = self.orders.get(event.order_id)
        if order is not None:
            order.price_ticks = event.price_ticks
            order.qty_lots = event.remaining_lots

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


def shrink(position_lots: int, qty_lots: int) -> int:
    """A position after ``qty_lots`` of it (whatever the sign) were taken away."""
    size = max(0, abs(position_lots) - abs(qty_lots))
    return size if position_lots > 0 else -size
