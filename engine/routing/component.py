"""Components, which a bus delivers messages to, and the sink of events."""

from collections.abc import Callable
from typing import Any

Handler = Callable[[Any, list[Any]], None]


class Component:
    """A deterministic part of the exchange: messages in, messages out, nothing else."""

    def handle(self, message: Any, out: list[Any]) -> None:
        """Apply one message and append what follows from it to ``out``, which may hold what was
        said before."""
        raise NotImplementedError


class FunctionComponent(Component):
    """A plain function in the place of a component. Unlike a component's, its list holds nothing
    but what the function appends."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handle(self, message: Any, out: list[Any]) -> None:
        """Call the function."""
        said: list[Any] = []
        self._handler(message, said)
        out.extend(said)


class Sink:
    """Where events go: the outside."""

    def publish(self, event: Any) -> None:
        """Take one event."""
        raise NotImplementedError


class FunctionSink(Sink):
    """A plain function in the place of a sink."""

    def __init__(self, listener: Callable[[Any], None]) -> None:
        self._listener = listener

    def publish(self, event: Any) -> None:
        """Call the function."""
        self._listener(event)
