"""What the liquidation engine decides, done to the ledger: takeover, ADL, socialisation.

A takeover is booked by value, not by price: each position goes at its mark value less its share of
the account's equity, so the account ends at exactly zero and the taker holds the difference.
Every loss the account cannot bear is booked once, as bad debt at the stage that met it.
"""

from collections.abc import Iterator
from typing import Final

from engine.commands import BUY, IOC, LEG_LONG, LEG_SHORT, STP_CANCEL_OLDEST
from engine.events import (
    BadDebtBooked,
    Deleveraged,
    LossSocialised,
    OrderAccepted,
    TakenOver,
)
from engine.links import (
    LiquidateAdl,
    LiquidateCancel,
    LiquidateOrder,
    LiquidateRelease,
    LiquidateSocialise,
    LiquidateStage,
    LiquidateTakeover,
    LiquidationReport,
)
from engine.order_links import PlaceOrder
from engine.reasons import Reason
from engine.units import PPB, apply_rate_down
from risk.accounts import BAD_DEBT, FUND, MarginAccount, OpenOrder, Position
from risk.adl_queue import AdlQueues
from risk.conversion import exchange_for_debt
from risk.core import RiskCore, house_position
from risk.health import collateral_q, evaluate, position_maintenance_q, unrealised_q
from risk.liquidation.adl import split_pro_rata, split_value
from risk.liquidation.limits import house_limit_ticks, liquidation_limit_ticks, nearer_ticks
from risk.listing import Listing
from risk.reservations import Reservations, drop_if_empty
from risk.settlement import Settlement
from risk.watch import MarginWatch, changed_equity_q, move_collateral, sync_record

OWN_LEG_RANK: Final[int] = 0
"""Rank of the bankrupt account's own other leg, which closes before the queue is asked."""


