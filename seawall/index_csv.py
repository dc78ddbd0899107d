"""Real prices from CSV files: trades (``timestamp_us, price``) or candles (``open_time_ms, open,
high, low, close``), plain or gzipped. Further columns are ignored.

Prices become ticks by rounding to the nearest one: a spot market's grid need not be the contract's.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Final, TextIO

from seawall.scenario_fields import ScenarioError, nearest

TRADES_CSV: Final[str] = "trades_csv"
CANDLES_CSV: Final[str] = "candles_csv"

_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    TRADES_CSV: ("timestamp_us", "price"),
    CANDLES_CSV: ("open_time_ms", "open", "high", "low", "close"),
}
_TIME_FACTOR: Final[dict[str, int]] = {TRADES_CSV: 1_000, CANDLES_CSV: 1_000_000}

Row = tuple[int, list[str]]


def _open(path: Path) -> TextIO:
    if not path.is_file():
        raise ScenarioError(
            f"{path}: no such file; prices are read from .csv or .csv.gz "
            "(set SEAWALL_SHARED if the shared data lies elsewhere)"
        )
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _picked_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Line number and the wanted columns of each row."""
    with _open(path) as stream:
        reader = csv.reader(stream)
        header = next(reader, None)
        if not header:
            raise ScenarioError(f"{path}: the file is empty; line 1 must name {', '.join(columns)}")
        names = [name.strip() for name in header]
        for name in columns:
            if name not in names:
                raise ScenarioError(
                    f"{path}: line 1: column {name!r} is missing; found {', '.join(names)}"
                    f"{nearest(name, names)}"
                )
        places = [names.index(name) for name in columns]
        for row in reader:
            if not row:
                continue
            if len(row) < len(names):
                raise ScenarioError(
                    f"{path}: line {reader.line_num}: {len(row)} fields, "
                    f"but line 1 names {len(names)}"
                )
            yield reader.line_num, [row[place] for place in places]


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """`_picked_rows` with damaged files reported as scenario errors."""
    try:
        yield from _picked_rows(path, columns)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ScenarioError(f"{path}: damaged gzip file: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: not a readable CSV file: {error}") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from None


def _price_ticks(path: Path, line: int, name: str, text: str, tick: Decimal) -> int:
    try:
        price = Decimal(text.strip())
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price <= 0:
        raise ScenarioError(f"{path}: line {line}: {name} {text!r} must be a finite price above 0")
    ticks = int((price / tick).to_integral_value())  # to the nearest tick, half to even
    if ticks <= 0:
        raise ScenarioError(f"{path}: line {line}: {name} {text!r} is below one tick ({tick})")
    return ticks


def read_prices(path: Path, kind: str, tick: Decimal) -> list[tuple[int, int]]:
    """All prices of a file as ``(time_ns, price_ticks)``; a candle prints its four prices at
    quarters of the interval, the extreme nearer to the open first.

    Raises:
        ScenarioError: missing, damaged or empty file, missing column, a time that is no whole
            number or goes back, a price that is no positive finite number.
    """
    columns = _COLUMNS[kind]
    factor = _TIME_FACTOR[kind]
    points: list[tuple[int, int]] = []
    last_ns = -1
    starts: list[int] = []
    for line, fields in _rows(path, columns):
        try:
            time_ns = int(fields[0]) * factor
        except ValueError:
            time_ns = -1
        if time_ns < 0:
            raise ScenarioError(
                f"{path}: line {line}: {columns[0]} {fields[0]!r} must be a whole number, 0 or more"
            )
        if time_ns < last_ns or (kind == CANDLES_CSV and time_ns == last_ns):
            raise ScenarioError(
                f"{path}: line {line}: {columns[0]} {fields[0]} is not after the line before "
                f"({last_ns // factor}); rows must be sorted by time"
            )
        last_ns = time_ns
        prices = [
            _price_ticks(path, line, name, text, tick)
            for name, text in zip(columns[1:], fields[1:], strict=True)
        ]
        if kind == CANDLES_CSV:
            starts.append(time_ns)
            points.extend((time_ns, price) for price in _candle_walk(path, line, prices))
        else:
            points.append((time_ns, prices[0]))
    if not points:
        raise ScenarioError(f"{path}: no rows after the header; at least one price is needed")
    return _spread_candles(points, starts) if kind == CANDLES_CSV else points


def _candle_walk(path: Path, line: int, prices: list[int]) -> list[int]:
    """Open, the nearer extreme, the other extreme, close."""
    first, high, low, last = prices
    if not low <= min(first, last) <= max(first, last) <= high:
        raise ScenarioError(
            f"{path}: line {line}: open, high, low, close do not fit: low <= open, close <= high"
        )
    inner = [high, low] if high - first < first - low else [low, high]
    return [first, *inner, last]


def _spread_candles(points: list[tuple[int, int]], starts: list[int]) -> list[tuple[int, int]]:
    """Give a candle's four prices the times 0, 1/4, 1/2 and 3/4 of its interval."""
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    width = min(gaps) if gaps else 60_000_000_000
    return [(time_ns + (i % 4) * width // 4, price) for i, (time_ns, price) in enumerate(points)]
