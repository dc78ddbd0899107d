"""One side of an order book: its price levels, sorted.

The levels stand in a list, the best one last. Emptied levels are dropped only when nothing better
is left (or when half of them are empty), for prices come back.
"""

from typing import TYPE_CHECKING, Final

from engine.commands import BUY
from matching.level import Level
from matching.order import Order

if TYPE_CHECKING:
    from mypy_extensions import i64

_MIN_EMPTY_LEVELS: Final[int] = 64


class BookSide:
    """The levels of one side; the best one, ``best``, is never empty.

    ``levels`` has them from the worst price to the best. Emptied ones below the best stay, counted
    in ``empty``, until it is their turn or half are empty.
    """

    __slots__ = ("_level_at", "best", "empty", "levels", "side")

    def __init__(self, side: int) -> None:
        self.side: i64 = side
        self.levels: list[Level] = []
        self.best: Level | None = None
        self.empty: i64 = 0
        self._level_at: dict[int, Level] = {}

    def level_at(self, price_ticks: int) -> Level | None:
        """The level of a price, which may be empty, if there is one."""
        return self._level_at.get(price_ticks)

    def join(self, order: Order) -> None:
        """Queue an order last at its price."""
        level = self._level_at.get(order.price_ticks)
        if level is None:
            level = self._open(order.price_ticks)
        elif level.orders == 0:
            self.empty -= 1
        level.join(order)

    def leave(self, order: Order) -> None:
        """Take an order out of its queue, wherever it stands."""
        level = self._level_at[order.price_ticks]
        level.leave(order)
        if level.orders == 0:
            self._emptied(level)

    def shrink(self, order: Order, lots: "i64") -> None:
        """Take lots off an order, which keeps its place and more than nothing."""
        self._level_at[order.price_ticks].shrink(order, lots)

    def _open(self, price_ticks: "i64") -> Level:
        """A new level, in its place."""
        level = Level(price_ticks)
        self._level_at[price_ticks] = level
        levels = self.levels
        best = self.best
        if best is None or self._is_worse(best.price_ticks, price_ticks):
            levels.append(level)
            self.best = level
        else:
            levels.insert(self._place_of(price_ticks), level)
        return level

    def _is_worse(self, price_ticks: "i64", than_ticks: "i64") -> bool:
        return price_ticks < than_ticks if self.side == BUY else price_ticks > than_ticks

    def _place_of(self, price_ticks: "i64") -> "i64":
        """How many levels are worse than a price."""
        levels = self.levels
        low: i64 = 0
        high: i64 = len(levels)
        while low < high:
            middle: i64 = (low + high) >> 1
            if self._is_worse(levels[middle].price_ticks, price_ticks):
                low = middle + 1
            else:
                high = middle
        return low

    def _emptied(self, level: Level) -> None:
        levels = self.levels
        if level is not self.best:
            self.empty += 1
            if self.empty > _MIN_EMPTY_LEVELS and self.empty * 2 > len(levels):
                self._sweep()
            return
        del self._level_at[level.price_ticks]
        levels.pop()
        while levels and levels[-1].orders == 0:
            del self._level_at[levels.pop().price_ticks]
            self.empty -= 1
        self.best = levels[-1] if levels else None

    def _sweep(self) -> None:
        """Drop all empty levels."""
        self.levels = [level for level in self.levels if level.orders]
        self._level_at = {level.price_ticks: level for level in self.levels}
        self.empty = 0

    def best_first(self, limit: int = 0) -> list[Level]:
        """The non-empty levels, best first; at most ``limit`` of them (0: all)."""
        found: list[Level] = []
        for level in reversed(self.levels):
            if level.orders:
                found.append(level)
                if len(found) == limit:
                    break
        return found
