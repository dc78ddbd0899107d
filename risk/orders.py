"""Orders on the risk side: the check before the book, cancels and amends."""

from typing import Final

from engine.commands import (
    ALL_INSTRUMENTS,
    BUY,
    FOK,
    GTC,
    IOC,
    LEG_LONG,
    LEG_SHORT,
    LIMIT,
    MAX_LOTS,
    SELL,
    AmendOrder,
    CancelAll,
    CancelOrder,
    SubmitOrder,
)
from engine.events import OrderAccepted
from engine.order_links import ChangeOrder, PlaceOrder
from engine.reasons import Reason
from risk.accounts import MarginAccount, OpenOrder, Position, Trader
from risk.core import RiskCore
from risk.listing import Listing
from risk.pretrade import (
    OK,
    PASSED,
    Verdict,
    band_limits,
    check_band,
    check_cross_margin,
    check_fields,
    check_leg,
    check_leverage,
    check_price,
    check_size,
    estimate_price_ticks,
    movable_q,
    opening_lots,
)
from risk.reservations import Reservations, drop_if_empty, isolated_hold_q

_CANCELLED_BY_OWNER: Final[int] = Reason.CANCELLED_BY_OWNER.value


class Orders:
    """Order entry, amendment and cancellation."""

    __slots__ = ("_core", "_reservations")

    def __init__(self, core: RiskCore, reservations: Reservations) -> None:
        self._core = core
        self._reservations = reservations

    # entry

    def submit(self, command: SubmitOrder) -> None:
        """Check an order and pass it to the book, or answer why not."""
        core = self._core
        core.advance(command.time_ns)
        account_id = command.account_id
        order_id = command.order_id
        trader = core.ledger.trader(account_id)
        listing = core.listing(command.instrument_id)
        if trader is None:
            verdict = Verdict(Reason.UNKNOWN_ACCOUNT)
        elif trader.is_house():
            verdict = Verdict(Reason.HOUSE_ACCOUNT)
        elif listing is None:
            verdict = Verdict(Reason.UNKNOWN_INSTRUMENT)
        elif order_id in core.orders:
            verdict = Verdict(Reason.DUPLICATE_ID)
        else:
            verdict = check_fields(command)
            if verdict.reason == OK:
                verdict = check_leg(trader, command.leg)
            if verdict.reason == OK and listing.mark_ticks == 0:
                verdict = Verdict(Reason.NO_MARK_PRICE)
            if verdict.reason == OK:
                position = self.position(trader, listing, command.leg)
                verdict = self._check_and_place(command, trader, position)
                if verdict.reason != OK:
                    drop_if_empty(position)
        if verdict.reason != OK:
            core.reject(account_id, order_id, verdict)

    def position(self, trader: Trader, listing: Listing, leg: int) -> Position:
        """The position an order belongs to, opened empty in the right margin account if needed."""
        instrument_id = listing.instrument_id
        if trader.isolated and trader.isolated.get(instrument_id, False):
            account = self._core.ledger.isolated(trader, listing, leg)
        else:
            account = self._core.ledger.cross(trader, listing.instrument.settle_asset_id)
        position = account.position(instrument_id, leg)
        if position is None:
            leverage = listing.default_leverage
            if trader.leverage:
                leverage = trader.leverage.get(instrument_id, leverage)
            position = Position(account, listing, leg, leverage)
            account.add_position(position)
        return position

    def _check_and_place(self, command: SubmitOrder, trader: Trader, position: Position) -> Verdict:
        account_id = command.account_id
        order_id = command.order_id
        side = command.side
        qty_lots = command.qty_lots
        price_ticks = command.price_ticks
        order_type = command.order_type
        tif = command.tif
        instrument_id = command.instrument_id
        core = self._core
        listing = position.listing
        if self._is_locked(position.account):
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        if trader.order_count >= listing.instrument.max_open_orders:
            limit = listing.instrument.max_open_orders
            return Verdict(Reason.TOO_MANY_OPEN_ORDERS, detail=f"at most {limit}")
        reduce_only = command.reduce_only or closes_leg(command.leg, side)
        if reduce_only:
            rests = order_type == LIMIT and tif == GTC
            qty_lots = min(qty_lots, reducible_lots(position, side, rests))
            if qty_lots <= 0:
                return Verdict(Reason.NOTHING_TO_REDUCE)
        estimate_ticks = price_ticks
        if order_type == LIMIT:
            verdict = check_band(listing, side, price_ticks)
            if verdict.reason != OK:
                return verdict
        else:
            low_ticks, high_ticks = band_limits(listing)
            price_ticks = high_ticks if side == BUY else low_ticks
            estimate_ticks = estimate_price_ticks(listing, side, core.slippage_ppb)
            tif = FOK if tif == FOK else IOC
        opening = opening_lots(position, side, qty_lots)
        instrument = listing.instrument
        value_q = instrument.fill_value_q(qty_lots, estimate_ticks)
        notional_q = instrument.notional_of_value_q(value_q, qty_lots, estimate_ticks)
        verdict = check_size(listing, qty_lots, notional_q, reduce_only or not opening)
        if verdict.reason != OK:
            return verdict
        order = OpenOrder(order_id, position, side, qty_lots, price_ticks, reduce_only, False)
        if opening and not reduce_only:
            verdict = self._check_margin(order, opening, estimate_ticks, value_q, notional_q)
            if verdict.reason != OK:
                return verdict
        self._reservations.register(order, value_q)
        if not reduce_only and tif == GTC:
            self._reservations.trim_reduce_only(position)
        now_ns = core.now_ns
        out = core.out
        out.append(
            OrderAccepted(now_ns, account_id, order_id, instrument_id, side, qty_lots, price_ticks)
        )
        out.append(
            PlaceOrder(
                now_ns,
                order_id,
                account_id,
                instrument_id,
                side,
                qty_lots,
                price_ticks,
                tif,
                command.post_only,
                command.stp,
                False,
                reduce_only,
                command.leg,
            )
        )
        return PASSED

    def _is_locked(self, account: MarginAccount) -> bool:
        if account.liquidation is not None:
            return True
        return account.isolated and self._core.cross_of(account).liquidation is not None

    def _check_margin(
        self, order: OpenOrder, opening: int, price_ticks: int, value_q: int, notional_q: int
    ) -> Verdict:
        """Leverage limit and initial margin, cross or isolated, of an order that opens a position.

        ``opening`` of its lots do; ``value_q`` is what all of them would book at the price, and
        ``notional_q`` what they are worth at it.
        """
        position = order.position
        core = self._core
        if core.reduces_when_stale and position.listing.stale:
            detail = "every source of the index is stale; orders may only reduce"
            return Verdict(Reason.INDEX_STALE, detail=detail)
        verdict = check_leverage(position, order.side, order.qty_lots)
        if verdict.reason != OK:
            return verdict
        if not position.account.isolated:
            return check_cross_margin(
                position,
                order.side,
                order.qty_lots,
                value_q,
                core.taker_fee.up(notional_q),
                core.profit_margins_orders,
            )
        hold_q = isolated_hold_q(
            position, order.side, order.qty_lots, opening, price_ticks, core.taker_fee
        )
        cross = core.cross_of(position.account)
        free_q = movable_q(cross)
        if hold_q > free_q:
            return Verdict(Reason.INSUFFICIENT_MARGIN, hold_q, free_q)
        order.hold_q = hold_q
        return PASSED

    # cancel and amend

    def _own_order(self, account_id: int, order_id: int) -> "OpenOrder | Verdict":
        order = self._core.orders.get(order_id)
        if order is None:
            return Verdict(Reason.UNKNOWN_ORDER)
        if order.position.account.trader.account_id != account_id:
            return Verdict(Reason.UNKNOWN_ORDER)
        if order.liquidation:
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        return order

    def cancel(self, command: CancelOrder) -> None:
        """Ask the book to cancel one order of the account."""
        account_id = command.account_id
        order_id = command.order_id
        self._core.advance(command.time_ns)
        found = self._own_order(account_id, order_id)
        if isinstance(found, Verdict):
            self._core.reject(account_id, order_id, found)
            return
        self._core.pull(found, _CANCELLED_BY_OWNER, account_id)

    def cancel_all(self, command: CancelAll) -> None:
        """Ask the book to cancel the account's orders in one instrument or in all."""
        core = self._core
        trader = core.trader(command.account_id)
        if trader is None:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_ACCOUNT))
            return
        instrument_id = command.instrument_id
        if instrument_id != ALL_INSTRUMENTS and instrument_id not in core.listings:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_INSTRUMENT))
            return
        for order in trader.open_orders():
            wanted = instrument_id == ALL_INSTRUMENTS or instrument_id == order.instrument_id
            if wanted and not order.liquidation:
                core.pull(order, _CANCELLED_BY_OWNER, 0)

    def amend(self, command: AmendOrder) -> None:
        """Check the order as it would become and ask the book to change it."""
        core = self._core
        account_id = command.account_id
        order_id = command.order_id
        price_ticks = command.price_ticks
        qty_lots = command.qty_lots
        found = self._own_order(account_id, order_id)
        if isinstance(found, Verdict):
            core.reject(account_id, order_id, found)
            return
        verdict = self._check_amend(found, price_ticks, qty_lots)
        if verdict.reason != OK:
            core.reject(account_id, order_id, verdict)
            return
        core.out.append(
            ChangeOrder(
                core.now_ns, order_id, found.instrument_id, price_ticks, qty_lots, account_id
            )
        )

    def _check_amend(self, order: OpenOrder, price_ticks: int, qty_lots: int) -> Verdict:
        position = order.position
        listing = position.listing
        if qty_lots <= 0:
            return Verdict(Reason.QTY_NOT_POSITIVE, detail=f"qty_lots {qty_lots}")
        if qty_lots > MAX_LOTS:
            return Verdict(Reason.NUMBER_TOO_LARGE, detail=f"qty_lots {qty_lots}")
        verdict = check_price(price_ticks)
        if verdict.reason == OK:
            verdict = check_band(listing, order.side, price_ticks)
        if verdict.reason == OK:
            notional_q = listing.instrument.notional_q(qty_lots, price_ticks)
            verdict = check_size(listing, qty_lots, notional_q, order.reduce_only)
        if verdict.reason != OK:
            return verdict
        if self._is_locked(position.account):
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        shrinks = qty_lots <= order.remaining_lots
        if order.reduce_only and not shrinks:
            return Verdict(Reason.NOTHING_TO_REDUCE, detail="a reduce-only order can only shrink")
        if shrinks and price_ticks == order.price_ticks:
            return PASSED
        return self._recheck(order, price_ticks, qty_lots)

    def _recheck(self, order: OpenOrder, new_price_ticks: int, new_lots: int) -> Verdict:
        """The margin check with the old order's reservation out of the way."""
        core = self._core
        position = order.position
        lots, price_ticks, hold_q = order.remaining_lots, order.price_ticks, order.hold_q
        cross = core.cross_of(position.account)
        order.hold_q = 0
        self._reservations.release(order, lots)
        cross.held_q -= hold_q
        probe = OpenOrder(
            order.order_id,
            position,
            order.side,
            new_lots,
            new_price_ticks,
            order.reduce_only,
            False,
        )
        verdict = PASSED
        opening = opening_lots(position, order.side, new_lots)
        if opening and not order.reduce_only:
            instrument = position.listing.instrument
            verdict = self._check_margin(
                probe,
                opening,
                new_price_ticks,
                instrument.fill_value_q(new_lots, new_price_ticks),
                instrument.notional_q(new_lots, new_price_ticks),
            )
        if verdict.reason == OK:
            hold_q = max(hold_q, probe.hold_q)
            if new_lots > lots:
                order.qty_lots += new_lots - lots
                order.enlarged = True
                lots = new_lots
            order.price_ticks = price_ticks = new_price_ticks
        value_q = position.listing.instrument.fill_value_q(lots, price_ticks)
        self._reservations.reserve(order, lots, value_q)
        order.hold_q = hold_q
        cross.held_q += hold_q
        return verdict


def closes_leg(leg: int, side: int) -> bool:
    """In hedge mode a sell on the long leg and a buy on the short leg can only reduce."""
    return (leg == LEG_LONG and side == SELL) or (leg == LEG_SHORT and side == BUY)


def reducible_lots(position: Position, side: int, rests: bool) -> int:
    """Lots a new reduce-only order may close, beside the reduce-only orders already open.

    An order that may rest also leaves room for the plain orders on its side.
    """
    against = -position.qty_lots if side == BUY else position.qty_lots
    taken = position.reduce_lots
    if rests:
        taken = position.buy_lots if side == BUY else position.sell_lots
    return max(0, against) - taken
