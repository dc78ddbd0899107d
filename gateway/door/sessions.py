"""Sessions of connected clients, with their rate limits and heartbeats."""

from collections import deque
from typing import Final

import zmq

from engine.commands import Command
from engine.reasons import Reason
from gateway.door.lines import Line
from gateway.protocol import RIGHTS
from gateway.rights.keys import ClientKey

SECOND_NS: Final[int] = 1_000_000_000
MAX_MALFORMED: Final[int] = 5
"""Frames of one session that are no message before it is closed."""


class TokenBucket:
    """So many commands in any second, and not one more; 0 means no limit.

    Refused commands are counted apart: `muted` tells that a second's worth of them was answered
    already, and that the rest need not even be read until the second is over.
    """

    __slots__ = ("_refused", "_taken", "per_second")

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        # When each of the last commands was taken or refused.
        self._taken: deque[int] = deque(maxlen=per_second)
        self._refused: deque[int] = deque(maxlen=per_second)

    def limit(self, per_second: int) -> None:
        """Another limit from now on; what was taken in the last second still counts."""
        if per_second != self.per_second:
            self.per_second = per_second
            self._taken = deque(self._taken, maxlen=per_second)
            self._refused = deque(self._refused, maxlen=per_second)

    def take(self, now_ns: int) -> bool:
        """Whether one more command is allowed now; if so it is used up."""
        return not self.per_second or self._count(self._taken, now_ns)

    def refuse(self, now_ns: int) -> None:
        """A command was refused, for whatever reason."""
        if self.per_second:
            self._count(self._refused, now_ns)

    def muted(self, now_ns: int) -> bool:
        """Whether the client was refused so often that it is not listened to now."""
        refused = self._refused
        full = len(refused) == self.per_second > 0
        return full and now_ns - refused[0] < SECOND_NS

    def _count(self, times: deque[int], now_ns: int) -> bool:
        if len(times) == self.per_second and now_ns - times[0] < SECOND_NS:
            return False
        times.append(now_ns)
        return True


class Session:
    """One connection of a client. `cancel_after_ns` 0: nothing is cancelled when it falls silent;
    otherwise it stands for the run named `watched`. `run` is the run it
    greeted with. `wanted` are the accounts whose events it asked for, None for all its key has.
    `line` is its connection; the bytes sent on it, of them acknowledged, and heard are counted.
    """

    __slots__ = (
        "acked_bytes",
        "address",
        "cancel_after_ns",
        "client",
        "closed",
        "deliveries",
        "heard_bytes",
        "heard_ns",
        "key",
        "line",
        "malformed",
        "run",
        "sent_bytes",
        "unrestricted",
        "wanted",
        "watched",
        "welcomed",
    )

    def __init__(
        self, address: bytes, client: str, key: ClientKey, now_ns: int, line: Line | None = None
    ) -> None:
        self.address = address
        self.line = line
        self.sent_bytes = self.acked_bytes = self.heard_bytes = 0
        self.client = client
        self.use(key)
        self.heard_ns = now_ns
        self.cancel_after_ns = 0
        self.malformed = 0
        self.run = -1
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


def verdict(
    session: Session, rate: TokenBucket, floor: int, request_id: int, command: Command, now_ns: int
) -> Reason | None:
    """Why a command is not taken at the door; None if it is, and then it counts for the rate."""
    if not session.unrestricted and not session.key.may(command):
        return Reason.NOT_AUTHORISED
    if request_id <= floor:
        return Reason.REQUEST_TOO_OLD
    if request_id >= 1 << 63:
        return Reason.NUMBER_TOO_LARGE
    return None if rate.take(now_ns) else Reason.TOO_MANY_REQUESTS


def read_message(router: "zmq.Socket[bytes]") -> "tuple[bytes, list[bytes], zmq.Frame]":
    """The next message: its sender, its parts, the last part; cheaper than `recv_multipart`."""
    frame = router.recv(copy=False)
    address = frame.bytes
    parts: list[bytes] = []
    while frame.more:
        frame = router.recv(copy=False)
        parts.append(frame.bytes)
    return address, parts, frame
