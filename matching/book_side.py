"""One side of an order book: resting orders, queued by price and time.

A side keeps its price levels in a list, the best one last, and finds a price by halving it. Emptied
levels are dropped only when nothing better is left (or when half of them are empty), for prices
come back. A level is a doubly linked queue of orders. Submitting costs O(log levels), cancelling
and filling O(1); a new price moves the list's pointers to the better levels along.
"""

from typing import TYPE_CHECKING, Final

from engine.native import mypyc_attr
from engine.orders_by_id import Identified

if TYPE_CHECKING:
    from mypy_extensions import i64

_MIN_EMPTY_LEVELS: Final[int] = 64

OrderRow = tuple[int, int, int, int, int, int, int]
"""A resting order as plain integers: order id, account id, price, remaining lots, self-trade
mode, post-only (0 or 1), liquidation (0 or 1)."""


@mypyc_attr(free_list_len=1)
class Level:
    """All orders of one side at one price, oldest first. ``key`` is ``side * price_ticks``, so that
    the best price has the highest."""

    __slots__ = ("count", "head", "key", "lots", "price_ticks", "tail")

    def __init__(self, key: "i64", price_ticks: "i64") -> None:
        self.key = key
        self.price_ticks = price_ticks
        self.lots = 0
        self.count: i64 = 0
        self.head: Order | None = None
        self.tail: Order | None = None


@mypyc_attr(free_list_len=1)
class Order(Identified):
    """A resting order. ``remaining_lots`` is 0 once it has been filled or decremented away."""

    __slots__ = (
        "account_id",
        "level",
        "liquidation",
        "next",
        "post_only",
        "prev",
        "price_ticks",
        "remaining_lots",
        "side",
        "stp",
    )

    def __init__(
        self,
        order_id: "i64",
        account_id: "i64",
        side: "i64",
        price_ticks: "i64",
        remaining_lots: "i64",
        stp: "i64",
        post_only: bool,
        liquidation: bool,
    ) -> None:
        self.order_id = order_id
        self.account_id = account_id
        self.side = side
        self.price_ticks = price_ticks
        self.remaining_lots = remaining_lots
        self.stp = stp
        self.post_only = post_only
        self.liquidation = liquidation
        self.level: Level | None = None
        self.prev: Order | None = None
        self.next: Order | None = None

    def row(self) -> OrderRow:
        """The order as plain integers, for state hashes and snapshots."""
        return (
            self.order_id,
            self.account_id,
            self.price_ticks,
            self.remaining_lots,
            self.stp,
            int(self.post_only),
            int(self.liquidation),
        )


class BookSide:
    """One side's levels, sorted by key: the best one last, and never empty.

    Emptied levels below it stay, counted in ``empty``, until it is their turn or half are empty.
    """

    __slots__ = ("best", "empty", "levels", "side")

    def __init__(self, side: int) -> None:
        self.side: i64 = side
        self.levels: list[Level] = []
        self.best: Level | None = None
        self.empty: i64 = 0

    def append(self, order: Order) -> None:
        """Queue an order last at its price."""
        price_ticks = order.price_ticks
        level = self._level_for(price_ticks if self.side > 0 else -price_ticks, price_ticks)
        order.level = level
        tail = level.tail
        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.prev = tail
        level.tail = order
        level.lots += order.remaining_lots
        level.count += 1

    def _level_for(self, key: "i64", price_ticks: "i64") -> Level:
        """The level of a price, made if there is none; the caller queues an order in it."""
        levels = self.levels
        place = self._place_of(key)
        if place < len(levels):
            level = levels[place]
            if level.key == key:
                if level.count == 0:
                    self.empty -= 1
                return level
        level = Level(key, price_ticks)
        if place == len(levels):
            levels.append(level)
            self.best = level
        else:
            levels.insert(place, level)
        return level

    def _place_of(self, key: "i64") -> "i64":
        """How many levels have a lower key: the place of the level with this one, or of a new
        one."""
        levels = self.levels
        low: i64 = 0
        high: i64 = len(levels)
        while low < high:
            middle: i64 = (low + high) >> 1
            if levels[middle].key < key:
                low = middle + 1
            else:
                high = middle
        return low

    def remove(self, order: Order) -> None:
        """Take an order out of its queue, wherever it stands; ``remaining_lots`` is untouched."""
        level = order.level
        assert level is not None
        before = order.prev
        after = order.next
        if before is None:
            level.head = after
        else:
            before.next = after
        if after is None:
            level.tail = before
        else:
            after.prev = before
        order.level = None
        order.prev = None
        order.next = None
        level.lots -= order.remaining_lots
        level.count -= 1
        if level.count == 0:
            self._emptied(level)

    def _emptied(self, level: Level) -> None:
        levels = self.levels
        if level is self.best:
            levels.pop()
            while levels and levels[-1].count == 0:
                levels.pop()
                self.empty -= 1
            self.best = levels[-1] if levels else None
            return
        self.empty += 1
        if self.empty > _MIN_EMPTY_LEVELS and self.empty * 2 > len(levels):
            self.levels = [kept for kept in levels if kept.count]
            self.empty = 0

    def level_lots(self, price_ticks: int) -> int:
        """Total size resting at a price, 0 if nothing does."""
        key = price_ticks if self.side > 0 else -price_ticks
        place = self._place_of(key)
        if place < len(self.levels):
            level = self.levels[place]
            if level.key == key:
                return level.lots
        return 0

    def sorted_levels(self, limit: int = 0) -> list[Level]:
        """The non-empty levels, best first; at most ``limit`` of them (0: all)."""
        found: list[Level] = []
        for level in reversed(self.levels):
            if level.count:
                found.append(level)
                if len(found) == limit:
                    break
        return found
