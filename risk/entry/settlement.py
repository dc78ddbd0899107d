"""Settlement: what the book answers, done to the ledger.

Both sides of a fill are settled before anyone is re-evaluated, so the books balance at every look.
"""

from typing import Final

from engine.commands import BUY, BY_LAST
from engine.events import OrderAmended, OrderClosed, OrderFilled, TakenOver
from engine.internal import Fill, LiquidationReport, OrderChanged, OrderGone, PullFailed
from engine.reasons import Reason
from engine.units import magnitude, scale_down
from risk.accounts import FUND, MarginAccount, OpenOrder, Position
from risk.check.pretrade import Verdict, fee_hold_q, givable_q, promised_q, rounding_hold_q
from risk.core import RiskCore, house_position
from risk.cover.cover import keep_covered
from risk.cover.reservations import Reservations, drop_if_empty
from risk.fund_delta import FUND_DELTAS, BeforeFill
from risk.health import evaluate, open_losses_q
from risk.levels.margin_calls import missing_q, note_trade
from risk.levels.watch import MarginWatch, changed_equity_q, move_collateral, sync_record

_FILLED: Final[int] = Reason.FILLED.value


class Settlement:
    """Books fills and the ends of orders."""

    __slots__ = ("_core", "_given", "_reservations", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch, reservations: Reservations) -> None:
        self._core = core
        self._watch = watch
        self._reservations = reservations
        self._given = False

    def filled(self, fill: Fill) -> bool:
        """Settle both sides of a trade with one value, then look at both accounts; whether a house
        account may have lost by it, as a side of the trade or by what was given to it."""
        self._given = False
        core = self._core
        taker = core.orders[fill.taker_order_id]
        maker = core.orders[fill.maker_order_id]
        listing = taker.position.listing
        listing.last_ticks = fill.price_ticks
        value_q = listing.instrument.fill_value_q(fill.qty_lots, fill.price_ticks)
        fee_q = self._settle_side(taker, fill, value_q, False, 0)
        self._settle_side(maker, fill, value_q, True, fee_q)
        self._after_fill(taker)
        self._after_fill(maker)
        if listing.triggers is not None:
            core.fire_triggers(listing, BY_LAST, fill.price_ticks)
        if self._given or taker.position.account.trader.is_house():
            return True
        return maker.position.account.trader.is_house()

    def _after_fill(self, order: OpenOrder) -> None:
        position = order.position
        account = position.account
        if position.reduce_buy_lots or position.reduce_sell_lots:
            self._reservations.trim_reduce_only(position)
        self._watch.refresh(account)
        if account.isolated:
            self._watch.refresh(self._core.cross_of(account))
        behind = position.buy_lots if order.side == BUY else position.sell_lots
        waits = behind > order.remaining_lots and order.side * position.qty_lots <= 0
        if waits or order.uncovered:
            # What waited behind an order that closed might open now; and where a cancellation came
            # too late, the rest has to be covered beside the fill.
            core = self._core
            keep_covered(core, self._reservations, core.cross_of(account))
        if order.remaining_lots == 0:
            self._finish(order, 0, _FILLED)

    def _settle_side(
        self, order: OpenOrder, fill: Fill, value_q: int, is_maker: bool, taken_q: int
    ) -> int:
        """Settle one side; returns its fee. ``taken_q`` is the fee of the other side, if it was
        settled before: all that a rebate can be paid from."""
        core = self._core
        position = order.position
        account = position.account
        side = order.side
        call = account.call
        paid_q = 0 if call is None else call.paid_q
        missing_before_q = 0 if call is None else missing_q(core, account)
        sync_record(account)
        hold_q = self._reservations.release(order, fill.qty_lots)
        order.book_lots -= fill.qty_lots
        qty_lots = fill.qty_lots
        own_value_q = value_q
        if side < 0:
            qty_lots, own_value_q = -qty_lots, -value_q
        held_lots = position.qty_lots
        closes = held_lots != 0 and (held_lots > 0) != (qty_lots > 0)
        feeds = account.isolated and not order.liquidation
        before_q = present_q = 0
        if feeds:
            before_q = account.requirement.initial_q(account)
            evaluate(account)
            present_q = account.equity_q
        before = None
        if order.liquidation and not account.trader.is_house() and self._by_gain():
            before = BeforeFill(position)
        turned = closes and magnitude(qty_lots) > magnitude(held_lots)
        realised_q = core.ledger.settle(position, qty_lots, own_value_q, core.now_ns)
        excess = 0
        if order.reduce_only and (turned or not closes) and account.trader.account_id != FUND:
            excess = position.qty_lots if closes else qty_lots
            realised_q += self._give_to_fund(position, excess)
        if realised_q:
            core.fund_moved(account, realised_q, "disposal")
        if feeds:
            self._feed_isolated(position, held_lots, before_q, present_q)
        record = account.liquidation
        if record is not None:
            record.slippage_q += changed_equity_q(account)
        # Each fill rounds its fee up; all together pay no more than was held for the order.
        most_q = -1 if closes or fill.price_ticks != order.price_ticks else hold_q + order.hold_q
        opened_q = magnitude(value_q)
        if closes:
            # Of a fill that turns the position the share beyond it, rounded up.
            filled: int = fill.qty_lots
            beyond = max(0, filled - magnitude(held_lots))
            opened_q = -scale_down(-opened_q, beyond, filled)
        gain_q = 0 if before is None else before.gain_q(position)
        fee_q = self._charge(order, value_q, is_maker, closes, most_q, opened_q, gain_q, taken_q)
        if most_q >= 0 and fee_q > hold_q:
            rounded_q = min(fee_q - hold_q, order.hold_q)
            order.hold_q -= rounded_q
            account.held_q -= rounded_q
        if fee_q > hold_q + 1:
            # It filled at a better price, at which the fee is higher.
            order.uncovered = True
        if record is not None:
            record.fee_q += changed_equity_q(account)
        if call is not None:
            note_trade(core, account, missing_before_q, paid_q)
        self._tell_filled(order, fill, is_maker, fee_q, realised_q)
        if excess:
            self._told_given_to_fund(position, excess)
        return fee_q

    def _tell_filled(
        self, order: OpenOrder, fill: Fill, is_maker: bool, fee_q: int, realised_q: int
    ) -> None:
        core = self._core
        position = order.position
        core.emit(
            OrderFilled(
                core.now_ns,
                position.account.trader.account_id,
                order.order_id,
                order.instrument_id,
                position.leg,
                order.side,
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
        self._given = True
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

    def _charge(
        self,
        order: OpenOrder,
        value_q: int,
        is_maker: bool,
        closes: bool,
        most_q: int,
        opened_q: int,
        gain_q: int,
        taken_q: int,
    ) -> int:
        """The fee of one side, ``most_q`` at the most (-1: no such limit); what was charged. A part
        of the value, ``opened_q``, opens the position and borrows. A rebate is no more than the
        other side paid, ``taken_q``.

        Liquidation orders pay the fund by the rulebook's delta, which may ask for ``gain_q``.
        No fee of theirs, and none of a closing fill, takes an account below zero, or takes what
        its other orders may lose.
        """
        core = self._core
        account = order.position.account
        fees = order.position.listing.fees
        notional_q = value_q if value_q >= 0 else -value_q
        if account.trader.is_house():
            return 0
        if not order.liquidation:
            fee_q = fees.of_fill(notional_q, opened_q, order.side, is_maker)
            if 0 <= most_q < fee_q:
                fee_q = most_q
            # Who is liquidated or closes with nothing left pays less than the taker's fee: a
            # rebate from elsewhere would pay an owner of both sides.
            fee_q = max(fee_q, -taken_q)
            if account.isolated:
                return self._charge_isolated(order, fee_q)
            if fee_q > 0 and (closes or account.liquidation is not None):
                evaluate(account)
                fee_q = min(fee_q, max(0, account.equity_q - open_losses_q(account)))
            core.ledger.pay_fee(account, fee_q)
            return fee_q
        evaluate(account)
        delta = FUND_DELTAS.get(core.rulebook.liquidation.fund_delta)
        asked_q = delta.amount_q(fees.liquidation.up(notional_q), gain_q)
        fee_q = min(asked_q, max(0, account.equity_q))
        if fee_q:
            fund = core.ledger.house(FUND, account.asset_id)
            core.ledger.transfer(account, fund, fee_q)
            core.fund_moved(fund, fee_q, "liquidation fee")
        return fee_q

    def _by_gain(self) -> bool:
        """Whether the fund gets a part of what a fill brought."""
        return FUND_DELTAS.get(self._core.rulebook.liquidation.fund_delta).by_gain

    def _charge_isolated(self, order: OpenOrder, fee_q: int) -> int:
        """The fee of an isolated fill: the cross account pays what it can spare beside all open
        orders, the pot the rest as far as its equity goes.

        A fill that only closed takes nothing that other pots were promised: what it frees pays.
        """
        core = self._core
        position = order.position
        account = position.account
        cross = core.cross_of(account)
        if fee_q <= 0:
            core.ledger.pay_fee(cross, fee_q)
            return fee_q
        opened = order.side * position.qty_lots > 0
        free_q = promised_q(cross, account) if opened else max(0, givable_q(cross, account))
        from_cross_q = min(fee_q, free_q)
        evaluate(account)
        spare_q = max(0, account.equity_q - open_losses_q(account))
        from_pot_q = min(fee_q - from_cross_q, spare_q)
        core.ledger.pay_fee(cross, from_cross_q)
        core.ledger.pay_fee(account, from_pot_q)
        return from_cross_q + from_pot_q

    def _feed_isolated(
        self, position: Position, held_lots: int, before_q: int, present_q: int
    ) -> None:
        """Move margin between a pot and the cross account after a fill.

        What opens brings the initial margin it adds to the whole position at the mark, and what the
        pot lacks of it. What closes frees its share of the pot's equity (rounded down), less what
        it lost against the mark. The cross account gives no more than `promised_q`.

        ``held_lots``, ``before_q`` and ``present_q`` are the position, its initial margin and the
        pot's equity before the fill.
        """
        core = self._core
        account = position.account
        cross = core.cross_of(account)
        evaluate(account)
        equity_q = account.equity_q
        after_q = account.requirement.initial_q(account)
        held = magnitude(held_lots)
        now = magnitude(position.qty_lots)
        if held and now and (held_lots > 0) != (position.qty_lots > 0):
            # All that the pot held belonged to the closed position.
            amount_q = after_q - min(0, equity_q - account.wallet_q) - account.wallet_q
        elif now >= held:
            lacking_q = after_q - equity_q
            if account.liquidation is not None:
                # What the pot lacked before is for its liquidation to settle.
                lacking_q = after_q - before_q + present_q - equity_q
            amount_q = max(after_q - before_q, lacking_q)
        else:
            freed_q = max(0, present_q) * (held - now) // held + equity_q - present_q
            amount_q = -min(max(0, freed_q), equity_q) if equity_q >= 0 else -equity_q
        if amount_q > 0:
            amount_q = min(amount_q, promised_q(cross, account))
        if amount_q:
            move_collateral(core.ledger, cross, account, amount_q)

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
        """A resting order has a new price or size: reserve for exactly that.

        While the book has not answered every change that was sent, the order may still become
        what one of them asks for, and the worst of them stays reserved.
        """
        core = self._core
        order = core.orders.get(message.order_id)
        if order is None:
            return
        before = order.remaining_lots
        lots = message.remaining_lots
        price_ticks = message.price_ticks
        if message.answers:
            order.changes -= 1
        if order.changes:
            lots = max(before, lots)
            price_ticks = order.price_ticks
        else:
            order.book_lots = lots
        hold_q = self._reservations.release(order, before)
        order.price_ticks = price_ticks
        order.qty_lots += message.remaining_lots - before
        listing = order.position.listing
        instrument = listing.instrument
        value_q = instrument.fill_value_q(lots, price_ticks)
        notional_q = magnitude(value_q)
        most_q = fee_hold_q(listing.fees.held, notional_q) + rounding_hold_q(instrument, lots)
        order.hold_q = min(hold_q, most_q)
        order.position.account.held_q += order.hold_q
        self._reservations.reserve(order, lots, value_q)
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
        """A cancel or amend came too late: its owner gets the one answer there is.

        What the book no longer has has filled, even where a larger size stayed reserved.
        """
        order = self._core.orders.get(message.order_id)
        if order is not None:
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
        if core.expiries.count:
            core.expiries.drop(order.order_id)
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
        if position.listing.model.by_entry:
            self._reservations.find_edges(position)
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
