"""The clock and oracle: lets time pass and publishes prices, as a client of the gateway.

Index and asset prices walk at random from where they were: the last ones are kept in the run
directory, so a restart does not make them jump.
"""

import json
import random
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Final

import msgspec

from engine.commands import MAX_TICKS, AdvanceTime, AssetPrice, Command, IndexPrice
from engine.services.market_config import SOURCE_ID
from engine.services.service_config import (
    CLOCK,
    AssetPriceConfig,
    ClockConfig,
    IndexConfig,
    ServiceConfig,
)
from engine.units import to_ppb
from gateway.client import Address, Client, NoAnswer
from gateway.host.opening import Opening
from gateway.host.opening_market import OpeningMarket
from gateway.host.pulse import Pulse
from risk.collateral import MAX_PRICE_PPB

MILLION: Final[int] = 1_000_000


class PriceWalk:
    """A random walk of one index in whole ticks, or of an asset's price in parts per billion.

    ``name`` is what its last price is noted under.
    """

    def __init__(self, config: IndexConfig | AssetPriceConfig, price: int) -> None:
        self.price = price
        self._config = config
        self.name, self._subject_id, self._highest = _subject(config)
        self._random = random.Random(f"{config.seed} {self.name} {price}")

    def step(self) -> IndexPrice | AssetPrice:
        """The next price, at least one step."""
        change_ppm = round(self._random.gauss(0, self._config.step_ppm))
        moved = self.price + (self.price * change_ppm) // MILLION
        self.price = min(self._highest, max(1, moved))
        if isinstance(self._config, IndexConfig):
            return IndexPrice(0, self._subject_id, SOURCE_ID, self.price)
        return AssetPrice(0, self._subject_id, SOURCE_ID, self.price)


def _subject(config: IndexConfig | AssetPriceConfig) -> tuple[str, int, int]:
    """Name, id and highest price of what a walk is about."""
    if isinstance(config, IndexConfig):
        return str(config.instrument_id), config.instrument_id, MAX_TICKS
    return f"asset {config.asset_id}", config.asset_id, MAX_PRICE_PPB


def run_clock(config: ServiceConfig, config_file: str) -> None:
    """Open the market of the settings if there is one, then tick until SIGTERM or SIGINT. A gateway
    that is away is waited for.

    Raises:
        ConfigError: the market cannot be opened.
    """
    stopping: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.append(True)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    clock = config.clock
    keys = (clock.server_public, clock.public, clock.secret)
    address = Address(config.gateway.commands, config.gateway.market_data, *keys)
    market = OpeningMarket(config.market(), config_file)
    Opening(market.steps(), Path(config.run_dir), config_file).carry_out(address, stopping)
    file = Path(config.run_dir) / "index.json"
    walks = open_walks(file, with_listed(clock, market))
    client = Client(address, accounts=[])
    pulse = Pulse(Path(config.run_dir), CLOCK, time.monotonic_ns)
    announced = False
    due = time.monotonic()
    while not stopping:
        pulse.beat()
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
            pulse.beat()
    client.close()


def with_listed(clock: ClockConfig, market: OpeningMarket) -> ClockConfig:
    """The clock's settings with a walk for every contract the market opens with at a price."""
    walked = {walk.instrument_id for walk in clock.index}
    listed = [walk for walk in market.walks() if walk.instrument_id not in walked]
    return msgspec.structs.replace(clock, index=[*clock.index, *listed])


def keep_prices(file: Path, walks: list[PriceWalk]) -> None:
    """Note where the walks are, as a whole or not at all.

    When the disk refuses, the older note stays and a restart begins there; prices go on meanwhile.
    """
    new = file.with_suffix(".new")
    try:
        new.write_text(json.dumps({walk.name: walk.price for walk in walks}))
        new.replace(file)
    except OSError:
        return


def open_walks(file: Path, clock: ClockConfig) -> list[PriceWalk]:
    """Every walk from its last price; from the configured start without one (or a torn file)."""
    known: dict[str, int] = {}
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    configs: list[IndexConfig | AssetPriceConfig] = [*clock.index, *clock.asset]
    return [PriceWalk(config, known.get(_subject(config)[0], _start(config))) for config in configs]


def _start(config: IndexConfig | AssetPriceConfig) -> int:
    if isinstance(config, IndexConfig):
        return config.start_ticks
    return to_ppb(config.start_price, "start_price")
