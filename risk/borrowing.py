"""What a position costs for the money or the coin it borrows, while it is open (Kraken).

The fee of the opening is charged with each fill that opens (`risk.entry.settlement`); here is the
one that comes again and again. It goes to the fees as far as there is equity to pay it with.
"""

from engine.events import BorrowFeePaid
from engine.units import magnitude
from risk.accounts import Position
from risk.core import RiskCore
from risk.health import evaluate
from risk.levels.watch import MarginWatch, changed_equity_q, sync_record
from risk.listing import Listing


def rollovers(opened_ns: int, from_ns: int, until_ns: int, period_ns: int) -> int:
    """How many whole periods since the opening ended after ``from_ns``, up to ``until_ns``.

    Both counts are rounded down: a period that has not ended costs nothing yet.
    """
    before = max(0, from_ns - opened_ns) // period_ns
    return max(0, until_ns - opened_ns) // period_ns - before


class Borrowing:
    """Charges open positions whenever one of their periods has ended."""

    __slots__ = ("_core", "_watch")

    def __init__(self, core: RiskCore, watch: MarginWatch) -> None:
        self._core = core
        self._watch = watch

    def roll(self, listing: Listing, period_ns: int) -> None:
        """Charge what fell due since the last look. The first look under these rules only notes the
        time: what was open before owes nothing for it."""
        now_ns = self._core.now_ns
        from_ns = listing.rolled_ns
        listing.rolled_ns = now_ns
        if not from_ns or not listing.mark_ticks:
            return
        for position in listing.sorted_holders():
            if position.account.trader.is_house():
                continue
            periods = rollovers(position.opened_ns, from_ns, now_ns, period_ns)
            if periods:
                self._pay(position, periods * _fee_q(position))

    def _pay(self, position: Position, due_q: int) -> None:
        core = self._core
        account = position.account
        evaluate(account)
        fee_q = min(due_q, max(0, account.equity_q))
        sync_record(account)
        core.ledger.pay_fee(account, fee_q)
        if account.liquidation is not None:
            account.liquidation.fee_q += changed_equity_q(account)
        instrument_id = position.listing.instrument_id
        core.emit(BorrowFeePaid(core.now_ns, account.margin_account_id, instrument_id, fee_q))
        self._watch.refresh(account, widen=True)


def _fee_q(position: Position) -> int:
    """The fee of one period, rounded up: of what was paid for a long, of what a short is worth."""
    listing = position.listing
    if position.qty_lots > 0:
        return listing.fees.borrow_long.up(magnitude(position.entry_value_q))
    notional_q = listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)
    return listing.fees.borrow_short.up(notional_q)
