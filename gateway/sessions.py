"""Who is connected: sessions, their rate limits and heartbeats."""

from typing import Final

from gateway.keys import ClientKey
from gateway.protocol import TRADE

SECOND_NS: Final[int] = 1_000_000_000
MAX_MALFORMED: Final[int] = 5
"""Frames of one session that are no message before it is closed."""


class Rate:
    """A token bucket holding one second's worth of commands; 0 means no limit."""

    __slots__ = ("_per_second", "_since_ns", "_tokens_ns")

    def __init__(self, per_second: int, now_ns: int) -> None:
        self._per_second = per_second
        # Kept in command-nanoseconds, so that refilling is exact.
        self._tokens_ns = per_second * SECOND_NS
        self._since_ns = now_ns

    def take(self, count: int, now_ns: int) -> bool:
        """Whether ``count`` more commands are allowed now; if so they are used up."""
        limit = self._per_second
        if not limit:
            return True
        full = limit * SECOND_NS
        self._tokens_ns = min(full, self._tokens_ns + (now_ns - self._since_ns) * limit)
        self._since_ns = now_ns
        if self._tokens_ns < count * SECOND_NS:
            return False
        self._tokens_ns -= count * SECOND_NS
        return True


class Session:
    """One connection of a client. ``cancel_after_ns`` 0: nothing is cancelled when it falls silent.

    `traded` are the accounts it sent orders for.
    """

    __slots__ = (
        "address",
        "cancel_after_ns",
        "client",
        "closed",
        "deliveries",
        "heard_ns",
        "key",
        "malformed",
        "traded",
        "welcomed",
    )

    def __init__(self, address: bytes, client: str, key: ClientKey, now_ns: int) -> None:
        self.address = address
        self.client = client
        self.key = key
        self.heard_ns = now_ns
        self.cancel_after_ns = 0
        self.malformed = 0
        self.deliveries = 0
        self.closed = False
        self.welcomed = False
        self.traded: dict[int, None] = {}

    def silent(self, now_ns: int) -> bool:
        """Whether its orders have to be cancelled now."""
        return bool(self.cancel_after_ns) and now_ns - self.heard_ns > self.cancel_after_ns

    def accounts_to_cancel(self) -> list[int]:
        """The accounts whose orders end with the session."""
        return list(self.traded) if TRADE in self.key.rights else []
