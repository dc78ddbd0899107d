"""Counts of events by time: buckets as wide as the drawn part of a run asks for."""

from collections import Counter
from html import escape
from typing import Final

import polars as pl

from engine.units import HOUR_NS, MINUTE_NS, SECOND_NS
from seawall.report.chart import MS_NS, Figure, Window

_WIDTHS_NS: Final[tuple[int, ...]] = (
    SECOND_NS,
    5 * SECOND_NS,
    10 * SECOND_NS,
    30 * SECOND_NS,
    MINUTE_NS,
    5 * MINUTE_NS,
    15 * MINUTE_NS,
    HOUR_NS,
    6 * HOUR_NS,
)
_MOST_BUCKETS: Final[int] = 120


def bucket_width_ns(window: Window | None) -> int:
    """The narrowest width that cuts the action into at most `_MOST_BUCKETS` parts."""
    if window is None:
        return MINUTE_NS
    length_ns = window.action_ns[1] - window.action_ns[0]
    for width_ns in _WIDTHS_NS:
        if length_ns <= width_ns * _MOST_BUCKETS:
            return width_ns
    return _WIDTHS_NS[-1]


def width_words(width_ns: int) -> str:
    """``second``, ``10 s``, ``minute``, ``5 min``: what a count is per."""
    for unit_ns, one, many in (
        (HOUR_NS, "hour", "h"),
        (MINUTE_NS, "minute", "min"),
        (SECOND_NS, "second", "s"),
    ):
        if width_ns % unit_ns == 0:
            return one if width_ns == unit_ns else f"{width_ns // unit_ns} {many}"
    return f"{width_ns} ns"


def bar_trace(counts: Counter[int], width_ns: int, name: str, colour: str) -> Figure:
    """Bars of counts by the start of their bucket."""
    starts = sorted(counts)
    return {
        "type": "bar",
        "name": escape(name),
        "x": [start_ns // MS_NS for start_ns in starts],
        "y": [counts[start_ns] for start_ns in starts],
        "width": width_ns // MS_NS,
        "offset": 0,
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{y:,}<extra>" + escape(name) + "</extra>",
    }


def step_frame(counts: Counter[int], width_ns: int, window: Window | None) -> pl.DataFrame:
    """Counts as a step line that returns to zero where nothing happened."""
    points: dict[int, int] = {}
    ends = () if window is None else (window.begin_ns, window.end_ns)
    for end_ns in ends:
        points[end_ns] = 0
    for start_ns in counts:
        points.setdefault(start_ns + width_ns, 0)
        points[start_ns] = counts[start_ns]
    times = sorted(points)
    return pl.DataFrame(
        {"time_ns": times, "count": [points[time_ns] for time_ns in times]},
        schema={"time_ns": pl.Int64, "count": pl.Int64},
    )
