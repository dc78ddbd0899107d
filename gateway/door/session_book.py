"""The sessions at the door, and the ends of those that are over."""

from collections.abc import Callable, Container
from typing import Final

import zmq

from gateway.door.budgets import Budgets
from gateway.door.deliveries import Deliveries
from gateway.door.lines import line_of_frame
from gateway.door.pending import Pending
from gateway.door.sessions import Session
from gateway.rights.audit import Audit
from gateway.rights.keys import ClientKey

RECENT_NS: Final[int] = 10_000_000_000
FORGET_SESSION_NS: Final[int] = 3_600_000_000_000
SILENT_LINES: Final[int] = 1_000
"""Connections that may be there without a session."""
FORGET_USELESS_NS: Final[int] = 60_000_000_000
"""Silence after which a session is forgotten; sooner when it was closed or never greeted."""


class SessionBook:
    """Sessions by the address ZeroMQ gave their connection."""

    def __init__(self, budgets: Budgets, audit: Audit, clock: Callable[[], int]) -> None:
        self.by_address: dict[bytes, Session] = {}
        # Addresses of connections that are gone; what they left unread is dropped.
        self.gone: set[bytes] = set()
        self._others_since = 0
        self.budgets = budgets
        self._audit = audit
        self._clock = clock

    def known_to(self, deliveries: Deliveries, pending: Pending) -> None:
        """Who has to know which sessions there are; before the first of them."""
        self._deliveries = deliveries
        self._pending = pending

    def connected(self) -> int:
        """How many were heard of lately."""
        since_ns = self._clock() - RECENT_NS
        return sum(session.heard_ns > since_ns for session in list(self.by_address.values()))

    def session(
        self, address: bytes, client: str, key: ClientKey, now_ns: int, frame: "zmq.Frame"
    ) -> Session | None:
        """The session of a connection, which was just heard of; None when its client has as many
        as it may have."""
        session = self.by_address.get(address)
        if session is None or session.client != client:
            if session is not None:
                self.forget(session)
            if not self.budgets.has_room(client):
                return None
            session = Session(address, client, key, now_ns, line_of_frame(frame))
            self.by_address[address] = session
            self.budgets.came(session)
        if session.key is not key:
            changed = session.key != key
            session.use(key)
            if changed:
                self._deliveries.listens(session)
        if not session.closed:
            session.heard_ns = now_ns
        return session

    def forget(self, session: Session) -> None:
        """A session is over."""
        if self.by_address.pop(session.address, None) is not None:
            self._deliveries.left(session)
            self._pending.drop(session)
            self.budgets.went(session)

    def end(self, session: Session, why: str) -> None:
        """Cut a session off: what waits for it goes with it."""
        self._audit.note("session", client=session.client, key=session.key.public, why=why)
        if session.line is not None:
            session.line.cut()
        self.lost(session.address)

    def lost(self, address: bytes) -> None:
        """A connection is gone: its session is over, and what it left unread makes no other one."""
        self.gone.add(address)
        session = self.by_address.get(address)
        if session is not None:
            self.forget(session)

    def is_left_behind(self, address: bytes) -> bool:
        """Whether a message just read is of a connection that is gone.

        ZeroMQ reads the lines in turns. So when one message of each could have been read and none
        was of these, nothing of them is left.
        """
        if not self.gone:
            return False
        if address in self.gone:
            self._others_since = 0
            return True
        self._others_since += 1
        if self._others_since > len(self.by_address) + len(self.gone) + SILENT_LINES:
            self.gone.clear()
            self._others_since = 0
        return False

    def sent(self, address: bytes, size: int) -> None:
        """A frame of so many bytes was put on a session's line."""
        session = self.by_address.get(address)
        if session is not None:
            greedy = self.budgets.sent(session, size)
            if greedy is not None:
                self.end(greedy, "more waits for it than may wait")

    def sweep(self, silent: Container[str], now_ns: int) -> None:
        """Forget who was silent for too long, and whose orders were cancelled for it."""
        for session in list(self.by_address.values()):
            gone = session.watched in silent and session.cancel_after_ns
            useless = session.closed or not session.welcomed
            quiet_ns = now_ns - session.heard_ns
            if gone or quiet_ns > (FORGET_USELESS_NS if useless else FORGET_SESSION_NS):
                self.forget(session)

    def end_refused(self, admitted: Container[str]) -> None:
        """End the sessions of keys that are not admitted any more."""
        for session in list(self.by_address.values()):
            if session.key.public not in admitted:
                self.end(session, "key revoked, expired or not listed")

    def cut_unread(self) -> None:
        """End the connections on which too much waits."""
        sessions = list(self.by_address.values())
        excess = self.budgets.unread(sessions)
        for line in excess:
            self._audit.note("connection", why="more waits on it unread than may wait")
            line.cut()
        if excess:
            for session in sessions:
                if session.line in excess:
                    self.lost(session.address)
