"""Collateral and settings: deposits, withdrawals, isolated margin, leverage and modes."""

from engine.commands import (
    MAX_AMOUNT_Q,
    AdjustIsolatedMargin,
    Deposit,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetPositionMode,
    Withdraw,
)
from engine.events import AccountChanged
from engine.reasons import Reason
from engine.units import apply_rate_up
from risk.accounts import (
    BAD_DEBT,
    FEES,
    FIRST_TRADER,
    MAX_ACCOUNT_ID,
    RESIDUE,
    MarginAccount,
    Position,
    Trader,
)
from risk.check.pretrade import OK, PASSED, Verdict, check_leg, margin_equity_q, movable_q
from risk.core import RiskCore
from risk.health import (
    collateral_q,
    evaluate,
    initial_requirement_q,
    isolated_need_q,
    open_losses_q,
    position_notional_q,
    pot_need_q,
    unrealised_profit_q,
)
from risk.levels.margin_calls import missing_q, note_deposit, note_trade
from risk.levels.watch import MarginWatch, changed_equity_q, move_collateral, sync_record


class Transfers:
    """Commands that move collateral or change how it is used."""

    __slots__ = ("_core", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch) -> None:
        self._core = core
        self._watch = watch

    def open_account(self, command: OpenAccount) -> None:
        """Open a trader's account."""
        core = self._core
        account_id = command.account_id
        if account_id in core.ledger.traders:
            reason = Reason.DUPLICATE_ID
            if core.ledger.traders[account_id].is_house():
                reason = Reason.HOUSE_ACCOUNT
            core.reject(account_id, 0, Verdict(reason))
            return
        if account_id < FIRST_TRADER or account_id > MAX_ACCOUNT_ID:
            detail = f"account_id {account_id}; allowed: 100 to {MAX_ACCOUNT_ID}"
            core.reject(account_id, 0, Verdict(Reason.INVALID_FIELD, detail=detail))
            return
        core.apply()
        core.ledger.add_trader(account_id)
        core.emit(AccountChanged(core.now_ns, account_id, -1, "opened", 1))

    def deposit(self, command: Deposit) -> None:
        """Credit a trader's cross account, or the house's fund and backstop."""
        core = self._core
        trader = core.ledger.trader(command.account_id)
        verdict = self._check_amount(trader, command.asset_id, command.amount_q)
        if verdict.reason == OK and command.account_id in (FEES, RESIDUE, BAD_DEBT):
            verdict = Verdict(Reason.HOUSE_ACCOUNT)
        if trader is None or verdict.reason != OK:
            core.reject(command.account_id, 0, verdict)
            return
        account = core.ledger.cross(trader, command.asset_id)
        if account.wallet_q + command.amount_q > MAX_AMOUNT_Q or self._too_valuable(command):
            core.reject(command.account_id, 0, Verdict(Reason.NUMBER_TOO_LARGE))
            return
        core.apply()
        sync_record(account.counted_in())
        core.ledger.deposit(account, command.amount_q)
        self._booked(account, command.amount_q, "deposit")

    def _too_valuable(self, command: Deposit) -> bool:
        """Whether all collateral with this deposit would be worth more than an amount may be."""
        ledger = self._core.ledger
        asset = ledger.collateral.get(command.asset_id)
        if asset is None:
            return False
        held_q = ledger.books_of(command.asset_id).deposited_q + command.amount_q
        total_q = asset.full_value_q(held_q)
        total_q += ledger.collateral_value_q(asset.margin_asset_id, command.asset_id)
        return total_q > MAX_AMOUNT_Q

    def withdraw(self, command: Withdraw) -> None:
        """Pay out free collateral."""
        core = self._core
        trader = core.ledger.trader(command.account_id)
        verdict = self._check_amount(trader, command.asset_id, command.amount_q)
        if verdict.reason == OK and trader is not None and trader.is_house():
            verdict = Verdict(Reason.HOUSE_ACCOUNT)
        if trader is None or verdict.reason != OK:
            core.reject(command.account_id, 0, verdict)
            return
        account = core.ledger.cross(trader, command.asset_id)
        if account.counted_in().liquidation is not None:
            core.reject(command.account_id, 0, Verdict(Reason.ACCOUNT_IN_LIQUIDATION))
            return
        free_q = self.withdrawable_q(account)
        if command.amount_q > free_q:
            verdict = Verdict(Reason.INSUFFICIENT_FREE_COLLATERAL, command.amount_q, free_q)
            core.reject(command.account_id, 0, verdict)
            return
        core.apply()
        core.ledger.deposit(account, -command.amount_q)
        self._booked(account, -command.amount_q, "withdrawal")

    def _check_amount(self, trader: Trader | None, asset_id: int, amount_q: int) -> Verdict:
        if trader is None:
            return Verdict(Reason.UNKNOWN_ACCOUNT)
        if asset_id not in self._core.assets:
            return Verdict(Reason.UNKNOWN_ASSET, detail=f"asset_id {asset_id}")
        if amount_q <= 0:
            return Verdict(Reason.AMOUNT_NOT_POSITIVE, detail=f"amount_q {amount_q}")
        if amount_q > MAX_AMOUNT_Q:
            return Verdict(Reason.NUMBER_TOO_LARGE, detail=f"amount_q {amount_q}")
        return PASSED

    def _booked(self, account: MarginAccount, amount_q: int, cause: str) -> None:
        core = self._core
        pot = account.counted_in()
        if pot.liquidation is not None:
            pot.liquidation.transfer_q += changed_equity_q(pot)
        core.balance_moved(account, amount_q, cause)
        core.fund_moved(account, amount_q, cause)
        note_deposit(account, amount_q)
        self._watch.refresh(pot, widen=amount_q < 0)

    def withdrawable_q(self, account: MarginAccount) -> int:
        """What may leave a cross account: what its margin does not need of its own wallet.

        Of a balance that counts elsewhere, all but what must go on counting there. Of the margin
        asset no more than was there without collateral in other assets: a withdrawal never borrows.
        """
        holding = account.counts
        if holding is None:
            spare_q = self._spare_q(account)
            if account.holdings:
                own_q = self._base_q(account) - collateral_q(account)
                spare_q = min(spare_q, own_q - account.held_q - isolated_need_q(account))
            return max(0, spare_q)
        held_q = account.wallet_q
        needed_q = holding.value_q() - self._spare_q(holding.account)
        if needed_q <= 0:
            return held_q
        if not holding.asset.price_ppb:
            return 0
        return max(0, held_q - holding.asset.amount_for_q(needed_q))

    def _base_q(self, account: MarginAccount) -> int:
        """Equity; unrealised profit counts only where the rulebook lets it leave."""
        evaluate(account)
        if self._core.rulebook.withdrawal.unrealised_profit:
            return account.equity_q
        return account.equity_q - unrealised_profit_q(account)

    def _spare_q(self, account: MarginAccount) -> int:
        """Equity beyond what must stay: initial margin, or more where a share of notional or the
        call level asks for it. Nothing is spare while a call is open."""
        if account.call is not None:
            return 0
        rule = self._core.rulebook.withdrawal
        base_q = self._base_q(account)
        floor_q = apply_rate_up(position_notional_q(account), rule.min_notional_ppb)
        floor_q = max(floor_q, self._core.levels.call_limit_q(account))
        return base_q - max(initial_requirement_q(account), floor_q)

    # isolated margin

    def adjust_isolated(self, command: AdjustIsolatedMargin) -> None:
        """Add to or take from the collateral of an isolated position."""
        core = self._core
        trader = core.trader(command.account_id)
        listing = core.listings.get(command.instrument_id)
        if trader is None or listing is None:
            unknown = Reason.UNKNOWN_ACCOUNT if trader is None else Reason.UNKNOWN_INSTRUMENT
            core.reject(command.account_id, 0, Verdict(unknown))
            return
        position = trader.find_position(command.instrument_id, command.leg)
        verdict = check_leg(trader, command.leg)
        if verdict.reason == OK and (position is None or not position.account.isolated):
            verdict = Verdict(Reason.NOT_ISOLATED)
        if verdict.reason == OK and position is not None:
            verdict = self._check_adjust(position, command.amount_q)
        if position is None or verdict.reason != OK:
            core.reject(command.account_id, 0, verdict)
            return
        account = position.account
        cross = core.cross_of(account)
        core.apply()
        self._move(cross, account, command.amount_q, "isolated margin")
        self._watch.refresh(cross, widen=True)
        self._watch.refresh(account, widen=True)

    def _check_adjust(self, position: Position, amount_q: int) -> Verdict:
        core = self._core
        account = position.account
        if amount_q == 0 or abs(amount_q) > MAX_AMOUNT_Q:
            return Verdict(Reason.AMOUNT_NOT_POSITIVE, detail=f"amount_q {amount_q}")
        if amount_q > 0:
            cross = core.cross_of(account)
            if cross.liquidation is not None:
                return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
            free_q = self._outside_call_q(cross, movable_q(cross))
        else:
            if account.liquidation is not None:
                return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
            free_q = self._spare_q(account) - open_losses_q(account)
            free_q = self._outside_call_q(account, free_q)
        if abs(amount_q) > free_q:
            return Verdict(Reason.INSUFFICIENT_FREE_COLLATERAL, abs(amount_q), free_q)
        return PASSED

    def _outside_call_q(self, account: MarginAccount, free_q: int) -> int:
        """How much of ``free_q`` may leave an evaluated account without a call upon it."""
        if account.call is not None:
            return 0
        return min(free_q, account.equity_q - self._core.levels.call_limit_q(account))

    # settings

    def set_leverage(self, command: SetLeverage) -> None:
        """Choose the leverage for an instrument; open positions take it if margin allows."""
        core = self._core
        trader = core.trader(command.account_id)
        listing = core.listings.get(command.instrument_id)
        if trader is None or listing is None:
            unknown = Reason.UNKNOWN_ACCOUNT if trader is None else Reason.UNKNOWN_INSTRUMENT
            core.reject(command.account_id, 0, Verdict(unknown))
            return
        positions = self._positions(trader, command.instrument_id)
        called = {
            position.account.margin_account_id: (
                position.account,
                missing_q(core, position.account),
                position.account.call.paid_q,
            )
            for position in positions
            if position.account.call is not None
        }
        verdict = PASSED
        largest_q = 1
        for position in positions:
            lots = abs(position.qty_lots) + max(position.buy_lots, position.sell_lots)
            if listing.mark_ticks:
                largest_q = max(largest_q, listing.instrument.notional_q(lots, listing.mark_ticks))
        limit = listing.model.max_leverage(largest_q)
        if not 1 <= command.leverage <= limit:
            detail = f"leverage {command.leverage}; allowed: 1 to {limit}"
            verdict = Verdict(Reason.LEVERAGE_ABOVE_MAXIMUM, detail=detail)
        moves: list[int] = []
        if verdict.reason == OK:
            moves, verdict = self._plan_leverage(positions, command.leverage)
        if verdict.reason != OK:
            core.reject(command.account_id, 0, verdict)
            return
        core.apply()
        trader.touch()
        for position, amount_q in zip(positions, moves, strict=True):
            position.leverage = command.leverage
            if amount_q:
                account = position.account
                self._move(core.cross_of(account), account, amount_q, "leverage")
        trader.leverage = {**trader.leverage, command.instrument_id: command.leverage}
        core.emit(
            AccountChanged(
                core.now_ns,
                command.account_id,
                command.instrument_id,
                "leverage",
                command.leverage,
            )
        )
        for account, missing_before_q, paid_q in called.values():
            note_trade(core, account, missing_before_q, paid_q)
        for position in positions:
            account = position.account
            if account.isolated:
                self._watch.refresh(core.cross_of(account), widen=True)
            self._watch.refresh(account, widen=True)

    def _plan_leverage(self, positions: list[Position], leverage: int) -> tuple[list[int], Verdict]:
        """What a leverage moves into each open position, or why it cannot be had.

        An isolated position takes what it lacks from the cross account, and gives back what a
        higher leverage frees. The positions have the leverage while it is computed, and their own
        again afterwards, whatever is raised.
        """
        core = self._core
        if not positions:
            return [], PASSED
        cross = core.cross_of(positions[0].account)
        if any(each.liquidation is not None for each in (positions[0].account, cross)):
            return [], Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        before = [position.leverage for position in positions]
        margins_q = [each.account.requirement.initial_q(each.account) for each in positions]
        try:
            for position in positions:
                position.leverage = leverage
            moves = [
                self._leverage_move_q(position, margin_q)
                if position.account.isolated and old != leverage
                else 0
                for position, margin_q, old in zip(positions, margins_q, before, strict=True)
            ]
            if all(old <= leverage for old in before) and all(amount_q <= 0 for amount_q in moves):
                return moves, PASSED
            return moves, self._check_leverage(cross, positions, moves)
        finally:
            for position, old in zip(positions, before, strict=True):
                position.leverage = old

    def _check_leverage(
        self, cross: MarginAccount, positions: list[Position], moves: list[int]
    ) -> Verdict:
        """Whether a cross account has what a leverage asks of it."""
        required_q, free_q = self._leverage_need_q(cross, positions, moves)
        if required_q > free_q:
            return Verdict(Reason.INSUFFICIENT_MARGIN, required_q, free_q)
        leaving_q = sum(moves)
        evaluate(cross)
        free_q = self._outside_call_q(cross, leaving_q)
        if leaving_q > free_q:
            return Verdict(Reason.INSUFFICIENT_FREE_COLLATERAL, leaving_q, free_q)
        return PASSED

    def _leverage_move_q(self, position: Position, before_q: int) -> int:
        """What a changed leverage moves into an isolated position: what it lacks of its initial
        margin, or less than nothing of what is freed (``before_q`` was the margin before)."""
        account = position.account
        margin_q = account.requirement.initial_q(account)
        if margin_q == before_q:
            return 0
        if margin_q > before_q:
            evaluate(account)
            return max(0, margin_q - account.equity_q)
        return -max(0, min(before_q - margin_q, self._spare_q(account) - open_losses_q(account)))

    def _leverage_need_q(
        self, cross: MarginAccount, positions: list[Position], moves: list[int]
    ) -> tuple[int, int]:
        """What a lower leverage asks of the cross account, and what that has for it."""
        required_q = initial_requirement_q(cross)
        if not positions[0].account.isolated:
            return required_q, margin_equity_q(cross, self._core.rulebook)
        for position, amount_q in zip(positions, moves, strict=True):
            required_q += amount_q - pot_need_q(position) + pot_need_q(position, 0, 0, amount_q)
        evaluate(cross)
        present_q = cross.equity_q - unrealised_profit_q(cross)
        own_q = present_q - collateral_q(cross)
        moved_q = sum(moves) + cross.held_q + isolated_need_q(cross)
        if cross.holdings and moved_q - own_q > required_q - present_q:
            # Collateral in other assets cannot go into a pot.
            return moved_q, own_q
        return required_q, present_q

    def _move(
        self, cross: MarginAccount, account: MarginAccount, amount_q: int, cause: str
    ) -> None:
        """Move collateral into (or with a negative amount out of) an isolated position."""
        core = self._core
        move_collateral(core.ledger, cross, account, amount_q)
        for changed, change_q in ((cross, -amount_q), (account, amount_q)):
            core.balance_moved(changed, change_q, cause)

    def set_margin_mode(self, command: SetMarginMode) -> None:
        """Cross or isolated, per instrument, while nothing is open in it."""
        core = self._core
        trader = core.trader(command.account_id)
        if trader is None or command.instrument_id not in core.listings:
            unknown = Reason.UNKNOWN_ACCOUNT if trader is None else Reason.UNKNOWN_INSTRUMENT
            core.reject(command.account_id, 0, Verdict(unknown))
            return
        if self._positions(trader, command.instrument_id) or any(
            trigger.terms.instrument_id == command.instrument_id
            for trigger in trader.triggers.values()
        ):
            core.reject(command.account_id, 0, Verdict(Reason.POSITION_OR_ORDERS_OPEN))
            return
        core.apply()
        trader.touch()
        trader.isolated = {**trader.isolated, command.instrument_id: command.isolated}
        core.emit(
            AccountChanged(
                core.now_ns,
                command.account_id,
                command.instrument_id,
                "isolated",
                int(command.isolated),
            )
        )

    def set_position_mode(self, command: SetPositionMode) -> None:
        """One-way or hedge mode, while nothing is open at all."""
        core = self._core
        trader = core.trader(command.account_id)
        if trader is None:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_ACCOUNT))
            return
        if trader.triggers or any(
            self._positions(trader, instrument_id) for instrument_id in core.listings
        ):
            core.reject(command.account_id, 0, Verdict(Reason.POSITION_OR_ORDERS_OPEN))
            return
        core.apply()
        trader.touch()
        trader.hedge = command.hedge
        core.emit(AccountChanged(core.now_ns, command.account_id, -1, "hedge", int(command.hedge)))

    @staticmethod
    def _positions(trader: Trader, instrument_id: int) -> list[Position]:
        return [
            position
            for account in trader.accounts
            for position in account.positions
            if position.listing.instrument_id == instrument_id
        ]
