"""The watch over margin levels: alerts, margin calls, and the start and end of liquidations.

`MarginWatch.refresh` follows every change of an account or of a mark that may concern it. A call is
cured when the account climbs above the call level, expires at its deadline, or is overtaken when
the account falls to liquidation first.
"""

from heapq import heappop, heappush

from engine.events import (
    CALL_CURED,
    CALL_EXPIRED,
    CALL_OVERTAKEN,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
)
from engine.links import LiquidationRequired
from engine.units import PPB, apply_rate_up
from risk.accounts import LiquidationRecord, MarginAccount, MarginCall
from risk.conversion import exceeds_debt_limit, exchange_for_debt
from risk.core import RiskCore
from risk.frontier import place_account
from risk.health import evaluate, position_notional_q
from risk.ledger import Ledger


class MarginWatch:
    """Moves accounts between margin levels and keeps the open calls."""

    __slots__ = ("_core", "_deadlines")

    def __init__(self, core: RiskCore) -> None:
        self._core = core
        self._deadlines: list[tuple[int, int, int]] = []

    def refresh(self, account: MarginAccount, widen: bool = False) -> None:
        """Re-evaluate an account, act on a changed level, and put its price bands in force.

        ``widen`` lets the bands move away from the mark, for accounts the frontier just returned.
        """
        if account.liquidation is not None or account.trader.is_house():
            return
        if account.holdings and exceeds_debt_limit(account):
            exchange_for_debt(self._core, account, "debt limit")
        evaluate(account)
        levels = self._core.levels
        level = levels.level_of(account)
        if level != account.level:
            if self._change_level(account, level):
                return
            widen = True
        self.place_bands(account, widen)

    def place_bands(self, account: MarginAccount, widen: bool) -> None:
        """Put the price bands of an evaluated account in force, as its level asks."""
        levels = self._core.levels
        level = account.level
        worse_factor_ppb = levels.factors_ppb[level] if level < levels.liquidate_level else 0
        better_factor_ppb = levels.factors_ppb[level - 1] if level else 0
        place_account(
            account,
            levels.worse_headroom_q(account),
            worse_factor_ppb,
            levels.better_gap_q(account),
            better_factor_ppb,
            widen,
        )

    def _change_level(self, account: MarginAccount, level: int) -> bool:
        """Act on a new level; True if that started a liquidation."""
        core = self._core
        before = account.level
        account.level = level
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
            self.start_liquidation(account, call_expired=False)
            return True
        if account.call is not None and level < call_level:
            self._end_call(account, CALL_CURED)
        elif account.call is None and before < call_level <= level:
            self._issue_call(account)
        return False

    # calls

    def _issue_call(self, account: MarginAccount) -> None:
        core = self._core
        rule = core.rulebook.call
        call_limit_q = apply_rate_up(
            account.maintenance_q, core.levels.factors_ppb[core.levels.call_level - 1]
        )
        target_q = account.maintenance_q
        if rule.restore_to == "initial":
            target_q = core.positions_initial_q(account)
        target_q = max(apply_rate_up(target_q, PPB + rule.buffer_ppb), call_limit_q)
        deadline_ns = -1 if rule.grace_ns < 0 else core.now_ns + rule.grace_ns
        call = MarginCall(core.next_call_id, target_q - account.equity_q, core.now_ns, deadline_ns)
        core.next_call_id += 1
        account.call = call
        if deadline_ns >= 0:
            heappush(self._deadlines, (deadline_ns, call.call_id, account.margin_account_id))
        core.emit(
            MarginCallIssued(
                core.now_ns,
                account.margin_account_id,
                call.call_id,
                call.amount_q,
                deadline_ns,
                account.equity_q,
                account.maintenance_q,
            )
        )

    def _end_call(self, account: MarginAccount, outcome: str) -> None:
        core = self._core
        call = account.call
        assert call is not None, "only an open call can end"
        account.call = None
        core.emit(
            MarginCallEnded(
                core.now_ns,
                account.margin_account_id,
                call.call_id,
                outcome,
                core.now_ns - call.issued_ns,
            )
        )

    def expire_calls(self) -> None:
        """End the calls whose deadline has come; liquidate where the rulebook says so."""
        core = self._core
        while self._deadlines and self._deadlines[0][0] <= core.now_ns:
            _, call_id, account_id = heappop(self._deadlines)
            account = core.ledger.accounts[account_id]
            if account.call is None or account.call.call_id != call_id:
                continue
            self._end_call(account, CALL_EXPIRED)
            if core.rulebook.call.on_expiry == "liquidate" and account.liquidation is None:
                evaluate(account)
                self.start_liquidation(account, call_expired=True)

    # liquidations

    def start_liquidation(self, account: MarginAccount, call_expired: bool) -> None:
        """Lock the account and hand it to the liquidation engine."""
        core = self._core
        if account.call is not None:
            self._end_call(account, CALL_OVERTAKEN)
        rule = core.rulebook.liquidation
        factor_ppb = core.levels.factors_ppb[-1]
        if call_expired:
            factor_ppb = core.levels.factors_ppb[core.levels.call_level - 1]
        record = LiquidationRecord(
            core.next_liquidation_id,
            account.asset_id,
            account.equity_q,
            factor_ppb * (PPB + rule.restore_buffer_ppb) // PPB,
            core.now_ns,
        )
        record.call_expired = call_expired
        core.next_liquidation_id += 1
        account.liquidation = record
        for position in account.positions:
            position.listing.frontier.remove(position)
        for holding in account.holdings:
            holding.asset.frontier.remove(holding)
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

    def enter_stage(self, account: MarginAccount, stage: str) -> None:
        """Publish that a liquidation entered a stage of the waterfall."""
        core = self._core
        record = account.liquidation
        assert record is not None, "only an account in liquidation has a stage"
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
        account.liquidation = None
        # A call follows a fall from above; who was just reduced into the call band gets none.
        account.level = core.levels.liquidate_level - 1
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

    def state(self) -> list[tuple[int, int, int]]:
        """The pending deadlines, for snapshots."""
        return sorted(self._deadlines)

    def restore(self, deadlines: list[tuple[int, int, int]]) -> None:
        """Take over the pending deadlines of a snapshot."""
        self._deadlines = [(a, b, c) for a, b, c in sorted(deadlines)]


def move_collateral(
    ledger: Ledger, source: MarginAccount, target: MarginAccount, amount_q: int
) -> None:
    """Transfer between margin accounts; a locked one books it as a transfer, not as a loss."""
    sync_record(source)
    sync_record(target)
    ledger.transfer(source, target, amount_q)
    for account in (source, target):
        if account.liquidation is not None:
            account.liquidation.transfer_q += changed_equity_q(account)


def sync_record(account: MarginAccount) -> None:
    """Before a change to a locked account: what equity did since the last one was price."""
    record = account.liquidation
    if record is not None:
        evaluate(account)
        record.price_q += account.equity_q - record.last_equity_q
        record.last_equity_q = account.equity_q


def changed_equity_q(account: MarginAccount) -> int:
    """After a change to a locked account: what the change did to its equity."""
    record = account.liquidation
    assert record is not None, "only a locked account keeps a record"
    evaluate(account)
    change_q = account.equity_q - record.last_equity_q
    record.last_equity_q = account.equity_q
    return change_q
