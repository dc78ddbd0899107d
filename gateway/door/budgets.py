"""Budgets of a client at the gateway: sessions, bytes that wait to go out or to be read.

Each budget is of a client, whatever it opens; what is beyond is refused with a reason and counted.
"""

from typing import Final

import zmq

from engine.services.service_config import GatewayConfig
from gateway.door.lines import Line, wire_bytes
from gateway.door.pending import MAX_PENDING
from gateway.door.runs import MAX_ANSWERS
from gateway.door.sessions import Session
from gateway.door.unread import Unread, held_bytes
from gateway.protocol import OLDEST_VERSION, SPOKEN, Hello

CLIENT_SHARE: Final[int] = 4
"""What may wait for all sessions of a client, as a multiple of what may wait for one."""

UNREAD_MESSAGES: Final[int] = 16
"""What may wait unread on a connection, in messages of the greatest length."""

REQUEST_BYTES: Final[int] = 512
"""Memory of a request that waits or of an answer that is remembered, with room to spare."""

MAX_NAMED_ACCOUNTS: Final[int] = 1_000
"""Accounts a greeting may name; who wants more takes all its key has."""


def memory_bound(config: GatewayConfig, clients: int) -> int:
    """The bytes the door holds at most for so many clients: what waits to go out to them, requests
    that wait, answers that are remembered and the copy of these in a snapshot, and what came and
    is not read."""
    waiting = CLIENT_SHARE * config.max_waiting_bytes
    requests = REQUEST_BYTES * (MAX_PENDING + 2 * MAX_ANSWERS)
    return clients * (waiting + requests) + held_bytes(UNREAD_MESSAGES * config.max_message_bytes)


class Budgets:
    """Counts for the sessions of the commands' door. ``encrypted`` says how much the line adds."""

    def __init__(self, config: GatewayConfig, encrypted: bool) -> None:
        self.refused: dict[str, int] = {}
        self._max_sessions = config.max_sessions
        self._max_waiting = config.max_waiting_bytes
        self._encrypted = encrypted
        self._sessions: dict[str, dict[bytes, Session]] = {}
        self._waiting: dict[str, int] = {}
        self._unread = Unread(UNREAD_MESSAGES * config.max_message_bytes)

    def watch(self, router: "zmq.Socket[bytes]") -> None:
        """Hear of every connection of the door, also of those that never say anything."""
        self._unread.watch(router)

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
            self.count("too_many_heartbeats")
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

    def unread(self, sessions: list[Session]) -> list[Line]:
        """The connections that have to be cut off because too much waits on them."""
        excess = self._unread.excess(sessions)
        for _ in excess:
            self.count("unread_bytes")
        return excess
