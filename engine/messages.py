"""The two unions the whole system speaks, commands in and events out, and their codec.

MessagePack arrays on the wire and in the journal: the type's name, then its fields in order.
"""

from typing import get_args

import msgspec

from engine.commands import Command
from engine.events import Event
from engine.links import Link

Message = Command | Link | Event

COMMAND_TYPES: tuple[type, ...] = get_args(Command)
LINK_TYPES: tuple[type, ...] = get_args(Link)
EVENT_TYPES: tuple[type, ...] = get_args(Event)

_encoder = msgspec.msgpack.Encoder()
_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_message_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


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
        return _message_decoder.decode(data)
    except _MALFORMED as error:
        raise ValueError(f"not a message: {error}") from None
