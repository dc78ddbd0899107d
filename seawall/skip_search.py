"""Which commands of a batch cannot be handled, and what stands in the place of each."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

from engine.commands import Command, Skipped
from engine.messages import encode


class Found(NamedTuple):
    """The commands of a batch with a `engine.commands.Skipped` for each that is left out, and
    those."""

    commands: list[Command]
    left_out: list[Command]


def without_poison(
    commands: list[Command], works: Callable[[list[Command]], bool], reason: str
) -> Found:
    """Leave out as few commands as make a batch work, looked for from the first. ``works`` tells
    whether the exchange can handle these commands, from the state before the batch."""
    kept = list(commands)
    left_out: list[Command] = []
    while not works(kept):
        place = _first_that_raises(kept, works)
        left_out.append(kept[place])
        kept[place] = _in_place_of(kept[place], reason)
    return Found(kept, left_out)


def _first_that_raises(commands: list[Command], works: Callable[[list[Command]], bool]) -> int:
    """The place of the last command of the shortest beginning that raises."""
    least, most = 1, len(commands)
    while least < most:
        middle = (least + most) // 2
        rest = [_in_place_of(command, "") for command in commands[middle:]]
        if works([*commands[:middle], *rest]):
            least = middle + 1
        else:
            most = middle
    return least - 1


def _in_place_of(command: Any, reason: str) -> Skipped:
    digest = blake2b(encode(command), digest_size=16).hexdigest()
    return Skipped(command.time_ns, getattr(command, "account_id", 0), digest, reason)
