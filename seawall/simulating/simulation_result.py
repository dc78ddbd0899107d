"""The result of a simulation."""

from typing import Any

import msgspec

from seawall.records.owner import Owner
from seawall.records.series import Columns
from seawall.scenario import Scenario
from seawall.simulating.hedge_results import HedgeResult


class SimulationResult(msgspec.Struct):
    """What a run leaves behind besides its events. ``series`` is keyed by instrument id; ``hedges``
    are those of arbitrage desks; ``owners`` are those of each account, by its id from
    `risk.accounts.FIRST_TRADER` on; ``warm_up`` is what `seawall.records.warm_up` says,
    ``warnings`` are what `seawall.records.run_warnings` found."""

    scenario: Scenario
    seed: int
    accounts: int
    entered: int
    commands: int
    wall_seconds: float
    series: dict[int, Columns]
    margin_ratio: dict[str, list[float]]
    agent_profits: dict[str, float]
    hedges: list[HedgeResult]
    owners: list[Owner]
    warm_up: dict[str, Any]
    warnings: list[str]
