"""What compiled code makes of the busiest messages: plain classes, read from memory.

A struct's fields are objects found by name; making, reading and freeing one costs compiled code a
thousand instructions and more. The messages of an order's life are therefore defined as classes:
`engine.kernel_commands`, `engine.kernel_links` and `engine.kernel_events`. Plain Python makes and
reads structs faster, so there `engine.forms` turns the same definitions into structs. The wire form
is the same, and so is what a user sees, but that a class does not refuse to be changed.
"""

import inspect
from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import astuple

from engine.native import mypyc_attr


@mypyc_attr(acyclic=True)
class KernelMessage:
    """A message whose fields are the arguments it is made with, in that order."""

    time_ns: int

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KernelMessage) and self.wire() == other.wire()

    def __repr__(self) -> str:
        name, *values = self.wire()
        fields = inspect.signature(type(self)).parameters
        shown = ", ".join(f"{field}={value!r}" for field, value in zip(fields, values, strict=True))
        return f"{name}({shown})"


def time_of(message: Any) -> int:
    """The time of any message; compiled, that of a kernel message is read from memory."""
    if isinstance(message, KernelMessage):
        return message.time_ns
    time_ns: int = message.time_ns
    return time_ns


_MADE_OF: Final[dict[type, type[KernelMessage]]] = {}
"""The kernel class by the struct that a decoder makes in its place."""


def decoded_as(struct: type, kernel: type[KernelMessage]) -> None:
    """From now on `from_wire` makes messages of this class of such structs."""
    _MADE_OF[struct] = kernel


def to_wire(message: Any) -> tuple[Any, ...]:
    """The wire form of a kernel message, for an encoder that meets one.

    Raises:
        NotImplementedError: the object is no message.
    """
    if isinstance(message, KernelMessage):
        return message.wire()
    raise NotImplementedError(f"{type(message).__name__} has no wire form")


def from_wire(decoded: Iterable[Any]) -> list[Any]:
    """Messages from what a decoder made of them."""
    messages: list[Any] = []
    for struct in decoded:
        kernel = _MADE_OF.get(type(struct))
        messages.append(struct if kernel is None else kernel(*astuple(struct)))
    return messages
