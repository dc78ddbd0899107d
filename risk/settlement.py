"""Settlement: what the book answers, done to the ledger.

Both sides of a fill are settled before anyone is re-evaluated, so the books balance at every look.
"""

from typing import Final

from engine.events import OrderAmended, OrderClosed, OrderFilled, TakenOver
from engine.links import LiquidationReport
from engine.order_links import Fill, OrderChanged, OrderGone, PullFailed
from engine.reasons import Reason
from engine.units import apply_rate_up, magnitude
from risk.accounts import FUND, MarginAccount, OpenOrder, Position
from risk.core import RiskCore, house_position
from risk.health import collateral_q, evaluate
from risk.margin_calls import missing_q, note_trade
from risk.pretrade import Verdict, opening_lots
from risk.reservations import Reservations, drop_if_empty, isolated_hold_q, isolated_margin_q
from risk.watch import MarginWatch, changed_equity_q, move_collateral, sync_record

_FILLED: Final[int] = Reason.FILLED.value


class Settlement:
    """Books fills and the ends of orders."""

    __slots__ = ("_core", "_reservations", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch, reservations: Reservations) -> None:
        self._core = core
        self._watch = watch
        self._reservations = reservations

    def filled(self, fill: Fill) -> None:
        """Settle both sides of a trade with one value, then look at both accounts."""
        core = self._core
        taker = core.orders[fill.taker_order_id]
        maker = core.orders[fill.maker_order_id]
        listing = taker.position.listing
        listing.last_ticks = fill.price_ticks
        value_q = listing.instrument.fill_value_q(fill.qty_lots, fill.price_ticks)
        self._settle_side(taker, fill, value_q, False)
        self._settle_side(maker, fill, value_q, True)
        self._after_fill(taker)
        self._after_fill(maker)

    def _after_fill(self, order: OpenOrder) -> None:
        position = order.position
        account = position.account
        if position.reduce_lots:
            self._reservations.trim_reduce_only(position)
        self._watch.refresh(account)
        if account.isolated:
            self._watch.refresh(self._core.cross_of(account))
        if order.remaining_lots == 0:
            self._finish(order, 0, _FILLED)

    def _settle_side(self, order: OpenOrder, fill: Fill, value_q: int, is_maker: bool) -> None:
        core = self._core
        position = order.position
        account = position.account
        side = order.side
        call = account.call
        paid_q = 0 if call is None else call.paid_q
        missing_before_q = 0 if call is None else missing_q(core, account)
        sync_record(account)
        self._reservations.release(order, fill.qty_lots)
        if account.isolated and not order.liquidation:
            self._free_isolated_margin(position, side, fill)
        qty_lots = fill.qty_lots
        own_value_q = value_q
        if side < 0:
            qty_lots, own_value_q = -qty_lots, -value_q
        opened = excess = 0
        if account.isolated or order.reduce_only:
            opened = opening_part(position.qty_lots, qty_lots)
        realised_q = core.ledger.settle(position, qty_lots, own_value_q, core.now_ns)
        if order.reduce_only and opened and account.trader.account_id != FUND:
            excess = side * opened
            opened = 0
            realised_q += self._give_to_fund(position, excess)
        if realised_q:
            core.fund_moved(account, realised_q, "disposal")
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
        if call is not None:
            note_trade(core, account, missing_before_q, paid_q)
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
                fill.trade_id,
            )
        )
        if excess:
            self._told_given_to_fund(position, excess)

    def _give_to_fund(self, position: Position, qty_lots: int) -> int:
        """What a reduce-only fill opened goes to the fund at the mark; returns what the trader
        realises by its price against the mark.

        The book bounds such fills by the position it knows. A takeover or a deleveraging that it
        had not heard of yet made that position smaller.
        """
        core = self._core
        account = position.account
        listing = position.listing
        fund = core.ledger.house(FUND, account.asset_id)
        target = house_position(fund, listing)
        value_q = listing.instrument.position_value_q(qty_lots, listing.mark_ticks)
        realised_q = core.settle_outside_book(position, -qty_lots, -value_q)
        core.fund_moved(fund, core.settle_outside_book(target, qty_lots, value_q), "takeover")
        drop_if_empty(target)
        if account.isolated and account.wallet_q < 0:
            cross = core.cross_of(account)
            present_q = max(0, cross.wallet_q + collateral_q(cross))
            move_collateral(core.ledger, cross, account, min(-account.wallet_q, present_q))
        return realised_q

    def _told_given_to_fund(self, position: Position, qty_lots: int) -> None:
        core = self._core
        listing = position.listing
        core.emit(
            TakenOver(
                core.now_ns,
                position.account.margin_account_id,
                FUND,
                listing.instrument_id,
                qty_lots,
                listing.instrument.position_value_q(qty_lots, listing.mark_ticks),
                listing.mark_ticks,
                0,
            )
        )

    def _charge(self, order: OpenOrder, value_q: int, is_maker: bool) -> int:
        """The fee of one side. Liquidation orders pay the fund, never beyond their equity."""
        core = self._core
        account = order.position.account
        notional_q = value_q if value_q >= 0 else -value_q
        if account.trader.is_house():
            return 0
        if not order.liquidation:
            rate = core.maker_fee if is_maker else core.taker_fee
            # An isolated position's collateral is not spent on fees: the cross account pays.
            return core.ledger.charge_fee(core.cross_of(account), notional_q, rate)
        evaluate(account)
        liquidation_ppb = core.rulebook.fees.liquidation_ppb
        fee_q = min(apply_rate_up(notional_q, liquidation_ppb), max(0, account.equity_q))
        if fee_q:
            fund = core.ledger.house(FUND, account.asset_id)
            core.ledger.transfer(account, fund, fee_q)
            core.fund_moved(fund, fee_q, "liquidation fee")
        return fee_q

    def _free_isolated_margin(self, position: Position, side: int, fill: Fill) -> None:
        """A reducing fill frees its share of the position's equity (rounded down)."""
        held = position.qty_lots
        closed = magnitude(side * fill.qty_lots) - opening_part(held, side * fill.qty_lots)
        if not closed:
            return
        account = position.account
        instrument = position.listing.instrument
        value_q = instrument.position_value_q(held, fill.price_ticks)
        equity_q = account.wallet_q + value_q - position.entry_value_q
        share_q = max(0, equity_q) * closed // magnitude(held)
        move_collateral(self._core.ledger, account, self._core.cross_of(account), share_q)

    def _fund_isolated(self, position: Position, opened_lots: int, price_ticks: int) -> None:
        """An opening fill brings its margin from the cross account, as far as that has it."""
        account = position.account
        cross = self._core.cross_of(account)
        need_q = isolated_margin_q(position, opened_lots, price_ticks)
        # The hold on it was part of the cross account's requirement: if its own money was lost
        # since, collateral in other assets stands for it.
        present_q = cross.wallet_q + collateral_q(cross)
        amount_q = max(0, min(need_q, present_q))
        move_collateral(self._core.ledger, cross, account, amount_q)

    def gone(self, message: OrderGone) -> None:
        """An order left the book unfilled or partly filled."""
        order = self._core.orders.get(message.order_id)
        if order is None:
            return
        self._finish(order, message.remaining_lots, message.reason)
        account = order.position.account
        if account.level or account.isolated:
            # A healthy cross account stays what it was: its orders are no part of its equity.
            self._watch.refresh(account)

    def changed(self, message: OrderChanged) -> None:
        """A resting order has a new price or size: reserve for exactly that."""
        core = self._core
        order = core.orders.get(message.order_id)
        if order is None:
            return
        hold_q = order.hold_q
        before = order.remaining_lots
        order.hold_q = 0
        self._reservations.release(order, before)
        order.price_ticks = message.price_ticks
        order.qty_lots += message.remaining_lots - before
        kept_q = self._hold_needed_q(order, message) if hold_q else 0
        value_q = order.position.listing.instrument.fill_value_q(
            message.remaining_lots, message.price_ticks
        )
        self._reservations.reserve(order, message.remaining_lots, value_q)
        if hold_q:
            order.hold_q = min(hold_q, kept_q)
            core.cross_of(order.position.account).held_q -= hold_q - order.hold_q
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
        self._reservations.trim_reduce_only(order.position)

    def _hold_needed_q(self, order: OpenOrder, message: OrderChanged) -> int:
        """Hold of an isolated order as the book has it now, its own reservation left out."""
        lots = opening_lots(order.position, order.side, message.remaining_lots)
        if not lots:
            return 0
        return isolated_hold_q(
            order.position,
            order.side,
            message.remaining_lots,
            lots,
            message.price_ticks,
            self._core.taker_fee,
        )

    def pull_failed(self, message: PullFailed) -> None:
        """A cancel or amend came too late: its owner gets the one answer there is.

        An order enlarged by an amendment that its last fill overtook is over with that.
        """
        order = self._core.orders.get(message.order_id)
        if order is not None and order.enlarged:
            self._finish(order, 0, _FILLED)
        if message.account_id:
            self._core.reject(message.account_id, message.order_id, Verdict(Reason.UNKNOWN_ORDER))

    # the end of an order

    def _finish(self, order: OpenOrder, remaining_lots: int, reason: int) -> None:
        """The order is over: forget it, tell its owner, and report if a liquidation waits."""
        core = self._core
        if order.remaining_lots:
            self._reservations.release(order, order.remaining_lots)
        position = order.position
        account = position.account
        core.orders.pop(order.order_id)
        account.trader.forget_order(order)
        core.emit(
            OrderClosed(
                core.now_ns,
                account.trader.account_id,
                order.order_id,
                order.instrument_id,
                remaining_lots,
                reason,
            )
        )
        drop_if_empty(position)
        if account.first_position is None:
            self.sweep_isolated(account)
        if order.liquidation:
            self._report(account, order.qty_lots - remaining_lots)
        elif account.liquidation is not None or account.isolated:
            self._report_cancelled(account)
            if account.isolated:
                self._report_cancelled(core.cross_of(account))

    def sweep_isolated(self, account: MarginAccount, by_owner: bool = True) -> None:
        """An isolated account left without a position gives its collateral back to the cross
        account; one in liquidation does so when it is released."""
        if not account.isolated or account.liquidation is not None or account.wallet_q <= 0:
            return
        if not any(position.qty_lots for position in account.positions):
            cross = self._core.cross_of(account)
            move_collateral(self._core.ledger, account, cross, account.wallet_q, by_owner)
            self._watch.refresh(cross)

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


def opening_part(held_lots: int, qty_lots: int) -> int:
    """Lots of a signed fill that open or enlarge, after closing what it can."""
    if held_lots == 0 or (held_lots > 0) == (qty_lots > 0):
        return magnitude(qty_lots)
    return max(0, magnitude(qty_lots) - magnitude(held_lots))
