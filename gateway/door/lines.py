"""Connections of the doors as the kernel sees them: what waits on them, and how to end one.

ZeroMQ tells neither how much it holds for a slow reader, nor does it end a single connection. The
kernel counts the bytes of every TCP connection; what was said and not yet acknowledged waits.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import zmq

_COUNTERS: Final = struct.Struct("=QQ")
_COUNTERS_AT: Final[int] = 120
"""Where ``tcpi_bytes_acked`` and ``tcpi_bytes_received`` stand in Linux's ``struct tcp_info``."""

SHORT: Final[int] = 255
CURVE_BYTES: Final[int] = 33
"""What encryption adds to a message: its name, a nonce, a check and the flags."""


def wire_bytes(size: int, encrypted: bool) -> int:
    """The bytes a message of one frame takes on the line (ZMTP 3)."""
    if encrypted:
        size += CURVE_BYTES
    return size + (2 if size <= SHORT else 9)


class Line:
    """One connection. It is known by its descriptor, which the kernel gives to another one
    afterwards, so the address of the other end is compared each time. Socket files have none."""

    __slots__ = ("_fd", "_peer")

    def __init__(self, fd: int, peer: Any) -> None:
        self._fd = fd
        self._peer = peer

    @property
    def descriptor(self) -> int:
        """The descriptor ZeroMQ has it under."""
        return self._fd

    def is_there(self) -> bool:
        """Whether the connection still exists."""
        try:
            with _borrowed(self._fd) as line:
                return bool(line.getpeername() == self._peer)
        except OSError:
            return False

    def counters(self) -> tuple[int, int] | None:
        """The bytes the other end has acknowledged and those that came from it; None for a
        connection that is gone, and where the kernel does not count."""
        try:
            with _borrowed(self._fd) as line:
                if line.getpeername() != self._peer:
                    return None
                info = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:
            return None
        if len(info) < _COUNTERS_AT + _COUNTERS.size:
            return None
        acked, received = _COUNTERS.unpack_from(info, _COUNTERS_AT)
        return int(acked), int(received)

    def cut(self) -> None:
        """End the connection; ZeroMQ notices and drops what waits for it."""
        if not self.is_there():
            return
        try:
            with _borrowed(self._fd) as line:
                line.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def line_of(fd: int) -> Line | None:
    """The connection of a descriptor; None if it is none."""
    try:
        with _borrowed(fd) as line:
            return Line(fd, line.getpeername())
    except OSError:
        return None


def line_of_frame(frame: "zmq.Frame") -> Line | None:
    """The connection a message came on; None where there is none any more."""
    try:
        return line_of(int(frame.get(zmq.SRCFD)))
    except (zmq.ZMQError, ValueError):
        return None


@contextmanager
def _borrowed(fd: int) -> Iterator[socket.socket]:
    """The socket of a descriptor that belongs to ZeroMQ: it is looked at and not closed."""
    found = socket.socket(fileno=fd)
    try:
        yield found
    finally:
        found.detach()
