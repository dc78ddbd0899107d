"""Results by owner: what each has at the end, less what it paid in. They add up to zero.

A result is taken per owner and asset: the wallets of all the owner's accounts in the asset and the
positions that settle in it at their marks, less deposits, plus withdrawals. All owners together
have what was paid in (nothing else moves money in or out), so the results of an asset add up to
zero. The values of all positions in an inverse contract do not, because each is rounded down; what
that leaves, less than a quantum for each position, is counted to the residue.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from engine.events import (
    BalanceChanged,
    Deleveraged,
    Event,
    LiquidationStarted,
    MarginCallIssued,
)
from risk.accounts import FIRST_TRADER, HOUSE_NAMES, RESIDUE, owner_of
from risk.health import unrealised_q
from seawall.exchange import Exchange
from seawall.records.owner import HOUSE, OTHERS, Owner

TOTAL: Final[str] = "total"

LIQUIDATED: Final[str] = "liquidated"
DELEVERAGED: Final[str] = "deleveraged"
CALLED: Final[str] = "called"
HELD: Final[str] = "held"
IDLE: Final[str] = "idle"
FATES: Final[tuple[str, ...]] = (LIQUIDATED, DELEVERAGED, CALLED, HELD, IDLE)
"""What became of an owner, the first that is true: liquidated at least once; a position closed by
auto-deleveraging; called for margin; none of it; never had a position."""

_FATE_OF: Final[dict[type, str]] = {
    LiquidationStarted: LIQUIDATED,
    Deleveraged: DELEVERAGED,
    MarginCallIssued: CALLED,
}

RESULT_EVENTS: Final[frozenset[type]] = frozenset({BalanceChanged, *_FATE_OF})
"""The events `ResultCollector` notes."""


class Result(msgspec.Struct):
    """One row: the result of a group of owners in one asset, in quanta.

    ``kind`` is ``group`` (of the population), ``agent``, ``house`` or ``total``. ``liquidated`` is
    the part of owners who were liquidated at least once, ``deleveraged`` that of other owners whose
    position was closed by auto-deleveraging, ``other`` the rest; together they are the ``result``.
    """

    asset_id: int
    kind: str
    name: str
    accounts: int = 0
    accounts_liquidated: int = 0
    accounts_deleveraged: int = 0
    paid_in_q: int = 0
    liquidated_q: int = 0
    deleveraged_q: int = 0
    other_q: int = 0

    @property
    def result_q(self) -> int:
        """What the owners have at the end, less what they paid in."""
        return self.liquidated_q + self.deleveraged_q + self.other_q

    def add(self, other: "Result") -> None:
        """Count another row in."""
        self.accounts += other.accounts
        self.accounts_liquidated += other.accounts_liquidated
        self.accounts_deleveraged += other.accounts_deleveraged
        self.paid_in_q += other.paid_in_q
        self.liquidated_q += other.liquidated_q
        self.deleveraged_q += other.deleveraged_q
        self.other_q += other.other_q


class ResultCollector:
    """A listener that notes who paid in what, and what became of whom."""

    def __init__(self) -> None:
        self._paid_in_q: dict[tuple[int, int], int] = {}
        self._fates: dict[str, set[int]] = {fate: set() for fate in _FATE_OF.values()}

    def __call__(self, event: Event) -> None:
        """Note one event."""
        kind = type(event)  # an `isinstance` of a message costs many times this comparison
        if kind is BalanceChanged:
            assert isinstance(event, BalanceChanged)
            if event.cause in ("deposit", "withdrawal"):
                key = (owner_of(event.margin_account_id), event.asset_id)
                self._paid_in_q[key] = self._paid_in_q.get(key, 0) + event.amount_q
        elif kind in _FATE_OF:
            account_id = owner_of(event.margin_account_id)  # type: ignore[union-attr]
            if kind is not Deleveraged or account_id >= FIRST_TRADER:
                self._fates[_FATE_OF[kind]].add(account_id)

    def state(self) -> list[Any]:
        """What was noted so far."""
        paid_in = [[*key, amount_q] for key, amount_q in self._paid_in_q.items()]
        return [paid_in, [[fate, sorted(ids)] for fate, ids in self._fates.items()]]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        paid_in, fates = state
        self._paid_in_q = {(owner, asset_id): amount_q for owner, asset_id, amount_q in paid_in}
        self._fates = {fate: set(account_ids) for fate, account_ids in fates}

    def paid_in_q(self, account_id: int, asset_id: int) -> int:
        """Deposits of an owner less withdrawals."""
        return self._paid_in_q.get((account_id, asset_id), 0)

    def fate(self, account_id: int, owner: Owner) -> str:
        """One of `FATES`."""
        for fate, account_ids in self._fates.items():
            if account_id in account_ids:
                return fate
        return HELD if owner.entered else IDLE

    def results(self, exchange: Exchange, owners: Sequence[Owner]) -> list[Result]:
        """The rows of every asset, a total last; ``owners`` by account id from `FIRST_TRADER` on.

        Raises:
            AssertionError: an asset's results do not add up to zero.
        """
        rows: list[Result] = []
        for asset_id in exchange.risk.core.assets:
            rows += self._of_asset(exchange, asset_id, owners)
        return rows

    def _of_asset(
        self, exchange: Exchange, asset_id: int, owners: Sequence[Owner]
    ) -> Iterable[Result]:
        ends = ends_q(exchange, asset_id)
        rows = {owner[:2]: Result(asset_id, *owner[:2]) for owner in owners}
        for account_id in sorted(ends, key=lambda each: (each < FIRST_TRADER, each)):
            owner = owner_at(account_id, owners)
            row = rows.setdefault(owner[:2], Result(asset_id, *owner[:2]))
            row.add(self._of_owner(asset_id, account_id, owner, ends[account_id]))
        total = Result(asset_id, TOTAL, TOTAL)
        for row in rows.values():
            total.add(row)
        assert total.result_q == 0, f"asset {asset_id}: results add up to {total.result_q}, not 0"
        return [row for row in (*rows.values(), total) if row.accounts]

    def _of_owner(self, asset_id: int, account_id: int, owner: Owner, end_q: int) -> Result:
        paid_in_q = self.paid_in_q(account_id, asset_id)
        row = Result(asset_id, *owner[:2], accounts=1, paid_in_q=paid_in_q)
        result_q = end_q - paid_in_q
        fate = self.fate(account_id, owner)
        if fate == LIQUIDATED:
            row.accounts_liquidated, row.liquidated_q = 1, result_q
        elif fate == DELEVERAGED:
            row.accounts_deleveraged, row.deleveraged_q = 1, result_q
        else:
            row.other_q = result_q
        return row


def ends_q(exchange: Exchange, asset_id: int) -> dict[int, int]:
    """What every owner has of an asset now, by account id: wallets, and positions at their marks.

    Raises:
        AssertionError: the values of all positions differ by more than their rounding.
    """
    ends: dict[int, int] = {}
    rounding_q = positions = 0
    for account in exchange.risk.core.ledger.accounts.values():
        if account.asset_id != asset_id:
            continue
        owner = account.trader.account_id
        equity_q = account.wallet_q
        for position in account.positions:
            if position.qty_lots:
                gain_q = unrealised_q(position)
                equity_q += gain_q
                rounding_q += gain_q + position.entry_value_q
                positions += 1
        ends[owner] = ends.get(owner, 0) + equity_q
    assert -positions <= rounding_q <= 0, f"asset {asset_id}: positions are worth {rounding_q}"
    ends[RESIDUE] -= rounding_q
    return ends


def owner_at(account_id: int, owners: Sequence[Owner]) -> Owner:
    """The owner of an account; ``owners`` by account id from `FIRST_TRADER` on."""
    if account_id < FIRST_TRADER:
        return Owner(HOUSE, HOUSE_NAMES[account_id])
    place = account_id - FIRST_TRADER
    return owners[place] if place < len(owners) else OTHERS
