"""Limits of use: weight by address and minute, orders by account; who goes on is banned a while.

Windows are those of the clock, as at the venue: a minute's weight is forgotten when the minute is.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from doors.usdm.errors import TOO_MUCH, VenueError
from engine.services.service_config import DoorConfig
from engine.units import MINUTE_NS, SECOND_NS

MOST_ADDRESSES: Final[int] = 10_000
"""Addresses whose use is remembered; the one not heard of for longest is forgotten."""

BAN_AFTER: Final[int] = 200
"""Requests beyond the limit in a minute after which an address is banned."""

BAN_NS: Final[int] = 2 * MINUTE_NS
TEN_SECONDS_NS: Final[int] = 10 * SECOND_NS


class _Window:
    """What was used in the current span of ``length_ns``."""

    __slots__ = ("_begin", "_length_ns", "used")

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._begin = 0
        self.used = 0

    def add(self, count: int, now_ns: int) -> int:
        begin = now_ns // self._length_ns
        if begin != self._begin:
            self._begin, self.used = begin, 0
        self.used += count
        return self.used

    def left_s(self, now_ns: int) -> int:
        """Whole seconds until it begins anew, rounded up."""
        return -(-(self._length_ns - now_ns % self._length_ns) // SECOND_NS)


class _Address:
    __slots__ = ("banned_until_ns", "weight")

    def __init__(self) -> None:
        self.weight = _Window(MINUTE_NS)
        self.banned_until_ns = 0


class Limits:
    """Who used how much. ``clock`` is the wall clock in nanoseconds."""

    def __init__(self, config: DoorConfig, clock: Callable[[], int]) -> None:
        self.weight_per_minute: Final = config.max_weight_per_minute
        self.orders_per_minute: Final = config.max_orders_per_minute
        self.orders_per_10s: Final = config.max_orders_per_10s
        self._clock = clock
        self._addresses: OrderedDict[str, _Address] = OrderedDict()
        self._orders: dict[int, tuple[_Window, _Window]] = {}

    def weigh(self, address: str, weight: int) -> int:
        """Count a request of an address; returns the weight used in this minute.

        Raises:
            VenueError: it is too much, or the address is banned.
        """
        now_ns = self._clock()
        found = self._addresses.get(address)
        if found is None:
            found = self._addresses[address] = _Address()
            if len(self._addresses) > MOST_ADDRESSES:
                self._addresses.popitem(last=False)
        else:
            self._addresses.move_to_end(address)
        if found.banned_until_ns > now_ns:
            left_s = -(-(found.banned_until_ns - now_ns) // SECOND_NS)
            until_ms = found.banned_until_ns // 1_000_000
            text = f"Way too many requests; IP({address}) banned until {until_ms}."
            raise VenueError(-1003, text, 418, left_s)
        used = found.weight.add(weight, now_ns)
        beyond = used - self.weight_per_minute
        if beyond > 0:
            if beyond > BAN_AFTER * max(1, weight):
                found.banned_until_ns = now_ns + BAN_NS
            raise VenueError(*TOO_MUCH, 429, found.weight.left_s(now_ns))
        return used

    def order(self, account_id: int, count: int = 1) -> tuple[int, int]:
        """Count orders of an account; returns those of these ten seconds and of this minute.

        Raises:
            VenueError: they are too many.
        """
        now_ns = self._clock()
        windows = self._orders.get(account_id)
        if windows is None:
            windows = self._orders[account_id] = (_Window(TEN_SECONDS_NS), _Window(MINUTE_NS))
        short, long = windows
        used = short.add(count, now_ns), long.add(count, now_ns)
        text = "Too many new orders."
        if used[0] > self.orders_per_10s:
            raise VenueError(-1015, text, 429, short.left_s(now_ns))
        if used[1] > self.orders_per_minute:
            raise VenueError(-1015, text, 429, long.left_s(now_ns))
        return used

    def orders_used(self, account_id: int) -> tuple[int, int]:
        """The orders of an account in these ten seconds and in this minute."""
        windows = self._orders.get(account_id)
        if windows is None:
            return 0, 0
        now_ns = self._clock()
        return windows[0].add(0, now_ns), windows[1].add(0, now_ns)

    def stated(self) -> list[dict[str, object]]:
        """As ``exchangeInfo`` states them."""
        return [
            _stated("REQUEST_WEIGHT", "MINUTE", 1, self.weight_per_minute),
            _stated("ORDERS", "MINUTE", 1, self.orders_per_minute),
            _stated("ORDERS", "SECOND", 10, self.orders_per_10s),
        ]

    def stated_for(self, address: str) -> list[dict[str, object]]:
        """The limit of weight with what an address used of it, for answers over WebSocket."""
        found = self._addresses.get(address)
        count = 0 if found is None else found.weight.add(0, self._clock())
        return [_stated("REQUEST_WEIGHT", "MINUTE", 1, self.weight_per_minute) | {"count": count}]


def _stated(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
