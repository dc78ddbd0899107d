"""Orders on the risk side: the check before the book, and the settlement of what the book answers.

Every accepted order reserves margin on its position until it fills or is gone. Both sides of a fill
are settled before anyone is re-evaluated, so the books balance at every look.
"""

from engine.commands import (
    ALL_INSTRUMENTS,
    BUY,
    FOK,
    IOC,
    LEG_LONG,
    LEG_NET,
    LEG_SHORT,
    LIMIT,
    SELL,
    AmendOrder,
    CancelAll,
    CancelOrder,
    SubmitOrder,
)
from engine.events import FundChanged, OrderAccepted, OrderAmended, OrderClosed, OrderFilled
from engine.links import (
    ChangeOrder,
    Fill,
    LiquidationReport,
    OrderChanged,
    OrderGone,
    PlaceOrder,
    PullFailed,
    PullOrder,
)
from engine.reasons import Reason
from engine.units import apply_rate_up
from risk.accounts import FUND, MarginAccount, OpenOrder, Position, Trader
from risk.core import RiskCore
from risk.health import evaluate, initial_requirement_q
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
    margin_equity_q,
    opening_lots,
)
from risk.watch import MarginWatch, changed_equity_q, move_collateral, sync_record

DEFAULT_LEVERAGE = 20
"""Leverage of an account that chose none, if the margin model allows as much."""


