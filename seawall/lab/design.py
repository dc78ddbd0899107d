"""The design of a study: its cells, each a set of values laid over the scenario.

A grid has every combination of the values. A sample has the points of a scrambled Sobol' sequence,
rounded to the steps of their ranges. For sensitivity indices the points are Saltelli's: two samples
A and B, and for each range A with that column of B.
"""

from itertools import product
from typing import Any, Final

import msgspec

from seawall.lab.intervals import LabError
from seawall.lab.study_file import Sample, Study
from seawall.scenario_merge import RULES

A: Final[str] = "A"
B: Final[str] = "B"
AB: Final[str] = "AB"


class Cell(msgspec.Struct, frozen=True):
    """One point of a study: values by key as overrides have them. Of a Saltelli design ``matrix``
    says which sample it is of, ``A``, ``B`` or ``AB`` with the key, and ``row`` its place there."""

    cell: int
    values: dict[str, str]
    matrix: str = ""
    row: int = 0

    def overrides(self) -> list[str]:
        """As `seawall.scenario.load_scenario` takes them."""
        return [f"{key}={value}" for key, value in self.values.items()]


def cells_of(study: Study) -> list[Cell]:
    """All cells, numbered from 1.

    Raises:
        LabError: a sample needs SciPy, which is not installed.
    """
    if study.sample is None:
        combinations = product(*study.vary.values())
        return [
            Cell(number, dict(zip(study.vary, values, strict=True)))
            for number, values in enumerate(combinations, start=1)
        ]
    return _sampled(study.sample)


def _sampled(sample: Sample) -> list[Cell]:
    keys = list(sample.ranges)
    if not sample.indices:
        rows = _points(sample, len(keys))
        return [Cell(n, _values(sample, row)) for n, row in enumerate(rows, start=1)]
    both = _points(sample, 2 * len(keys))
    matrices = {A: [row[: len(keys)] for row in both], B: [row[len(keys) :] for row in both]}
    for place, key in enumerate(keys):
        matrices[f"{AB} {key}"] = [
            [*a[:place], b[place], *a[place + 1 :]]
            for a, b in zip(matrices[A], matrices[B], strict=True)
        ]
    return [
        Cell(number, _values(sample, row), matrix, at)
        for number, (matrix, at, row) in enumerate(
            ((matrix, at, row) for matrix, rows in matrices.items() for at, row in enumerate(rows)),
            start=1,
        )
    ]


def _points(sample: Sample, columns: int) -> list[list[float]]:
    try:
        from scipy.stats import qmc
    except ImportError:
        raise LabError("samples need SciPy: pip install 'seawall[lab]'") from None
    sequence: Any = qmc.Sobol(columns, scramble=True, rng=sample.seed)
    rows: list[list[float]] = sequence.random(sample.points).tolist()
    return rows


def _values(sample: Sample, row: list[float]) -> dict[str, str]:
    values = {}
    for (key, each), share in zip(sample.ranges.items(), row, strict=True):
        steps = round((each.high - each.low) / each.step * share)
        text = f"{each.low + steps * each.step:.12g}"
        # Rules want decimals as texts.
        values[key] = f'"{text}"' if key.startswith(RULES) and not text.isdigit() else text
    return values
