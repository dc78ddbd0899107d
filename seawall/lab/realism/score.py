"""One number for a table of realism, to be made small, and the share of figures that pass.

A figure's deviation is its distance from the real value, or from the middle of its band where
there is none, in half widths of the band; along logarithms where the band is a matter of factors.
The score is the mean over figures of the mean over windows of its square, of which no more than
`WORST` counts: one figure that is far off must not hide all others.
"""

import math
from typing import Final

import msgspec

from seawall.lab.realism.realism_table import Cell, Measure, Realism

WORST: Final[float] = 9.0
_FACTOR: Final[float] = 3.0
"""A band whose upper end is more than so many times its lower one is one of factors."""
_NARROW: Final[float] = 0.1
"""Half the width of a band that allows a single value, a share."""


class Score(msgspec.Struct, frozen=True):
    """``value`` is to be small; ``coverage`` is the share of figures that pass, of those asked."""

    value: float
    coverage: float


def score(table: Realism) -> Score:
    """The score of all that is asked in a table."""
    asked = [measure for measure in table.measures if measure.asked]
    squares = [_mean([_square(cell) for cell in _asked(measure)]) for measure in asked]
    passed = sum(measure.passed for measure in asked)
    count = sum(measure.asked for measure in asked)
    return Score(_mean(squares) if squares else WORST, passed / count if count else 0.0)


def _asked(measure: Measure) -> list[Cell]:
    return [cell for cell in measure.cells if cell.passes is not None]


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _square(cell: Cell) -> float:
    if cell.simulated is None or cell.band is None:
        return WORST
    return min(WORST, deviation(cell.simulated.estimate, cell.band, cell.real) ** 2)


def deviation(value: float, band: tuple[float, float], real: float | None) -> float:
    """Half widths of the band from its middle, or from the real value within it."""
    low, high = band
    if low > 0 and high > _FACTOR * low:
        if value <= 0:
            return math.sqrt(WORST)
        low, high, value = math.log(low), math.log(high), math.log(value)
        real = math.log(real) if real else None
    middle = (low + high) / 2 if real is None or not low <= real <= high else real
    side = high - middle if value >= middle else middle - low
    return (value - middle) / (side or _NARROW)
