"""The table of realism: by figure and window what the runs did, what really happened, and whether
that is near enough."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from engine.units import SECOND_NS
from seawall.lab.intervals import (
    Interval,
    LabError,
    mean_interval,
    quantile_interval,
    scipy_stats,
    share_interval,
)
from seawall.lab.realism.targets import (
    LOW_ERROR,
    MEDIAN,
    SHARE,
    TARGETS,
    WARM_UP_BASIS,
    WORST,
    Band,
    Target,
)
from seawall.lab.realism.windows import CRASH, Windows

Row = Mapping[str, Any]
Figures = Mapping[str, float | None]

_PERCENT: Final[float] = 100.0


class Cell(msgspec.Struct, frozen=True):
    """A figure of one window. ``passes`` is None where nothing is asked; ``sure`` says that the
    whole interval lies on one side of the band's bounds."""

    name: str
    simulated: Interval | None
    real: float | None
    band: Band | None
    passes: bool | None
    sure: bool


class Measure(msgspec.Struct, frozen=True):
    """A figure over all windows of its kind."""

    target: str
    wanted: str
    figure: str
    kind: str
    unit: str
    start_ns: int
    cells: list[Cell]

    @property
    def passed(self) -> int:
        """In how many windows it passes."""
        return sum(cell.passes is True for cell in self.cells)

    @property
    def asked(self) -> int:
        """In how many windows something is asked of it."""
        return sum(cell.passes is not None for cell in self.cells)


class LowErrors(msgspec.Struct, frozen=True):
    """How well the lows of several coins are told: root mean square of the difference of log
    prices, mean over seeds before; the same of copying the first coin's fall to all others, and of
    copying the ratio of its low to its index's; and the rank correlation with the real lows."""

    error: float
    copied_fall: float
    copied_ratio: float
    rank_correlation: float | None


class Realism(msgspec.Struct, frozen=True):
    """The whole table. ``lows`` is None with fewer than two coins."""

    title: str
    seeds: int
    measures: list[Measure]
    lows: LowErrors | None


def realism(
    windows: Windows, rows: Sequence[Row], real: Mapping[tuple[str, str], Figures]
) -> Realism:
    """The table of rows; ``real`` by kind and name of the window.

    Raises:
        LabError: there are no rows, or SciPy is not installed.
    """
    by_window: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_window.setdefault((row["kind"], row["name"]), []).append(row)
    measures = []
    for target in TARGETS:
        cells = [
            _cell(target, window.name, by_window[target.kind, window.name], real)
            for window in windows.of(target.kind)
            if (target.kind, window.name) in by_window
        ]
        if cells:
            start_ns = windows.of(target.kind)[0].scenario.time.start_ns
            measures.append(
                Measure(
                    target.title,
                    target.wanted,
                    target.figure,
                    target.kind,
                    target.unit,
                    start_ns,
                    cells,
                )
            )
    if not measures:
        raise LabError("no runs to make a table of")
    seeds = len({row["seed"] for row in rows})
    return Realism(windows.title, seeds, measures, _low_errors(windows, by_window, real))


def _cell(
    target: Target, name: str, rows: Sequence[Row], real: Mapping[tuple[str, str], Figures]
) -> Cell:
    values = [float(row[target.figure]) for row in rows if row.get(target.figure) is not None]
    really = real.get((target.kind, name), {}).get(target.figure)
    band = target.band(really)
    interval = _interval(target, values) if values else None
    passes = None if band is None else interval is not None and _in(band, interval.estimate)
    return Cell(name, interval, really, band, passes, _sure(band, interval))


def _interval(target: Target, values: list[float]) -> Interval:
    if target.statistic == SHARE:
        return share_interval(sum(value > WARM_UP_BASIS for value in values), len(values))
    if target.statistic == MEDIAN:
        return quantile_interval(values, 0.5)
    if target.statistic == WORST:
        return Interval(min(values), min(values), max(values), len(values), "worst, best")
    return mean_interval(values)


def _in(band: Band, value: float) -> bool:
    return band[0] <= value <= band[1]


