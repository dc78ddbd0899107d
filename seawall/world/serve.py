"""A living scenario as a process: ``python -m seawall.world.serve``. What `seawall up --scenario`
runs in the place of the clock."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Final

from engine.commands import Command
from engine.services.market_config import MarketConfig
from engine.services.service_config import ConfigError, ServiceConfig
from gateway.client import Address, Client, NoAnswer
from gateway.host.opening import Opening
from gateway.host.opening_market import OpeningMarket, SettingsCommand
from gateway.host.pulse import Pulse
from gateway.protocol import ADMIN, READ, TRADE
from gateway.serve import DEFAULTS, READY, UNUSABLE, read_config, stop_with_parent
from seawall.scenario import Scenario, load_scenario
from seawall.world.control import Control
from seawall.world.status_file import StatusFile
from seawall.world.world import World

WORLD: Final[str] = "world"
NEEDED: Final[tuple[str, ...]] = (ADMIN, TRADE, READ)


class Opener:
    """Opens the market of a scenario, and the accounts of the settings beside it."""

    def __init__(
        self, config: ServiceConfig, file: str, scenario: Scenario, stopping: Sequence[bool]
    ) -> None:
        self._config = config
        self._file = file
        self._scenario = scenario
        self._stopping = stopping
        self._looked = False

    def __call__(self, commands: Sequence[Command]) -> bool:
        """Carry the commands out unless this run directory was opened before; whether they were.

        Raises:
            ConfigError: it was opened with another market, or a command was refused.
        """
        if self._looked:
            return False
        place = self._scenario.file
        steps = [SettingsCommand(place, command) for command in commands]
        steps += self.own_accounts(self._config.market())
        opening = Opening(steps, Path(self._config.run_dir), self._file)
        was_done = opening.done
        if was_done:
            if opening.differs:
                raise ConfigError(
                    f"{self._config.run_dir}: was opened with another market, seed or speed; go on "
                    "with that one, remove the folder, or give another run_dir (--config)"
                )
        else:
            _say(f"opening {self._scenario.accounts:,} accounts")
            opening.carry_out(address_of(self._config), self._stopping)
        self._looked = True
        return not was_done

    def own_accounts(self, market: MarketConfig) -> list[SettingsCommand]:
        """The commands that open the accounts of the settings."""
        assets = {spec.symbol: spec for spec in self._scenario.assets.values()}
        instruments = {spec.symbol: spec for spec in self._scenario.instruments.values()}
        return list(OpeningMarket(market, self._file, assets, instruments).account_steps())


def address_of(config: ServiceConfig) -> Address:
    """The gateway, with the keys of the settings' ``[clock]``."""
    clock = config.clock
    keys = (clock.server_public, clock.public, clock.secret)
    return Address(config.gateway.commands, config.gateway.market_data, *keys)


def run_world(
    config: ServiceConfig, file: str, scenario: Scenario, speed: Decimal, stopping: list[bool]
) -> None:
    """Open the scenario's market and let it live until ``stopping`` is no longer empty.

    Raises:
        ConfigError: the market cannot be opened, or the key lacks a right.
        ScenarioError: the scenario's files cannot be used, or a price was refused.
    """
    client = Client(address_of(config))
    pulse = Pulse(Path(config.run_dir), WORLD, time.monotonic_ns)
    control = Control(config)
    status = StatusFile(Path(config.run_dir))
    world = World(
        scenario, client, speed, Opener(config, file, scenario, stopping), _say, pulse.beat
    )
    announced = False
    try:
        while not stopping:
            pulse.beat()
            try:
                if not announced:
                    client.connect(1.0)
                    _require_rights(client)
                world.turn()
            except NoAnswer:
                continue
            if not announced and world.rounds:
                announced = True
                _say(f"{WORLD} {READY}")
            control.answer(world.act)
            if status.is_due:
                status.keep(world.status())
    finally:
        control.close()
        client.close()


def _require_rights(client: Client) -> None:
    welcome = client.connection.welcome
    assert welcome is not None, "a client that is connected was welcomed"
    missing = [right for right in NEEDED if right not in welcome.rights]
    if missing or welcome.accounts:
        raise ConfigError(
            f"the key of [clock] needs the rights {', '.join(NEEDED)} for all accounts: the "
            "scenario trades with it"
        )


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    """Entry point of a child process."""
    parser = argparse.ArgumentParser(prog="python -m seawall.world.serve")
    parser.add_argument("--scenario", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--speed", type=Decimal, default=Decimal(1))
    parser.add_argument("--config")
    parser.add_argument("--child", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    if arguments.child:
        stop_with_parent()
    stopping: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.append(True)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        config = read_config(arguments.config)
        scenario = load_scenario(arguments.scenario, arguments.set)
        file = arguments.config or DEFAULTS
        run_world(config, file, scenario, arguments.speed, stopping)
    except ValueError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
