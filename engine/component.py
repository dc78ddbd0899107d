"""What a bus delivers messages to."""

from collections.abc import Callable
from typing import Any

Handler = Callable[[Any, list[Any]], None]


class Component:
    """A deterministic part of the exchange: messages in, messages out, nothing else."""

    def handle(self, message: Any, out: list[Any]) -> None:
        """Apply one message and append what follows from it to ``out``."""
        raise NotImplementedError


class FunctionComponent(Component):
    """A plain function in the place of a component."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handle(self, message: Any, out: list[Any]) -> None:
        """Call the function."""
        self._handler(message, out)