def _sure(band: Band | None, interval: Interval | None) -> bool:
    if band is None or interval is None or interval.low is None or interval.high is None:
        return False
    ends = (_in(band, interval.low), _in(band, interval.high))
    around = interval.low < band[0] and interval.high > band[1]
    return ends[0] == ends[1] and not around


def _low_errors(
    windows: Windows,
    by_window: Mapping[tuple[str, str], Sequence[Row]],
    real: Mapping[tuple[str, str], Figures],
) -> LowErrors | None:
    """Of the coins whose real low is known."""
    simulated, really, index = [], [], []
    for window in windows.of(CRASH):
        known = real.get((CRASH, window.name), {})
        low, index_low = known.get("low"), known.get("index_low")
        lows = [
            math.log1p(row["low"])
            for row in by_window.get((CRASH, window.name), ())
            if row.get("low") is not None
        ]
        if low is None or index_low is None or not lows:
            continue
        simulated.append(math.fsum(lows) / len(lows))
        really.append(math.log1p(low))
        index.append(math.log1p(index_low))
    if len(really) < 2:
        return None
    ratio = really[0] - index[0]
    alike = len(dict.fromkeys(simulated)) == 1 or len(dict.fromkeys(really)) == 1
    rank = None if alike else float(scipy_stats().spearmanr(simulated, really).statistic)
    return LowErrors(
        _distance(simulated, really),
        _distance([really[0]] * (len(really) - 1), really[1:]),
        _distance([ratio + each for each in index[1:]], really[1:]),
        rank,
    )


def _distance(ones: Sequence[float], others: Sequence[float]) -> float:
    squares = [(one - other) ** 2 for one, other in zip(ones, others, strict=True)]
    return math.sqrt(math.fsum(squares) / len(squares))


def table_in_words(table: Realism) -> list[str]:
    """As Markdown: each window's value with its interval of 95 %, then the real one; ``+`` where it
    passes, ``-`` where not, with ``?`` where the interval leaves that open."""
    lines = [f"{table.title}: {table.seeds} seeds"]
    kind: tuple[str, ...] = ()
    for measure in table.measures:
        names = (measure.kind, *(cell.name for cell in measure.cells))
        if names != kind:
            kind = names
            lines += ["", _line([measure.kind, "asked", *names[1:], "passes"])]
            lines.append(_line(["---"] * (len(names) + 2)))
        passes = f"{measure.passed} of {measure.asked}" if measure.asked else ""
        cells = [_told(measure, cell) for cell in measure.cells]
        lines.append(_line([measure.target, measure.wanted, *cells, passes]))
    return [*lines, *_lows_in_words(table.lows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _told(measure: Measure, cell: Cell) -> str:
    mark = ""
    if cell.passes is not None:
        mark = (" +" if cell.passes else " -") + ("" if cell.sure else "?")
    real = "" if cell.real is None else f"; real {in_unit(measure, cell.real)}"
    if cell.simulated is None:
        return f"none{real}{mark}"
    each = cell.simulated
    bounds = ""
    if each.low != each.high:
        low, high = (
            "?" if bound is None else in_unit(measure, bound) for bound in (each.low, each.high)
        )
        bounds = f" [{low}, {high}]"
    return f"{in_unit(measure, each.estimate)}{bounds}{real}{mark}"


def in_unit(measure: Measure, value: float) -> str:
    """A value of a figure as it is shown."""
    if measure.unit == "percent":
        return f"{value * _PERCENT:.3g} %"
    if measure.unit == "clock":
        at = datetime.fromtimestamp(measure.start_ns / SECOND_NS + value, UTC)
        return f"{at:%H:%M:%S}"
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _lows_in_words(lows: LowErrors | None) -> list[str]:
    if lows is None:
        return []
    rank = "none" if lows.rank_correlation is None else f"{lows.rank_correlation:.2f}"
    return [
        "",
        f"Error of the log low over coins: {lows.error:.2f} (asked: below {LOW_ERROR}); of copying "
        f"the first coin's fall {lows.copied_fall:.2f}, its ratio to the index "
        f"{lows.copied_ratio:.2f}. Rank correlation of the lows: {rank} (asked: above 0.7).",
    ]
