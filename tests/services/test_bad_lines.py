"""Links that lose, double, hold back and reorder frames change nothing but the time it takes."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from engine.hashing import state_hash
from engine.service import Service
from engine.service_config import PEERS, SERVICES
from engine.service_journal import ServiceJournal
from engine.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from gateway.parts import leaf_of, risk_hub
from tests.services.processes import INNER, Feeder
from tests.services.test_service_processes import batches_of, in_process_hash

MAX_TURNS = 60_000


class BadLine:
    """Stands in front of one inbox and passes on what it likes, when it likes."""

    def __init__(self, context: Any, folder: Path, name: str, rng: random.Random) -> None:
        self.rng = rng
        self.held: list[list[bytes]] = []
        self.lost = self.doubled = self.late = 0
        self.source = context.socket(zmq.PULL)
        self.source.bind(f"ipc://{folder}/{name}.line")
        self.target = context.socket(zmq.PUSH)
        self.target.connect(f"ipc://{folder}/{name}.ipc")

    def turn(self) -> None:
        while True:
            try:
                frame = self.source.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            fate = self.rng.random()
            if fate < 0.08:
                self.lost += 1
            elif fate < 0.2:
                self.late += 1
                self.held.append(frame)
            else:
                self.target.send_multipart(frame)
                if fate < 0.28:
                    self.doubled += 1
                    self.target.send_multipart(frame)
        if self.held and self.rng.random() < 0.3:
            self.target.send_multipart(self.held.pop(self.rng.randrange(len(self.held))))


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
    lines = [BadLine(context, tmp_path, name, rng) for name in SERVICES]
    batches = batches_of(seed, 300, 20)
    clock = fast_clock()

    def addresses(own: str) -> dict[str, str]:
        kinds = {name: "ipc" if name == own else "line" for name in SERVICES}
        return {name: f"ipc://{tmp_path}/{name}.{kind}" for name, kind in kinds.items()}

    def opened(name: str, part: Any, door: Any) -> Service:
        journal = ServiceJournal(tmp_path / f"{name}.journal", name)
        service = Service(name, part, journal, addresses(name), PEERS[name], clock=clock, door=door)
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
    assert state_hash(state) == in_process_hash(batches)
    assert all(line.lost and line.doubled and line.late for line in lines)
    for service in services:
        service.close()
    context.destroy(linger=0)
