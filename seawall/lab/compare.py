"""Two scenarios over the same seeds: every figure, its difference, and how sure that is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from seawall.lab.dispatch import answers
from seawall.lab.intervals import Interval, paired_interval
from seawall.lab.run_task import RunTask, run_task
from seawall.lab.workers import Workers
from seawall.runs.run_directory import load_run
from seawall.runs.run_origin import SCENARIO
from seawall.scenario import Scenario, load_scenario


class Difference(msgspec.Struct, frozen=True):
    """One figure of A and of B: means, the interval of ``B - A``, and the share of seeds whose
    difference has the sign of the mean (those without one count half)."""

    figure: str
    a: float
    b: float
    interval: Interval
    agreement: float


def scenario_of(name: str, overrides: list[str]) -> Scenario:
    """The scenario of a run directory, or one by name or path.

    Raises:
        RunDirectoryError: a directory is no complete run.
        ScenarioError: there is no such scenario, or a value is wrong.
    """
    path = Path(name)
    return load_scenario(load_run(path).path / SCENARIO if path.is_dir() else name, overrides)


def compare(
    a: Scenario, b: Scenario, workers: Workers, *, first_seed: int = 1, seeds: int = 16
) -> list[Difference]:
    """Run both over the same seeds; the figures that both have, those that never differ left out.

    Raises:
        LabError: a run failed, or its worker died too often.
    """
    wanted = range(first_seed, first_seed + seeds)
    tasks = [RunTask(side, (a, b)[side], [seed]) for seed in wanted for side in (0, 1)]
    rows: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for answer in answers(workers, run_task, tasks, _name):
        rows[answer.cell].extend(answer.rows)
    for side in rows:
        side.sort(key=lambda row: row["seed"])
    return differences_of(*rows)


def _name(task: RunTask) -> str:
    return f"{'AB'[task.cell]}, seed {task.seeds[0]}"


def differences_of(
    ones: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]
) -> list[Difference]:
    """Every figure that differs in any pair of rows, which share their seeds."""
    found = []
    for figure in ones[0]:
        pairs = [
            (float(one[figure]), float(other[figure]))
            for one, other in zip(ones, others, strict=True)
            if _is_number(one.get(figure)) and _is_number(other.get(figure))
        ]
        moved = [after - before for before, after in pairs]
        if figure in ("seed", "wall_seconds") or not any(moved):
            continue
        before, after = ([pair[side] for pair in pairs] for side in (0, 1))
        sign = 1 if sum(moved) >= 0 else -1
        same = sum(each * sign > 0 for each in moved) + sum(each == 0 for each in moved) / 2
        found.append(
            Difference(
                figure,
                sum(before) / len(pairs),
                sum(after) / len(pairs),
                paired_interval(after, before),
                same / len(pairs),
            )
        )
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def differences_in_words(differences: list[Difference], seeds: int) -> list[str]:
    """As a table of text; a star marks a difference whose interval leaves out zero."""
    lines = [f"{'figure':<24} {'A':>14} {'B':>14} {'B - A':>14} {'95 %':>29} {'agree':>6}"]
    for each in differences:
        interval = each.interval
        sure = interval.low is not None and interval.high is not None
        apart = sure and not (interval.low or 0) <= 0 <= (interval.high or 0)
        bounds = f"{interval.low:,.4g} to {interval.high:,.4g}" if sure else "too few seeds"
        lines.append(
            f"{each.figure:<24} {each.a:>14,.6g} {each.b:>14,.6g} {interval.estimate:>+14,.4g} "
            f"{bounds:>29} {each.agreement:>6.0%}{' *' if apart else ''}"
        )
    if not differences:
        lines.append(f"no figure differs in any of {seeds} seeds")
    return lines
