"""A plan: a market, motifs one after the other or through each other, and how they are sent.

A plan is played once command by command. What was sent is then sent again to fresh exchanges: in
batches, with neighbours swapped, with commands left out or sent twice, and with latencies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from types import FunctionType

from engine.commands import Command, SubmitOrder, SubmitTrigger
from engine.messages import fields_of
from engine.routing.bus import Latency
from engine.units import SECOND_NS
from tests.adversary import motifs_margin, motifs_orders, motifs_triggers
from tests.adversary.arena import Arena, Setting, Step, later
from tests.adversary.hands import Commands, Hands
from tests.adversary.watch import Finding

MOTIFS = {
    name: value
    for module in (motifs_orders, motifs_margin, motifs_triggers)
    for name, value in vars(module).items()
    if isinstance(value, FunctionType)
    and value.__module__ == module.__name__
    and not name.startswith("_")
}

SINGLE, BATCH, SWAPPED, LATENCY = "single", "batch", "swapped", "latency"
WAYS = (BATCH, SWAPPED, LATENCY)
DELAYS_NS = (0, 1, SECOND_NS // 100, SECOND_NS, 7 * SECOND_NS)
MOST_COMMANDS = 120
NEW_ORDERS = (SubmitOrder, SubmitTrigger)


class Broken(AssertionError):
    """A finding with all that is needed to see it again."""

    def __init__(
        self, finding: Finding, setting: Setting, steps: Sequence[Step], latency: Latency | None
    ) -> None:
        super().__init__(str(finding))
        self.kind = finding.kind
        self.setting = setting
        self.steps = list(steps)
        self.latency = latency


@dataclass(frozen=True)
class Plan:
    """Motifs by name on a market; ``mixed`` advances them in turns, ``ways`` are the replays."""

    setting: Setting
    motifs: tuple[str, ...]
    seed: int
    mixed: bool = False
    ways: tuple[str, ...] = WAYS


def play(plan: Plan) -> int:
    """Play a plan and its replays; returns how many commands were sent.

    Raises:
        Broken: a property does not hold.
    """
    rng = Random(plan.seed)
    arena = Arena(plan.setting)
    hands = Hands(arena, rng)
    try:
        for command in woven([MOTIFS[name](hands) for name in plan.motifs], plan.mixed, rng):
            arena.send(command)
            if arena.commands >= MOST_COMMANDS:
                break
        arena.end()
    except Finding as finding:
        raise Broken(finding, plan.setting, arena.steps, None) from finding
    sent = arena.commands
    for way in plan.ways:
        steps, latency = rearranged(arena.steps, way, rng)
        sent += replay(plan.setting, steps, latency)
    return sent


def replay(setting: Setting, steps: Sequence[Step], latency: Latency | None) -> int:
    """Send recorded steps to a fresh exchange; returns how many commands were sent.

    Raises:
        Broken: a property does not hold.
    """
    arena = Arena(setting, latency)
    try:
        arena.play(steps)
    except Finding as finding:
        raise Broken(finding, setting, arena.steps, latency) from finding
    return arena.commands


def woven(generators: list[Commands], mixed: bool, rng: Random) -> Iterator[Command]:
    """Motifs one after the other, or a command of each in any order."""
    waiting = list(generators)
    while waiting:
        place = rng.randrange(len(waiting)) if mixed else 0
        command = next(waiting[place], None)
        if command is None:
            del waiting[place]
        else:
            yield command


def rearranged(steps: Sequence[Step], way: str, rng: Random) -> tuple[list[Step], Latency | None]:
    """The same commands sent in another way."""
    commands = [command for step in steps for command in step]
    if way == LATENCY:
        latency = Latency(*[rng.choice(DELAYS_NS) for _ in range(6)])
        return _spread(commands, rng), latency
    if way == SWAPPED:
        _disturb(commands, rng)
    found: list[Step] = []
    place = 0
    while place < len(commands):
        size = rng.choice((1, 1, 2, 3, 5, 9))
        found.append(commands[place : place + size])
        place += size
    return _in_time(found), None


def _disturb(commands: list[Command], rng: Random) -> None:
    """Swap neighbours, leave one out, or send one again (orders under a new id)."""
    for _ in range(rng.randint(1, 4)):
        if len(commands) < 3:
            return
        place = rng.randrange(len(commands) - 1)
        kind = rng.randrange(8)
        if kind < 6:
            commands[place], commands[place + 1] = commands[place + 1], commands[place]
        elif kind == 6:
            del commands[place]
        else:
            again = commands[place]
            if isinstance(again, NEW_ORDERS):
                used = [c.order_id for c in commands if isinstance(c, NEW_ORDERS)]
                again = type(again)(**{**fields_of(again), "order_id": max(used) + 1})
            commands.insert(place + rng.randint(1, 3), again)


def _in_time(steps: list[Step]) -> list[Step]:
    """The steps with times that never go back."""
    time_ns = 0
    found: list[Step] = []
    for step in steps:
        row = []
        for command in step:
            time_ns = max(time_ns, command.time_ns)
            row.append(command if command.time_ns == time_ns else later(command, time_ns))
        found.append(row)
    return found


def _spread(commands: list[Command], rng: Random) -> list[Step]:
    """One command a step, some at once and some far apart."""
    gap_ns = rng.choice((0, SECOND_NS // 100, SECOND_NS))
    time_ns = 0
    passed_ns = 0
    found: list[Step] = []
    for command in commands:
        passed_ns += rng.choice((0, 0, gap_ns))
        time_ns = max(time_ns, command.time_ns + passed_ns)
        found.append([later(command, time_ns)])
    return found
