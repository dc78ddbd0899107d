"""The two unions the whole system speaks, commands in and events out, and their codec.

MessagePack arrays on the wire and in the journal: the type's name, then its fields in order. Where
the engine is compiled, a decoder makes structs of those messages too that have a native class
(`engine.native_message`), which checks them like all others; `from_wire` makes messages of them.
"""

from typing import TYPE_CHECKING, Any, Union, get_args

import msgspec

from engine.commands import Command
from engine.events import Event
from engine.forms import struct_form
from engine.internal import Internal
from engine.native_message import NativeMessage, message_of, to_wire

Message = Command | Internal | Event

COMMAND_TYPES: tuple[type, ...] = get_args(Command)
INTERNAL_TYPES: tuple[type, ...] = get_args(Internal)
EVENT_TYPES: tuple[type, ...] = get_args(Event)

if TYPE_CHECKING:
    WireCommand = Command
    WireEvent = Event
    WireMessage = Message
else:
    WireCommand = Union[(*map(struct_form, COMMAND_TYPES),)]
    WireEvent = Union[(*map(struct_form, EVENT_TYPES),)]
    WireMessage = Union[(*map(struct_form, COMMAND_TYPES + INTERNAL_TYPES + EVENT_TYPES),)]
"""`Command`, `Event` and `Message` as a decoder knows them."""

_encoder = msgspec.msgpack.Encoder(enc_hook=to_wire)
_command_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(WireCommand)
_message_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(WireMessage)
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def fields_of(message: Message) -> dict[str, Any]:
    """The fields of a message by name, in order; the time comes first."""
    names = struct_form(type(message)).__struct_fields__
    return {name: getattr(message, name) for name in names}


def at_time(message: Any, time_ns: int) -> Any:
    """The same message at another time."""
    if isinstance(message, NativeMessage):
        kind: Any = type(message)
        return kind(time_ns, *message.wire()[2:])
    return msgspec.structs.replace(message, time_ns=time_ns)


def encode(message: Message) -> bytes:
    """The wire form of a message."""
    return _encoder.encode(message.wire() if isinstance(message, NativeMessage) else message)


def decode_command(data: bytes) -> Command:
    """A command from its wire form.

    Raises:
        ValueError: the bytes are no command; the message says what is wrong.
    """
    try:
        command: Command = message_of(_command_decoder.decode(data))
    except _MALFORMED as error:
        raise ValueError(f"not a command: {error}") from None
    return command


def decode_message(data: bytes) -> Message:
    """Any message from its wire form.

    Raises:
        ValueError: the bytes are no message; the message says what is wrong.
    """
    try:
        message: Message = message_of(_message_decoder.decode(data))
    except _MALFORMED as error:
        raise ValueError(f"not a message: {error}") from None
    return message
