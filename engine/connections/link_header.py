"""A message between two services: seal, header and frame in one piece."""

from struct import Struct
from typing import Final, NamedTuple

from engine.connections.link_seal import SEAL_BYTES, Seal

_FIXED: Final = Struct("<QQBB")
_BEFORE_NAME: Final[int] = SEAL_BYTES + _FIXED.size


class Header(NamedTuple):
    """What stands before a frame.

    ``seq`` is the frame's number, ``ack`` the last frame of the receiver that is safe with the
    sender. ``resend`` asks for everything after ``ack`` again. With ``seq`` 0 there is no frame but
    at most a proof (`engine.connections.link.Link.proof`).
    """

    sender: str
    seq: int
    ack: int
    resend: bool = False


class NoMessage(ValueError):
    """These bytes are no message of a service."""


def message_of(seal: Seal, header: Header, body: bytes) -> bytes:
    """The message with this header and frame."""
    sender, seq, ack, resend = header
    name = sender.encode()
    return seal.sealed(_FIXED.pack(seq, ack, resend, len(name)) + name + body)


def parts_of(message: bytes) -> tuple[Header, bytes]:
    """Header and frame of a message, whichever key sealed it.

    Raises:
        NoMessage: it has none.
    """
    if len(message) < _BEFORE_NAME:
        raise NoMessage("too short")
    seq, ack, resend, length = _FIXED.unpack_from(message, SEAL_BYTES)
    end = _BEFORE_NAME + length
    try:
        sender = message[_BEFORE_NAME:end].decode()
    except UnicodeDecodeError:
        raise NoMessage("its sender is no name") from None
    return Header(sender, seq, ack, bool(resend)), message[end:]
