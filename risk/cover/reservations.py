"""Reservations: what every open order ties up until it fills or is gone."""

from engine.commands import BUY
from engine.internal import ChangeOrder
from engine.reasons import Reason
from engine.units import magnitude
from risk.accounts import OpenOrder, Position
from risk.core import RiskCore
from risk.ledger import share_down


class Reservations:
    """Keeps positions' open lots and values, and cross accounts' fee holds, in step with orders."""

    __slots__ = ("_core",)

    def __init__(self, core: RiskCore) -> None:
        self._core = core

    def register(self, order: OpenOrder, value_q: int) -> None:
        """Remember a new order and reserve for all of it at its value."""
        self._core.orders.add(order)
        order.position.account.trader.remember_order(order)
        self.reserve(order, order.qty_lots, value_q)
        order.position.account.held_q += order.hold_q

    def reserve(self, order: OpenOrder, lots: int, value_q: int) -> None:
        """Reserve for ``lots`` of an order that reserves nothing yet; ``value_q`` is what they
        would book at its price (buyer's sign)."""
        position = order.position
        order.remaining_lots = lots
        order.value_q = value_q
        price_ticks = order.price_ticks
        if order.side == BUY:
            position.buy_lots += lots
            position.buy_value_q += value_q
            position.listing.open_buy_lots += lots
            if order.reduce_only:
                position.reduce_buy_lots += lots
            if price_ticks > position.buy_high_ticks and not order.liquidation:
                position.buy_high_ticks = price_ticks
        else:
            position.sell_lots += lots
            position.sell_value_q += value_q
            if order.reduce_only:
                position.reduce_sell_lots += lots
            low_ticks = position.sell_low_ticks
            if (price_ticks < low_ticks or low_ticks == 0) and not order.liquidation:
                position.sell_low_ticks = price_ticks

    def release(self, order: OpenOrder, lots: int) -> int:
        """Free the reservation of ``lots``, value and fee hold in proportion (rounded down, the
        remainder goes with the last lot); returns the part of the hold that is free now."""
        position = order.position
        before = order.remaining_lots
        remaining = before - lots
        assert remaining >= 0, f"order {order.order_id}: {lots} of {before} lots"
        position.account.trader.touch()
        value_q = order.value_q
        hold_q = order.hold_q
        if remaining:
            value_q -= share_down(value_q, remaining, before)
            hold_q -= share_down(hold_q, remaining, before)
        order.remaining_lots = remaining
        order.value_q -= value_q
        if order.side == BUY:
            position.buy_lots -= lots
            position.buy_value_q -= value_q
            position.listing.open_buy_lots -= lots
            if order.reduce_only:
                position.reduce_buy_lots -= lots
            if position.buy_lots == 0:
                position.buy_high_ticks = 0
        else:
            position.sell_lots -= lots
            position.sell_value_q -= value_q
            if order.reduce_only:
                position.reduce_sell_lots -= lots
            if position.sell_lots == 0:
                position.sell_low_ticks = 0
        if hold_q:
            order.hold_q -= hold_q
            position.account.held_q -= hold_q
        return hold_q

    def find_edges(self, position: Position) -> None:
        """Take the highest buy and the lowest sell anew: what set them may be gone."""
        position.account.trader.touch()
        position.buy_high_ticks = 0
        position.sell_low_ticks = 0
        order = position.account.trader.oldest_order
        while order is not None:
            if order.position is position and not order.liquidation:
                if order.side == BUY:
                    position.buy_high_ticks = max(position.buy_high_ticks, order.price_ticks)
                elif not 0 < position.sell_low_ticks <= order.price_ticks:
                    position.sell_low_ticks = order.price_ticks
            order = order.newer

    def trim_reduce_only(self, position: Position) -> None:
        """Shrink reduce-only orders to the position they close; pull those that close nothing.

        The book never lets them open anything. This keeps what it shows honest, and frees what
        their fees hold.
        """
        if not position.reduce_buy_lots and not position.reduce_sell_lots:
            return
        core = self._core
        held = magnitude(position.qty_lots)
        for order in position.account.trader.open_orders():
            if order.position is not position or not order.reduce_only or order.liquidation:
                continue
            if not order.reduces:
                core.pull(order, Reason.REDUCE_ONLY_TRIMMED)
            elif order.remaining_lots > held:
                self.cut(order, held)

    def cut(self, order: OpenOrder, lots: int) -> None:
        """Ask the book to cut an order to ``lots`` of what remains; it keeps its place."""
        core = self._core
        order.position.account.trader.touch()
        order.changes += 1
        order.book_lots = min(order.book_lots, lots)
        core.emit(
            ChangeOrder(
                core.now_ns,
                order.order_id,
                order.instrument_id,
                order.price_ticks,
                lots,
                0,
                True,
            )
        )


def drop_if_empty(position: Position) -> None:
    """Forget a position that is flat and has no orders, so that accounts stay small.

    Where an account traded with itself the first of the two orders that ends has done so.
    """
    if position.qty_lots or position.buy_lots or position.sell_lots:
        return
    listing = position.listing
    account = position.account
    if account.position(listing.instrument_id, position.leg) is position:
        listing.frontier.remove(position)
        account.drop_position(position)
