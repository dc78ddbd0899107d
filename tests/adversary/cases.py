"""A finding as a file: the market, the latencies, and a line for every step that was sent.

``python -m tests.adversary.cases FILE...`` plays files again.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec

from engine.messages import decode_command
from engine.native_message import NativeMessage
from engine.routing.bus import Latency
from tests.adversary.arena import Setting, Step
from tests.adversary.plan import Broken, replay


class Case(msgspec.Struct):
    """The first line: where it happened. `says` is what was found when it was written."""

    says: str
    setting: Setting
    latency: Latency | None


def text_of(broken: Broken) -> str:
    """The file of a finding."""
    case = Case(str(broken), broken.setting, broken.latency)
    lines = [msgspec.json.encode(case).decode()]
    for step in broken.steps:
        lines.append(msgspec.json.encode([_plain(command) for command in step]).decode())
    return "\n".join(lines) + "\n"


def _plain(command: Any) -> Any:
    if isinstance(command, NativeMessage):
        return command.wire()
    return msgspec.to_builtins(command)


def load(text: str) -> tuple[Case, list[Step]]:
    """The market and the steps of a file."""
    first, *rest = text.splitlines()
    steps = [
        [decode_command(msgspec.msgpack.encode(row)) for row in msgspec.json.decode(line)]
        for line in rest
    ]
    return msgspec.json.decode(first, type=Case), steps


def play_again(text: str) -> None:
    """Send the steps of a file to a fresh exchange.

    Raises:
        Broken: a property does not hold.
    """
    case, steps = load(text)
    replay(case.setting, steps, case.latency)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        try:
            play_again(Path(name).read_text())
            print(f"{name}: holds")
        except Broken as broken:
            print(f"{name}: {broken}")
