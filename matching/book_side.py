"""One side of an order book: its price levels, sorted.

The levels stand in a row, the best one last, and a price is found by halving it. Emptied levels are
dropped only when nothing better is left (or when half of them are empty), for prices come back.
Submitting costs O(log levels), cancelling and filling O(1); a new price moves the better levels or
the worse ones along, whichever are fewer.
"""

from typing import Final

from engine.words import i64, vec
from matching.levels import KEY, LEVEL_LOTS, ORDERS, Levels
from matching.resting_orders import LEVEL

NO_LEVEL: Final[int] = -1
"""In place of a level: the side is empty."""

_MIN_EMPTY_LEVELS: Final[int] = 64
_MIN_ROOM: Final[int] = 16


class BookSide:
    """The levels of one side by key; the best one, ``best``, is never empty.

    They stand in ``sorted`` from ``start`` on and before ``end``; around them is room. Emptied
    levels below the best stay, counted in ``empty``, until it is their turn or half are empty.
    """

    __slots__ = ("best", "empty", "end", "levels", "side", "sorted", "start")

    def __init__(self, side: int, levels: Levels) -> None:
        self.side: i64 = side
        self.levels = levels
        self.sorted: vec[i64] = vec[i64]()
        self.start: i64 = 0
        self.end: i64 = 0
        self.best: i64 = NO_LEVEL
        self.empty: i64 = 0

    def queue(self, slot: i64, price_ticks: i64) -> None:
        """Queue an order last at its price."""
        key = price_ticks if self.side > 0 else -price_ticks
        place = self._place_of(key)
        levels = self.levels
        if place < self.end:
            level = self.sorted[place]
            if levels.cells[level + KEY] == key:
                if levels.cells[level + ORDERS] == 0:
                    self.empty -= 1
                levels.join(level, slot)
                return
        levels.join(self._insert(place, key), slot)

    def _place_of(self, key: i64) -> i64:
        """The place of the first level whose key is not lower: the level with this key, or where a
        new one belongs."""
        sorted_levels = self.sorted
        cells = self.levels.cells
        low = self.start
        high = self.end
        while low < high:
            middle: i64 = (low + high) >> 1
            if cells[sorted_levels[middle] + KEY] < key:
                low = middle + 1
            else:
                high = middle
        return low

    def _insert(self, place: i64, key: i64) -> i64:
        """A new level at a place; the fewer of its worse and its better neighbours move along."""
        if self.start == 0 or self.end == len(self.sorted):
            place += self._make_room()
        level = self.levels.new(key)
        sorted_levels = self.sorted
        if place - self.start < self.end - place:
            self.start -= 1
            place -= 1
            spot = self.start
            while spot < place:
                sorted_levels[spot] = sorted_levels[spot + 1]
                spot += 1
        else:
            spot = self.end
            self.end += 1
            while spot > place:
                sorted_levels[spot] = sorted_levels[spot - 1]
                spot -= 1
            if place == self.end - 1:
                self.best = level
        sorted_levels[place] = level
        return level

    def _make_room(self) -> i64:
        """A longer row with the levels in the middle; returns by how many places they moved."""
        count = self.end - self.start
        room: i64 = count + _MIN_ROOM
        places = 2 * room + count
        wider = vec[i64]([NO_LEVEL] * places)
        place: i64 = 0
        while place < count:
            wider[room + place] = self.sorted[self.start + place]
            place += 1
        moved = room - self.start
        self.sorted = wider
        self.start = room
        self.end = room + count
        return moved

    def remove(self, slot: i64) -> None:
        """Take an order out of its queue, wherever it stands, with the lots it has."""
        if self.levels.leave(slot) == 0:
            self._emptied(self.levels.resting.cells[slot + LEVEL])

    def _emptied(self, level: i64) -> None:
        if level != self.best:
            self.empty += 1
            if self.empty > _MIN_EMPTY_LEVELS and self.empty * 2 > self.end - self.start:
                self._sweep()
            return
        levels = self.levels
        levels.drop(level)
        end = self.end - 1
        while end > self.start:
            level = self.sorted[end - 1]
            if levels.cells[level + ORDERS]:
                self.best = level
                self.end = end
                return
            levels.drop(level)
            self.empty -= 1
            end -= 1
        self.best = NO_LEVEL
        self.end = end

    def _sweep(self) -> None:
        """Drop all empty levels."""
        end = self.start
        place = self.start
        while place < self.end:
            level = self.sorted[place]
            if self.levels.cells[level + ORDERS]:
                self.sorted[end] = level
                end += 1
            else:
                self.levels.drop(level)
            place += 1
        self.end = end
        self.empty = 0

    def level_lots(self, price_ticks: int) -> int:
        """Total size resting at a price, 0 if nothing does."""
        key: i64 = price_ticks if self.side > 0 else -price_ticks
        place = self._place_of(key)
        if place < self.end:
            level = self.sorted[place]
            if self.levels.cells[level + KEY] == key:
                return self.levels.cells[level + LEVEL_LOTS]
        return 0

    def best_ticks(self) -> int:
        """The best price, 0 if nothing rests."""
        return 0 if self.best < 0 else self.levels.price_ticks(self.best)

    def best_first(self, limit: int = 0) -> list[int]:
        """The non-empty levels, best first; at most ``limit`` of them (0: all)."""
        found: list[int] = []
        place = self.end
        while place > self.start and (limit == 0 or len(found) < limit):
            place -= 1
            level = self.sorted[place]
            if self.levels.cells[level + ORDERS]:
                found.append(level)
        return found
