"""Decisions of the liquidation engine, done to the ledger: takeover, ADL, socialisation.

A takeover is booked by value, not by price: each position goes at its mark value less its share of
the account's equity, so the account ends at exactly zero and the taker holds the difference.
Every loss the account cannot bear is booked once, as bad debt at the stage that met it.
"""

from msgspec.structs import replace

from engine.commands import BUY, IOC, MAX_LOTS, STP_CANCEL_OLDEST
from engine.events import (
    BadDebtBooked,
    OrderAccepted,
    TakenOver,
)
from engine.internal import (
    LiquidateAdl,
    LiquidateCancel,
    LiquidateOrder,
    LiquidateRelease,
    LiquidateSocialise,
    LiquidateStage,
    LiquidateTakeover,
    LiquidationReport,
    PlaceOrder,
)
from engine.reasons import Reason
from engine.units import PPB, apply_rate_down
from risk.accounts import FUND, MarginAccount, OpenOrder, Position
from risk.bankruptcy_split import BANKRUPTCY_SPLITS
from risk.check.bankruptcy import bankruptcy_values, mark_value_q
from risk.core import RiskCore, house_position
from risk.cover.reservations import Reservations, drop_if_empty
from risk.health import evaluate, open_losses_q, position_notional_q
from risk.levels.conversion import exchange_for_debt
from risk.levels.watch import MarginWatch, changed_equity_q, move_collateral, sync_record
from risk.liquidation.limits import house_limit_ticks, liquidation_limit_ticks, nearer_ticks
from risk.losses.adl_rounds import AdlRounds
from risk.losses.deleveraging import Deleveraging
from risk.losses.house_waterfall import HouseWaterfall
from risk.losses.socialisation import Socialisation


