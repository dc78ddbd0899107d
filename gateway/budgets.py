"""Budgets of a client at the gateway: sessions, bytes that wait, bytes begun and not ended.

Each budget is of a client, whatever it opens; what is beyond is refused with a reason and counted.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import zmq

from engine.service_config import GatewayConfig
from gateway.lines import Line, line_of, wire_bytes
from gateway.protocol import OLDEST_VERSION, SPOKEN, Hello
from gateway.sessions import Session

_MONITORED: Final = struct.Struct("=HI")
"""An event of a socket's monitor: its kind and its value, here a descriptor."""

CLIENT_SHARE: Final[int] = 4
"""What may wait for all sessions of a client, as a multiple of what may wait for one."""

UNREAD_BYTES: Final[int] = 33_554_432
"""Bytes that came on a connection and are in no message that was read: complete ones wait up to
the socket's limit, the rest is a message that does not end."""

SETTLED_BYTES: Final[int] = 1_048_576
"""Less than this between what came and what was read is taken for read: counts drift apart by what
ZeroMQ says on its own."""

MAX_NAMED_ACCOUNTS: Final[int] = 1_000
"""Accounts a greeting may name; who wants more takes all its key has."""


class Budgets:
    """Counts for the sessions of the commands' door. ``encrypted`` says how much the line adds."""

    def __init__(self, config: GatewayConfig, encrypted: bool) -> None:
        self.refused: dict[str, int] = {}
        self._max_sessions = config.max_sessions
        self._max_waiting = config.max_waiting_bytes
        self._encrypted = encrypted
        self._sessions: dict[str, dict[bytes, Session]] = {}
        self._waiting: dict[str, int] = {}
        self._monitor: Any = None
        self._lines: dict[int, Line] = {}

    def watch(self, router: "zmq.Socket[bytes]") -> None:
        """Hear of every connection of a socket, also of those that never say anything."""
        self._monitor = router.get_monitor_socket(zmq.EVENT_ACCEPTED)

    # sessions

    def has_room(self, client: str) -> bool:
        """Whether a client may have another session; if not it is counted."""
        if len(self._sessions.get(client, ())) < self._max_sessions:
            return True
        self.count("too_many_sessions")
        return False

    def came(self, session: Session) -> None:
        """A session began."""
        self._sessions.setdefault(session.client, {})[session.address] = session

    def went(self, session: Session) -> None:
        """A session ended."""
        of_client = self._sessions.get(session.client, {})
        if of_client.pop(session.address, None) is not None and not of_client:
            del self._sessions[session.client]
            self._waiting.pop(session.client, None)

    def count(self, why: str) -> None:
        """Something was refused."""
        self.refused[why] = self.refused.get(why, 0) + 1

    def fault_of(self, hello: Hello, may_be_watched: bool) -> str:
        """Why a greeting is refused; empty if it is not. ``may_be_watched`` says whether there is
        room for one more run whose orders are cancelled when it falls silent."""
        if hello.version < OLDEST_VERSION:
            return f"protocol version {hello.version}; this gateway speaks {SPOKEN}"
        named = len(hello.accounts or ())
        if named > MAX_NAMED_ACCOUNTS:
            self.count("too_many_accounts")
            return f"{named} accounts named; allowed: {MAX_NAMED_ACCOUNTS}, or all"
        if hello.cancel_after_ms > 0 and not may_be_watched:
            self.count("too_many_watches")
            return "too many runs of this client are watched"
        return ""

    # what goes out

    def sent(self, session: Session, size: int) -> Session | None:
        """A frame of so many bytes was put on a session's line. Returns a session that holds more
        than it may and has to be ended: this one, or of the client the one that holds most."""
        size = wire_bytes(size, self._encrypted)
        session.sent_bytes += size
        if session.sent_bytes - session.acked_bytes > self._max_waiting:
            self._ask(session)
            if session.sent_bytes - session.acked_bytes > self._max_waiting:
                self.count("waiting_bytes")
                return session
        waiting = self._waiting.get(session.client, 0) + size
        self._waiting[session.client] = waiting
        if waiting <= CLIENT_SHARE * self._max_waiting:
            return None
        return self._largest(session.client)

    def _largest(self, client: str) -> Session | None:
        """After asking the kernel for all of them: the session of a client that holds most, if they
        hold too much together."""
        total = 0
        largest: Session | None = None
        for session in self._sessions.get(client, {}).values():
            self._ask(session)
            held = session.sent_bytes - session.acked_bytes
            total += held
            if largest is None or held > largest.sent_bytes - largest.acked_bytes:
                largest = session
        self._waiting[client] = total
        if total <= CLIENT_SHARE * self._max_waiting:
            return None
        self.count("waiting_bytes")
        return largest

    def _ask(self, session: Session) -> None:
        """How much of what was sent the other end has; where it is not counted, all of it: the
        socket's own limit holds there."""
        counters = None if session.line is None else session.line.counters()
        acked = session.sent_bytes if counters is None else counters[0]
        session.acked_bytes = min(session.sent_bytes, acked)

    # what comes in

    def heard(self, session: Session, size: int) -> None:
        """A message of so many bytes was read."""
        session.heard_bytes += wire_bytes(size, self._encrypted)

    def unfinished(self, sessions: list[Session]) -> Iterator[Line]:
        """The connections on which far more came than was read."""
        self._note_accepted()
        spoken: set[int] = set()
        for session in sessions:
            if session.line is None:
                continue
            counters = session.line.counters()
            if counters is None:
                # Gone, and its descriptor may be that of another one.
                continue
            spoken.add(session.line.descriptor)
            unread = counters[1] - session.heard_bytes
            if unread < SETTLED_BYTES:
                session.heard_bytes = counters[1]
            elif unread > UNREAD_BYTES:
                self.count("unfinished_message")
                yield session.line
        for descriptor, line in list(self._lines.items()):
            counters = line.counters()
            if descriptor in spoken or counters is None:
                if not line.is_there():
                    del self._lines[descriptor]
            elif counters[1] > UNREAD_BYTES:
                self.count("unfinished_message")
                yield line

    def _note_accepted(self) -> None:
        monitor = self._monitor
        while monitor is not None and monitor.poll(0):
            _, descriptor = _MONITORED.unpack(monitor.recv_multipart()[0])
            line = line_of(descriptor)
            if line is not None:
                self._lines[descriptor] = line
