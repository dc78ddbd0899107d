"""A file of prices, read: times in nanoseconds, prices as exact decimals.

Prices become ticks by rounding to the nearest one, half to even: a spot market's grid need not be
the contract's. A quote's price is the middle of bid and ask, which is exact before that.
"""

import csv
import math
from array import array
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from engine.commands import MAX_TICKS
from engine.record.packed_file import PackedError, unpacked
from engine.units import MAX_DIGITS, parse_decimal
from seawall.price_files.candles import widths_ns
from seawall.price_files.frame_rows import (
    FEATHER,
    PARQUET,
    feather_rows,
    frame_rows,
    parquet_rows,
)
from seawall.price_files.json_rows import json_rows
from seawall.price_files.recognise import Layout, Reading, find_layout
from seawall.price_files.rows import Rows
from seawall.price_files.shapes import CANDLES, QUOTES, ROLES, SIDES, TIME
from seawall.price_files.text_rows import text_rows
from seawall.price_files.times import Clock, unit_by_look
from seawall.scenario_fields import ScenarioError, shortened

_EXACT: Final[Context] = Context(prec=8 * MAX_DIGITS)
_HALF: Final[Decimal] = Decimal("0.5")
_KEPT: Final[int] = 4
"""Files that are kept in memory: the window and the path of a run read the same ones."""


class PriceTable(msgspec.Struct, frozen=True):
    """The prices of a file. ``prices`` has one column for each of the kind's roles (open, high, low
    and close; price; bid and ask), ``places`` the row or line of each price. Times never go back;
    those of candles rise. ``amounts`` is what was traded in each row, not a number where the file
    has none that is; ``sides`` is 1 where the taker bought, -1 where it sold, 0 where that is not
    said. Both are empty where a file has no such column."""

    where: str
    form: str
    word: str
    layout: Layout
    unit: str
    times_ns: list[int]
    places: Sequence[int]
    prices: tuple[list[Decimal], ...]
    warnings: tuple[str, ...] = ()
    amounts: Sequence[float] = ()
    sides: Sequence[int] = ()

    @property
    def kind(self) -> str:
        """Trades, quotes or candles."""
        return self.layout.kind

    @property
    def end_ns(self) -> int:
        """The last price; of a candle, its end."""
        last_ns = self.times_ns[-1]
        return last_ns + widths_ns(self.times_ns)[-1] if self.kind == CANDLES else last_ns

    def frame(self) -> pl.DataFrame:
        """A data frame: ``time`` in UTC and the prices by role, as floats."""
        columns: dict[str, Any] = {
            TIME: pl.Series(self.times_ns, dtype=pl.Datetime("ns", "UTC")),
        }
        for role, column in zip(ROLES[self.kind], self.prices, strict=True):
            columns[role] = pl.Series([float(price) for price in column], dtype=pl.Float64)
        return pl.DataFrame(columns)

    def ticks(self, tick: Decimal, most: int = MAX_TICKS) -> list[tuple[int, ...]]:
        """The prices of every row in ticks, of which ``most`` are the highest price; of a quote,
        its middle.

        Raises:
            ScenarioError: a price is below one tick, or above the highest price.
        """
        if self.kind == QUOTES:
            middles = [
                _EXACT.multiply(_EXACT.add(bid, ask), _HALF)
                for bid, ask in zip(*self.prices, strict=True)
            ]
            return list(zip(self._column("the middle", middles, tick, most), strict=True))
        columns = zip(self.layout.names[1:], self.prices, strict=True)
        return list(zip(*(self._column(*column, tick, most) for column in columns), strict=True))

    def _column(self, name: str, prices: list[Decimal], tick: Decimal, most: int) -> list[int]:
        """Prices in ticks. The same few come again and again, so each is worked out once."""
        known: dict[Decimal, int] = {}
        result: list[int] = []
        for number, price in enumerate(prices):
            ticks = known.get(price)
            if ticks is None:
                # The nearest tick, the even one of two, whatever a library set as the thread's way.
                steps = _EXACT.divide(price, tick).to_integral_value(ROUND_HALF_EVEN)
                ticks = known[price] = int(steps)
                if not 0 < ticks <= most:
                    bound = (
                        f"below one tick ({tick})"
                        if ticks <= 0
                        else f"above {most} ticks of {tick}, the highest price"
                    )
                    text = f"{name} {shortened(repr(str(price)), 80)} is {bound}"
                    raise ScenarioError(f"{self.where}: {self.word} {self.places[number]}: {text}")
            result.append(ticks)
        return result


ANY_KIND: Final[Reading] = Reading()


def read_price_file(path: str | Path, reading: Reading = ANY_KIND) -> PriceTable:
    """The prices of a file of CSV, JSON, Parquet or Feather, plain or packed (gzip, zip).

    Raises:
        ScenarioError: missing, damaged or empty file, no known shape or another kind than told, a
            row of another length, a time that is none or goes back, a price that is no positive
            finite number.
    """
    file = Path(path)
    if not file.is_file():
        raise ScenarioError(
            f"{file}: no such file; prices are read from CSV, JSON, Parquet and Feather, plain or "
            "packed with gzip or zip (set SEAWALL_SHARED if the shared data lies elsewhere)"
        )
    state = file.stat()
    return _read_file(str(path), reading, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=_KEPT)
