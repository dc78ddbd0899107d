"""Rounds between hub and leaves give the state and events of the bus, whatever comes first."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.commands import Command
from engine.events import Event
from engine.record.snapshot import pack, unpack
from engine.routing.bus import Bus
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.hub import Hub
from engine.services.leaf import Leaf
from engine.services.rounds import (
    Batch,
    Outcome,
    encode_frame,
    read_outcome,
    read_published,
)
from gateway.host.parts import leaf_of, risk_hub
from matching.matching_engine import MatchingEngine
from risk.liquidation.engine import LiquidationEngine
from risk.risk_engine import RiskEngine
from risk.state import risk_state
from tests.services.streams import RULEBOOKS, Stream, rankless


def cut(commands: list[Command], rng: random.Random, largest: int) -> list[list[Command]]:
    """The commands in batches of random sizes."""
    batches: list[list[Command]] = []
    place = 0
    while place < len(commands):
        size = rng.randint(1, largest)
        batches.append(commands[place : place + size])
        place += size
    return batches


def on_the_bus(batches: list[list[Command]]) -> tuple[list[Any], list[Event], list[Event]]:
    """State, risk's events and matching's events of a run in one process."""
    risk, matching, liquidation = RiskEngine(), MatchingEngine(True), LiquidationEngine()
    events: dict[str, list[Event]] = {RISK: [], MATCHING: []}

    def listening(name: str, handler: Any) -> Any:
        def handle(message: Any, out: list[Any]) -> None:
            handler(message, out)
            events.setdefault(name, []).extend(out)

        return handle

    handlers = {
        RISK: listening(RISK, risk.handle),
        MATCHING: listening(MATCHING, matching.handle),
        LIQUIDATION: listening(LIQUIDATION, liquidation.handle),
    }
    said: list[Event] = []
    bus = Bus(handlers, said.append)
    for batch in batches:
        bus.send_batch(batch)
    state = [risk_state(risk), matching.state(), liquidation.state()]
    public = set(map(id, said))
    return (
        state,
        [event for event in events[RISK] if id(event) in public],
        [event for event in events[MATCHING] if id(event) in public],
    )


class Wires:
    """Hub and leaves joined by queues that are served in random order; parts die by chance."""

    names: tuple[str, ...] = (RISK, MATCHING, LIQUIDATION)

    def __init__(self, rng: random.Random, restarts: bool) -> None:
        self.rng = rng
        self.restarts = restarts
        self.parts: dict[str, Hub | Leaf] = {name: self.fresh(name) for name in self.names}
        self.queues: dict[tuple[str, str], list[bytes]] = {}
        self.outcomes: list[Outcome] = []
        self.public: list[Event] = []

    def fresh(self, name: str) -> Hub | Leaf:
        return risk_hub() if name == RISK else leaf_of(name, publish_depth=True)

    def run(self, batches: list[list[Command]]) -> None:
        for number, batch in enumerate(batches, start=1):
            frame = encode_frame(Batch(number, batch))
            self.queues.setdefault((GATEWAY, RISK), []).append(frame)
        while waiting := sorted(key for key, queue in self.queues.items() if queue):
            sender, receiver = self.rng.choice(waiting)
            body = self.queues[(sender, receiver)].pop(0)
            if receiver == GATEWAY:
                if sender == RISK:
                    self.outcomes.append(read_outcome(body))
                else:
                    self.public += read_published(body)
                continue
            out: list[tuple[str, bytes]] = []
            self.parts[receiver].handle(sender, body, out)
            for target, frame in out:
                self.queues.setdefault((receiver, target), []).append(frame)
            if self.restarts and self.rng.random() < 0.02:
                reborn = self.fresh(receiver)
                reborn.restore(unpack(pack(self.parts[receiver].state())))
                self.parts[receiver] = reborn

    def state(self) -> list[Any]:
        return [self.parts[RISK].state()[1], *(self.parts[name].state() for name in self.names[1:])]


@given(
    seed=st.integers(0, 10**6),
    rulebook=st.sampled_from(RULEBOOKS),
    largest=st.sampled_from((1, 3, 20, 200)),
    restarts=st.booleans(),
)
def test_rounds_equal_the_bus(seed: int, rulebook: str, largest: int, restarts: bool) -> None:
    rng = random.Random(seed)
    batches = cut(Stream(seed, rulebook).take(400), rng, largest)
    wires = Wires(rng, restarts)
    wires.run(batches)
    state, events, public = on_the_bus(batches)
    assert pack(wires.state()) == pack(state)
    assert wires.public == public
    assert [len(outcome.direct) for outcome in wires.outcomes] == [len(batch) for batch in batches]
    by_rounds = [
        rankless(event)
        for outcome in wires.outcomes
        for group in (*outcome.direct, outcome.later)
        for event in group
    ]
    assert by_rounds == [rankless(event) for event in events]
