"""Real prices from CSV files: trades (``timestamp_us, price``) or candles (``open_time_ms, open,
high, low, close``), plain or packed (gzip, zip). Further columns are ignored.

Prices become ticks by rounding to the nearest one: a spot market's grid need not be the contract's.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from io import BufferedReader, TextIOWrapper
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Final, TextIO

from engine.commands import MAX_TICKS
from engine.record.packed_file import PackedError, unpacked
from engine.settings import nearest
from engine.units import parse_decimal
from seawall.scenario_fields import MAX_TIME_NS, ScenarioError, shortened

TRADES_CSV: Final[str] = "trades_csv"
CANDLES_CSV: Final[str] = "candles_csv"

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    TRADES_CSV: ("timestamp_us", "price"),
    CANDLES_CSV: ("open_time_ms", "open", "high", "low", "close"),
}
_TIME_FACTOR: Final[dict[str, int]] = {TRADES_CSV: 1_000, CANDLES_CSV: 1_000_000}

Point = tuple[int, int]
"""Time in nanoseconds and price in ticks."""


_UTF_16: Final[tuple[bytes, ...]] = (b"\xff\xfe", b"\xfe\xff")
_CANDLE_NS: Final[int] = 60_000_000_000
"""Width of a candle that is alone in its file."""
_ALIKE: Final[int] = 4
"""A gap is common if one in this many is as wide."""


def _text(stream: BufferedReader) -> TextIO:
    """The text of a file; a byte order mark says only how it is written."""
    encoding = "utf-16" if stream.peek(2)[:2] in _UTF_16 else "utf-8-sig"
    return TextIOWrapper(stream, encoding=encoding, newline="")


def _places(path: Path, header: list[str] | None, columns: tuple[str, ...]) -> list[int]:
    """Where the wanted columns are in a row."""
    if not header:
        raise ScenarioError(f"{path}: the file is empty; line 1 must name {', '.join(columns)}")
    names = [name.strip() for name in header]
    for name in columns:
        if name not in names:
            raise ScenarioError(
                f"{path}: line 1: column {name!r} is missing; "
                f"{nearest(name, names)}found {', '.join(names)}"
            )
        if names.count(name) > 1:
            raise ScenarioError(f"{path}: line 1: column {name!r} is named more than once")
    return [names.index(name) for name in columns]


def _price_ticks(path: Path, line: int, name: str, text: str, tick: Decimal) -> int:
    try:
        price = parse_decimal(text.strip(), name)
    except ValueError:
        price = Decimal(0)
    place = f"{path}: line {line}: {name} {shortened(repr(text), 80)}"
    if price <= 0:
        raise ScenarioError(f"{place} must be a finite price above 0")
    if price > MAX_TICKS * tick:
        raise ScenarioError(f"{place} is above {MAX_TICKS} ticks of {tick}, the highest price")
    ticks = int((price / tick).to_integral_value())  # to the nearest tick, half to even
    if ticks <= 0:
        raise ScenarioError(f"{place} is below one tick ({tick})")
    return ticks


class _Prices:
    """The prices of one file in ticks. The same few texts come again and again, so each is worked
    out once."""

    def __init__(self, path: Path, tick: Decimal) -> None:
        self._path = path
        self._tick = tick
        self._known: dict[str, int] = {}

    def ticks(self, line: int, name: str, text: str) -> int:
        """The price in column ``name`` of a line."""
        ticks = self._known.get(text)
        if ticks is None:
            ticks = _price_ticks(self._path, line, name, text, self._tick)
            self._known[text] = ticks
        return ticks


def read_prices(path: Path, kind: str, tick: Decimal) -> list[Point]:
    """All prices of a file as ``(time_ns, price_ticks)``; a candle prints its four prices at
    quarters of its interval, the extreme nearer to the open first.

    A candle's interval goes to the next one, and is at most as wide as most are: one candle that is
    out of step, or missing, changes nothing else.

    Raises:
        ScenarioError: missing, damaged or empty file, missing column, a row of another length than
            the header, a time that is no whole number or goes back, a price that is no positive
            finite number.
    """
    if not path.is_file():
        raise ScenarioError(
            f"{path}: no such file; prices are read from .csv, plain or packed with gzip or zip "
            "(set SEAWALL_SHARED if the shared data lies elsewhere)"
        )
    try:
        with unpacked(path) as stream:
            points = _read(path, kind, _Prices(path, tick), _text(stream))
    except PackedError as error:
        raise ScenarioError(f"{path}: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: not a readable CSV file: {error}") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from None
    if not points:
        raise ScenarioError(f"{path}: no rows after the header; at least one price is needed")
    return points


def _read(path: Path, kind: str, prices: _Prices, stream: TextIO) -> list[Point]:
    columns = _COLUMNS[kind]
    rows = _rows(path, stream)
    _, header = next(rows, (1, None))
    time_place, *places = _places(path, header, columns)
    width = len(header or ())
    factor = _TIME_FACTOR[kind]
    points: list[Point] = []
    starts: list[int] = []
    last_ns = -1
    for line, row in rows:
        if len(row) != width:
            raise ScenarioError(f"{path}: line {line}: {len(row)} fields, but line 1 names {width}")
        time_ns = _time_ns(path, line, columns[0], row[time_place], factor)
        if time_ns < last_ns or (kind == CANDLES_CSV and time_ns == last_ns):
            raise ScenarioError(
                f"{path}: line {line}: {columns[0]} {row[time_place]} is not after the line before "
                f"({last_ns // factor}); rows must be sorted by time"
            )
        last_ns = time_ns
        if kind == TRADES_CSV:
            points.append((time_ns, prices.ticks(line, columns[1], row[places[0]])))
            continue
        candle = [
            prices.ticks(line, name, row[place])
            for name, place in zip(columns[1:], places, strict=True)
        ]
        starts.append(time_ns)
        points.extend((time_ns, price) for price in _candle_walk(path, line, candle))
    return _spread_candles(points, starts) if kind == CANDLES_CSV else points


def _rows(path: Path, stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty with their lines; a quote left open would swallow the rest."""
    reader = csv.reader(stream)
    for line, row in enumerate(reader, 1):
        if reader.line_num != line or (row and row[-1].endswith(("\n", "\r"))):
            raise ScenarioError(
                f"{path}: line {line}: a quoted field runs over the end of the line; close its "
                "quote, a price file has one row a line"
            )
        if row or line == 1:
            yield line, row


