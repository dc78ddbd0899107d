"""Links that lose, double, delay, reorder and cut frames change nothing but the time it takes."""

import contextlib
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from engine.connections.link_header import parts_of
from engine.connections.link_keys import LinkKeys
from engine.record.service_journal import ServiceJournal
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.service import Service
from engine.services.service_config import PEERS, SERVICES
from gateway.host.link_secrets import seals_of
from gateway.host.parts import leaf_of, risk_hub
from seawall.state_hash import exchange_hash
from tests.services.processes import INNER, Feeder
from tests.services.test_service_processes import batches_of, in_process_hash

MAX_TURNS = 60_000
LOST, DOUBLED, LATE, CUT, WHOLE = FATES = ("lost", "doubled", "late", "cut", "whole")
"""What may become of a frame; of the late ones any may be next, so they are reordered too."""


class BadLine:
    """Stands in front of one inbox and passes on what it likes, when it likes."""

    def __init__(self, context: Any, folder: Path, name: str, rng: random.Random) -> None:
        self.rng = rng
        self.held: list[bytes] = []
        self.fates: set[tuple[str, str, str]] = set()
        self.name = name
        self.source = context.socket(zmq.PULL)
        self.source.bind(f"ipc://{folder}/{name}.line")
        self.target = context.socket(zmq.PUSH)
        self.target.connect(f"ipc://{folder}/{name}.ipc")

    def turn(self) -> None:
        while True:
            try:
                message = self.source.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            fate = self.rng.choices(FATES, (8, 8, 12, 6, 66))[0]
            header, _ = parts_of(message)
            if header.seq:
                self.fates.add((fate, header.sender, self.name))
            if fate == LATE:
                self.held.append(message)
            elif fate == CUT:
                self.send(message[: self.rng.randrange(len(message))])
            elif fate != LOST:
                self.send(message)
            if fate == DOUBLED:
                self.send(message)
        if self.held and self.rng.random() < 0.3:
            self.send(self.held.pop(self.rng.randrange(len(self.held))))

    def send(self, message: bytes) -> None:
        """Pass a message on; a full line loses it, for all of them work in one thread here."""
        with contextlib.suppress(zmq.Again):
            self.target.send(message, zmq.NOBLOCK)


def fast_clock() -> Callable[[], int]:
    """Every look at it is two milliseconds later, so that nobody waits for time-outs."""
    now = [0]

    def clock() -> int:
        now[0] += 2_000_000
        return now[0]

    return clock


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bad_lines_lose_nothing_and_double_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.linger = 0
    lines = [BadLine(context, tmp_path, name, rng) for name in SERVICES]
    batches = batches_of(seed, 1_000, 10)
    clock = fast_clock()

    def addresses(own: str) -> dict[str, str]:
        kinds = {name: "ipc" if name == own else "line" for name in SERVICES}
        return {name: f"ipc://{tmp_path}/{name}.{kind}" for name, kind in kinds.items()}

    def opened(name: str, part: Any, door: Any) -> Service:
        journal = ServiceJournal(tmp_path / f"{name}.journal", name)
        service = Service(
            name,
            part,
            journal,
            addresses(name),
            PEERS[name],
            clock=clock,
            door=door,
            seals=seals_of(name, PEERS[name], tmp_path, LinkKeys()),
        )
        service.open()
        return service

    feeder = Feeder(batches)
    parts = {
        RISK: risk_hub(),
        MATCHING: leaf_of(MATCHING, publish_depth=True),
        LIQUIDATION: leaf_of(LIQUIDATION, publish_depth=False),
    }
    services = [opened(name, parts[name], None) for name in INNER]
    services.append(opened(GATEWAY, feeder, feeder))
    for _ in range(MAX_TURNS):
        for worker in (*services, *lines):
            worker.turn(0) if isinstance(worker, Service) else worker.turn()
        if len(feeder.outcomes) == len(batches):
            break
    assert [outcome.number for outcome in feeder.outcomes] == [batch.number for batch in batches]
    state = [parts[RISK].state()[1], parts[MATCHING].state(), parts[LIQUIDATION].state()]
    assert exchange_hash(state) == in_process_hash(batches)
    seen = set().union(*(line.fates for line in lines))
    both_ways = [
        (sender, receiver)
        for sender, receiver in itertools.permutations((RISK, MATCHING, LIQUIDATION, GATEWAY), 2)
        if RISK in (sender, receiver)
    ]
    assert seen >= {(fate, *way) for fate in FATES for way in both_ways}
    for service in services:
        service.close()
    context.destroy(linger=0)
