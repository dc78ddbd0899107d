"""Results by owner: what each has at the end, less what it paid in. They add up to zero.

A result is taken per owner and asset: the wallets of all the owner's accounts in the asset and the
positions that settle in it at their marks, less deposits, plus withdrawals. All owners together
have what was paid in (nothing else moves money in or out), so the results of an asset add up to
zero. The values of all positions in an inverse contract do not, because each is rounded down; what
that leaves, less than a quantum for each position, is counted to the residue.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from engine.events import BalanceChanged, Deleveraged, Event, LiquidationStarted
from risk.accounts import FIRST_TRADER, HOUSE_NAMES, RESIDUE, owner_of
from risk.health import unrealised_q
from seawall.exchange import Exchange

RESULT_EVENTS: Final[frozenset[type]] = frozenset({BalanceChanged, LiquidationStarted, Deleveraged})
"""The events `ResultCollector` notes."""

GROUP: Final[str] = "group"
AGENT: Final[str] = "agent"
HOUSE: Final[str] = "house"
TOTAL: Final[str] = "total"
OTHERS: Final[tuple[str, str]] = (GROUP, "others")
"""Owners that belong to nothing that has a name."""


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
    """A listener that notes who paid in what, who was liquidated and who was deleveraged."""

    def __init__(self) -> None:
        self._paid_in_q: dict[tuple[int, int], int] = {}
        self._liquidated: set[int] = set()
        self._deleveraged: set[int] = set()

    def __call__(self, event: Event) -> None:
        """Note one event."""
        kind = type(event)
        if kind is BalanceChanged:
            assert isinstance(event, BalanceChanged)
            if event.cause in ("deposit", "withdrawal"):
                key = (owner_of(event.margin_account_id), event.asset_id)
                self._paid_in_q[key] = self._paid_in_q.get(key, 0) + event.amount_q
        elif kind is LiquidationStarted:
            assert isinstance(event, LiquidationStarted)
            self._liquidated.add(owner_of(event.margin_account_id))
        elif kind is Deleveraged:
            assert isinstance(event, Deleveraged)
            self._deleveraged.add(owner_of(event.margin_account_id))

    def results(self, exchange: Exchange, owners: Sequence[tuple[str, str]]) -> list[Result]:
        """The rows of every asset, a total last; ``owners`` are kind and name of the traders'
        groups, by account id from `FIRST_TRADER` on.

        Raises:
            AssertionError: an asset's results do not add up to zero.
        """
        rows: list[Result] = []
        for asset_id in exchange.risk.core.assets:
            rows += self._of_asset(exchange, asset_id, owners)
        return rows

    def _of_asset(
        self, exchange: Exchange, asset_id: int, owners: Sequence[tuple[str, str]]
    ) -> Iterable[Result]:
        ledger = exchange.risk.core.ledger
        gains_q: dict[int, int] = {}
        rounding_q = positions = 0
        for account in ledger.accounts.values():
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
            gains_q[owner] = gains_q.get(owner, 0) + equity_q
        assert -positions <= rounding_q <= 0, f"asset {asset_id}: positions are worth {rounding_q}"
        gains_q[RESIDUE] -= rounding_q
        rows: dict[tuple[str, str], Result] = {key: Result(asset_id, *key) for key in owners}
        for owner in sorted(gains_q, key=lambda owner: (owner < FIRST_TRADER, owner)):
            key = _group_of(owner, owners)
            row = rows.setdefault(key, Result(asset_id, *key))
            row.add(self._of_owner(asset_id, key, owner, gains_q[owner]))
        total = Result(asset_id, TOTAL, TOTAL)
        for row in rows.values():
            total.add(row)
        assert total.result_q == 0, f"asset {asset_id}: results add up to {total.result_q}, not 0"
        return [row for row in (*rows.values(), total) if row.accounts]

    def _of_owner(self, asset_id: int, key: tuple[str, str], owner: int, end_q: int) -> Result:
        paid_in_q = self._paid_in_q.get((owner, asset_id), 0)
        row = Result(asset_id, *key, accounts=1, paid_in_q=paid_in_q)
        result_q = end_q - paid_in_q
        if owner in self._liquidated:
            row.accounts_liquidated, row.liquidated_q = 1, result_q
        elif owner in self._deleveraged and owner >= FIRST_TRADER:
            row.accounts_deleveraged, row.deleveraged_q = 1, result_q
        else:
            row.other_q = result_q
        return row


def _group_of(owner: int, owners: Sequence[tuple[str, str]]) -> tuple[str, str]:
    if owner < FIRST_TRADER:
        return HOUSE, HOUSE_NAMES[owner]
    place = owner - FIRST_TRADER
    return owners[place] if place < len(owners) else OTHERS
