"""A task of a study: some seeds of one cell, run where a worker is. Everything it needs comes with
it but the files of prices that the scenario reads."""

from typing import Any

import msgspec

from seawall.lab.series_sampler import SeriesSampler
from seawall.runs.light_run import light_run
from seawall.scenario import Scenario
from seawall.version import __version__


class RunTask(msgspec.Struct):
    """Seeds of a cell; ``series`` asks for those of every run."""

    cell: int
    scenario: Scenario
    seeds: list[int]
    series: bool = False


class RunAnswer(msgspec.Struct):
    """A row per seed, and its series as columns."""

    cell: int
    rows: list[dict[str, Any]]
    series: dict[int, dict[str, list[float | None]]]


def run_task(task: RunTask) -> RunAnswer:
    """Do the runs of a task.

    Raises:
        Exception: what a run raised.
    """
    answer = RunAnswer(task.cell, [], {})
    for seed in task.seeds:
        sampler = SeriesSampler(task.scenario) if task.series else None
        run = light_run(task.scenario, seed=seed, before=sampler)
        answer.rows.append(
            {
                "seed": seed,
                "state_hash": run.state_hash,
                "version": __version__,
                "commands": run.commands,
                "wall_seconds": run.wall_seconds,
                "warnings": len(run.warnings),
                **run.figures,
            }
        )
        if sampler is not None:
            answer.series[seed] = sampler.columns
    return answer
