"""The times a report draws: the whole run, its warm-up, and the part with the action."""

from typing import Final

import polars as pl

from seawall.report.chart import Window
from seawall.report.data import ReportData

ACTION_EVENTS: Final[tuple[str, ...]] = (
    "MarginCallIssued",
    "LiquidationStarted",
    "LiquidationEnded",
    "TakenOver",
    "Deleveraged",
)
"""Between the first and the last of these is the action; a hundredth at each end is left out."""

_OUTLIERS: Final[float] = 0.01
_MARGIN: Final[float] = 0.2
"""Shown before and after the action, as a share of it."""
_NEARLY_ALL: Final[float] = 0.7
"""An action that takes this share of the run or more is drawn as the whole run."""


def window_of(data: ReportData) -> Window | None:
    """The times of a run; None for one in which nothing was recorded."""
    times = [frame["time_ns"] for frame in data.series.values() if frame.height]
    times += [data.events["time_ns"]] if data.events.height and not times else []
    if not times:
        return None
    every = pl.concat(times)
    begin_ns, end_ns = _whole(every.min()), _whole(every.max())
    start_ns = min(max(data.scenario.start_ns, begin_ns), end_ns)
    action = data.events.filter(pl.col("type").is_in(ACTION_EVENTS))["time_ns"]
    whole = (start_ns, end_ns)
    if not action.len():
        return Window(begin_ns, start_ns, end_ns, whole)
    first = _whole(action.quantile(_OUTLIERS, "lower"))
    last = _whole(action.quantile(1 - _OUTLIERS, "higher"))
    room = int((last - first) * _MARGIN) + 5_000_000_000
    shown = (max(begin_ns, first - room), min(end_ns, last + room))
    nearly_all = shown[1] - shown[0] >= _NEARLY_ALL * (end_ns - begin_ns)
    return Window(begin_ns, start_ns, end_ns, whole if nearly_all else shown)


def _whole(number: object) -> int:
    assert isinstance(number, int | float)
    return int(number)
