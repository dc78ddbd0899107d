"""Who listens to what: each event is encoded once, however many hear it.

Every subscriber has a queue of its own that is filled without waiting. One that is full is not
waited for: its connection is closed, and nobody else is hurt.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec

from doors.usdm.streams.names import Spec

MOST_STREAMS: Final[int] = 1_024
"""Streams of one connection, as at the venue."""

encode: Final = msgspec.json.Encoder().encode


class Outlet(Protocol):
    """Who sends what is queued."""

    def wake(self) -> None:
        """Something is queued."""

    def cut_off(self) -> None:
        """The subscriber reads too slowly."""


class Subscriber:
    """One connection: its streams and what waits to be sent. ``wrapped`` says that events come with
    the name of their stream."""

    __slots__ = ("_most", "_outlet", "is_too_slow", "queue", "streams", "wrapped")

    def __init__(self, outlet: Outlet, wrapped: bool, most: int) -> None:
        self._outlet = outlet
        self._most = most
        self.wrapped = wrapped
        self.queue: deque[bytes] = deque()
        self.streams: dict[str, None] = {}
        self.is_too_slow = False

    def put(self, text: bytes) -> None:
        """Queue a message; a full queue is the end of the connection."""
        if len(self.queue) >= self._most:
            self.is_too_slow = True
            self.queue.clear()
            self._outlet.cut_off()
        elif not self.is_too_slow:
            self.queue.append(text)
            self._outlet.wake()


class Topic:
    """One stream with its subscribers."""

    __slots__ = ("_prefix", "name", "spec", "subscribers")

    def __init__(self, name: str, spec: Spec) -> None:
        self.name = name
        self.spec = spec
        self.subscribers: dict[Subscriber, None] = {}
        self._prefix = b'{"stream":' + encode(name) + b',"data":'

    def publish(self, body: bytes) -> None:
        """Send an event, encoded, to all."""
        wrapped = b""
        for subscriber in self.subscribers:
            if subscriber.wrapped:
                wrapped = wrapped or self._prefix + body + b"}"
                subscriber.put(wrapped)
            else:
                subscriber.put(body)


class Hub:
    """All topics there are subscribers for. ``changed`` is told of topics that begin and end."""

    def __init__(self, changed: Callable[[Topic, bool], None]) -> None:
        self._changed = changed
        self._topics: dict[str, Topic] = {}
        self._of: dict[tuple[str, int], dict[str, Topic]] = {}

    def topics(self, kind: str, instrument_id: int) -> list[Topic]:
        """The topics of a kind for a contract."""
        found = self._of.get((kind, instrument_id))
        return list(found.values()) if found else []

    def has(self, kind: str, instrument_id: int) -> bool:
        """Whether anybody listens to a kind for a contract."""
        return (kind, instrument_id) in self._of

    def all(self) -> list[Topic]:
        """Every topic."""
        return list(self._topics.values())

    def subscribe(self, subscriber: Subscriber, name: str, spec: Spec) -> None:
        """Let a subscriber hear a stream."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, spec)
            self._of.setdefault((spec.kind, spec.instrument_id), {})[name] = topic
            self._changed(topic, True)
        topic.subscribers[subscriber] = None
        subscriber.streams[name] = None

    def unsubscribe(self, subscriber: Subscriber, name: str) -> None:
        """Let it hear it no longer."""
        subscriber.streams.pop(name, None)
        topic = self._topics.get(name)
        if topic is None:
            return
        topic.subscribers.pop(subscriber, None)
        if not topic.subscribers:
            del self._topics[name]
            key = (topic.spec.kind, topic.spec.instrument_id)
            del self._of[key][name]
            if not self._of[key]:
                del self._of[key]
            self._changed(topic, False)

    def leave(self, subscriber: Subscriber) -> None:
        """It is gone."""
        for name in list(subscriber.streams):
            self.unsubscribe(subscriber, name)

    def publish(self, kind: str, instrument_id: int, event: Any) -> None:
        """Send an event to all who listen to a kind for a contract."""
        found = self._of.get((kind, instrument_id))
        if found:
            body = encode(event)
            for topic in found.values():
                topic.publish(body)