class CloseOut:
    """Executes liquidation decisions. Every step ends in one `LiquidationReport`."""

    __slots__ = ("_core", "_queues", "_reservations", "_settlement", "_watch")

    def __init__(
        self,
        core: RiskCore,
        reservations: Reservations,
        settlement: Settlement,
        watch: MarginWatch,
        queues: AdlQueues,
    ) -> None:
        self._core = core
        self._reservations = reservations
        self._settlement = settlement
        self._watch = watch
        self._queues = queues

    def report(self, account: MarginAccount) -> None:
        """Tell the liquidation engine how the account stands now."""
        core = self._core
        core.emit(
            LiquidationReport(core.now_ns, core.facts(account), core.house_facts(account.asset_id))
        )

    def _locked(self, margin_account_id: int) -> MarginAccount | None:
        account = self._core.ledger.accounts.get(margin_account_id)
        return account if account is not None and account.liquidation is not None else None

    def _below_maintenance(self, account: MarginAccount) -> bool:
        """Whether the account may still be closed out; the mark may have come back."""
        evaluate(account)
        factor_ppb = self._core.levels.factors_ppb[-1]
        scaled_equity = account.equity_q * PPB
        limit = factor_ppb * account.maintenance_q
        return scaled_equity < limit or (
            self._core.levels.inclusive and scaled_equity == limit and limit > 0
        )

    # orders

    def cancel_orders(self, message: LiquidateCancel) -> None:
        """Pull every open order of the account; the report follows when the last is gone."""
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        orders = self._core.orders_of(account)
        if not orders:
            self.report(account)
            return
        account.liquidation.awaits_cancels = True
        for order in orders:
            self._core.pull(order, Reason.CANCELLED_BY_LIQUIDATION)

    def place_order(self, message: LiquidateOrder) -> None:
        """Send a reducing IOC order for a locked or house account, capped at its position.

        Its limit holds for the account as it stands now: the decision may be older than the mark.
        """
        core = self._core
        account = core.ledger.accounts.get(message.margin_account_id)
        if account is None:
            return
        house = account.trader.is_house()
        if account.liquidation is None and not house:
            return
        position = account.position(message.instrument_id, message.leg)
        held = 0 if position is None else position.qty_lots
        against = -held if message.side == BUY else held
        lots = min(message.qty_lots, max(0, against))
        if position is None or lots == 0:
            self.report(account)
            return
        limit_ticks = self._limit_ticks(position, message.price_ticks)
        order = OpenOrder(message.order_id, position, message.side, lots, limit_ticks, True, True)
        value_q = position.listing.instrument.fill_value_q(lots, order.price_ticks)
        self._reservations.register(order, value_q)
        core.emit(
            OrderAccepted(
                core.now_ns,
                account.trader.account_id,
                order.order_id,
                order.instrument_id,
                order.side,
                lots,
                order.price_ticks,
            )
        )
        core.emit(
            PlaceOrder(
                core.now_ns,
                order.order_id,
                account.trader.account_id,
                order.instrument_id,
                order.side,
                lots,
                order.price_ticks,
                IOC,
                False,
                STP_CANCEL_OLDEST,
                True,
                True,
                position.leg,
            )
        )

    def _limit_ticks(self, position: Position, decided_ticks: int) -> int:
        """The stricter of the limit decided and the one the account has by now."""
        account = position.account
        rulebook = self._core.rulebook
        instrument = position.listing.instrument
        facts = self._core.facts(account)
        (held,) = (
            each
            for each in facts.positions
            if each.instrument_id == position.instrument_id and each.leg == position.leg
        )
        if account.trader.is_house():
            limit_ticks = house_limit_ticks(instrument, held, rulebook.fund)
        else:
            limit_ticks = liquidation_limit_ticks(instrument, facts, held, rulebook.liquidation)
        return nearer_ticks(position.qty_lots > 0, limit_ticks, decided_ticks)

    # takeover by fund or backstop

    def take_over(self, message: LiquidateTakeover) -> None:
        """Move all positions to the taker at bankruptcy value and cover what is missing."""
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        if not self._below_maintenance(account):
            self.report(account)
            return
        taker = self._core.ledger.house(message.taker_account_id, account.asset_id)
        sync_record(account)
        record = account.liquidation
        deficit_q = -account.equity_q
        values = self.bankruptcy_values(account)
        for position, value_q in values:
            self._hand_over(position, taker, value_q)
        exchange_for_debt(self._core, account, "liquidation", message.taker_account_id)
        if account.wallet_q < 0:
            self._pay_from(taker, account, -account.wallet_q, "deficit")
        if deficit_q > 0:
            self._book_debt(account, deficit_q, record.stage)
        record.surrender_q += changed_equity_q(account)
        self.report(account)

    def bankruptcy_values(self, account: MarginAccount) -> list[tuple[Position, int]]:
        """Value at which each position must close for equity to end at zero.

        Equity is shared out by maintenance requirement (rounded down, the last position takes the
        remainder), after dYdX. Where the rulebook returns residual margin, positive equity
        stays with the account and positions go at mark.
        """
        live = [position for position in account.positions if position.qty_lots]
        equity_q = account.equity_q
        if self._core.rulebook.liquidation.residual == "account" and equity_q > 0:
            equity_q = 0
        # A position without a requirement still has to take a share.
        maintenance = [max(1, position_maintenance_q(position)) for position in live]
        total_q = sum(maintenance)
        values: list[tuple[Position, int]] = []
        given_q = 0
        seen_q = 0
        for position, share_q in zip(live, maintenance, strict=True):
            seen_q += share_q
            upto_q = equity_q * seen_q // total_q
            value_q = unrealised_q(position) + position.entry_value_q
            values.append((position, value_q - (upto_q - given_q)))
            given_q = upto_q
        return values

    def _hand_over(self, position: Position, taker: MarginAccount, value_q: int) -> None:
        core = self._core
        qty_lots = position.qty_lots
        listing = position.listing
        mark_value_q = listing.instrument.position_value_q(qty_lots, listing.mark_ticks)
        account = position.account
        target = house_position(taker, listing)
        core.settle_outside_book(position, -qty_lots, -value_q)
        realised_q = core.settle_outside_book(target, qty_lots, value_q)
        core.fund_moved(taker, realised_q, "takeover")
        drop_if_empty(position)
        drop_if_empty(target)
        core.emit(
            TakenOver(
                core.now_ns,
                account.margin_account_id,
                taker.trader.account_id,
                listing.instrument_id,
                qty_lots,
                value_q,
                listing.mark_ticks,
                mark_value_q - value_q,
            )
        )

    def _pay_from(
        self, payer: MarginAccount, account: MarginAccount, amount_q: int, cause: str
    ) -> None:
        core = self._core
        core.ledger.transfer(payer, account, amount_q)
        core.fund_moved(payer, -amount_q, cause)

    def _book_debt(self, account: MarginAccount, amount_q: int, stage: str) -> None:
        self._core.emit(
            BadDebtBooked(
                self._core.now_ns, account.margin_account_id, account.asset_id, amount_q, stage
            )
        )

    # auto-deleveraging

    def deleverage(self, message: LiquidateAdl) -> None:
        """Close the account's positions against ranked counterparties."""
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        if not self._below_maintenance(account):
            self.report(account)
            return
        sync_record(account)
        deficit_q = -account.equity_q
        self._net_legs(account)
        if not self._below_maintenance(account):
            account.liquidation.adl_q += changed_equity_q(account)
            self.report(account)
            return
        at_mark = self._core.rulebook.adl.price == "mark"
        for position, value_q in self.bankruptcy_values(account):
            if at_mark:
                value_q = unrealised_q(position) + position.entry_value_q
            self._deleverage_position(position, value_q)
        passed_on_q = changed_equity_q(account)
        account.liquidation.adl_q += passed_on_q
        if deficit_q > 0 and passed_on_q > 0:
            self._book_debt(account, min(deficit_q, passed_on_q), "adl")
        self.report(account)

    def _net_legs(self, account: MarginAccount) -> None:
        """The legs of a hedge close against each other, at mark, before anyone else has to."""
        core = self._core
        for long_leg in list(account.positions):
            listing = long_leg.listing
            short_leg = account.position(listing.instrument_id, LEG_SHORT)
            if long_leg.leg != LEG_LONG or short_leg is None:
                continue
            lots = min(long_leg.qty_lots, -short_leg.qty_lots)
            if not lots:
                continue
            value_q = listing.instrument.position_value_q(lots, listing.mark_ticks)
            core.settle_outside_book(long_leg, -lots, -value_q)
            core.settle_outside_book(short_leg, lots, value_q)
            self._told_deleveraged(long_leg, short_leg, lots, value_q, OWN_LEG_RANK, 0)
            drop_if_empty(long_leg)
            drop_if_empty(short_leg)

    def _deleverage_position(self, position: Position, value_q: int) -> None:
        """Place the lots along the queue; what no counterparty can bear stays in the position."""
        total_lots = abs(position.qty_lots)
        sign = 1 if position.qty_lots > 0 else -1
        placed = 0
        for rank, (target, most_lots) in enumerate(self._candidates(position), start=1):
            lots = min(most_lots, abs(target.qty_lots), total_lots - placed)
            if not lots:
                continue
            part_q = split_value(value_q, total_lots, placed, lots)
            if self._deleverage_one(position, target, sign * lots, part_q, rank):
                placed += lots
            if placed == total_lots:
                return

    def _candidates(self, position: Position) -> Iterator[tuple[Position, int]]:
        """Counterparties in turn with the most each is asked for; pro rata asks twice, the second
        time for whatever the first round could not place."""
        if self._core.rulebook.adl.ranking == "pro_rata":
            queue = list(self._queues.against(position))
            sizes = [abs(target.qty_lots) for target in queue]
            shares = split_pro_rata(abs(position.qty_lots), sizes)
            yield from zip(queue, shares, strict=True)
        for target in self._queues.against(position):
            yield target, abs(target.qty_lots)

    def _deleverage_one(
        self, position: Position, target: Position, qty_lots: int, value_q: int, rank: int
    ) -> bool:
        """One ADL fill; refused when it would itself bankrupt the counterparty."""
        core = self._core
        listing = position.listing
        account = target.account
        mark_value_q = listing.instrument.position_value_q(qty_lots, listing.mark_ticks)
        gain_q = mark_value_q - value_q
        if gain_q < 0 and not account.trader.is_house():
            evaluate(account)
            if account.equity_q + gain_q < 0:
                return False
        core.settle_outside_book(position, -qty_lots, -value_q)
        realised_q = core.settle_outside_book(target, qty_lots, value_q)
        core.fund_moved(account, realised_q, "deleveraged")
        self._told_deleveraged(position, target, qty_lots, value_q, rank, gain_q)
        self._reservations.trim_reduce_only(target)
        self._settlement.sweep_isolated(account, by_owner=False)
        drop_if_empty(target)
        drop_if_empty(position)
        self._watch.refresh(account)
        return True

    def _told_deleveraged(
        self,
        position: Position,
        target: Position,
        qty_lots: int,
        value_q: int,
        rank: int,
        gain_q: int,
    ) -> None:
        listing = position.listing
        self._core.emit(
            Deleveraged(
                self._core.now_ns,
                target.account.margin_account_id,
                position.account.margin_account_id,
                listing.instrument_id,
                qty_lots,
                value_q,
                listing.mark_ticks,
                rank,
                gain_q,
            )
        )

    # socialisation

    def socialise(self, message: LiquidateSocialise) -> None:
        """Close what is left at mark with the fund and spread the deficit over the winners."""
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        if not message.forced and not self._below_maintenance(account):
            self.report(account)
            return
        core = self._core
        sync_record(account)
        record = account.liquidation
        fund = core.ledger.house(FUND, account.asset_id)
        live = [position for position in account.positions if position.qty_lots]
        listings = [position.listing for position in live] or list(core.listings.values())
        for position in live:
            self._hand_over(position, fund, unrealised_q(position) + position.entry_value_q)
        exchange_for_debt(core, account, "liquidation")
        if account.wallet_q < 0:
            self._draw_on_fund(account, fund)
        record.surrender_q += changed_equity_q(account)
        if account.wallet_q < 0:
            self._book_debt(account, -account.wallet_q, "socialise")
            if "socialise" in core.rulebook.liquidation.stages:
                self._spread_loss(account, -account.wallet_q, listings)
            if account.wallet_q < 0:
                debt = core.ledger.house(BAD_DEBT, account.asset_id)
                core.ledger.transfer(debt, account, -account.wallet_q)
            record.haircut_q += changed_equity_q(account)
        self.report(account)

    def _draw_on_fund(self, account: MarginAccount, fund: MarginAccount) -> None:
        """The fund pays what it has (or its cap per account allows) before anyone else does."""
        core = self._core
        if "fund" not in core.rulebook.liquidation.stages:
            return
        evaluate(fund)
        means_q = max(0, min(fund.equity_q, fund.wallet_q + collateral_q(fund)))
        if core.rulebook.fund.loss_cap_ppb:
            means_q = apply_rate_down(means_q, core.rulebook.fund.loss_cap_ppb)
        paid_q = min(means_q, -account.wallet_q)
        if paid_q:
            self._pay_from(fund, account, paid_q, "deficit")
            self._book_debt(account, paid_q, "fund")

    def _spread_loss(self, account: MarginAccount, deficit_q: int, listings: list[Listing]) -> None:
        """Charge winners in proportion to their gains, never more than they gained."""
        core = self._core
        gains_q: dict[int, int] = {}
        for listing in listings:
            if listing.instrument.settle_asset_id != account.asset_id:
                continue
            for position in listing.sorted_holders():
                gain_q = unrealised_q(position)
                holder = position.account
                if gain_q > 0 and holder.liquidation is None and not holder.trader.is_house():
                    holder_id = holder.margin_account_id
                    gains_q[holder_id] = gains_q.get(holder_id, 0) + gain_q
        winners = [core.ledger.accounts[holder_id] for holder_id in gains_q]
        for holder in winners:
            evaluate(holder)
        # What an account gained over all its positions, but never more than it has.
        sizes = [max(0, min(gains_q[h.margin_account_id], h.equity_q)) for h in winners]
        for holder, share_q in zip(winners, split_pro_rata(deficit_q, sizes), strict=True):
            if share_q:
                core.ledger.transfer(holder, account, share_q)
                core.emit(
                    LossSocialised(core.now_ns, holder.margin_account_id, account.asset_id, share_q)
                )
                self._watch.refresh(holder)

    # the record

    def enter_stage(self, message: LiquidateStage) -> None:
        """Publish the stage."""
        account = self._locked(message.margin_account_id)
        if account is not None:
            self._watch.enter_stage(account, message.stage)

    def release(self, message: LiquidateRelease) -> None:
        """End the liquidation: a closed account's collateral pays what it still owes, an isolated
        one returns its residual margin."""
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        flat = not any(position.qty_lots for position in account.positions)
        if flat and account.holdings:
            sync_record(account)
            exchange_for_debt(self._core, account, "liquidation")
            account.liquidation.surrender_q += changed_equity_q(account)
        self._watch.end_liquidation(account, message.outcome)
        if account.isolated and flat and account.wallet_q > 0:
            cross = self._core.cross_of(account)
            move_collateral(self._core.ledger, account, cross, account.wallet_q, by_owner=False)
            self._watch.refresh(cross, widen=True)
        self._watch.refresh(account, widen=True)
