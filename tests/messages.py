"""Messages taken apart and changed: structs, or plain classes where the engine is compiled."""

from typing import Any, TypeVar

from engine.forms import struct_form

Message = TypeVar("Message")


def field_names(kind: type) -> tuple[str, ...]:
    """The fields of a message type in order, the time first."""
    return struct_form(kind).__struct_fields__


def fields_of(message: Any) -> dict[str, Any]:
    """The fields of a message by name, in order."""
    return {name: getattr(message, name) for name in field_names(type(message))}


def changed(message: Message, **fields: Any) -> Message:
    """The same message but for some fields."""
    return type(message)(**fields_of(message) | fields)
