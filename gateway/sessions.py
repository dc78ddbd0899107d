"""Who is connected: sessions, their rate limits and heartbeats."""

from typing import Final

from gateway.keys import ClientKey
from gateway.protocol import RIGHTS

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
    """One connection of a client. `cancel_after_ns` 0: nothing is cancelled when it falls silent;
    otherwise it stands for the run named `watched`. `wanted` are the accounts whose events it
    asked for, None for all its key has.
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
        "unrestricted",
        "wanted",
        "watched",
        "welcomed",
    )

    def __init__(self, address: bytes, client: str, key: ClientKey, now_ns: int) -> None:
        self.address = address
        self.client = client
        self.use(key)
        self.heard_ns = now_ns
        self.cancel_after_ns = 0
        self.malformed = 0
        self.deliveries = 0
        self.closed = False
        self.welcomed = False
        self.watched = ""
        self.wanted: list[int] | None = None

    def use(self, key: ClientKey) -> None:
        """Take the client's key, or the one it has now."""
        self.key = key
        self.unrestricted = not key.accounts and all(right in key.rights for right in RIGHTS)

    def listens_to(self) -> list[int] | None:
        """The accounts whose events it gets; None for all."""
        allowed = self.key.accounts
        if self.wanted is None:
            return allowed or None
        return [one for one in self.wanted if not allowed or one in allowed]
