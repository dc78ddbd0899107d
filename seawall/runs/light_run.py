"""A light run: a scenario in memory, without journal, event table, series or report."""

from collections.abc import Callable
from typing import Any

import msgspec

from seawall.exchange import Exchange
from seawall.interrupts import held_interrupts
from seawall.price_sources import price_warnings
from seawall.records.figures import FigureCollector
from seawall.records.warm_up import warm_up_figures
from seawall.runs.run import rare_collections
from seawall.runs.scenario_run import AT_REST_NS
from seawall.scenario import Scenario, load_scenario
from seawall.simulating.simulation import Simulation


class LightRun(msgspec.Struct):
    """What a light run leaves: its figures (`seawall.records.figures`), the state hash a whole run
    of the same scenario and seed has, and what it says against itself."""

    seed: int
    state_hash: str
    commands: int
    figures: dict[str, Any]
    warnings: list[str]
    wall_seconds: float


def light_run(
    scenario: Scenario | str,
    *,
    seed: int | None = None,
    before: Callable[[Exchange, Simulation], object] | None = None,
    progress: bool = False,
) -> LightRun:
    """Run a scenario, of which a name or path is loaded first, and keep only figures.

    ``before`` gets the empty exchange and the simulation before the first command, to listen or to
    schedule something.

    Raises:
        ScenarioError: an input file turns out to be wrong, or the warm-up leaves its index.
        AssertionError: an invariant broke.
        KeyboardInterrupt: the process was interrupted.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    if seed is not None:
        scenario = msgspec.structs.replace(scenario, seed=seed)
    with rare_collections(), held_interrupts() as interrupts:
        exchange = Exchange(
            latency=scenario.latency,
            publish_depth=scenario.output.publish_depth,
            check_invariants_every=scenario.output.check_invariants_every,
        )
        collector = FigureCollector(scenario)
        exchange.subscribe(collector)
        simulation = Simulation(
            scenario, exchange, interrupts=interrupts, progress=progress, samples=False
        )
        if before is not None:
            before(exchange, simulation)
        result = simulation.run()
        exchange.run_until(AT_REST_NS)
        exchange.check_invariants()
        return LightRun(
            seed=scenario.seed,
            state_hash=exchange.state_hash(),
            commands=exchange.commands,
            figures=collector.row(exchange, result.owners) | warm_up_figures(result.warm_up),
            warnings=[*scenario.warnings, *price_warnings(scenario), *result.warnings],
            wall_seconds=result.wall_seconds,
        )
