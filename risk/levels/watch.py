"""The watch over margin levels: alerts, margin calls, and the start and end of liquidations.

`MarginWatch.refresh` follows every change of an account or of a mark that may concern it. An
account that comes into the call band, from above or out of a liquidation, has a call. It is cured
when the rulebook says so, expires at its deadline, or is overtaken when the account falls to
liquidation first.
"""

from engine.events import (
    CALL_CURED,
    CALL_EXPIRED,
    CALL_OVERTAKEN,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginLevelChanged,
)
from engine.internal import LiquidationRequired
from engine.reasons import Reason
from engine.units import PPB
from risk.accounts import MarginAccount
from risk.core import RiskCore
from risk.cover.cover import keep_covered, order_is_passed
from risk.cover.reservations import Reservations
from risk.frontier import place_account
from risk.health import evaluate, position_notional_q
from risk.ledger import Ledger
from risk.levels.conversion import exceeds_debt_limit, exchange_for_debt
from risk.levels.margin_calls import MarginCalls, demanded_ppb, note_payment
from risk.records import LiquidationRecord
from risk.rulebook import ENDS_MET


class MarginWatch:
    """Moves accounts between margin levels; `calls` are the margin calls that follow."""

    __slots__ = ("_core", "_reservations", "calls")

    def __init__(self, core: RiskCore, reservations: Reservations) -> None:
        self._core = core
        self._reservations = reservations
        self.calls = MarginCalls(core)

    def refresh(self, account: MarginAccount, widen: bool = False, new_rules: bool = False) -> None:
        """Re-evaluate an account, act on a changed level, and put its price bands in force.

        ``widen`` lets the bands move away from the mark and asks whether open orders are still
        covered: for accounts that the frontier just returned, and where means or positions changed
        in another way than by a fill. ``new_rules`` says that the levels may mean something else
        than before.
        """
        if account.trader.is_house():
            return
        self._core.nearest.note(account)
        if account.liquidation is not None:
            return
        if account.holdings and exceeds_debt_limit(account):
            exchange_for_debt(self._core, account, "debt limit")
        evaluate(account)
        levels = self._core.levels
        level = levels.level_of(account)
        if level != account.level or level >= levels.liquidate_level:
            if self._change_level(account, level):
                return
            widen = True
        if account.call is not None and self.calls.is_over(account):
            self.calls.end(account, CALL_CURED)
            new_rules = widen = True
        if new_rules and account.call is None and account.level >= levels.call_level:
            self.calls.issue(account)
        self.place_bands(account, widen)
        if widen and account.trader.oldest_order is not None:
            keep_covered(self._core, self._reservations, self._core.cross_of(account))

    def place_bands(self, account: MarginAccount, widen: bool) -> None:
        """Put the price bands of an evaluated account in force, as its level asks."""
        levels = self._core.levels
        level = account.level
        worse_factor_ppb = levels.factors_ppb[level] if level < levels.liquidate_level else 0
        better_factor_ppb = levels.factors_ppb[level - 1] if level else 0
        better_gap_q = levels.better_gap_q(account)
        if account.call is not None and self._core.rulebook.call.ends == ENDS_MET:
            # What a call asks for is no level: look again at every move for the better.
            better_gap_q = 0
        place_account(
            account,
            levels.worse_headroom_q(account),
            worse_factor_ppb,
            better_gap_q,
            better_factor_ppb,
            widen,
        )

    def _change_level(self, account: MarginAccount, level: int) -> bool:
        """Act on a new level; True if that started a liquidation."""
        core = self._core
        before = account.level
        account.level = level
        # An account that was released below the last level never left it.
        if level != before:
            account.trader.touch()
            core.emit(
                MarginLevelChanged(
                    core.now_ns,
                    account.margin_account_id,
                    level,
                    before,
                    core.levels.names[level],
                    account.equity_q,
                    account.maintenance_q,
                )
            )
        call_level = core.levels.call_level
        if level >= core.levels.liquidate_level:
            if core.is_halted(account):
                return False
            self.start_liquidation(account, call_expired=False)
            return True
        from_outside = before < call_level or before >= core.levels.liquidate_level
        if account.call is None and level >= call_level and from_outside:
            self.calls.issue(account)
        return False

    def expire_calls(self) -> None:
        """End the calls whose deadline has come; liquidate where the rulebook says so."""
        core = self._core
        liquidates = core.rulebook.call.on_expiry == "liquidate"
        while (account := self.calls.next_due()) is not None:
            if liquidates and core.is_halted(account):
                self.calls.postpone(account)
                continue
            core.nearest.note(account)
            self.calls.end(account, CALL_EXPIRED)
            if liquidates and account.liquidation is None:
                evaluate(account)
                self.start_liquidation(account, call_expired=True)

    # liquidations

    def start_liquidation(self, account: MarginAccount, call_expired: bool) -> None:
        """Lock the account and hand it to the liquidation engine."""
        core = self._core
        if account.call is not None:
            self.calls.end(account, CALL_OVERTAKEN)
        record = LiquidationRecord(
            core.next_liquidation_id,
            account.asset_id,
            account.equity_q,
            self._target_ppb(account, call_expired),
            core.now_ns,
        )
        account.trader.touch()
        record.call_expired = call_expired
        core.next_liquidation_id += 1
        account.liquidation = record
        for position in account.positions:
            position.listing.frontier.remove(position)
        for holding in account.holdings:
            holding.asset.frontier.remove(holding)
        # Nothing pays for what these would open or lose: they go with the move that locks the
        # account, before another account's liquidation can meet them.
        for order in core.orders_of(account):
            if not order.reduce_only or order_is_passed(order):
                order.uncovered = True
                core.pull(order, Reason.CANCELLED_BY_LIQUIDATION)
        for trigger in core.triggers_of(account):
            core.end_trigger(trigger, Reason.CANCELLED_BY_LIQUIDATION)
        core.emit(
            LiquidationStarted(
                core.now_ns,
                account.margin_account_id,
                record.liquidation_id,
                account.asset_id,
                account.equity_q,
                account.maintenance_q,
                position_notional_q(account),
                call_expired,
            )
        )
        core.emit(
            LiquidationRequired(
                core.now_ns,
                core.facts(account),
                core.house_facts(account.asset_id),
                record.target_ppb,
                call_expired,
            )
        )

    def _target_ppb(self, account: MarginAccount, call_expired: bool) -> int:
        """The multiple of maintenance a liquidation restores: the level that was missed with the
        rulebook's buffer, and all an expired call asked for where it had to be met."""
        core = self._core
        levels = core.levels
        factor_ppb = levels.factors_ppb[levels.call_level - 1 if call_expired else -1]
        buffer_ppb = core.rulebook.liquidation.restore_buffer_ppb
        target_ppb = factor_ppb * (PPB + buffer_ppb) // PPB
        if call_expired and core.rulebook.call.ends == ENDS_MET:
            target_ppb = max(target_ppb, demanded_ppb(core, account))
        return target_ppb

    def enter_stage(self, account: MarginAccount, stage: str) -> None:
        """Publish that a liquidation entered a stage of the waterfall."""
        core = self._core
        record = account.liquidation
        assert record is not None, "only an account in liquidation has a stage"
        account.trader.touch()
        record.stage = stage
        evaluate(account)
        core.emit(
            LiquidationStage(
                core.now_ns,
                account.margin_account_id,
                record.liquidation_id,
                stage,
                account.equity_q,
                account.maintenance_q,
            )
        )

    def end_liquidation(self, account: MarginAccount, outcome: str) -> None:
        """Unlock the account, publish where its equity went and watch it again."""
        core = self._core
        record = account.liquidation
        assert record is not None, "only a running liquidation can end"
        sync_record(account)
        account.trader.touch()
        account.liquidation = None
        account.level = core.levels.liquidate_level
        core.emit(
            LiquidationEnded(
                core.now_ns,
                account.margin_account_id,
                record.liquidation_id,
                record.asset_id,
                outcome,
                any(position.qty_lots for position in account.positions),
                record.equity_before_q,
                record.last_equity_q,
                record.price_q,
                record.slippage_q,
                record.fee_q,
                record.funding_q,
                record.surrender_q,
                record.adl_q,
                record.haircut_q,
                record.transfer_q,
            )
        )


def move_collateral(
    ledger: Ledger,
    source: MarginAccount,
    target: MarginAccount,
    amount_q: int,
    by_owner: bool = True,
) -> None:
    """Transfer between a trader's margin accounts; a locked one books it as a transfer, not as a
    loss, a called one as the owner's payment if it was ``by_owner``."""
    sync_record(source)
    sync_record(target)
    ledger.transfer(source, target, amount_q)
    if by_owner:
        note_payment(source, -amount_q)
        note_payment(target, amount_q)
    for account in (source, target):
        if account.liquidation is not None:
            account.liquidation.transfer_q += changed_equity_q(account)


def sync_record(account: MarginAccount) -> None:
    """Before a change to a locked account: what equity did since the last one was price."""
    record = account.liquidation
    if record is not None:
        account.trader.touch()
        evaluate(account)
        record.price_q += account.equity_q - record.last_equity_q
        record.last_equity_q = account.equity_q


def changed_equity_q(account: MarginAccount) -> int:
    """After a change to a locked account: what the change did to its equity."""
    record = account.liquidation
    assert record is not None, "only a locked account keeps a record"
    account.trader.touch()
    evaluate(account)
    change_q = account.equity_q - record.last_equity_q
    record.last_equity_q = account.equity_q
    return change_q
