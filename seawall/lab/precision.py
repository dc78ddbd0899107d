"""How exactly a study knows its targets: an interval for each cell, and which are too wide."""

from collections.abc import Sequence

import polars as pl

from seawall.lab.intervals import (
    Interval,
    LabError,
    mean_interval,
    quantile_interval,
    share_interval,
)
from seawall.lab.study_file import MEAN, SHARE, Study, Target, quantile_of


def interval_of(values: Sequence[float], statistic: str, above: float = 0.0) -> Interval:
    """The interval of a statistic: ``mean``, ``share`` (of values above ``above``), or ``p95``.

    Raises:
        LabError: the statistic is unknown, or there are no values.
    """
    if statistic == MEAN:
        return mean_interval(values)
    if statistic == SHARE:
        return share_interval(sum(value > above for value in values), len(values))
    quantile = quantile_of(statistic)
    if quantile is None:
        raise LabError(f"statistic {statistic!r}; allowed are mean, share, p1 to p99.9")
    return quantile_interval(values, quantile)


def values_of(rows: pl.DataFrame, figure: str) -> list[float]:
    """A figure's values; runs without one are left out.

    Raises:
        LabError: no run has such a figure, or it is no number.
    """
    if figure not in rows.columns or not rows[figure].dtype.is_numeric():
        numbers = [name for name in rows.columns if rows[name].dtype.is_numeric()]
        raise LabError(f"{figure!r} is no figure of a run; there are {', '.join(numbers)}")
    return [float(value) for value in rows[figure].drop_nulls().to_list()]


def met(interval: Interval, target: Target) -> bool:
    """Whether an interval is as narrow as its target asks."""
    tolerance = target.absolute
    if tolerance is None:
        tolerance = (target.relative or 0.0) * abs(interval.estimate)
    return interval.half_width <= tolerance


def unmet_targets(study: Study, rows: pl.DataFrame) -> list[str]:
    """The figures that are not known exactly enough, each with its widest cell in words.

    Raises:
        LabError: a target is no figure.
    """
    unmet = []
    for figure, target in study.targets.items():
        wide: list[tuple[float, int, Interval]] = []
        for (cell,), part in rows.group_by("cell", maintain_order=True):
            values = values_of(part, figure)
            if not values:
                continue
            found = interval_of(values, target.statistic, target.above)
            if not met(found, target):
                wide.append((found.half_width, int(str(cell)), found))
        if wide:
            _, cell_number, interval = max(wide, key=lambda each: each[:2])
            unmet.append(f"{figure} ({target.statistic}) of cell {cell_number} is {interval}")
    return unmet
