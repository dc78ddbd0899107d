"""What a fit came to, in words: its best trials, the set that passes, and what the set predicts."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from seawall.lab.realism.fit import Fit, Trial
from seawall.lab.realism.fit_file import FitSettings
from seawall.lab.realism.realism_table import Figures, in_unit, realism
from seawall.lab.realism.windows import Windows

BEST: Final[int] = 10
"""Trials that are listed, and taken for the set where none passes."""


class Prediction(msgspec.Struct, frozen=True):
    """A figure of a window over the trials of a set: the least and the largest of their values."""

    kind: str
    figure: str
    name: str
    least: float
    largest: float
    real: float | None


class FitResult(msgspec.Struct, frozen=True):
    """``members`` is the set: trials that pass, or where none does (``passes`` is false) the best.
    ``ranges`` has the least and largest override of each free setting in it."""

    trials: int
    given_up: int
    passes: bool
    best: list[Trial]
    members: list[Trial]
    ranges: dict[str, tuple[str, str]]
    predictions: list[Prediction]
    lines: list[str]


def fit_result(
    fit: Fit,
    settings: FitSettings,
    windows: Windows,
    real: Mapping[tuple[str, str], Figures],
) -> FitResult:
    """The result of the trials so far."""
    trials = fit.trials()
    whole = [trial for trial in trials if not trial.given_up]
    passing = fit.passing()
    members = passing or [trial for trial in whole if trial.seeds][:BEST]
    ranges = _ranges(settings, members)
    predictions, told = _predictions(fit, members, windows, real)
    given_up = len(trials) - len(whole)
    lines = [
        f"{len(trials)} trials, {given_up} given up early; {len(passing)} pass "
        f"({settings.passing:.0%} of the figures)",
        "",
        "| trial | score | passes | seeds | settings |",
        "| --- | --- | --- | --- | --- |",
        *map(_line, whole[:BEST]),
        "",
        f"The set: {'trials that pass' if passing else f'none passes; the best {len(members)}'}",
        "",
        "| setting | least | largest |",
        "| --- | --- | --- |",
        *(f"| {key} | {low} | {high} |" for key, (low, high) in ranges.items()),
        "",
        "| figure | window | least of the set | largest | real |",
        "| --- | --- | --- | --- | --- |",
        *told,
    ]
    best = whole[:BEST]
    return FitResult(
        len(trials), given_up, bool(passing), best, members, ranges, predictions, lines
    )


def _line(trial: Trial) -> str:
    problem = f" ({trial.problem})" if trial.problem else ""
    cells = (
        str(trial.number),
        f"{trial.score:.3f}",
        f"{trial.coverage:.0%}",
        str(trial.seeds),
        "; ".join(trial.overrides) + problem,
    )
    return f"| {' | '.join(cells)} |"


def _ranges(settings: FitSettings, members: Sequence[Trial]) -> dict[str, tuple[str, str]]:
    ranges: dict[str, tuple[str, str]] = {}
    for place, setting in enumerate(settings.free):
        ordered = sorted((trial.values[place], trial.overrides[place]) for trial in members)
        if ordered:
            low, high = (ordered[end][1].partition("=")[2] for end in (0, -1))
            ranges[setting.key] = (low, high)
    return ranges


def _predictions(
    fit: Fit,
    members: Sequence[Trial],
    windows: Windows,
    real: Mapping[tuple[str, str], Figures],
) -> tuple[list[Prediction], list[str]]:
    values: dict[tuple[str, str, str], list[float]] = {}
    tables = [realism(windows, fit.rows([trial]), real) for trial in members]
    for table in tables:
        for measure in table.measures:
            for cell in measure.cells:
                if cell.simulated is not None:
                    key = (measure.kind, measure.figure, cell.name)
                    values.setdefault(key, []).append(cell.simulated.estimate)
    predictions, lines = [], []
    for measure in tables[0].measures if tables else ():
        for cell in measure.cells:
            found = values.get((measure.kind, measure.figure, cell.name))
            if not found:
                continue
            each = Prediction(
                measure.kind, measure.figure, cell.name, min(found), max(found), cell.real
            )
            predictions.append(each)
            told = [
                "" if value is None else in_unit(measure, value)
                for value in (each.least, each.largest, each.real)
            ]
            lines.append(f"| {measure.target} | {cell.name} | {' | '.join(told)} |")
    return predictions, lines
