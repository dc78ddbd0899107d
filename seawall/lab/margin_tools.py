"""Tools against procyclical margin, on a series of prices, and the figures they are compared by.

Margin is a quantile of the loss over a day by an exponentially weighted volatility: ``M = z x
sqrt(24) x sigma``. Tools are those of EMIR RTS 153/2013, article 28, and a speed limit:

- floor: never below the margin of the whole period's volatility;
- buffer: a quarter more, which may be used up: ``1.25 M`` while that is at most ``T``, then ``T``
  while ``M`` is, then ``M``; ``T`` is ``1.25`` times the mean;
- stressed: a quarter of the weight on the most volatile day, ``sqrt(0.75 sigma^2 + 0.25 s^2)``;
- speed limit: at most two per cent more than an hour before.

Figures are those of Bank of England FS paper 29: peak-to-trough ``max M / min M``; the largest rise
within n days ``max (M(t + k) - M(t)) / M(t)``; cost ``mean / mean without tool - 1``; breaches,
hours whose loss over the next day exceeds the margin. Prices do not react to margin here: that is
a run's to show, with the margin model ``by_volatility``.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

QUANTILE: Final[float] = 2.326347874
"""Of 99 % of a normal distribution."""

DECAY: Final[float] = 0.97
FIRST: Final[int] = 48
"""Returns whose mean square the variance starts with; it is updated from the next on."""

DAY: Final[int] = 24
_BUFFER: Final[float] = 1.25
_STRESSED: Final[float] = 0.25
_SPEED: Final[float] = 0.02


class PricesError(ValueError):
    """A file of candles cannot be used; the text names it and what is wrong."""


class MarginPath(msgspec.Struct, frozen=True):
    """A tool's margin by hour, as a share of the position's value, with its figures."""

    tool: str
    margin: list[float]
    least: float
    most: float
    peak_to_trough: float
    day_rise: float
    five_day_rise: float
    cost: float
    long_breaches: int
    short_breaches: int
    hours: int


def hourly_closes(path: str | Path) -> list[float]:
    """Closes of the candles that end an hour, of a CSV file with ``open_time_ms`` and ``close``.

    Raises:
        PricesError: it cannot be read, or has no such columns, or fewer than four days of hours.
    """
    try:
        table = pl.read_csv(path)
    except OSError as error:
        raise PricesError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.PolarsError as error:
        raise PricesError(f"{path}: not a CSV table: {str(error).splitlines()[0]}") from None
    missing = [name for name in ("open_time_ms", "close") if name not in table.columns]
    if missing or not table.height:
        raise PricesError(f"{path}: needs rows with open_time_ms and close; missing {missing}")
    times, closes = table["open_time_ms"].to_list(), table["close"].to_list()
    step = min((b - a for a, b in pairwise(times)), default=0)
    found = [
        float(close)
        for time, close in zip(times, closes, strict=True)
        if step and (time + step) % 3_600_000 == 0
    ]
    if len(found) < 4 * DAY:
        raise PricesError(f"{path}: {len(found)} hours that end with a candle; needs {4 * DAY}")
    return found


def log_returns(prices: Sequence[float]) -> list[float]:
    """``ln(price / price before)``."""
    return [math.log(after / before) for before, after in pairwise(prices)]


def first_variance(returns: Sequence[float]) -> float:
    """The mean square of the first returns."""
    return sum(each * each for each in returns[:FIRST]) / FIRST


def margin_paths(prices: Sequence[float]) -> list[MarginPath]:
    """Margin under each tool, none first."""
    returns = log_returns(prices)
    factor = QUANTILE * math.sqrt(DAY)
    variances = []
    variance = first_variance(returns)
    for each in returns[FIRST:]:
        variance = DECAY * variance + (1 - DECAY) * each * each
        variances.append(variance)
    plain = [factor * math.sqrt(each) for each in variances]
    paths = {"none": plain}
    floor = factor * math.sqrt(sum(each * each for each in returns) / len(returns))
    paths["floor"] = [max(each, floor) for each in plain]
    paths["buffer 25 %"] = _buffered(plain, _BUFFER * sum(plain) / len(plain))
    days = range(len(returns) - DAY + 1)
    stressed = max(sum(each * each for each in returns[at : at + DAY]) / DAY for at in days)
    paths["stressed 25 %"] = [
        factor * math.sqrt((1 - _STRESSED) * each + _STRESSED * stressed) for each in variances
    ]
    paths["speed limit 2 %/h"] = _limited(plain)
    mean = sum(plain) / len(plain)
    return [_figures(tool, path, mean, returns) for tool, path in paths.items()]


def _buffered(plain: Sequence[float], until: float) -> list[float]:
    return [
        _BUFFER * each if _BUFFER * each <= until else until if each <= until else each
        for each in plain
    ]


def _limited(plain: Sequence[float]) -> list[float]:
    limited = [plain[0]]
    for each in plain[1:]:
        limited.append(min(each, (1 + _SPEED) * limited[-1]))
    return limited


def _figures(tool: str, path: list[float], mean: float, returns: Sequence[float]) -> MarginPath:
    """``path`` begins with the margin known after return `FIRST`."""
    hours = len(path) - DAY
    next_day = [sum(returns[FIRST + at + 1 : FIRST + at + 1 + DAY]) for at in range(hours)]
    return MarginPath(
        tool=tool,
        margin=path,
        least=min(path),
        most=max(path),
        peak_to_trough=max(path) / min(path),
        day_rise=largest_rise(path, DAY),
        five_day_rise=largest_rise(path, 5 * DAY),
        cost=sum(path) / len(path) / mean - 1,
        long_breaches=sum(-moved > m for moved, m in zip(next_day, path, strict=False)),
        short_breaches=sum(moved > m for moved, m in zip(next_day, path, strict=False)),
        hours=hours,
    )


def largest_rise(path: Sequence[float], within: int) -> float:
    """The largest ``(M(t + k) - M(t)) / M(t)``, ``k`` from 1 to ``within``; 0 if it only fell."""
    most = 0.0
    for at, before in enumerate(path):
        for later in path[at + 1 : at + 1 + within]:
            most = max(most, later / before - 1)
    return most


_COLUMNS: Final[tuple[tuple[str, Callable[[MarginPath], str]], ...]] = (
    ("min", lambda each: f"{each.least:.6f}"),
    ("max", lambda each: f"{each.most:.6f}"),
    ("peak/trough", lambda each: f"{each.peak_to_trough:.4f}"),
    ("1-day rise", lambda each: f"{each.day_rise:.2%}"),
    ("5-day rise", lambda each: f"{each.five_day_rise:.2%}"),
    ("cost", lambda each: f"{each.cost:+.2%}"),
    ("breaches", lambda each: f"{each.long_breaches} / {each.short_breaches} of {each.hours}"),
)


def paths_in_words(paths: Sequence[MarginPath]) -> list[str]:
    """The figures as a table of text; breaches of longs and of shorts."""
    lines = [f"{'tool':<18}" + "".join(f"{name:>13}" for name, _ in _COLUMNS[:-1])]
    lines[0] += f"{_COLUMNS[-1][0]:>17}"
    for each in paths:
        cells = [show(each) for _, show in _COLUMNS]
        lines.append(
            f"{each.tool:<18}" + "".join(f"{cell:>13}" for cell in cells[:-1]) + f"{cells[-1]:>17}"
        )
    return lines
