"""The same command stream gives the same state in one process and in real ones, killed or not."""

import random
from pathlib import Path

import pytest

from engine.commands import Command
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from engine.services.rounds import Batch
from seawall.exchange import Exchange
from tests.services.processes import INNER, Feeder, Processes
from tests.services.streams import Stream


def batches_of(seed: int, commands: int, largest: int) -> list[Batch]:
    rng = random.Random(seed)
    rest: list[Command] = Stream(seed).take(commands)
    batches: list[Batch] = []
    while rest:
        size = rng.randint(1, largest)
        batches.append(Batch(len(batches) + 1, rest[:size]))
        rest = rest[size:]
    return batches


def in_process_hash(batches: list[Batch]) -> str:
    exchange = Exchange(publish_depth=True)
    for batch in batches:
        exchange.send_batch(batch.commands)
    return exchange.state_hash()


def test_processes_end_in_the_state_of_one_process(tmp_path: Path) -> None:
    batches = batches_of(1, 2_000, 40)
    with Processes(tmp_path) as processes:
        for name in INNER:
            processes.start(name)
        feeder = Feeder(batches)
        feeder.start(processes.config)
        feeder.run_until(len(batches))
        processes.stop()
        feeder.service.close()
        assert processes.state_hash() == in_process_hash(batches)


@pytest.mark.parametrize("snapshot_every", [40, 20_000])
def test_a_killed_service_comes_back_with_nothing_lost_and_nothing_twice(
    tmp_path: Path, snapshot_every: int
) -> None:
    batches = batches_of(2, 2_000, 20)
    with Processes(tmp_path, snapshot_every=snapshot_every) as processes:
        for name in INNER:
            processes.start(name)
        feeder = Feeder(batches)
        feeder.start(processes.config)
        for part, name in enumerate((RISK, MATCHING, LIQUIDATION, RISK, MATCHING), start=1):
            feeder.run_until(len(batches) * part // 6)
            processes.kill(name)
            processes.start(name)
        feeder.run_until(len(batches))
        processes.stop()
        feeder.service.close()
        assert [outcome.number for outcome in feeder.outcomes] == [
            batch.number for batch in batches
        ]
        assert processes.state_hash() == in_process_hash(batches)