class Orders:
    """Order entry, amendment, cancellation and settlement."""

    __slots__ = ("_core", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch) -> None:
        self._core = core
        self._watch = watch

    # entry

    def submit(self, command: SubmitOrder) -> None:
        """Check an order and pass it to the book, or answer why not."""
        core = self._core
        trader = core.ledger.traders.get(command.account_id)
        listing = core.listings.get(command.instrument_id)
        verdict = PASSED
        if trader is None:
            verdict = Verdict(Reason.UNKNOWN_ACCOUNT)
        elif trader.is_house():
            verdict = Verdict(Reason.HOUSE_ACCOUNT)
        elif listing is None:
            verdict = Verdict(Reason.UNKNOWN_INSTRUMENT)
        elif command.order_id in core.orders:
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
            core.reject(command.account_id, command.order_id, verdict)

    def position(self, trader: Trader, listing: Listing, leg: int) -> Position:
        """The position an order belongs to, opened empty in the right margin account if needed."""
        instrument_id = listing.instrument_id
        if trader.isolated.get(instrument_id, False):
            account = self._core.ledger.isolated(trader, listing, leg)
        else:
            account = self._core.ledger.cross(trader, listing.instrument.settle_asset_id)
        position = account.position(instrument_id, leg)
        if position is None:
            leverage = trader.leverage.get(instrument_id, 0)
            if not leverage:
                leverage = min(DEFAULT_LEVERAGE, listing.model.max_leverage(1))
            position = Position(account, listing, leg, leverage)
            account.positions.append(position)
        return position

    def _check_and_place(
        self, command: SubmitOrder, trader: Trader, position: Position
    ) -> Verdict:
        core = self._core
        listing = position.listing
        side = command.side
        if self._is_locked(position.account):
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        if len(trader.orders) >= listing.instrument.max_open_orders:
            limit = listing.instrument.max_open_orders
            return Verdict(Reason.TOO_MANY_OPEN_ORDERS, detail=f"at most {limit}")
        reduce_only = command.reduce_only or closes_leg(command.leg, side)
        qty_lots = command.qty_lots
        if reduce_only:
            qty_lots = min(qty_lots, reducible_lots(position, side))
            if qty_lots <= 0:
                return Verdict(Reason.NOTHING_TO_REDUCE)
        if command.order_type == LIMIT:
            price_ticks = command.price_ticks
            estimate_ticks = price_ticks
            tif = command.tif
            verdict = check_band(listing, side, price_ticks)
            if verdict.reason != OK:
                return verdict
        else:
            low_ticks, high_ticks = band_limits(listing)
            price_ticks = high_ticks if side == BUY else low_ticks
            estimate_ticks = estimate_price_ticks(listing, side, core.rulebook)
            tif = FOK if command.tif == FOK else IOC
        reduces = reduce_only or opening_lots(position, side, qty_lots) == 0
        verdict = check_size(listing, qty_lots, estimate_ticks, reduces)
        if verdict.reason != OK:
            return verdict
        order = OpenOrder(
            command.order_id, position, side, qty_lots, price_ticks, reduce_only, False
        )
        verdict = self._check_margin(order, estimate_ticks)
        if verdict.reason != OK:
            return verdict
        self._register(order, estimate_ticks)
        now_ns = core.now_ns
        core.emit(
            OrderAccepted(
                now_ns,
                command.account_id,
                order.order_id,
                order.instrument_id,
                side,
                qty_lots,
                price_ticks,
            )
        )
        core.emit(
            PlaceOrder(
                now_ns,
                order.order_id,
                command.account_id,
                order.instrument_id,
                side,
                qty_lots,
                price_ticks,
                tif,
                command.post_only,
                command.stp,
            )
        )
        return PASSED

    def _is_locked(self, account: MarginAccount) -> bool:
        if account.liquidation is not None:
            return True
        return account.isolated and self._core.cross_of(account).liquidation is not None

    def _check_margin(self, order: OpenOrder, price_ticks: int) -> Verdict:
        """Leverage limit and initial margin, cross or isolated; what only reduces passes."""
        if order.reduce_only:
            return PASSED
        core = self._core
        position = order.position
        lots = opening_lots(position, order.side, order.qty_lots)
        if lots:
            verdict = check_leverage(position, order.side, order.qty_lots)
            if verdict.reason != OK:
                return verdict
        listing = position.listing
        instrument = listing.instrument
        fee_ppb = max(0, core.rulebook.fees.taker_ppb)
        fee_q = apply_rate_up(instrument.notional_q(order.qty_lots, price_ticks), fee_ppb)
        if not position.account.isolated:
            value_q = instrument.fill_value_q(order.qty_lots, price_ticks)
            return check_cross_margin(
                position, order.side, order.qty_lots, value_q, fee_q, core.rulebook
            )
        if not lots:
            return PASSED
        hold_q = fee_q + self._isolated_margin_q(position, lots, price_ticks)
        loss_q = order.side * (
            instrument.fill_value_q(lots, price_ticks)
            - instrument.position_value_q(lots, listing.mark_ticks)
        )
        hold_q += max(0, loss_q)
        cross = core.cross_of(position.account)
        free_q = margin_equity_q(cross, core.rulebook) - initial_requirement_q(cross)
        if hold_q > free_q:
            return Verdict(Reason.INSUFFICIENT_MARGIN, hold_q, free_q)
        order.hold_q = hold_q
        return PASSED

    @staticmethod
    def _isolated_margin_q(position: Position, lots: int, price_ticks: int) -> int:
        """Collateral an isolated position needs for ``lots`` opened at this price."""
        notional_q = position.listing.instrument.notional_q(lots, price_ticks)
        return position.listing.model.initial_q(lots, notional_q, notional_q, position.leverage)

    def house_position(self, account: MarginAccount, listing: Listing) -> Position:
        """The house's net position in a contract, opened empty if needed."""
        position = account.position(listing.instrument_id, LEG_NET)
        if position is None:
            position = Position(account, listing, LEG_NET, 1)
            account.positions.append(position)
        return position

    # reservations

    def register_liquidation(self, order: OpenOrder) -> None:
        """Remember an order of the liquidation engine; reducing, it needs no margin."""
        self._register(order, order.price_ticks)

    def _register(self, order: OpenOrder, price_ticks: int) -> None:
        self._core.orders[order.order_id] = order
        order.position.account.trader.orders[order.order_id] = order
        self._reserve(order, order.qty_lots, price_ticks)
        if order.hold_q:
            self._core.cross_of(order.position.account).held_q += order.hold_q

    def _reserve(self, order: OpenOrder, lots: int, price_ticks: int) -> None:
        position = order.position
        order.remaining_lots = lots
        order.value_q = position.listing.instrument.fill_value_q(lots, price_ticks)
        if order.side == BUY:
            position.buy_lots += lots
            position.buy_value_q += order.value_q
        else:
            position.sell_lots += lots
            position.sell_value_q += order.value_q
        if order.reduce_only:
            position.reduce_lots += lots

    def _release(self, order: OpenOrder, lots: int) -> None:
        """Free the reservation of ``lots``; value and hold in proportion (rounded down, the
        remainder goes with the last lot)."""
        position = order.position
        remaining = order.remaining_lots - lots
        assert remaining >= 0, f"order {order.order_id}: {lots} of {order.remaining_lots} lots"
        value_q = order.value_q
        hold_q = order.hold_q
        if remaining:
            value_q -= order.value_q * remaining // order.remaining_lots
            hold_q -= order.hold_q * remaining // order.remaining_lots
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

    def _finish(self, order: OpenOrder, remaining_lots: int, reason: int) -> None:
        """The order is over: forget it, tell its owner, and report if a liquidation waits."""
        core = self._core
        if order.remaining_lots:
            self._release(order, order.remaining_lots)
        position = order.position
        account = position.account
        del core.orders[order.order_id]
        del account.trader.orders[order.order_id]
        core.emit(
            OrderClosed(
                core.now_ns,
                account.trader.account_id,
                order.order_id,
                order.instrument_id,
                remaining_lots,
                int(reason),
            )
        )
        drop_if_empty(position)
        if order.liquidation:
            self._report(account, order.qty_lots - remaining_lots)
        else:
            self._report_cancelled(account)
            if account.isolated:
                self._report_cancelled(core.cross_of(account))

    def _report_cancelled(self, account: MarginAccount) -> None:
        record = account.liquidation
        if record is not None and record.awaits_cancels and not self._core.orders_of(account):
            record.awaits_cancels = False
            self._report(account, 0)

    def _report(self, account: MarginAccount, filled_lots: int) -> None:
        core = self._core
        core.emit(
            LiquidationReport(
                core.now_ns,
                core.facts(account),
                core.house_facts(account.asset_id),
                filled_lots,
            )
        )

    # what the book answers

    def filled(self, fill: Fill) -> None:
        """Settle both sides of a trade with one value, then look at both accounts."""
        core = self._core
        listing = core.listings[fill.instrument_id]
        listing.last_ticks = fill.price_ticks
        taker = core.orders[fill.taker_order_id]
        maker = core.orders[fill.maker_order_id]
        value_q = listing.instrument.fill_value_q(fill.qty_lots, fill.price_ticks)
        self._settle_side(taker, fill, value_q, False)
        self._settle_side(maker, fill, value_q, True)
        for order in (taker, maker):
            position = order.position
            self.trim_reduce_only(position)
            self._watch.refresh(position.account)
            if position.account.isolated:
                self._watch.refresh(core.cross_of(position.account))
            if order.remaining_lots == 0:
                self._finish(order, 0, Reason.FILLED)

    def _settle_side(self, order: OpenOrder, fill: Fill, value_q: int, is_maker: bool) -> None:
        core = self._core
        position = order.position
        account = position.account
        side = order.side
        sync_record(account)
        self._release(order, fill.qty_lots)
        if account.isolated and not order.liquidation:
            self._free_isolated_margin(position, side, fill)
        opened = opening_part(position.qty_lots, side * fill.qty_lots)
        realised_q = core.ledger.settle(
            position, side * fill.qty_lots, side * value_q, core.now_ns
        )
        if account.isolated and not order.liquidation:
            if opened:
                self._fund_isolated(position, opened, fill.price_ticks)
            elif not position.qty_lots and account.wallet_q > 0:
                # What rounding left behind when the position closed.
                cross = core.cross_of(account)
                move_collateral(core.ledger, account, cross, account.wallet_q)
        record = account.liquidation
        if record is not None:
            record.slippage_q += changed_equity_q(account)
        fee_q = self._charge(order, value_q, is_maker)
        if record is not None:
            record.fee_q += changed_equity_q(account)
        core.emit(
            OrderFilled(
                core.now_ns,
                account.trader.account_id,
                order.order_id,
                order.instrument_id,
                position.leg,
                side,
                fill.qty_lots,
                fill.price_ticks,
                is_maker,
                order.liquidation,
                fee_q,
                realised_q,
                position.qty_lots,
            )
        )

    def _charge(self, order: OpenOrder, value_q: int, is_maker: bool) -> int:
        """The fee of one side. Liquidation orders pay the fund, never beyond their equity."""
        core = self._core
        account = order.position.account
        notional_q = abs(value_q)
        fees = core.rulebook.fees
        if account.trader.is_house():
            return 0
        if not order.liquidation:
            rate_ppb = fees.maker_ppb if is_maker else fees.taker_ppb
            # An isolated position's collateral is not spent on fees: the cross account pays.
            return core.ledger.charge_fee(core.cross_of(account), notional_q, rate_ppb)
        evaluate(account)
        fee_q = min(apply_rate_up(notional_q, fees.liquidation_ppb), max(0, account.equity_q))
        if fee_q:
            fund = core.ledger.house(FUND, account.asset_id)
            core.ledger.transfer(account, fund, fee_q)
            core.emit(
                FundChanged(
                    core.now_ns, account.asset_id, fee_q, fund.wallet_q, "liquidation fee"
                )
            )
        return fee_q

    def _free_isolated_margin(self, position: Position, side: int, fill: Fill) -> None:
        """A reducing fill frees its share of the position's equity (rounded down)."""
        held = position.qty_lots
        closed = abs(side * fill.qty_lots) - opening_part(held, side * fill.qty_lots)
        if not closed:
            return
        account = position.account
        instrument = position.listing.instrument
        value_q = instrument.position_value_q(held, fill.price_ticks)
        equity_q = account.wallet_q + value_q - position.entry_value_q
        share_q = max(0, equity_q) * closed // abs(held)
        move_collateral(self._core.ledger, account, self._core.cross_of(account), share_q)

    def _fund_isolated(self, position: Position, opened_lots: int, price_ticks: int) -> None:
        """An opening fill brings its margin from the cross account, as far as that has it."""
        account = position.account
        cross = self._core.cross_of(account)
        need_q = self._isolated_margin_q(position, opened_lots, price_ticks)
        amount_q = max(0, min(need_q, cross.wallet_q))
        move_collateral(self._core.ledger, cross, account, amount_q)

    def gone(self, message: OrderGone) -> None:
        """An order left the book unfilled or partly filled."""
        order = self._core.orders.get(message.order_id)
        if order is None:
            return
        self._finish(order, message.remaining_lots, message.reason)
        self._watch.refresh(order.position.account)

    def changed(self, message: OrderChanged) -> None:
        """A resting order has a new price or size: reserve for exactly that."""
        core = self._core
        order = core.orders.get(message.order_id)
        if order is None:
            return
        hold_q = order.hold_q
        before = order.remaining_lots
        order.hold_q = 0
        self._release(order, before)
        order.price_ticks = message.price_ticks
        order.qty_lots += message.remaining_lots - before
        self._reserve(order, message.remaining_lots, message.price_ticks)
        order.hold_q = hold_q
        if hold_q and message.remaining_lots < before:
            kept_q = hold_q * message.remaining_lots // before
            core.cross_of(order.position.account).held_q -= hold_q - kept_q
            order.hold_q = kept_q
        core.emit(
            OrderAmended(
                core.now_ns,
                order.position.account.trader.account_id,
                order.order_id,
                order.instrument_id,
                message.price_ticks,
                message.remaining_lots,
            )
        )

    def pull_failed(self, message: PullFailed) -> None:
        """A cancel or amend came too late: its owner gets the one answer there is."""
        if message.account_id:
            self._core.reject(
                message.account_id, message.order_id, Verdict(Reason.UNKNOWN_ORDER)
            )

    # cancel and amend

    def _own_order(self, account_id: int, order_id: int) -> "OpenOrder | Verdict":
        order = self._core.orders.get(order_id)
        if order is None:
            return Verdict(Reason.UNKNOWN_ORDER)
        if order.position.account.trader.account_id != account_id:
            return Verdict(Reason.NOT_YOUR_ORDER)
        if order.liquidation:
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        return order

    def cancel(self, command: CancelOrder) -> None:
        """Ask the book to cancel one order of the account."""
        found = self._own_order(command.account_id, command.order_id)
        if isinstance(found, Verdict):
            self._core.reject(command.account_id, command.order_id, found)
            return
        self.pull(found, Reason.CANCELLED_BY_OWNER, command.account_id)

    def cancel_all(self, command: CancelAll) -> None:
        """Ask the book to cancel the account's orders in one instrument or in all."""
        core = self._core
        trader = core.trader(command.account_id)
        if trader is None:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_ACCOUNT))
            return
        if command.instrument_id not in (ALL_INSTRUMENTS, *core.listings):
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_INSTRUMENT))
            return
        for order in trader.orders.values():
            wanted = command.instrument_id in (ALL_INSTRUMENTS, order.instrument_id)
            if wanted and not order.liquidation:
                self.pull(order, Reason.CANCELLED_BY_OWNER, 0)

    def pull(self, order: OpenOrder, reason: int, account_id: int = 0) -> None:
        """Send a cancel to the book; the order ends when the book answers."""
        self._core.emit(
            PullOrder(self._core.now_ns, order.order_id, order.instrument_id, reason, account_id)
        )

    def amend(self, command: AmendOrder) -> None:
        """Check the order as it would become and ask the book to change it."""
        core = self._core
        found = self._own_order(command.account_id, command.order_id)
        if isinstance(found, Verdict):
            core.reject(command.account_id, command.order_id, found)
            return
        verdict = self._check_amend(found, command)
        if verdict.reason != OK:
            core.reject(command.account_id, command.order_id, verdict)
            return
        core.emit(
            ChangeOrder(
                core.now_ns,
                found.order_id,
                found.instrument_id,
                command.price_ticks,
                command.qty_lots,
                command.account_id,
            )
        )

    def _check_amend(self, order: OpenOrder, command: AmendOrder) -> Verdict:
        position = order.position
        listing = position.listing
        if command.qty_lots <= 0:
            return Verdict(Reason.QTY_NOT_POSITIVE, detail=f"qty_lots {command.qty_lots}")
        verdict = check_price(command.price_ticks)
        if verdict.reason == OK:
            verdict = check_band(listing, order.side, command.price_ticks)
        if verdict.reason == OK:
            verdict = check_size(
                listing, command.qty_lots, command.price_ticks, order.reduce_only
            )
        if verdict.reason != OK:
            return verdict
        if self._is_locked(position.account):
            return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        shrinks = command.qty_lots <= order.remaining_lots
        if order.reduce_only and not shrinks:
            return Verdict(Reason.NOTHING_TO_REDUCE, detail="a reduce-only order can only shrink")
        if shrinks and command.price_ticks == order.price_ticks:
            return PASSED
        return self._recheck(order, command)

    def _recheck(self, order: OpenOrder, command: AmendOrder) -> Verdict:
        """The margin check with the old order's reservation out of the way."""
        core = self._core
        lots, price_ticks, hold_q = order.remaining_lots, order.price_ticks, order.hold_q
        cross = core.cross_of(order.position.account)
        order.hold_q = 0
        self._release(order, lots)
        cross.held_q -= hold_q
        probe = OpenOrder(
            order.order_id,
            order.position,
            order.side,
            command.qty_lots,
            command.price_ticks,
            order.reduce_only,
            False,
        )
        verdict = self._check_margin(probe, command.price_ticks)
        if verdict.reason == OK:
            hold_q = max(hold_q, probe.hold_q)
            if command.qty_lots > lots:
                order.qty_lots += command.qty_lots - lots
                lots = command.qty_lots
            order.price_ticks = price_ticks = command.price_ticks
        self._reserve(order, lots, price_ticks)
        order.hold_q = hold_q
        cross.held_q += hold_q
        return verdict

    def trim_reduce_only(self, position: Position) -> None:
        """Shrink reduce-only orders, newest first, to what the position still has to close."""
        if not position.reduce_lots:
            return
        core = self._core
        orders = [
            order
            for order in position.account.trader.orders.values()
            if order.position is position and order.reduce_only
        ]
        allowed = abs(position.qty_lots)
        for order in orders:
            keep = min(order.remaining_lots, allowed) if order.reduces else 0
            allowed -= keep
            if keep == order.remaining_lots:
                continue
            if keep == 0:
                self.pull(order, Reason.REDUCE_ONLY_TRIMMED)
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


def closes_leg(leg: int, side: int) -> bool:
    """In hedge mode a sell on the long leg and a buy on the short leg can only reduce."""
    return (leg == LEG_LONG and side == SELL) or (leg == LEG_SHORT and side == BUY)


def reducible_lots(position: Position, side: int) -> int:
    """Lots a new reduce-only order may close, beside the reduce-only orders already open."""
    against = -position.qty_lots if side == BUY else position.qty_lots
    return max(0, against) - position.reduce_lots


def opening_part(held_lots: int, qty_lots: int) -> int:
    """Lots of a signed fill that open or enlarge, after closing what it can."""
    if held_lots == 0 or (held_lots > 0) == (qty_lots > 0):
        return abs(qty_lots)
    return max(0, abs(qty_lots) - abs(held_lots))


def drop_if_empty(position: Position) -> None:
    """Forget a position that is flat and has no orders, so that accounts stay small."""
    if not position.qty_lots and not position.buy_lots and not position.sell_lots:
        positions = position.account.positions
        if position in positions:
            positions.remove(position)