class CloseOut:
    """Executes liquidation decisions. Every step ends in one `LiquidationReport`."""

    __slots__ = (
        "_core",
        "_deleveraging",
        "_house",
        "_reservations",
        "_rounds",
        "_socialisation",
        "_watch",
    )

    def __init__(
        self,
        core: RiskCore,
        reservations: Reservations,
        watch: MarginWatch,
        deleveraging: Deleveraging,
        socialisation: Socialisation,
        house: HouseWaterfall,
        rounds: AdlRounds,
    ) -> None:
        self._core = core
        self._reservations = reservations
        self._watch = watch
        self._deleveraging = deleveraging
        self._socialisation = socialisation
        self._house = house
        self._rounds = rounds

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
        """Whether the account may still be closed out; the mark may have come back, or gone."""
        if self._core.is_halted(account):
            return False
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
        account.trader.touch()
        account.liquidation.awaits_cancels = True
        for order in orders:
            self._core.pull(order, Reason.CANCELLED_BY_LIQUIDATION)

    def place_order(self, message: LiquidateOrder) -> None:
        """Send a reducing IOC order for a locked or house account, capped at its position and at
        the largest order there is.

        Its limit holds for the account as it stands now: the decision may be older than the mark.
        """
        core = self._core
        account = core.ledger.accounts.get(message.margin_account_id)
        if account is None:
            return
        house = account.trader.is_house()
        if account.liquidation is None and not house:
            return
        listing = core.listings[message.instrument_id]
        waits = core.reduces_when_stale and listing.stale if house else core.is_halted(account)
        if waits:
            self.report(account)
            return
        position = account.position(message.instrument_id, message.leg)
        held = 0 if position is None else position.qty_lots
        against = -held if message.side == BUY else held
        # A position can have grown beyond what one order may hold; the rest is another order's.
        lots = min(message.qty_lots, max(0, against), MAX_LOTS)
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
        losses_q = open_losses_q(account)
        if losses_q:
            # What its own orders under way may lose is not there for the liquidation.
            facts = replace(facts, equity_q=facts.equity_q - losses_q)
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
        """Move all positions to the taker at bankruptcy value and cover what is missing.

        Nothing happens when the taker has not got what is missing (any more).
        """
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        taker = self._core.ledger.house(message.taker_account_id, account.asset_id)
        evaluate(taker)
        if not self._below_maintenance(account) or taker.equity_q + min(0, account.equity_q) < 0:
            self.report(account)
            return
        sync_record(account)
        record = account.liquidation
        deficit_q = -account.equity_q
        keeps_equity = self._core.rulebook.liquidation.residual == "account"
        split = BANKRUPTCY_SPLITS.get(self._core.rulebook.liquidation.split)
        for position, value_q in bankruptcy_values(account, split, keeps_equity):
            self._hand_over(position, taker, value_q)
        exchange_for_debt(self._core, account, "liquidation", message.taker_account_id)
        missing_q = self._missing_q(account)
        if missing_q:
            self._pay_from(taker, account, missing_q, "deficit")
        if deficit_q > 0:
            self._book_debt(account, deficit_q, record.stage)
        record.surrender_q += changed_equity_q(account)
        self.report(account)
        self._house.check(account.asset_id)

    @staticmethod
    def _missing_q(account: MarginAccount) -> int:
        """What an account owes beyond its collateral in other assets."""
        evaluate(account)
        return max(0, -account.equity_q)

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
        self._rounds.expect(message.joined)
        self._rounds.comes(message.margin_account_id)
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        if not self._below_maintenance(account):
            self.report(account)
            return
        sync_record(account)
        deficit_q = -account.equity_q
        self._deleveraging.net_legs(account)
        if not self._below_maintenance(account):
            account.liquidation.adl_q += changed_equity_q(account)
            self.report(account)
            return
        self._deleveraging.close_waiting(account)
        passed_on_q = changed_equity_q(account)
        account.liquidation.adl_q += passed_on_q
        if deficit_q > 0 and passed_on_q > 0:
            self._book_debt(account, min(deficit_q, passed_on_q), "adl")
        self.report(account)

    # socialisation

    def socialise(self, message: LiquidateSocialise) -> None:
        """Close what is left at mark and spread the deficit over the winners."""
        account = self._locked(message.margin_account_id)
        if account is None or account.liquidation is None:
            return
        halted = self._core.is_halted(account)
        if halted or (not message.forced and not self._below_maintenance(account)):
            self.report(account)
            return
        core = self._core
        sync_record(account)
        record = account.liquidation
        fund = core.ledger.house(FUND, account.asset_id)
        self._draw_on_fund(account, fund)
        self._close_at_mark(account, fund)
        exchange_for_debt(core, account, "liquidation")
        record.surrender_q += changed_equity_q(account)
        deficit_q = self._missing_q(account)
        if deficit_q:
            self._book_debt(account, deficit_q, "socialise")
            self._socialisation.cover(account, deficit_q)
            record.haircut_q += changed_equity_q(account)
        self.report(account)
        self._house.check(account.asset_id)

    def _close_at_mark(self, account: MarginAccount, fund: MarginAccount) -> None:
        """No account loses by it. The fund takes the positions if it has means to hold them with;
        otherwise they close against the queue, and it gets only what finds no counterparty."""
        evaluate(fund)
        evaluate(account)
        cap_ppb = self._core.rulebook.fund.notional_cap_ppb
        held_q = position_notional_q(fund) + position_notional_q(account)
        too_much = cap_ppb and held_q > apply_rate_down(fund.equity_q, cap_ppb)
        if fund.equity_q <= 0 or too_much:
            self._deleveraging.net_legs(account)
            self._deleveraging.close_positions(account, at_mark=True)
        for position in account.positions:
            if position.qty_lots:
                self._hand_over(position, fund, mark_value_q(position))

    def _draw_on_fund(self, account: MarginAccount, fund: MarginAccount) -> None:
        """The fund pays what it has (or its cap per account allows) before anyone else does.

        It has what lies in its wallet, losses of its positions taken off.
        """
        core = self._core
        if "fund" not in core.rulebook.liquidation.stages:
            return
        evaluate(fund)
        means_q = max(0, min(fund.equity_q, fund.wallet_q))
        if core.rulebook.fund.loss_cap_ppb:
            means_q = apply_rate_down(means_q, core.rulebook.fund.loss_cap_ppb)
        paid_q = min(means_q, self._missing_q(account))
        if paid_q:
            self._pay_from(fund, account, paid_q, "deficit")
            self._book_debt(account, paid_q, "fund")

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
            self._settle_debt(account)
            account.liquidation.surrender_q += changed_equity_q(account)
        self._watch.end_liquidation(account, message.outcome)
        if account.isolated and flat and account.wallet_q > 0:
            cross = self._core.cross_of(account)
            move_collateral(self._core.ledger, account, cross, account.wallet_q, by_owner=False)
            self._watch.refresh(cross, widen=True)
        self._watch.refresh(account, widen=True)

    def _settle_debt(self, account: MarginAccount) -> None:
        """Exchange a closed account's collateral for its debt: with the house as far as that has
        money, and with winners where the owner has nothing left that would bear its fall."""
        exchange_for_debt(self._core, account, "liquidation")
        evaluate(account)
        if account.equity_q <= 0:
            self._socialisation.exchange(account)
