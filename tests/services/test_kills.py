"""kill -9 of every process in turn, also gateway and clock, at random moments under load."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from engine.services.service_config import CLOCK
from gateway.client import Client
from tests.services.processes import LAYOUTS, Processes
from tests.services.trading import Trader, commands_of

LONG = os.environ.get("SEAWALL_PROFILE") == "long"
ROUNDS = 12 if LONG else 1
"""Each round kills every process once, in an order of its own."""

COMMANDS_PER_KILL = 400


@pytest.mark.parametrize("settings", LAYOUTS, ids=str)
def test_killed_at_random_moments_nothing_acknowledged_is_lost_or_done_twice(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    rng = random.Random(50)
    clock = {"tick_ms": 20}
    with Processes(tmp_path, snapshot_every=300, clock=clock, **settings) as processes:
        victims = [*processes.config.services(), CLOCK]
        order = [name for _ in range(ROUNDS) for name in rng.sample(victims, len(victims))]
        for name in victims:
            processes.start(name)
        with Client(processes.address) as client:
            trader = Trader(client, commands_of(3, COMMANDS_PER_KILL * (len(order) + 1)))
            for number, victim in enumerate(order, start=1):
                trader.run_until(len(trader.commands) * number // (len(order) + 1))
                for _ in range(rng.randrange(10)):
                    trader.turn(rng.choice((0.0, 0.001, 0.01)))
                processes.kill(victim)
                processes.start(victim)
            trader.finish()
        processes.wait_until_ready()
        processes.stop_first(CLOCK)
        processes.stop()
        trader.check(processes)
