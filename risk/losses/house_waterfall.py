"""The waterfall of the house: what happens when the fund or the backstop cannot stand on its own.

A house account below its solvency limit is announced. Where the rulebook deleverages, its positions
close against the queue: at the mark while it has equity, within the bound of `Deleveraging` when it
owes something. What it owes then is a deficit like a trader's and is socialised, so no house
account is ever below zero once a message is handled.
"""

from engine.events import BadDebtBooked, HouseInsolvent
from engine.units import apply_rate_up
from risk.accounts import BACKSTOP, FUND, MarginAccount
from risk.core import RiskCore
from risk.health import evaluate, position_notional_q
from risk.losses.deleveraging import Deleveraging
from risk.losses.socialisation import Socialisation

SOLVENT = 0
INSOLVENT = 1
"""Levels of a house account; a trader's count margin levels."""


class HouseWaterfall:
    """Looks at the house accounts of an asset whenever they may have lost something."""

    __slots__ = ("_core", "_deleveraging", "_socialisation")

    def __init__(
        self, core: RiskCore, deleveraging: Deleveraging, socialisation: Socialisation
    ) -> None:
        self._core = core
        self._deleveraging = deleveraging
        self._socialisation = socialisation

    def check(self, asset_id: int) -> None:
        """Act on the fund and the backstop where they are below their limit."""
        ledger = self._core.ledger
        for account_id in (FUND, BACKSTOP):
            account = ledger.house(account_id, asset_id)
            if account.first_position is not None or account.holdings or account.wallet_q < 0:
                self._check(account)

    def _check(self, account: MarginAccount) -> None:
        core = self._core
        if core.is_halted(account):
            return
        evaluate(account)
        notional_q = position_notional_q(account)
        limit_q = apply_rate_up(notional_q, core.rulebook.fund.solvency_ppb)
        if account.equity_q >= limit_q:
            _set_level(account, SOLVENT)
            return
        if account.level == SOLVENT:
            _set_level(account, INSOLVENT)
            core.emit(
                HouseInsolvent(
                    core.now_ns,
                    account.trader.account_id,
                    account.asset_id,
                    account.equity_q,
                    limit_q,
                    notional_q,
                )
            )
        if notional_q and "adl" in core.rulebook.liquidation.stages:
            before_q = account.equity_q
            self._deleveraging.close_positions(account, at_mark=before_q >= 0)
            evaluate(account)
            if before_q < 0:
                self._book_debt(account, min(0, account.equity_q) - before_q, "adl")
        if account.equity_q < 0:
            deficit_q = -account.equity_q
            self._book_debt(account, deficit_q, "socialise")
            self._socialisation.cover(account, deficit_q)
            core.fund_moved(account, deficit_q, "socialised")
        evaluate(account)
        limit_q = apply_rate_up(position_notional_q(account), core.rulebook.fund.solvency_ppb)
        if account.equity_q >= limit_q:
            _set_level(account, SOLVENT)

    def _book_debt(self, account: MarginAccount, amount_q: int, stage: str) -> None:
        if amount_q > 0:
            self._core.emit(
                BadDebtBooked(
                    self._core.now_ns,
                    account.margin_account_id,
                    account.asset_id,
                    amount_q,
                    stage,
                )
            )


def _set_level(account: MarginAccount, level: int) -> None:
    if level != account.level:
        account.trader.touch()
        account.level = level
