"""Sobol' indices of a study with a Saltelli design: how much of a figure's variance each key makes.

First-order indices count what a key does alone, total ones also what it does together with others.
Runs are random, so the indices are those of the mean and of the 95th percentile over seeds.
"""

from collections.abc import Sequence

import msgspec

from seawall.lab.design import AB, A, B
from seawall.lab.intervals import LabError, scipy_stats
from seawall.lab.precision import interval_of, values_of
from seawall.lab.study_results import StudyResults


class Sensitivity(msgspec.Struct, frozen=True):
    """A key's part of the variance of a statistic of a figure."""

    key: str
    first: float
    total: float


def sobol_indices(
    a: Sequence[float], b: Sequence[float], mixed: Sequence[Sequence[float]]
) -> tuple[list[float], list[float]]:
    """First-order and total indices from the values at A, B and, for each key, A with that key's
    column of B (Saltelli 2010).

    Raises:
        LabError: SciPy is not installed.
    """
    import numpy

    found = scipy_stats().sobol_indices(
        func={
            "f_A": numpy.asarray([a]),
            "f_B": numpy.asarray([b]),
            "f_AB": numpy.asarray([[row] for row in mixed]),
        },
        n=len(a),
    )
    return found.first_order.ravel().tolist(), found.total_order.ravel().tolist()


def sensitivities(results: StudyResults, figure: str, statistic: str) -> list[Sensitivity]:
    """Every key's indices.

    Raises:
        LabError: the study has no such design or figure, or a cell has no runs yet.
    """
    sample = results.study.sample
    if sample is None or not sample.indices:
        raise LabError("sensitivities need a study with sample.indices = true")
    values: dict[str, list[float]] = {}
    for number, matrix in results.cells.select("cell", "matrix").iter_rows():
        rows = results.rows.filter(results.rows["cell"] == number)
        there = values_of(rows, figure) if rows.height else []
        if not there:
            raise LabError(f"cell {number} has no runs yet")
        values.setdefault(matrix, []).append(interval_of(there, statistic).estimate)
    mixed = [values[f"{AB} {key}"] for key in results.keys]
    first, total = sobol_indices(values[A], values[B], mixed)
    return [
        Sensitivity(key, one, both)
        for key, one, both in zip(results.keys, first, total, strict=True)
    ]
