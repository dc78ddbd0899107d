"""Runs of windows over seeds, done where workers are, with one row of figures each."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from seawall.lab.dispatch import answers
from seawall.lab.realism.crash_figures import crash_figures
from seawall.lab.realism.flow_figures import flow_figures
from seawall.lab.realism.real_day import real_day
from seawall.lab.realism.row_file import Row
from seawall.lab.realism.simulated_day import DayCollector
from seawall.lab.realism.windows import CALM, Window
from seawall.lab.workers import Workers
from seawall.runs.light_run import light_run
from seawall.time_plan import WARN

_KEPT: Final[tuple[str, ...]] = (
    "liquidated",
    "calls",
    "adl_share",
    "bad_debt",
    "volume",
    "forced_volume",
)


class WindowRun(msgspec.Struct):
    """One seed of a window."""

    window: Window
    seed: int


def measure(run: WindowRun) -> Row:
    """Run it light and measure it.

    Raises:
        Exception: what the run raised.
    """
    window = run.window
    # A market that breaks before its time is one of the things to be measured.
    time = replace(window.scenario.time, warm_up_breach=WARN)
    scenario = replace(window.scenario, time=time)
    collector = DayCollector(scenario)
    light = light_run(scenario, seed=run.seed, before=collector)
    day = collector.day()
    row: Row = {
        "kind": window.kind,
        "name": window.name,
        "seed": run.seed,
        "state_hash": light.state_hash,
        "wall_seconds": light.wall_seconds,
        **crash_figures(day),
        **{name: light.figures[name] for name in _KEPT},
    }
    left = light.figures["basis_warm_up"]
    row["warm_up_basis"] = None if left is None else abs(left)
    if not light.figures["liquidated"]:
        row["adl_share"] = None
    return row | flow_figures(day) if window.kind == CALM else row


def real_figures(window: Window) -> dict[str, float | None]:
    """The figures of the real contract; empty without one.

    Raises:
        LabError: its trades have no sides or sizes.
        ScenarioError: a file cannot be read.
    """
    day = real_day(window.scenario)
    if day is None:
        return {}
    return crash_figures(day) | (flow_figures(day) if window.kind == CALM else {})


def measured(runs: Sequence[WindowRun], workers: Workers) -> Iterator[Row]:
    """The rows of runs as they are done, in no order.

    Raises:
        LabError: a run failed, or its worker died too often.
    """
    return answers(workers, measure, runs, _name)


def _name(run: WindowRun) -> str:
    return f"{run.window.kind} {run.window.name}, seed {run.seed}"
