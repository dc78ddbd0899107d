"""A price level: all orders of one side at one price, in order of time."""

from typing import TYPE_CHECKING, Final

from engine.record.hashing import digest_of
from matching.order import Order

if TYPE_CHECKING:
    from mypy_extensions import i64

_MOST_GONE: Final[int] = 16
_UNKNOWN: Final[bytes] = b""


class Level:
    """``lots`` is the total size of the ``orders`` that rest at the price.

    The queue is a list. An order that leaves only stops counting, and is passed over when its turn
    comes; the list is written anew when most of it has left.
    """

    __slots__ = ("_digest", "_first", "_queue", "lots", "orders", "price_ticks")

    def __init__(self, price_ticks: "i64") -> None:
        self.price_ticks = price_ticks
        self.lots: i64 = 0
        self.orders: i64 = 0
        self._queue: list[Order] = []
        # Where to look for the oldest order.
        self._first: i64 = 0
        self._digest = _UNKNOWN

    def join(self, order: Order) -> None:
        """Queue an order last."""
        self._queue.append(order)
        self._digest = _UNKNOWN
        self.lots += order.remaining_lots
        self.orders += 1

    def leave(self, order: Order) -> None:
        """Take an order out, wherever it stands."""
        self._digest = _UNKNOWN
        self.lots -= order.remaining_lots
        self.orders -= 1
        order.remaining_lots = 0
        if self.orders == 0:
            self._queue.clear()
            self._first = 0
        elif len(self._queue) > 2 * self.orders + _MOST_GONE:
            self._queue = self.queue()
            self._first = 0

    def shrink(self, order: Order, lots: "i64") -> None:
        """Take lots off an order, which keeps its place and more than nothing."""
        self._digest = _UNKNOWN
        order.remaining_lots -= lots
        self.lots -= lots

    def oldest(self) -> Order:
        """The order whose turn it is; the level has one."""
        first = self._first
        order = self._queue[first]
        while order.remaining_lots == 0:
            first += 1
            order = self._queue[first]
        self._first = first
        return order

    def queue(self) -> list[Order]:
        """The orders, oldest first."""
        return [order for order in self._queue if order.remaining_lots]

    def digest(self) -> bytes:
        """The hash of its orders, oldest first; kept until one of them changes."""
        if not self._digest:
            self._digest = digest_of([order.row() for order in self.queue()])
        return self._digest
