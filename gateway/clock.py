"""The clock and oracle: lets time pass and publishes index prices, as a client of the gateway.

Index prices walk at random from where they were: the last ones are kept in the run directory, so a
restart does not make the index jump.
"""

import json
import random
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Final

from engine.commands import MAX_TICKS, AdvanceTime, Command, IndexPrice
from engine.service_config import IndexConfig, ServiceConfig
from gateway.client import Address, Client, NoAnswer

SOURCE_ID: Final[int] = 1
MILLION: Final[int] = 1_000_000


class IndexWalk:
    """A random walk of one index, in whole ticks."""

    def __init__(self, config: IndexConfig, ticks: int) -> None:
        self.instrument_id = config.instrument_id
        self.ticks = ticks
        self._step_ppm = config.step_ppm
        self._random = random.Random(f"{config.seed} {config.instrument_id} {ticks}")

    def step(self) -> IndexPrice:
        """The next price, at least one tick."""
        change_ppm = round(self._random.gauss(0, self._step_ppm))
        moved = self.ticks + (self.ticks * change_ppm) // MILLION
        self.ticks = min(MAX_TICKS, max(1, moved))
        return IndexPrice(0, self.instrument_id, SOURCE_ID, self.ticks)


def run_clock(config: ServiceConfig) -> None:
    """Tick until SIGTERM or SIGINT. A gateway that is away is waited for."""
    stopping: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.append(True)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    clock = config.clock
    keys = (clock.server_public, clock.public, clock.secret)
    file = Path(config.run_dir) / "index.json"
    walks = [IndexWalk(index, ticks) for index, ticks in _last_prices(file, clock.index)]
    client = Client(
        Address(config.gateway.commands, config.gateway.market_data, *keys), accounts=[]
    )
    announced = False
    due = time.monotonic()
    while not stopping:
        commands: list[Command] = [walk.step() for walk in walks]
        commands.append(AdvanceTime(0))
        try:
            client.connect(1.0)
            client.call_all(commands, 1.0)
        except NoAnswer:
            continue
        if not announced:
            announced = True
            print("clock ready", flush=True)
        keep_prices(file, walks)
        due = max(due + clock.tick_ms / 1000, time.monotonic())
        while not stopping and (left := due - time.monotonic()) > 0:
            client.poll(min(left, 0.2))
    client.close()


def keep_prices(file: Path, walks: list[IndexWalk]) -> None:
    """Note where the walks are, as a whole or not at all.

    When the disk refuses, the older note stays and a restart begins there; prices go on meanwhile.
    """
    new = file.with_suffix(".new")
    try:
        new.write_text(json.dumps({str(walk.instrument_id): walk.ticks for walk in walks}))
        new.replace(file)
    except OSError:
        return


def _last_prices(file: Path, indices: list[IndexConfig]) -> list[tuple[IndexConfig, int]]:
    """Each index with its last price; the configured start without one (or a torn file)."""
    known: dict[str, int] = {}
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    return [(index, known.get(str(index.instrument_id), index.start_ticks)) for index in indices]
