"""Makers of `seawall up`: quotes on both sides of each contract, and a trade now and then.

A client of the gateway, for whoever wants a market to trade in without a scenario: books follow the
index, nothing else happens. The settings say which accounts quote and trade.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from engine.commands import BUY, MARKET, SELL, CancelAll, Command, QueryMarket, SubmitOrder
from engine.events import InstrumentReport, MarketReport, MarkUpdated
from engine.services.service_config import MAKERS, ConfigError, MakerConfig, ServiceConfig
from engine.units import to_grid
from gateway.client import Address, Client, NoAnswer
from gateway.host.pulse import Pulse
from gateway.serve import READY, UNUSABLE, read_config, stop_with_parent

WAIT_S: Final[float] = 0.2
ANSWER_S: Final[float] = 5.0
RENEW_S: Final[float] = 5.0
"""Quotes are renewed so often even where the index stands still: some of them have been taken."""


class Maker:
    """The quotes of one contract.

    Raises:
        ConfigError: a size or step is none of the contract's.
    """

    def __init__(self, config: MakerConfig, report: InstrumentReport) -> None:
        spec = report.spec
        try:
            self._lots = to_grid(config.qty, spec.lot_size, "qty")
            self._step_ticks = to_grid(config.step, spec.tick_size, "step")
            self._trade_lots = to_grid(config.trade_qty, spec.lot_size, "trade_qty")
        except ValueError as error:
            raise ConfigError(f"makers: {config.instrument}: {error}") from None
        self._config = config
        self._instrument_id = spec.instrument_id
        self._random = random.Random(f"{config.seed} {config.instrument}")
        self._quoted_ticks = 0
        self._renew_at = 0.0
        self._trade_at = 0.0
        self.index_ticks = report.index_ticks

    @property
    def instrument_id(self) -> int:
        """Whose quotes these are."""
        return self._instrument_id

    def commands(self, now: float) -> Iterator[Command]:
        """What is to be asked for now; ``now`` is a monotonic time in seconds."""
        moved = abs(self.index_ticks - self._quoted_ticks)
        if self.index_ticks and (moved >= self._step_ticks or now >= self._renew_at):
            self._quoted_ticks = self.index_ticks
            self._renew_at = now + RENEW_S
            yield from self._quotes()
        every_ms = self._config.trade_every_ms
        if every_ms and self._quoted_ticks and now >= self._trade_at:
            self._trade_at = now + self._random.expovariate(1000 / every_ms)
            yield self._trade()

    def _quotes(self) -> Iterator[Command]:
        account_id = self._config.account_id
        yield CancelAll(0, account_id, self._instrument_id)
        for level in range(1, self._config.levels + 1):
            for side in (BUY, SELL):
                ticks = self._quoted_ticks - side * level * self._step_ticks
                if ticks > 0:
                    yield SubmitOrder(
                        *(0, account_id, self._instrument_id, 0, side, self._lots, ticks)
                    )

    def _trade(self) -> Command:
        side = self._random.choice((BUY, SELL))
        lots = self._trade_lots * self._random.randint(1, 5)
        account_id = self._config.trader_id
        return SubmitOrder(0, account_id, self._instrument_id, 0, side, lots, 0, MARKET)


def makers_of(config: ServiceConfig, report: MarketReport) -> list[Maker]:
    """The makers of the settings.

    Raises:
        ConfigError: a contract is not listed.
    """
    listed = {one.spec.symbol: one for one in report.instruments}
    found: list[Maker] = []
    for one in config.makers:
        if one.instrument not in listed:
            names = ", ".join(listed) or "none is listed"
            raise ConfigError(f"makers: {one.instrument!r} is not listed; allowed: {names}")
        found.append(Maker(one, listed[one.instrument]))
    return found


def run_makers(config: ServiceConfig, stopping: list[bool]) -> None:
    """Quote until ``stopping`` is no longer empty. A gateway that is away is waited for.

    Raises:
        ConfigError: the settings do not fit what is listed.
    """
    clock = config.clock
    keys = (clock.server_public, clock.public, clock.secret)
    address = Address(config.gateway.commands, config.gateway.market_data, *keys)
    client = Client(address, accounts=[])
    pulse = Pulse(Path(config.run_dir), MAKERS, time.monotonic_ns)
    announced = False
    try:
        makers = _begin(client, config, stopping)
        while not stopping:
            pulse.beat()
            for event in client.poll(WAIT_S):
                if isinstance(event, MarkUpdated):
                    for maker in makers:
                        if maker.instrument_id == event.instrument_id:
                            maker.index_ticks = event.index_ticks
            now = time.monotonic()
            commands = [command for maker in makers for command in maker.commands(now)]
            try:
                client.call_all(commands, ANSWER_S)
            except NoAnswer:
                continue
            if not announced:
                announced = True
                print(f"{MAKERS} {READY}", flush=True)
    finally:
        client.close()


def _begin(client: Client, config: ServiceConfig, stopping: list[bool]) -> list[Maker]:
    """Wait until the market of the settings is open."""
    while not stopping:
        try:
            client.connect(1.0)
            report = client.call(QueryMarket(0), ANSWER_S).events[0]
        except NoAnswer:
            continue
        assert isinstance(report, MarketReport)
        symbols = {one.spec.symbol for one in report.instruments if one.index_ticks}
        if all(one.instrument in symbols for one in config.makers):
            makers = makers_of(config, report)
            for maker in makers:
                client.subscribe(maker.instrument_id)
            return makers
        listed = {entry.symbol for entry in config.instruments}
        if listed and not {one.instrument for one in config.makers} <= listed:
            makers_of(config, report)  # it says which will never come
        time.sleep(WAIT_S)
    return []


def main() -> int:
    """Entry point of a child process."""
    parser = argparse.ArgumentParser(prog="python -m seawall.operating.makers")
    parser.add_argument("--config", help="TOML file with the services' settings")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    stopping: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.append(True)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if arguments.child:
        stop_with_parent()
    try:
        run_makers(read_config(arguments.config), stopping)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
