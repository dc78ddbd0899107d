"""What compiled code makes of the busiest messages: native classes, read from memory.

A struct's fields are objects found by name; making, reading and freeing one costs compiled code a
thousand instructions and more. For the messages of an order's life and of a new mark the build
therefore writes classes from the structs (``@native`` in `engine.commands`, `engine.events` and
`engine.internal`). Plain Python makes and reads structs faster and keeps them. The wire form is the
same, and so is what a user sees, but that a native class is no struct to msgspec's functions:
`engine.messages.fields_of` takes both apart.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from engine.native import mypyc_attr
from engine.reasons import shown
from engine.units import COMPILED, on_wire

_values_of: Final[Callable[[Any], Any]] = astuple


@mypyc_attr(acyclic=True)
class NativeMessage:
    """A message whose fields are the arguments it is made with, in that order."""

    def __init__(self, time_ns: int) -> None:
        self.time_ns: Final = time_ns

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NativeMessage) and self.wire() == other.wire()

    def __hash__(self) -> int:
        return hash(self.wire())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.wire()[1:]

    def __repr__(self) -> str:
        name, *values = self.wire()
        kind: Any = type(self)
        return shown(name, zip(kind.__struct_fields__, values, strict=True))


def time_of(message: Any) -> int:
    """The time of any message; compiled, that of a native message is read from memory."""
    if isinstance(message, NativeMessage):
        return message.time_ns
    time_ns: int = message.time_ns
    return time_ns


Maker = Callable[[Any], NativeMessage]

_MAKERS: Final[dict[type, Maker]] = {}
"""What makes a message of a tuple of fields, by the struct that a decoder makes in its place."""


def decoded_as(struct: type, maker: Maker) -> None:
    """From now on `from_wire` makes messages of such structs with this."""
    _MAKERS[struct] = maker


def to_wire(message: Any) -> tuple[Any, ...]:
    """The wire form of a native message, for an encoder that meets one.

    Raises:
        NotImplementedError: the object is no message.
    """
    if isinstance(message, NativeMessage):
        return message.wire()
    raise NotImplementedError(f"{type(message).__name__} has no wire form")


def ready_for_wire(messages: list[Any]) -> list[Any]:
    """The same messages, so that an encoder need not ask for the form of each, which it does after
    it has looked for everything else. In plain Python they are ready as they are."""
    if not COMPILED:
        return messages
    ready: list[Any] = []
    for message in messages:
        ready.append(message.wire() if isinstance(message, NativeMessage) else message)
    return ready


def within_wire(message: Any) -> Any:
    """A message, or lists of them, with every figure limited by `engine.units.on_wire`, in the form
    an encoder takes."""
    if isinstance(message, bool):
        return message
    if isinstance(message, int):
        return on_wire(message)
    if isinstance(message, list | tuple):
        return [within_wire(item) for item in message]
    if isinstance(message, NativeMessage):
        return within_wire(message.wire())
    if isinstance(message, msgspec.Struct):
        values = [within_wire(value) for value in _values_of(message)]
        return type(message)(*values)
    return message


def message_of(decoded: Any) -> Any:
    """A message from what a decoder made of it; in plain Python it is one already."""
    maker = _MAKERS.get(type(decoded))
    return decoded if maker is None else maker(_values_of(decoded))


def from_wire(decoded: Iterable[Any]) -> list[Any]:
    """Messages from what a decoder made of them; in plain Python they are messages already."""
    if not COMPILED:
        return list(decoded)
    messages: list[Any] = []
    for struct in decoded:
        messages.append(message_of(struct))
    return messages
