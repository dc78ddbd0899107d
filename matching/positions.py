"""Positions in one instrument, exact at the moment of every match.

A reduce-only order may trade what closes its account's position and no more. Only the book knows
that at the moment of a match: it sees every fill in its own order, and the risk engine tells it of
every change that came from elsewhere (a takeover, a deleveraging). Positions of the house count
like all others.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.native import mypyc_attr
from engine.record.hashing import TableHash, row_hash
from matching.order import Order

if TYPE_CHECKING:
    from mypy_extensions import i64

PositionRow = tuple[int, int, int]
"""An open position as plain integers: account id, leg, signed lots."""


@mypyc_attr(acyclic=True)
class _Holding:
    """The signed lots of one account and leg. `hashed` is what it counts in the hash of all; since
    then it has changed if it is `touched`."""

    __slots__ = ("hashed", "lots", "touched")

    def __init__(self) -> None:
        self.lots: i64 = 0
        self.hashed = 0
        self.touched = True


class Positions:
    """Signed lots by account and leg."""

    __slots__ = ("_changed", "_holdings", "_table")

    def __init__(self) -> None:
        # By four times the account id plus the leg: one number is a cheaper key than two.
        self._holdings: dict[int, _Holding] = {}
        self._table = TableHash()
        # Keys of those that the table does not know as they are.
        self._changed: list[int] = []

    def _open(self, key: "i64") -> _Holding:
        holding = _Holding()
        self._holdings[key] = holding
        self._changed.append(key)
        return holding

    def move(self, account_id: "i64", leg: "i64", lots: "i64") -> None:
        """Add signed lots."""
        key: i64 = 4 * account_id + leg
        holding = self._holdings.get(key)
        if holding is None:
            holding = self._open(key)
        elif not holding.touched:
            holding.touched = True
            self._changed.append(key)
        holding.lots += lots

    def traded(self, taker: Order, maker: Order, lots: "i64") -> None:
        """Two orders were filled with each other."""
        bought = lots if taker.side > 0 else -lots
        self.move(taker.account_id, taker.leg, bought)
        self.move(maker.account_id, maker.leg, -bought)

    def closable(self, order: Order) -> "i64":
        """Lots of its account's position that an order may close."""
        lots = self.held(order)
        against = -lots if order.side > 0 else lots
        return against if against > 0 else 0

    def held(self, order: Order) -> "i64":
        """Signed lots of the position that an order changes."""
        holding = self._holdings.get(4 * order.account_id + order.leg)
        return 0 if holding is None else holding.lots

    def copy(self) -> "Positions":
        """The same positions, to try something on."""
        twin = Positions()
        twin.restore(self.state())
        return twin

    def state(self) -> list[PositionRow]:
        """Every open position, by account id and leg."""
        return [
            (key >> 2, key & 3, holding.lots)
            for key, holding in sorted(self._holdings.items())
            if holding.lots
        ]

    def digest(self) -> bytes:
        """`engine.record.hashing.table_hash` of `state`, at the cost of what changed since it was
        asked last."""
        for key in self._changed:
            holding = self._holdings[key]
            holding.touched = False
            hashed = row_hash((key >> 2, key & 3, holding.lots)) if holding.lots else 0
            self._table.replace(holding.hashed, hashed)
            holding.hashed = hashed
        self._changed = []
        return self._table.digest()

    def restore(self, rows: Iterable[Sequence[int]]) -> None:
        """Replace everything by what `state` returned."""
        self._holdings = {}
        self._table = TableHash()
        self._changed = []
        for account_id, leg, lots in rows:
            self.move(account_id, leg, lots)


class Trial:
    """Positions as they would become if orders were filled; the real ones stay as they are, and
    what does not change is not copied."""

    __slots__ = ("_moved", "_positions")

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._moved: dict[int, int] = {}

    def traded(self, taker: Order, maker: Order, lots: "i64") -> None:
        """Two orders would be filled with each other."""
        bought = lots if taker.side > 0 else -lots
        self._move(taker, bought)
        self._move(maker, -bought)

    def _move(self, order: Order, lots: "i64") -> None:
        key = 4 * order.account_id + order.leg
        self._moved[key] = self._moved.get(key, 0) + lots

    def closable(self, order: Order) -> "i64":
        """Lots of its account's position that an order could close then."""
        moved = self._moved.get(4 * order.account_id + order.leg, 0)
        lots: i64 = self._positions.held(order) + moved
        against = -lots if order.side > 0 else lots
        return against if against > 0 else 0
