"""Orders on the risk side: the check before the book, and amendments."""

from engine.commands import (
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
    SubmitOrder,
)
from engine.events import OrderAccepted
from engine.internal import ChangeOrder, PlaceOrder
from engine.reasons import Reason
from risk.accounts import MarginAccount, OpenOrder, Position, Trader
from risk.check.pretrade import (
    OK,
    PASSED,
    Verdict,
    band_limits,
    can_only_close,
    check_band,
    check_count,
    check_cross_margin,
    check_expiry,
    check_fields,
    check_isolated_margin,
    check_leg,
    check_leverage,
    check_open_interest,
    check_price,
    check_reduces,
    check_size,
    closable_lots,
    closing_means_q,
    fee_hold_q,
    least_reach_ticks,
    rounding_hold_q,
    worst_paid_ticks,
)
from risk.core import RiskCore
from risk.cover.cover import keep_covered, place_cover
from risk.cover.reservations import Reservations, drop_if_empty
from risk.entry.cancels import own_order
from risk.health import edges_are_passed, open_loss_q, order_loss_q
from risk.listing import Listing


class Orders:
    """Order entry and amendment."""

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
        elif order_id in core.orders or (core.triggers.count and order_id in core.triggers):
            verdict = Verdict(Reason.DUPLICATE_ID)
        else:
            verdict = check_fields(command)
            if verdict.reason == OK and command.expire_ns:
                verdict = check_expiry(command.expire_ns, core.now_ns)
                if command.order_type != LIMIT or command.tif != GTC:
                    detail = "expire_ns needs a limit order with tif GTC"
                    verdict = Verdict(Reason.INVALID_FIELD, detail=detail)
            if verdict.reason == OK:
                verdict = self.place(command, trader, listing, core.reduce_only_counts)
        if verdict.reason != OK:
            core.reject(account_id, order_id, verdict)

    def place(
        self, command: SubmitOrder, trader: Trader, listing: Listing, counts: bool
    ) -> Verdict:
        """Check an order whose fields make one and pass it to the book, or say why not. ``counts``:
        reduce-only orders that rest come first."""
        verdict = check_leg(trader, command.leg)
        if verdict.reason == OK and listing.mark_ticks == 0:
            verdict = Verdict(Reason.NO_MARK_PRICE)
        if verdict.reason != OK:
            return verdict
        position = self.position(trader, listing, command.leg)
        high_ticks, low_ticks = position.buy_high_ticks, position.sell_low_ticks
        try:
            return self._check_and_place(command, trader, position, counts)
        finally:
            if self._core.planning:
                # It was refused, or something was raised.
                position.buy_high_ticks, position.sell_low_ticks = high_ticks, low_ticks
                drop_if_empty(position)

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

    def _check_and_place(
        self, command: SubmitOrder, trader: Trader, position: Position, counts: bool
    ) -> Verdict:
        side = command.side
        qty_lots = command.qty_lots
        price_ticks = command.price_ticks
        tif = command.tif
        core = self._core
        listing = position.listing
        instrument = listing.instrument
        verdict = self._check_account(command.order_id, trader, position)
        if verdict.reason != OK:
            return verdict
        reduce_only = command.reduce_only or closes_leg(command.leg, side)
        if reduce_only:
            verdict = check_reduces(position, side, qty_lots, counts)
            if verdict.reason != OK:
                return verdict
            qty_lots = min(qty_lots, closable_lots(position, side))
        if edges_are_passed(position, listing.mark_ticks):
            self._reservations.find_edges(position)
        least_ticks = price_ticks
        is_market = command.order_type != LIMIT
        if is_market:
            low_ticks, high_ticks = band_limits(listing)
            price_ticks = high_ticks if side == BUY else low_ticks
            least_ticks = least_reach_ticks(listing, side, core.slippage_ppb, price_ticks)
            tif = FOK if tif == FOK else IOC
        else:
            verdict = check_band(listing, side, price_ticks)
            if verdict.reason != OK:
                return verdict
        closes = reduce_only or can_only_close(position, side, qty_lots)
        value_q = instrument.fill_value_q(qty_lots, least_ticks)
        notional_q = instrument.notional_of_value_q(value_q, qty_lots, least_ticks)
        verdict = check_size(listing, qty_lots, notional_q, closes)
        if verdict.reason != OK:
            return verdict
        order = OpenOrder(
            command.order_id, position, side, qty_lots, least_ticks, reduce_only, False
        )
        if closes:
            verdict = self._check_closing(order, value_q, notional_q, is_market)
        else:
            verdict = self._check_margin(order, value_q, notional_q)
            if verdict.reason == OK and is_market:
                self._reach(order, price_ticks, verdict)
            elif verdict.reason != OK and qty_lots <= closable_lots(position, side):
                # Margin does not carry it as an order that might open: it may still close.
                refused = verdict
                verdict = self._check_closing(order, value_q, notional_q, is_market)
                if verdict.reason != OK:
                    return refused if verdict.reason == Reason.INSUFFICIENT_MARGIN else verdict
                order.reduce_only = True
        if verdict.reason != OK:
            return verdict
        if order.price_ticks != least_ticks:
            value_q = instrument.fill_value_q(qty_lots, order.price_ticks)
        cross = core.cross_of(position.account)
        core.apply()
        self._accept(order, command, value_q)
        if order.reduce_only or closes:
            # What waits behind it might open now: if that is not covered, it goes first.
            keep_covered(core, self._reservations, cross, order)
        else:
            # What it opens at once moves the cover of the orders that rest.
            place_cover(cross, verdict.free_q - verdict.required_q)
        self._place(order, tif, command)
        return PASSED

    def _check_account(self, order_id: int, trader: Trader, position: Position) -> Verdict:
        """Whether an account may have another order, or one that fires, at all."""
        if self._is_locked(position.account):
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        return check_count(trader, position.listing, order_id)

    def _accept(self, order: OpenOrder, command: SubmitOrder, value_q: int) -> None:
        """Remember an order that may go to the book, and say so."""
        core = self._core
        self._reservations.register(order, value_q)
        if command.expire_ns:
            core.expiries.add(command.order_id, command.expire_ns)
        core.out.append(
            OrderAccepted(
                core.now_ns,
                command.account_id,
                order.order_id,
                command.instrument_id,
                order.side,
                order.qty_lots,
                order.price_ticks,
            )
        )

    def _place(self, order: OpenOrder, tif: int, command: SubmitOrder) -> None:
        """Pass an accepted order to the book."""
        core = self._core
        core.out.append(
            PlaceOrder(
                core.now_ns,
                order.order_id,
                command.account_id,
                command.instrument_id,
                order.side,
                order.qty_lots,
                order.price_ticks,
                tif,
                command.post_only,
                command.stp,
                False,
                order.reduce_only,
                command.leg,
            )
        )

    def _is_locked(self, account: MarginAccount) -> bool:
        if account.liquidation is not None:
            return True
        return account.isolated and self._core.cross_of(account).liquidation is not None

    def _check_margin(self, order: OpenOrder, value_q: int, notional_q: int) -> Verdict:
        """Leverage, open interest and initial margin of an order that may open a position; sets the
        fee it holds.

        ``value_q`` is what all its lots would book at its price, ``notional_q`` what they are worth
        there.
        """
        position = order.position
        core = self._core
        side = order.side
        if core.reduces_when_stale and position.listing.stale:
            detail = "every source of the index is stale; orders may only reduce"
            return Verdict(Reason.INDEX_STALE, detail=detail)
        verdict = check_leverage(position, side, order.qty_lots)
        if verdict.reason == OK and side == BUY:
            verdict = check_open_interest(position.listing, order.qty_lots)
        if verdict.reason != OK:
            return verdict
        fee_q = fee_hold_q(position.listing.fees.held, notional_q)
        order.hold_q = fee_q
        account = position.account
        high_ticks = position.buy_high_ticks
        if position.listing.model.by_entry and side == BUY and order.price_ticks > high_ticks:
            position.buy_high_ticks = order.price_ticks
        try:
            if account.isolated:
                cross = core.cross_of(account)
                return check_isolated_margin(position, cross, side, order.qty_lots, value_q, fee_q)
            return check_cross_margin(
                position, side, order.qty_lots, value_q, fee_q, core.profit_margins_orders
            )
        finally:
            position.buy_high_ticks = high_ticks

    def _reach(self, order: OpenOrder, edge_ticks: int, passed: Verdict) -> None:
        """Let a market order that margin carries at its least price go on as far as margin does,
        the edge of the band at most."""
        position = order.position
        instrument = position.listing.instrument
        if order.price_ticks == edge_ticks:
            return
        value_q = instrument.fill_value_q(order.qty_lots, order.price_ticks)
        spare_q = passed.free_q - passed.required_q
        if position.listing.model.by_entry:
            # Margin grows with the price paid too, by no more than the price does.
            spare_q //= 2
        means_q = spare_q + order.hold_q
        means_q += order_loss_q(
            position, order.side, order.qty_lots, value_q, position.listing.mark_ticks
        )
        fee = position.listing.fees.held
        # An isolated pot pays its losses first from what it has beyond its margin, which the check
        # has counted at the least price: from there on every quantum is the cross account's.
        reached = worst_paid_ticks(position, order.side, order.qty_lots, edge_ticks, means_q, fee)
        if order.side * (reached - order.price_ticks) > 0:
            order.price_ticks = reached
            notional_q = instrument.notional_q(order.qty_lots, reached)
            order.hold_q = fee_hold_q(fee, notional_q)

    def _check_closing(
        self, order: OpenOrder, value_q: int, notional_q: int, is_market: bool
    ) -> Verdict:
        """An order that can only close may trade down to the price at which its account is bankrupt
        after its fee: a limit order beyond is refused, a market order stops there."""
        position = order.position
        fee = position.listing.fees.held
        side = order.side
        lots = order.qty_lots
        instrument = position.listing.instrument
        means_q = closing_means_q(position)
        if is_market:
            low_ticks, high_ticks = band_limits(position.listing)
            edge_ticks = high_ticks if side == BUY else low_ticks
            order.price_ticks = worst_paid_ticks(position, side, lots, edge_ticks, means_q, fee)
            value_q = instrument.fill_value_q(lots, order.price_ticks)
            notional_q = instrument.notional_q(lots, order.price_ticks)
        mark_ticks = position.listing.mark_ticks
        loss_q = order_loss_q(position, side, lots, value_q, mark_ticks)
        if loss_q and order.reduce_only:
            # Beside other reduce-only orders it adds no more than they lose together.
            before_q = open_loss_q(position, mark_ticks)
            loss_q = open_loss_q(position, mark_ticks, loss_q, lots) - before_q
        fee_q = fee_hold_q(fee, notional_q) + rounding_hold_q(instrument, lots)
        if loss_q and loss_q + fee_q > means_q:
            worst = worst_paid_ticks(position, side, lots, order.price_ticks, means_q, fee)
            detail = f"price {order.price_ticks}; bankrupt beyond {worst} ticks"
            return Verdict(Reason.CLOSES_PAST_BANKRUPTCY, loss_q + fee_q, means_q, detail)
        # The fee is held as far as there is something to hold; a closing fill pays no more.
        order.hold_q = max(0, min(fee_q, means_q - loss_q))
        return PASSED

    # amendment

    def amend(self, command: AmendOrder) -> None:
        """Check the order as it would become and ask the book to change it."""
        core = self._core
        account_id = command.account_id
        order_id = command.order_id
        price_ticks = command.price_ticks
        qty_lots = command.qty_lots
        found = own_order(core, account_id, order_id)
        if isinstance(found, Verdict):
            core.reject(account_id, order_id, found)
            return
        if command.filled_lots >= 0:
            since_lots = found.qty_lots - found.remaining_lots - command.filled_lots
            if since_lots < 0:
                detail = f"filled_lots {command.filled_lots}; so much has not filled"
                core.reject(account_id, order_id, Verdict(Reason.INVALID_FIELD, detail=detail))
                return
            if 0 < qty_lots <= since_lots:
                core.pull(found, Reason.CANCELLED_BY_OWNER, account_id)
                return
            qty_lots -= since_lots
        worst = self._check_amend(found, price_ticks, qty_lots)
        if isinstance(worst, Verdict):
            if worst.reason != OK:
                core.reject(account_id, order_id, worst)
                return
            core.apply()
        else:
            core.apply()
            self._reserve_worst(found, worst, qty_lots)
        seen_lots = found.book_lots
        found.position.account.trader.touch()
        found.changes += 1
        found.book_lots = qty_lots
        core.out.append(
            ChangeOrder(
                core.now_ns,
                order_id,
                found.instrument_id,
                price_ticks,
                qty_lots,
                account_id,
                False,
                seen_lots,
            )
        )

    def _check_amend(
        self, order: OpenOrder, price_ticks: int, qty_lots: int
    ) -> "OpenOrder | Verdict":
        """The worst that the order may become meanwhile, or a verdict: refused, or passed because
        it asks for nothing more."""
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

    def _recheck(
        self, order: OpenOrder, new_price_ticks: int, new_lots: int
    ) -> "OpenOrder | Verdict":
        """The check with the old order's reservation out of the way, put back afterwards whatever
        is raised.

        Until the book answers, the order may fill as it was or as it will be: the larger size at
        the worse price has to be covered.
        """
        position = order.position
        lots, price_ticks, hold_q = order.remaining_lots, order.price_ticks, order.hold_q
        value_q = order.value_q
        high_ticks, low_ticks = position.buy_high_ticks, position.sell_low_ticks
        worst_lots = max(lots, new_lots)
        worst_ticks = max(price_ticks, new_price_ticks)
        if order.side == SELL:
            worst_ticks = min(price_ticks, new_price_ticks)
        instrument = position.listing.instrument
        worst_q = instrument.fill_value_q(worst_lots, worst_ticks)
        notional_q = instrument.notional_of_value_q(worst_q, worst_lots, worst_ticks)
        probe = OpenOrder(
            order.order_id,
            position,
            order.side,
            worst_lots,
            worst_ticks,
            order.reduce_only,
            False,
        )
        probe.value_q = worst_q
        self._reservations.release(order, lots)
        try:
            if order.reduce_only or can_only_close(position, order.side, worst_lots):
                verdict = self._check_closing(probe, worst_q, notional_q, False)
            else:
                verdict = self._check_margin(probe, worst_q, notional_q)
        finally:
            order.hold_q = hold_q
            position.account.held_q += hold_q
            self._reservations.reserve(order, lots, value_q)
            position.buy_high_ticks, position.sell_low_ticks = high_ticks, low_ticks
        return probe if verdict.reason == OK else verdict

    def _reserve_worst(self, order: OpenOrder, worst: OpenOrder, new_lots: int) -> None:
        """Reserve for the worst an order may be until the book answers."""
        lots = order.remaining_lots
        account = order.position.account
        hold_q = self._reservations.release(order, lots)
        if new_lots > lots:
            order.qty_lots += new_lots - lots
        order.price_ticks = worst.price_ticks
        order.hold_q = max(hold_q, worst.hold_q)
        account.held_q += order.hold_q
        self._reservations.reserve(order, worst.qty_lots, worst.value_q)
        keep_covered(self._core, self._reservations, self._core.cross_of(account))


def closes_leg(leg: int, side: int) -> bool:
    """In hedge mode a sell on the long leg and a buy on the short leg can only reduce."""
    return (leg == LEG_LONG and side == SELL) or (leg == LEG_SHORT and side == BUY)
