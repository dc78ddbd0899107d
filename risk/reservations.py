"""Reservations: the margin every open order ties up until it fills or is gone."""

from engine.commands import BUY
from engine.order_links import ChangeOrder
from engine.reasons import Reason
from engine.units import Rate
from risk.accounts import OpenOrder, Position
from risk.core import RiskCore
from risk.ledger import share_down


class Reservations:
    """Keeps positions' reserved lots and values, and cross accounts' holds, in step with orders."""

    __slots__ = ("_core",)

    def __init__(self, core: RiskCore) -> None:
        self._core = core

    def register(self, order: OpenOrder, value_q: int) -> None:
        """Remember a new order and reserve for all of it at its value."""
        self._core.orders.add(order)
        order.position.account.trader.remember_order(order)
        self.reserve(order, order.qty_lots, value_q)
        if order.hold_q:
            self._core.cross_of(order.position.account).held_q += order.hold_q

    def reserve(self, order: OpenOrder, lots: int, value_q: int) -> None:
        """Reserve for ``lots`` of an order that reserves nothing yet; ``value_q`` is what they
        would book at its price (buyer's sign)."""
        position = order.position
        order.remaining_lots = lots
        order.value_q = value_q
        if order.side == BUY:
            position.buy_lots += lots
            position.buy_value_q += value_q
        else:
            position.sell_lots += lots
            position.sell_value_q += value_q
        if order.reduce_only:
            position.reduce_lots += lots

    def release(self, order: OpenOrder, lots: int) -> None:
        """Free the reservation of ``lots``; value and hold in proportion (rounded down, the
        remainder goes with the last lot)."""
        position = order.position
        before = order.remaining_lots
        remaining = before - lots
        assert remaining >= 0, f"order {order.order_id}: {lots} of {before} lots"
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
        else:
            position.sell_lots -= lots
            position.sell_value_q -= value_q
        if order.reduce_only:
            position.reduce_lots -= lots
        if hold_q:
            order.hold_q -= hold_q
            self._core.cross_of(position.account).held_q -= hold_q

    def trim_reduce_only(self, position: Position) -> None:
        """Shrink reduce-only orders, newest first, to what the position still has to close.

        Plain orders against the position come first: one taker may fill both before risk hears of
        it, and a reduce-only order must not open even then.
        """
        if not position.reduce_lots:
            return
        core = self._core
        orders = [
            order
            for order in position.account.trader.open_orders()
            if order.position is position and order.reduce_only and not order.liquidation
        ]
        against = position.sell_lots if position.qty_lots > 0 else position.buy_lots
        plain = against - sum(order.remaining_lots for order in orders if order.reduces)
        allowed = max(0, abs(position.qty_lots) - plain)
        for order in orders:
            keep = min(order.remaining_lots, allowed) if order.reduces else 0
            allowed -= keep
            if keep == order.remaining_lots:
                continue
            if keep == 0:
                core.pull(order, Reason.REDUCE_ONLY_TRIMMED)
            else:
                core.emit(
                    ChangeOrder(
                        core.now_ns,
                        order.order_id,
                        order.instrument_id,
                        order.price_ticks,
                        keep,
                        0,
                        True,
                    )
                )


def isolated_margin_q(position: Position, lots: int, price_ticks: int) -> int:
    """Collateral an isolated position needs for ``lots`` opened at this price."""
    notional_q = position.listing.instrument.notional_q(lots, price_ticks)
    return position.listing.model.initial_q(lots, notional_q, notional_q, position.leverage)


def isolated_hold_q(
    position: Position, side: int, qty_lots: int, opening: int, price_ticks: int, fee: Rate
) -> int:
    """What the cross account sets aside for an isolated order of which ``opening`` lots open.

    Their margin, the loss they would start with against the mark, and the fee of the whole order.
    """
    listing = position.listing
    instrument = listing.instrument
    fee_q = fee.up(instrument.notional_q(qty_lots, price_ticks))
    loss_q = side * (
        instrument.fill_value_q(opening, price_ticks)
        - instrument.position_value_q(opening, listing.mark_ticks)
    )
    return fee_q + isolated_margin_q(position, opening, price_ticks) + max(0, loss_q)


def drop_if_empty(position: Position) -> None:
    """Forget a position that is flat and has no orders, so that accounts stay small."""
    if not position.qty_lots and not position.buy_lots and not position.sell_lots:
        position.account.drop_position(position)