def _read_file(path: str, reading: Reading, _changed_ns: int, _size: int) -> PriceTable:
    try:
        with unpacked(Path(path)) as stream:
            return _table(_rows(stream, path), reading)
    except PackedError as error:
        raise ScenarioError(f"{path}: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ScenarioError(f"{path}: not a readable CSV file: {error}") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from None


def read_price_frame(
    frame: Any, where: str = "data frame", reading: Reading = ANY_KIND
) -> PriceTable:
    """The prices of a data frame of Polars, pandas or Arrow.

    Raises:
        ScenarioError: it is none, or as `read_price_file`.
    """
    return _table(frame_rows(frame, where), reading)


def _rows(stream: BufferedReader, path: str) -> Rows:
    """The rows of a file in the form that its first bytes show."""
    head = stream.peek(16)[:16]
    if head.startswith(PARQUET):
        return parquet_rows(stream, path)
    if head.startswith(FEATHER):
        return feather_rows(stream, path)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        return json_rows(stream, path)
    return text_rows(stream, path)


def _table(rows: Rows, reading: Reading) -> PriceTable:
    body = iter(rows.counted())
    first = next(body, None)
    if first is None and not rows.names:
        raise ScenarioError(
            f"{rows.where}: the file is empty; it must hold times and prices, such as the columns "
            "timestamp_us, price or open_time_ms, open, high, low, close"
        )
    layout = find_layout(rows, first[1] if first else rows.names, reading)
    if first is None:
        raise ScenarioError(f"{rows.where}: no rows after the header; at least one price is needed")
    unit = layout.unit or unit_by_look(first[1][layout.time])
    if not unit:
        raise rows.error(
            first[0],
            f"{layout.names[0]} {shortened(repr(first[1][layout.time]), 80)}: its unit cannot be "
            "told; name it with time_unit: s, ms, us, ns or date",
        )
    reader = _Reader(rows, layout, Clock(unit, guessed=not layout.unit), reading.symbol)
    for place, row in chain([first], body):
        reader.take(place, row)
    return reader.table()


class _Reader:
    """Takes rows one by one."""

    def __init__(self, rows: Rows, layout: Layout, clock: Clock, symbol: str) -> None:
        self._rows = rows
        self._layout = layout
        self._clock = clock
        self._wanted = symbol
        self._symbol = symbol
        self._last_ns = -1
        self._known: dict[str, Decimal] = {}
        self._times_ns: list[int] = []
        self._places = array("Q")
        self._prices: tuple[list[Decimal], ...] = tuple([] for _ in layout.prices)
        self._amounts = array("d")
        self._sides = array("b")
        self._one_sided = 0

    def take(self, place: int, row: Sequence[str]) -> None:
        """A row."""
        layout = self._layout
        if len(row) != layout.width:
            named = "line 1 names" if self._rows.names else "the first row has"
            raise self._rows.error(place, f"{len(row)} fields, but {named} {layout.width}")
        if layout.symbol >= 0 and not self._is_ours(place, row[layout.symbol]):
            return
        texts = [row[column] for column in layout.prices]
        if layout.kind == QUOTES and not all(map(str.strip, texts)):
            self._one_sided += 1
            return
        self._take_time(place, row[layout.time])
        prices = [
            self._price(place, name, text)
            for name, text in zip(layout.names[1:], texts, strict=True)
        ]
        if layout.kind == CANDLES:
            first, high, low, last = prices
            if not low <= min(first, last) <= max(first, last) <= high:
                raise self._rows.error(
                    place, "open, high, low, close do not fit: low <= open, close <= high"
                )
        for column, price in zip(self._prices, prices, strict=True):
            column.append(price)
        self._places.append(place)
        if layout.amount >= 0:
            self._amounts.append(_amount(row[layout.amount]))
        if layout.side >= 0:
            self._sides.append(SIDES.get(row[layout.side].strip().lower(), 0))

    def _is_ours(self, place: int, symbol: str) -> bool:
        if not self._symbol:
            self._symbol = symbol
        if symbol != self._symbol and not self._wanted:
            raise self._rows.error(
                place,
                f"{symbol!r} after {self._symbol!r}: a path is of one contract; choose it with "
                f'symbol = "{self._symbol}"',
            )
        return symbol == self._symbol

    def _take_time(self, place: int, text: str) -> None:
        name = self._layout.names[0]
        try:
            time_ns = self._clock.ns(text)
        except ValueError as error:
            raise self._rows.error(place, f"{name} {error}") from None
        before = self._last_ns
        if time_ns < before or (self._layout.kind == CANDLES and time_ns == before):
            raise self._rows.error(
                place,
                f"{name} {text} is not after the {self._rows.word} before; rows must be sorted by "
                "time, and a candle stands once",
            )
        self._last_ns = time_ns
        self._times_ns.append(time_ns)

    def _price(self, place: int, name: str, text: str) -> Decimal:
        price = self._known.get(text)
        if price is not None:
            return price
        try:
            price = parse_decimal(text.strip(), name)
        except ValueError:
            price = Decimal(0)
        if price <= 0:
            raise self._rows.error(
                place, f"{name} {shortened(repr(text), 80)} must be a finite price above 0"
            )
        self._known[text] = price
        return price

    def table(self) -> PriceTable:
        """All that was taken.

        Raises:
            ScenarioError: it is nothing.
        """
        rows = self._rows
        if not self._times_ns:
            of_it = f" of symbol {self._wanted!r}" if self._wanted else ""
            raise ScenarioError(f"{rows.where}: no row{of_it} with a price in it")
        warnings = []
        if self._one_sided:
            warnings.append(f"{self._one_sided:,} quotes without both sides are left out")
        return PriceTable(
            where=rows.where,
            form=rows.form,
            word=rows.word,
            layout=self._layout,
            unit=self._clock.unit,
            times_ns=self._times_ns,
            places=self._places,
            prices=self._prices,
            warnings=tuple(warnings),
            amounts=self._amounts,
            sides=self._sides,
        )


def _amount(text: str) -> float:
    """A traded amount; not a number where it is none. Only what measures trades needs it to be."""
    try:
        amount = float(text)
    except ValueError:
        return math.nan
    return amount if 0 <= amount < math.inf else math.nan
