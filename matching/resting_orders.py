"""The orders that rest in one book, one after the other in a row of machine words.

An order starts at its slot, and a field of it stands at a fixed distance: ``cells[slot + LOTS]``.
Compiled code reads that without an object per order or number.
"""

from typing import Final, NamedTuple

from engine.slots_by_id import SlotsById, new_slots_by_id
from engine.words import extend, i64, vec

OrderRow = tuple[int, int, int, int, int, int, int, int, int]
"""A resting order as plain integers: order id, account id, price, remaining lots, self-trade
mode, post-only (0 or 1), liquidation (0 or 1), reduce-only (0 or 1), leg."""

NOBODY: Final[int] = -1
"""In place of a slot: there is no such order."""

ORDER_ID: Final[int] = 0
ACCOUNT_ID: Final[int] = 1
LOTS: Final[int] = 2
"""What is left of the order."""
MODES: Final[int] = 3
"""Self-trade mode, flags and leg in one word: see `stp_of` and its neighbours."""
LEVEL: Final[int] = 4
"""The order's price level in `matching.levels`, which sets this and the next two."""
BEFORE: Final[int] = 5
"""Slot of the next older order at that price, or `NOBODY`."""
BEHIND: Final[int] = 6
"""Slot of the next newer one, or `NOBODY`; of a free slot, the next free one."""
_ORDER_CELLS: Final[int] = 7
_MORE_CELLS: Final[int] = 64 * _ORDER_CELLS

_POST_ONLY: Final[int] = 16
_LIQUIDATION: Final[int] = 32
_REDUCE_ONLY: Final[int] = 64
_STP: Final[int] = 15
_LEG_SHIFT: Final[int] = 7


class Order(NamedTuple):
    """A resting order as it was when it was asked for; ``stp`` is its self-trade mode."""

    order_id: int
    account_id: int
    side: int
    price_ticks: int
    remaining_lots: int
    stp: int
    post_only: bool
    liquidation: bool
    reduce_only: bool = False
    leg: int = 0


def row_of(order: Order) -> OrderRow:
    """A resting order as plain integers; its side is told by where it stands."""
    return (
        order.order_id,
        order.account_id,
        order.price_ticks,
        order.remaining_lots,
        order.stp,
        int(order.post_only),
        int(order.liquidation),
        int(order.reduce_only),
        order.leg,
    )


class RestingOrders:
    """The row of orders, and the slot of every order id."""

    __slots__ = ("_free", "cells", "slots")

    def __init__(self) -> None:
        self.slots: SlotsById = new_slots_by_id()
        self.cells: vec[i64] = vec[i64]()
        self._free: i64 = NOBODY

    def add(self, order_id: i64, account_id: i64, lots: i64, modes: i64) -> i64:
        """Give an order a slot and return it; `NOBODY`, and nothing is changed, if its id has
        one. The caller puts it into a queue."""
        slot = self._free
        if slot < 0:
            self._grow()
            slot = self._free
        if not self.slots.add(order_id, slot):
            return NOBODY
        cells = self.cells
        self._free = cells[slot + BEHIND]
        cells[slot + ORDER_ID] = order_id
        cells[slot + ACCOUNT_ID] = account_id
        cells[slot + LOTS] = lots
        cells[slot + MODES] = modes
        return slot

    def drop(self, slot: i64) -> None:
        """Forget the order in a slot, which stands in no queue any more."""
        cells = self.cells
        self.slots.pop(cells[slot + ORDER_ID])
        cells[slot + BEHIND] = self._free
        self._free = slot

    def _grow(self) -> None:
        """Make room for more orders and chain the new slots."""
        first: i64 = len(self.cells)
        self.cells = extend(self.cells, vec[i64]([NOBODY] * _MORE_CELLS))
        slot: i64 = first + _MORE_CELLS
        while slot > first:
            slot -= _ORDER_CELLS
            self.cells[slot + BEHIND] = self._free
            self._free = slot


def modes_of(stp: i64, post_only: bool, liquidation: bool, reduce_only: bool, leg: i64) -> i64:
    """The five packed into a word."""
    modes: i64 = stp | leg << _LEG_SHIFT
    if post_only:
        modes |= _POST_ONLY
    if liquidation:
        modes |= _LIQUIDATION
    if reduce_only:
        modes |= _REDUCE_ONLY
    return modes


def stp_of(modes: i64) -> i64:
    """The self-trade mode."""
    return modes & _STP


def is_post_only(modes: i64) -> bool:
    """Whether the order must never take."""
    return modes & _POST_ONLY != 0


def is_liquidation(modes: i64) -> bool:
    """Whether the liquidation engine placed the order."""
    return modes & _LIQUIDATION != 0


def is_reduce_only(modes: i64) -> bool:
    """Whether the order may only close what its account holds."""
    return modes & _REDUCE_ONLY != 0


def leg_of(modes: i64) -> i64:
    """Which position of its account the order belongs to."""
    return modes >> _LEG_SHIFT
