"""The two unions the whole system speaks, commands in and events out, and their codec.

MessagePack arrays on the wire and in the journal: the type's name, then its fields in order. The
plain classes of `engine.order_links` are read as structs of the same name and fields first, which
checks them like all others.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final, Union, get_args

import msgspec
from msgspec.structs import astuple

from engine.commands import Command
from engine.events import Event
from engine.links import Link
from engine.order_links import FLAGS, ORDER_LINKS, OrderLink

Message = Command | Link | Event

COMMAND_TYPES: tuple[type, ...] = get_args(Command)
LINK_TYPES: tuple[type, ...] = get_args(Link)
EVENT_TYPES: tuple[type, ...] = get_args(Event)


def _wire_struct(kind: type[OrderLink]) -> type[msgspec.Struct]:
    fields = [(name, bool if name in FLAGS else int) for name in kind.FIELDS]
    return msgspec.defstruct(
        kind.__name__, fields, frozen=True, array_like=True, tag=True, gc=False
    )


_WIRE: Final[dict[type, type[OrderLink]]] = {_wire_struct(kind): kind for kind in ORDER_LINKS}
_FIELDS: Final[dict[type, Callable[[Any], tuple[Any, ...]]]] = {
    kind: attrgetter(*kind.FIELDS) for kind in ORDER_LINKS
}
_STRUCTS = tuple(kind for kind in LINK_TYPES if kind not in ORDER_LINKS)

WireMessage: Any = Union[(*COMMAND_TYPES, *_STRUCTS, *_WIRE, *EVENT_TYPES)]
"""`Message` as a decoder knows it; `from_wire` makes messages of what it returns."""


def to_wire(message: Any) -> tuple[Any, ...]:
    """The wire form of an order link, for an encoder that meets one.

    Raises:
        NotImplementedError: the object is no message.
    """
    fields = _FIELDS.get(type(message))
    if fields is None:
        raise NotImplementedError(f"{type(message).__name__} has no wire form")
    return (type(message).__name__, *fields(message))


def from_wire(decoded: Iterable[Any]) -> list[Any]:
    """Messages from what a decoder made of them."""
    return [
        message if (kind := _WIRE.get(type(message))) is None else kind(*astuple(message))
        for message in decoded
    ]


_encoder = msgspec.msgpack.Encoder(enc_hook=to_wire)
_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_message_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(WireMessage)
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def at_time(message: Any, time_ns: int) -> Any:
    """The same message at another time."""
    if isinstance(message, OrderLink):
        _, *rest = message.fields()
        return type(message)(time_ns, *rest)
    return msgspec.structs.replace(message, time_ns=time_ns)


def encode(message: Message) -> bytes:
    """The wire form of a message."""
    return _encoder.encode(message)


def decode_command(data: bytes) -> Command:
    """A command from its wire form.

    Raises:
        ValueError: the bytes are no command; the message says what is wrong.
    """
    try:
        return _command_decoder.decode(data)
    except _MALFORMED as error:
        raise ValueError(f"not a command: {error}") from None


def decode_message(data: bytes) -> Message:
    """Any message from its wire form.

    Raises:
        ValueError: the bytes are no message; the message says what is wrong.
    """
    try:
        message: Message = from_wire([_message_decoder.decode(data)])[0]
    except _MALFORMED as error:
        raise ValueError(f"not a message: {error}") from None
    return message
