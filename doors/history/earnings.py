"""Income: what fills, funding, deposits and shared losses brought or took, a row each."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from doors.history.file import HistoryFile
from doors.history.records import Fill, Income
from engine.events import BalanceChanged, BorrowFeePaid, FundingPaid, LossSocialised
from risk.accounts import owner_of

NO_INSTRUMENT: Final[int] = -1
MOVED: Final[tuple[str, ...]] = ("deposit", "withdrawal")
"""Causes of a balance's change that come from outside; the others move money inside an account."""


class Terms(NamedTuple):
    """What has to be known of an instrument: the asset it is settled in, what a lot moves at a tick
    in quanta of it, and its mark."""

    asset_id: int
    unit_q: int
    mark_ticks: int


class Earnings:
    """Keeps income in the history file. `handlers` are for the events it comes from."""

    def __init__(self, file: HistoryFile, terms: Callable[[int], Terms]) -> None:
        self._file = file
        self._terms = terms
        self.handlers: Final[dict[type, Callable[[Any], None]]] = {
            FundingPaid: self._funding_paid,
            BorrowFeePaid: self._borrow_fee_paid,
            BalanceChanged: self._balance_changed,
            LossSocialised: self._loss_socialised,
        }

    def filled(self, fill: Fill) -> None:
        """Profit and fee of a fill."""
        asset_id = self._terms(fill.instrument_id).asset_id
        for kind, amount_q in (("REALIZED_PNL", fill.realised_q), ("COMMISSION", -fill.fee_q)):
            if amount_q:
                self._file.keep(
                    Income(
                        *(fill.account_id, fill.instrument_id, kind, asset_id, amount_q),
                        *(fill.time_ns, fill.trade_id),
                    )
                )

    def _funding_paid(self, event: FundingPaid) -> None:
        self._of_contract(event, "FUNDING_FEE", event.amount_q)

    def _borrow_fee_paid(self, event: BorrowFeePaid) -> None:
        self._of_contract(event, "COMMISSION", -event.amount_q)

    def _of_contract(self, event: FundingPaid | BorrowFeePaid, kind: str, amount_q: int) -> None:
        asset_id = self._terms(event.instrument_id).asset_id
        account_id = owner_of(event.margin_account_id)
        row = (account_id, event.instrument_id, kind, asset_id, amount_q, event.time_ns)
        self._file.keep(Income(*row))

    def _balance_changed(self, event: BalanceChanged) -> None:
        if event.cause in MOVED:
            self._of_pot(event, "TRANSFER", event.amount_q)

    def _loss_socialised(self, event: LossSocialised) -> None:
        self._of_pot(event, "INSURANCE_CLEAR", -event.amount_q)

    def _of_pot(self, event: BalanceChanged | LossSocialised, kind: str, amount_q: int) -> None:
        account_id = owner_of(event.margin_account_id)
        row = (account_id, NO_INSTRUMENT, kind, event.asset_id, amount_q, event.time_ns)
        self._file.keep(Income(*row))
