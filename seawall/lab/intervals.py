"""Intervals of 95 % for what is estimated from runs: means, shares, quantiles. Never a bare mean.

- means, and means of paired differences: bias-corrected and accelerated bootstrap (BCa);
- shares: Wilson; where an event was never seen at most ``3 / n`` (the rule of three);
- quantiles: order statistics, whose ranks are those of a binomial; None where there are too few
  values to bound one side.

SciPy is asked, which the extra ``lab`` installs.
"""

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Final

import msgspec

LEVEL: Final[float] = 0.95
RESAMPLES: Final[int] = 1_999
_SEED: Final[int] = 20_251_010
_Z: Final[float] = 1.959963984540054
"""Of 97.5 % of a normal distribution."""


class LabError(ValueError):
    """Something a study needs is missing or wrong; the text says what."""


class Interval(msgspec.Struct, frozen=True):
    """An estimate with the bounds of 95 %; None where the values do not bound it."""

    estimate: float
    low: float | None
    high: float | None
    n: int
    method: str

    @property
    def half_width(self) -> float:
        """Half of the distance of the bounds; infinite without both."""
        if self.low is None or self.high is None:
            return math.inf
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        low = "-" if self.low is None else f"{self.low:,.4g}"
        high = "-" if self.high is None else f"{self.high:,.4g}"
        return f"{self.estimate:,.4g} [{low}, {high}]"


def scipy_stats() -> ModuleType:
    """``scipy.stats``.

    Raises:
        LabError: SciPy is not installed.
    """
    try:
        import scipy.stats
    except ImportError:
        raise LabError("intervals need SciPy: pip install 'seawall[lab]'") from None
    stats: ModuleType = scipy.stats
    return stats


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean with its BCa interval; the same values give the same interval.

    Raises:
        LabError: there are no values, or SciPy is not installed.
    """
    count = _counted(values)
    mean = math.fsum(values) / count
    if count < 3:
        return Interval(mean, None, None, count, "too few runs")
    if min(values) == max(values):
        return Interval(mean, mean, mean, count, "all alike")
    import numpy

    found = (
        scipy_stats()
        .bootstrap(
            (numpy.asarray(values, dtype=float),),
            numpy.mean,
            confidence_level=LEVEL,
            n_resamples=RESAMPLES,
            method="BCa",
            random_state=numpy.random.default_rng(_SEED),
        )
        .confidence_interval
    )
    return Interval(mean, float(found.low), float(found.high), count, "BCa")


def paired_interval(ones: Sequence[float], others: Sequence[float]) -> Interval:
    """The mean of ``one - other`` over pairs.

    Raises:
        LabError: as for `mean_interval`.
    """
    return mean_interval([one - other for one, other in zip(ones, others, strict=True)])


def share_interval(hits: int, count: int) -> Interval:
    """The share of ``hits`` among ``count``.

    Raises:
        LabError: there is nothing to count.
    """
    if count <= 0:
        raise LabError("a share needs at least one run")
    share = hits / count
    if hits == 0:
        return Interval(0.0, 0.0, min(1.0, 3 / count), count, "rule of three")
    if hits == count:
        return Interval(1.0, max(0.0, 1 - 3 / count), 1.0, count, "rule of three")
    denominator = 1 + _Z * _Z / count
    middle = (share + _Z * _Z / (2 * count)) / denominator
    half = _Z / denominator * math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    return Interval(share, middle - half, middle + half, count, "Wilson")


def quantile_interval(values: Sequence[float], quantile: float) -> Interval:
    """A quantile, the value of rank ``ceil(n q)``, between two order statistics.

    The bounds are the ranks ``l`` and ``u`` with ``P(l <= B < u)`` of at least 95 %, ``B`` the
    binomial number of values below the quantile.

    Raises:
        LabError: there are no values, or SciPy is not installed.
    """
    count = _counted(values)
    ordered = sorted(values)
    estimate = ordered[max(0, math.ceil(count * quantile) - 1)]
    binomial = scipy_stats().binom(count, quantile)
    tail = (1 - LEVEL) / 2
    # P(B < low) <= tail and P(B >= high) <= tail; ranks count from 1.
    low = int(binomial.ppf(tail))
    high = int(binomial.ppf(1 - tail)) + 1
    return Interval(
        estimate,
        ordered[low - 1] if low >= 1 else None,
        ordered[high - 1] if high <= count else None,
        count,
        "order statistics",
    )


def _counted(values: Sequence[float]) -> int:
    if not values:
        raise LabError("an interval needs at least one run")
    return len(values)
