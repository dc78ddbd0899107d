"""What a market is asked for: by figure the band in which it must lie, from the real value where
there is one."""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from seawall.lab.realism.windows import CALM, CRASH, MILD, STEP

Band = tuple[float, float]

LOW_ERROR: Final[float] = 0.48
"""Of log prices at the low: that of copying one coin's ratio of its low to its index's."""

MEAN: Final[str] = "mean"
MEDIAN: Final[str] = "median"
WORST: Final[str] = "worst"
SHARE: Final[str] = "share"

WARM_UP_BASIS: Final[float] = 0.01
"""How far from its index a contract may trade before the window, as a share of it."""
_TRANSFER_S: Final[float] = 240.0
_REBOUND: Final[float] = 0.25
_FEW_S: Final[float] = 60.0


class Target(msgspec.Struct, frozen=True):
    """A figure of a kind of window. ``statistic`` over seeds: the mean, the median, the worst (the
    least), or the share of seeds above `WARM_UP_BASIS`. ``unit``: percent, s, clock, bp or empty.
    ``band`` is None where nothing is asked."""

    kind: str
    figure: str
    title: str
    wanted: str
    statistic: str
    unit: str
    band: Callable[[float | None], Band | None]


def _fixed(low: float, high: float) -> Callable[[float | None], Band | None]:
    return lambda real: (low, high)


def _nothing(real: float | None) -> Band | None:
    return None


def _about(distance: float) -> Callable[[float | None], Band | None]:
    return lambda real: None if real is None else (real - distance, real + distance)


def _times(factor: float) -> Callable[[float | None], Band | None]:
    return lambda real: None if real is None else (real / factor, real * factor)


def _seconds_below(real: float | None) -> Band | None:
    """Within a factor of two; where there are none, or few, fewer than a minute."""
    if real is None:
        return None
    return (real / 2, real * 2) if real > _FEW_S else (0.0, _FEW_S)


def _low(real: float | None) -> Band | None:
    if real is None:
        return None
    factor = math.exp(LOW_ERROR)
    return (1 + real) / factor - 1, (1 + real) * factor - 1


TARGETS: Final[tuple[Target, ...]] = (
    Target(
        CRASH,
        "warm_up_basis",
        "seeds that leave 1 % of the index in the warm-up",
        "none",
        SHARE,
        "percent",
        _fixed(0.0, 0.0),
    ),
    Target(CRASH, "low", "low", f"log within {LOW_ERROR}", MEAN, "percent", _low),
    Target(CRASH, "basis_worst", "worst basis", "", MEAN, "percent", _nothing),
    Target(
        CRASH,
        "transfer_s",
        "median of takeovers and ADL, UTC",
        "within 4 min",
        MEDIAN,
        "clock",
        _about(_TRANSFER_S),
    ),
    Target(CRASH, "episodes", "episodes 20 % below", "at most 2", MEAN, "", _fixed(0.0, 2.0)),
    Target(CRASH, "half_s", "half of the worst basis after", "factor 3", MEDIAN, "s", _times(3.0)),
    Target(CRASH, "below_s", "seconds 20 % below", "factor 2", MEAN, "s", _seconds_below),
    Target(
        CRASH,
        "rebound",
        "rebound after 60 s",
        "within 25 points",
        MEAN,
        "percent",
        _about(_REBOUND),
    ),
    Target(CRASH, "swings", "swings of 10 %", "", MEAN, "", _nothing),
    Target(
        CRASH, "adl_share", "ADL, of liquidated", "24 to 40 %", MEAN, "percent", _fixed(0.24, 0.40)
    ),
    Target(CALM, "sign_1", "side, lag 1", "0.65 to 0.85", MEAN, "", _fixed(0.65, 0.85)),
    Target(CALM, "sign_100", "side, lag 100", "0.03 to 0.11", MEAN, "", _fixed(0.03, 0.11)),
    Target(CALM, "spread_bp", "trade spread", "1 to 5 bp", MEAN, "bp", _fixed(1.0, 5.0)),
    Target(CALM, "flow_r2", "R2 of flow", "0.05 to 0.35", MEAN, "", _fixed(0.05, 0.35)),
    Target(CALM, "volatility", "volatility, root hour", "", MEAN, "percent", _nothing),
    Target(CALM, "per_minute", "trades per minute", "", MEAN, "", _nothing),
    Target(
        STEP,
        "low",
        "low after a step of 3 %, worst seed",
        "above -6 %",
        WORST,
        "percent",
        _fixed(-0.06, 0.0),
    ),
    Target(
        MILD,
        "low",
        "low of an index that falls 7 %",
        "-15 to -7 %",
        MEAN,
        "percent",
        _fixed(-0.15, -0.07),
    ),
)
"""Bands of fixed figures are those of the real contracts of that day: ADL's share was about a third
of what was liquidated."""
