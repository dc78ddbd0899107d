"""Events of accounts that are quiet while others are not: their last ones, an equal share for each.

`gateway.door.event_log` keeps what happened last of all accounts together, in which one that trades
all day has most of the room. What falls out of there, and is among the last of its account, is kept
here, so that no account's events go because of another's.
"""

from collections import deque
from typing import Any, Final

from engine.native_message import from_wire, ready_for_wire
from engine.services.rounds import encode_frame
from gateway.door.frames import decode_events

EACH: Final[int] = 64
"""Of each account so many of the last events are kept, or those of its last batch if more, as far
as its share goes."""

_ROW_BYTES: Final[int] = 64
"""Counted for each row beside its events."""

Row = tuple[int, int, bytes]
"""Numbers of the first and the last of some events of an account, and the events."""


class _Rows:
    """What is kept of one account, oldest first."""

    __slots__ = ("rows", "size")

    def __init__(self) -> None:
        self.rows: deque[Row] = deque()
        self.size = 0

    def add(self, row: Row) -> int:
        self.rows.append(row)
        self.size += len(row[2]) + _ROW_BYTES
        return len(row[2]) + _ROW_BYTES

    def drop_oldest(self) -> int:
        """Returns the bytes that are free now."""
        size = len(self.rows.popleft()[2]) + _ROW_BYTES
        self.size -= size
        return size


class KeptAside:
    """At most ``limit_bytes``; when they are used up, no account has more than an equal share."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._accounts: dict[int, _Rows] = {}

    def add(self, account_id: int, first: int, last: int, events: list[Any]) -> None:
        """Keep events that no longer are among the last of all."""
        kept = self._accounts.get(account_id)
        if kept is None:
            kept = self._accounts[account_id] = _Rows()
        self._bytes += kept.add((first, last, encode_frame(ready_for_wire(events))))
        while kept.rows[0][1] <= last - EACH:
            self._bytes -= kept.drop_oldest()
        if self._bytes > self._limit_bytes:
            self._share_out()

    def forget(self, account_id: int) -> None:
        """Newer events of the account were let go: without them these would have a hole behind."""
        kept = self._accounts.pop(account_id, None)
        if kept is not None:
            self._bytes -= kept.size

    def _share_out(self) -> None:
        """Make room: to three quarters, rounded down, so that this is seldom done."""
        share = self._limit_bytes * 3 // 4 // len(self._accounts)
        for account_id, kept in list(self._accounts.items()):
            while kept.size > share:
                self._bytes -= kept.drop_oldest()
            if not kept.rows:
                del self._accounts[account_id]

    def rows_behind(self, account_id: int, after: int) -> list[tuple[int, list[Any]]]:
        """The account's events behind number ``after``, in rows with the number of the first."""
        kept = self._accounts.get(account_id)
        if kept is None:
            return []
        found: list[tuple[int, list[Any]]] = []
        for first, last, body in kept.rows:
            if last > after:
                found.append((first, from_wire(decode_events(body))))
        return found

    def state(self) -> list[Any]:
        """Everything that is kept."""
        return [[account_id, list(kept.rows)] for account_id, kept in self._accounts.items()]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._bytes = 0
        self._accounts = {}
        for account_id, rows in state:
            kept = self._accounts[account_id] = _Rows()
            for row in rows:
                self._bytes += kept.add(tuple(row))
        if self._bytes > self._limit_bytes:
            self._share_out()
