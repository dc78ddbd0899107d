"""The scenario `seawall up` lets live: looked at before anything starts, and how it is run."""

import argparse
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from engine.services.service_config import ConfigError, ServiceConfig
from engine.units import parse_decimal
from gateway.host.addresses import MAX_SOCKET_PATH
from gateway.serve import read_config
from risk.accounts import FIRST_TRADER
from seawall.scenario import load_scenario
from seawall.world.control import address_in
from seawall.world.serve import WORLD, Opener

FASTEST: Final[int] = 1_000
LISTED_BY_SCENARIO: Final[tuple[str, ...]] = (
    "rulebook",
    "assets",
    "instruments",
    "fund",
    "backstop",
)


def world_client(arguments: argparse.Namespace, file: str) -> Mapping[str, Sequence[str]]:
    """The process of the scenario, as the supervisor starts it; none without a scenario.

    Raises:
        ConfigError: the settings open a market, too, or accounts that are the scenario's.
        ScenarioError: the scenario is wrong.
        ValueError: the speed cannot be used, or something is given that needs a scenario.
    """
    if arguments.scenario is None:
        for name in ("speed", "seed", "set"):
            if getattr(arguments, name) not in (None, []):
                raise ValueError(f"--{name} needs --scenario")
        return {}
    speed = _speed(arguments.speed or "1")
    overrides = list(arguments.set)
    if arguments.seed is not None:
        overrides.append(f"seed={arguments.seed}")
    scenario = load_scenario(arguments.scenario, overrides)
    config = read_config(arguments.config)
    _check(config, file)
    last = FIRST_TRADER + scenario.accounts + sum(plan.count for plan in scenario.agents) - 1
    for number, entry in enumerate(config.accounts, 1):
        if entry.account_id <= last:
            raise ConfigError(
                f"{file}: accounts[{number}]: account_id is {entry.account_id}; up to {last} they "
                "are the scenario's"
            )
    Opener(config, file, scenario, []).own_accounts(config.market())
    command = ["seawall.world.serve", "--scenario", str(arguments.scenario), "--speed", str(speed)]
    return {WORLD: [*command, *(f"--set={override}" for override in overrides)]}


def _speed(text: str) -> Decimal:
    speed = parse_decimal(text, "--speed")
    if not 1 <= speed <= FASTEST:
        raise ValueError(f"--speed {text}: allowed are 1 to {FASTEST}")
    return speed


def _check(config: ServiceConfig, file: str) -> None:
    for name in LISTED_BY_SCENARIO:
        if getattr(config, name):
            raise ConfigError(f"{file}: {name}: the scenario opens the market; leave it out")
    if config.clock.index or config.clock.asset:
        raise ConfigError(f"{file}: clock: the scenario has the prices; leave index and asset out")
    path = address_in(config.run_dir).removeprefix("ipc://")
    if len(path.encode()) > MAX_SOCKET_PATH:
        raise ConfigError(
            f"{file}: run_dir: {path} has {len(path.encode())} bytes; allowed: {MAX_SOCKET_PATH}; "
            "use a shorter one"
        )
