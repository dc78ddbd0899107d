"""Messages taken apart and changed: structs, or plain classes where the engine is compiled."""

from typing import Any, TypeVar

from engine.forms import struct_form
from engine.messages import fields_of

Message = TypeVar("Message")


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of a message type in order, the time first."""
    return struct_form(kind).__struct_fields__


def changed(message: Message, **fields: Any) -> Message:
    """The same message but for some fields."""
    return type(message)(**fields_of(message) | fields)