def _time_ns(path: Path, line: int, name: str, text: str, factor: int) -> int:
    try:
        time_ns = int(text) * factor
    except ValueError:
        time_ns = -1
    if not 0 <= time_ns <= MAX_TIME_NS:
        raise ScenarioError(
            f"{path}: line {line}: {name} {shortened(repr(text), 80)} must be a whole number, 0 or "
            f"more, to {MAX_TIME_NS // factor} (the end of 2261)"
        )
    return time_ns


def _candle_walk(path: Path, line: int, prices: list[int]) -> list[int]:
    """Open, the nearer extreme, the other extreme, close."""
    first, high, low, last = prices
    if not low <= min(first, last) <= max(first, last) <= high:
        raise ScenarioError(
            f"{path}: line {line}: open, high, low, close do not fit: low <= open, close <= high"
        )
    inner = [high, low] if high - first < first - low else [low, high]
    return [first, *inner, last]


def _spread_candles(points: list[Point], starts: list[int]) -> list[Point]:
    """Give a candle's four prices the times 0, 1/4, 1/2 and 3/4 of its interval."""
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    usual = usual_width_ns(gaps)
    widths = [min(gap, usual) for gap in gaps]
    widths.append(usual)
    return [
        (time_ns + (place % 4) * widths[place // 4] // 4, price)
        for place, (time_ns, price) in enumerate(points)
    ]


def usual_width_ns(gaps: list[int]) -> int:
    """How wide most candles are; a minute where there is no gap.

    The commonest gap, the narrowest of equally common ones; but no wider than the middle one, which
    also stands in where hardly any two gaps are alike, as with starts that jitter. Too narrow a
    width costs a candle part of its interval; too wide a one would carry its low out of the run.
    """
    if not gaps:
        return _CANDLE_NS
    middle = median_low(gaps)
    width, count = min(Counter(gaps).items(), key=lambda each: (-each[1], each[0]))
    if count == 1 or count * _ALIKE < len(gaps):
        return middle
    return min(width, middle)
