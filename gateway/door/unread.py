"""Bytes that came on the connections of a door and are in no message that was read from it.

ZeroMQ is let to read all that comes: while it does not, a connection that ends with a ZMTP command
under way aborts the process (libzmq 4.3.5, `!_io_error`). So what it holds is bounded here, from
the kernel's counts: complete messages that wait and one that does not end alike.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import zmq

from gateway.door.lines import Line, line_of

_MONITORED: Final = struct.Struct("=HI")
"""An event of a socket's monitor: its kind and its value, here a descriptor."""

OF_ALL: Final[int] = 2
"""What may wait on all connections of a door, as a multiple of what may wait on one."""

DRIFT_BYTES: Final[int] = 64
"""What is taken for read at every look: ZeroMQ's own words, which no message shows."""

LEAST_MESSAGE_BYTES: Final[int] = 2
HELD_MESSAGE_BYTES: Final[int] = 64
"""The shortest message on the line, and the least memory ZeroMQ takes for one that waits."""


class Speaker(Protocol):
    """A sender of messages, with the bytes these had on the line."""

    heard_bytes: int

    @property
    def line(self) -> Line | None:
        """Their connection."""


class Unread:
    """Watches one door: ``most`` bytes may wait on a connection."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._monitor: Any = None
        self._lines: dict[int, Line] = {}

    def watch(self, door: "zmq.Socket[bytes]") -> None:
        """Hear of every connection from now on, also of those that never say anything."""
        self._monitor = door.get_monitor_socket(zmq.EVENT_ACCEPTED)

    def excess(self, speakers: Iterable[Speaker]) -> list[Line]:
        """The connections on which too much waits; and while too much waits on all of them
        together, those with most of it."""
        self._note_accepted()
        waiting: list[tuple[int, int]] = []
        spoken: dict[int, Line] = {}
        for speaker in speakers:
            line = speaker.line
            counters = None if line is None else line.counters()
            if line is None or counters is None:
                # Gone, and its descriptor may be that of another one.
                continue
            left = counters[1] - speaker.heard_bytes
            speaker.heard_bytes += min(left, DRIFT_BYTES)
            spoken[line.descriptor] = line
            waiting.append((left, line.descriptor))
        for descriptor, line in list(self._lines.items()):
            counters = line.counters()
            if counters is None or descriptor in spoken:
                if not line.is_there():
                    del self._lines[descriptor]
            else:
                spoken[descriptor] = line
                waiting.append((counters[1], descriptor))
        return [spoken[descriptor] for descriptor in self._too_much(waiting)]

    def _too_much(self, waiting: list[tuple[int, int]]) -> Iterator[int]:
        total = sum(left for left, _ in waiting)
        for left, descriptor in sorted(waiting, reverse=True):
            if left <= self._most and total <= OF_ALL * self._most:
                return
            total -= left
            yield descriptor

    def _note_accepted(self) -> None:
        monitor = self._monitor
        while monitor is not None and monitor.poll(0):
            _, descriptor = _MONITORED.unpack(monitor.recv_multipart()[0])
            line = line_of(descriptor)
            if line is not None:
                self._lines[descriptor] = line


def held_bytes(most: int) -> int:
    """The memory of what may wait at a door, if it is all in the shortest messages there are."""
    return OF_ALL * most // LEAST_MESSAGE_BYTES * HELD_MESSAGE_BYTES
