"""Price levels of one book, both sides, each a queue of orders in order of time.

As in `matching.resting_orders`, they stand one after the other in a row of machine words, and a
field of a level at a fixed distance from its start: ``cells[level + LEVEL_LOTS]``.
"""

from typing import Final

from engine.words import append, i64, vec
from matching.resting_orders import BEFORE, BEHIND, LEVEL, LOTS, NOBODY, RestingOrders

KEY: Final[int] = 0
"""``side * price_ticks``, so that the best price of a side has the highest."""
LEVEL_LOTS: Final[int] = 1
"""Total size of the orders."""
ORDERS: Final[int] = 2
"""How many orders there are."""
FIRST: Final[int] = 3
"""Slot of the oldest order, or `NOBODY`; of a dropped level, the next dropped one."""
LAST: Final[int] = 4
"""Slot of the newest order, or `NOBODY`."""
_LEVEL_CELLS: Final[int] = 5


class Levels:
    """The row of levels and the queues of the orders in ``resting``."""

    __slots__ = ("_free", "cells", "resting")

    def __init__(self, resting: RestingOrders) -> None:
        self.resting = resting
        self.cells: vec[i64] = vec[i64]()
        self._free: i64 = NOBODY

    def new(self, key: i64) -> i64:
        """An empty level."""
        level = self._free
        if level < 0:
            level = len(self.cells)
            for _ in range(_LEVEL_CELLS):
                self.cells = append(self.cells, NOBODY)
        cells = self.cells
        self._free = cells[level + FIRST]
        cells[level + KEY] = key
        cells[level + LEVEL_LOTS] = 0
        cells[level + ORDERS] = 0
        cells[level + FIRST] = NOBODY
        cells[level + LAST] = NOBODY
        return level

    def drop(self, level: i64) -> None:
        """Give an empty level back."""
        self.cells[level + FIRST] = self._free
        self._free = level

    def price_ticks(self, level: i64) -> i64:
        """A level's price."""
        key = self.cells[level + KEY]
        return key if key > 0 else -key

    def join(self, level: i64, slot: i64) -> None:
        """Queue an order last."""
        cells = self.cells
        orders = self.resting.cells
        last = cells[level + LAST]
        orders[slot + LEVEL] = level
        orders[slot + BEFORE] = last
        orders[slot + BEHIND] = NOBODY
        if last < 0:
            cells[level + FIRST] = slot
        else:
            orders[last + BEHIND] = slot
        cells[level + LAST] = slot
        cells[level + LEVEL_LOTS] += orders[slot + LOTS]
        cells[level + ORDERS] += 1

    def leave(self, slot: i64) -> i64:
        """Take an order out of its queue, wherever it stands, with the lots it has; returns how
        many orders stay."""
        cells = self.cells
        orders = self.resting.cells
        level = orders[slot + LEVEL]
        before = orders[slot + BEFORE]
        behind = orders[slot + BEHIND]
        if before < 0:
            cells[level + FIRST] = behind
        else:
            orders[before + BEHIND] = behind
        if behind < 0:
            cells[level + LAST] = before
        else:
            orders[behind + BEFORE] = before
        cells[level + LEVEL_LOTS] -= orders[slot + LOTS]
        stay = cells[level + ORDERS] - 1
        cells[level + ORDERS] = stay
        return stay
