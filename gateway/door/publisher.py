"""The door for market data: who may subscribe, to how much, and how a connection is ended.

An XPUB shows what its subscribers ask for before they get it, and with keys also who asks. What is
too much or not allowed is left out and counted; who goes on asking is cut off, and so is a key that
is revoked or has expired.
"""

from collections.abc import Callable, Mapping
from typing import Final

import zmq

from gateway.door.lines import Line, line_of_frame, wire_bytes
from gateway.door.unread import Unread
from gateway.protocol import ADMIN, READ, TRADE
from gateway.rights.audit import Audit
from gateway.rights.keys import Admitted

MAX_TOPIC_BYTES: Final[int] = 64
SUBSCRIBE_BYTES: Final[int] = 9
"""What the name of ZMTP's command adds to a topic on the line."""

UNREAD_BYTES: Final[int] = 1_048_576
"""What may wait unread on a connection; all topics a client may ask for are far less."""

PER_CALL: Final[int] = 2_000
ALL_TOPICS: Final[int] = 50
"""So many times what a connection may ask for is what all may ask for together without keys."""

OVERDONE: Final[int] = 2
"""So many times what is allowed ends the connection."""

_POLLIN: Final[int] = int(zmq.POLLIN)
_MORE: Final[int] = zmq.NOBLOCK | zmq.SNDMORE
_LISTENERS: Final[tuple[str, ...]] = (READ, TRADE, ADMIN)

Admit = Callable[[], Mapping[str, Admitted] | None]
"""Who may come in now, by public key; None without keys."""


class Subscriber:
    """What one connection asked for. ``public`` is its key, empty without keys."""

    __slots__ = ("heard_bytes", "line", "public", "topics", "wrong")

    def __init__(self, line: Line, public: str) -> None:
        self.line = line
        self.heard_bytes = 0
        self.public = public
        self.topics = 0
        self.wrong = 0


class Publisher:
    """Publishes on a socket that is bound elsewhere. ``most`` is the number of topics a connection,
    and all connections of a key together, may ask for."""

    def __init__(
        self, socket: "zmq.Socket[bytes]", admitted: Admit, most: int, audit: Audit
    ) -> None:
        self.refused: dict[str, int] = {}
        self._socket = socket
        self._admitted = admitted
        self._most = most
        self._audit = audit
        self._subscribers: dict[int, Subscriber] = {}
        self._of_key: dict[str, int] = {}
        self._unread = Unread(UNREAD_BYTES)
        self._unread.watch(socket)

    def send(self, topic: bytes, frame: bytes) -> None:
        """Publish; who reads too slowly misses it."""
        self._socket.send(topic, _MORE)
        self._socket.send(frame, zmq.NOBLOCK)

    def hear(self) -> None:
        """Let in or leave out what was asked for."""
        socket = self._socket
        for _ in range(PER_CALL):
            if not int(socket.get(zmq.EVENTS)) & _POLLIN:
                return
            frame = socket.recv(copy=False)
            size = len(frame)
            while frame.more:
                frame = socket.recv(copy=False)
                size += len(frame)
            encrypted = self._admitted() is not None
            self._ask(frame, wire_bytes(size + SUBSCRIBE_BYTES, encrypted))

    def _ask(self, frame: "zmq.Frame", size: int) -> None:
        asked = frame.bytes
        found = self._subscriber(frame)
        if found is None:
            # A connection that has gone: its topics went with it.
            return
        found.heard_bytes += size
        topic = asked[1:]
        if asked[:1] == b"\x01":
            why = self._fault(found, topic)
            if why:
                self._refuse(found, why)
                return
            found.topics += 1
            self._of_key[found.public] = self._of_key.get(found.public, 0) + 1
            self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        elif asked[:1] == b"\x00":
            if found.topics:
                found.topics -= 1
                self._of_key[found.public] -= 1
            self._socket.setsockopt(zmq.UNSUBSCRIBE, topic)
        else:
            self._refuse(found, "malformed_subscription")

    def _subscriber(self, frame: "zmq.Frame") -> Subscriber | None:
        line = line_of_frame(frame)
        if line is None:
            return None
        found = self._subscribers.get(line.descriptor)
        if found is None or not found.line.is_there():
            if found is not None:
                self._forget(found)
            found = Subscriber(line, self._public_of(frame))
            self._subscribers[line.descriptor] = found
        return found

    def _public_of(self, frame: "zmq.Frame") -> str:
        if self._admitted() is None:
            return ""
        try:
            return str(frame.get("User-Id"))
        except zmq.ZMQError:
            return ""

    def _fault(self, found: Subscriber, topic: bytes) -> str:
        """Why a subscriber is not let in; empty if it is."""
        admitted = self._admitted()
        if admitted is not None:
            who = admitted.get(found.public)
            if who is None or not any(right in who.key.rights for right in _LISTENERS):
                return "subscription_not_authorised"
        most = self._most * (ALL_TOPICS if admitted is None else 1)
        if self._of_key.get(found.public, 0) >= most:
            return "too_many_subscriptions"
        if found.topics >= self._most:
            return "too_many_subscriptions"
        return "malformed_subscription" if len(topic) > MAX_TOPIC_BYTES else ""

    def _refuse(self, found: Subscriber, why: str) -> None:
        self._count(why)
        found.wrong += 1
        if found.wrong == 1 or found.wrong > self._most * (OVERDONE - 1):
            self._audit.note("subscription", key=found.public, why=why)
        if found.wrong > self._most * (OVERDONE - 1):
            found.line.cut()
            self._forget(found)

    def look(self) -> None:
        """Forget who has gone, and cut off whose key is not admitted any more."""
        admitted = self._admitted()
        for found in list(self._subscribers.values()):
            if not found.line.is_there():
                self._forget(found)
            elif admitted is not None and found.public not in admitted:
                self._audit.note("subscriber", key=found.public, why="revoked, expired, not listed")
                found.line.cut()
                self._forget(found)

    def cut_unread(self) -> None:
        """End the connections on which too much waits."""
        for line in self._unread.excess(self._subscribers.values()):
            self._count("unread_bytes")
            self._audit.note("connection", why="more waits on it unread than may wait")
            line.cut()

    def _count(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1

    def _forget(self, found: Subscriber) -> None:
        del self._subscribers[found.line.descriptor]
        left = self._of_key.get(found.public, 0) - found.topics
        if left > 0:
            self._of_key[found.public] = left
        else:
            self._of_key.pop(found.public, None)
