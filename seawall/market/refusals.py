"""What a market refuses: commands the exchange turns down, and values no command can carry."""

from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from engine.commands import MAX_WIRE, Command
from engine.events import CommandRejected
from engine.forms import struct_form
from engine.messages import decode_command, encode
from engine.native_message import message_of
from engine.reasons import Reason, in_words
from engine.units import from_grid

IN_LOTS: Final[tuple[int, ...]] = (Reason.QTY_BELOW_MINIMUM, Reason.QTY_ABOVE_MAXIMUM)
"""Reasons whose figures are sizes; all others give money."""

_Command = TypeVar("_Command", bound=Command)


class Rejected(ValueError):
    """The exchange refused a command; the text gives the number, the reason and the figures.

    ``reason`` is a number of `engine.reasons.Reason`, ``event`` the refusal as it was published.
    """

    def __init__(self, event: CommandRejected, unit: Decimal) -> None:
        figures = ""
        if event.required_q:
            required, free = from_grid(event.required_q, unit), from_grid(event.free_q, unit)
            figures = f"; required {required}, there is {free}"
        detail = f" ({event.detail})" if event.detail else ""
        super().__init__(f"{in_words(event.reason)}{detail}{figures}")
        self.event = event
        self.reason = Reason(event.reason)
        self._unit = unit

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.event, self._unit)


def made(kind: type[_Command], *values: Any, **named: Any) -> _Command:
    """A command of these values, whatever their types are; a compiled one would take True for 1.

    Raises:
        ValueError: as `check_travels`.
    """
    form: Any = struct_form(kind)
    given = form(*values, **named)
    check_travels(given)
    command: _Command = message_of(given)
    return command


def check_travels(command: Command) -> None:
    """Refuse a command whose values the journal and the services could not carry.

    Raises:
        ValueError: a value is of another type, or beyond 63 bits.
    """
    name = type(command).__name__
    try:
        data = encode(command)
        decode_command(data)
    except OverflowError:
        raise ValueError(f"{name}: a number is beyond 63 bits") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    for value in msgspec.msgpack.decode(data):
        if isinstance(value, int) and value > MAX_WIRE:
            raise ValueError(f"{name}: {value} is beyond 63 bits; allowed: up to {MAX_WIRE}")
