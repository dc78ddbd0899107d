"""Candles of one minute, made from trades and marks; longer ones are put together from them.

A minute without a trade is not kept: where candles are asked for it is filled with the last price.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from doors.history.file import HistoryFile
from doors.history.records import PublicTrade
from engine.commands import BUY
from engine.units import MINUTE_NS

TRADES: Final[str] = "trades"
MARK: Final[str] = "mark"
INDEX: Final[str] = "index"

MOST_CANDLES: Final[int] = 1_500
DAY_MINUTES: Final[int] = 1_440
WEEK_MINUTES: Final[int] = 7 * DAY_MINUTES
MONDAY_MINUTES: Final[int] = 4 * DAY_MINUTES
"""Minutes from the first of January 1970, a Thursday, to the first Monday."""

INTERVALS: Final[dict[str, int]] = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": DAY_MINUTES,
    "3d": 3 * DAY_MINUTES,
    "1w": WEEK_MINUTES,
}
"""Lengths in minutes, by name; a month is not among them, for months differ."""


class Candle(msgspec.Struct, gc=False):
    """Prices in ticks and what was traded from ``minute`` on, counted since 1970. ``value`` is the
    sum of ticks times lots."""

    minute: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    value: int = 0
    trades: int = 0
    taker_lots: int = 0
    taker_value: int = 0

    def add(self, other: "Candle") -> None:
        """Take in a later one."""
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.close = other.close
        self.lots += other.lots
        self.value += other.value
        self.trades += other.trades
        self.taker_lots += other.taker_lots
        self.taker_value += other.taker_value


def begin_of(minute: int, length: int) -> int:
    """The minute in which the candle of a length begins that a minute belongs to."""
    offset = MONDAY_MINUTES if length == WEEK_MINUTES else 0
    return minute - (minute - offset) % length


class Candles:
    """The candles of all instruments, by series."""

    def __init__(self, file: HistoryFile) -> None:
        self._file = file
        self._current: dict[tuple[str, int], Candle] = {}
        self._restore()

    def _restore(self) -> None:
        """The last minute of trades may be in the file as it was a moment before the end: it is
        made again from its trades."""
        last = dict(
            self._file.rows(
                "SELECT instrument_id, max(minute) FROM candles WHERE series = ? "
                "GROUP BY instrument_id",
                (TRADES,),
            )
        )
        for (instrument_id,) in self._file.rows("SELECT DISTINCT instrument_id FROM trades"):
            minute = last.get(instrument_id, 0)
            self._file.forget_candle(TRADES, instrument_id, minute)
            where = "instrument_id = ? AND time_ns >= ? ORDER BY trade_id"
            for trade in self._file.trades(where, (instrument_id, minute * MINUTE_NS)):
                self.trade(trade)

    def trade(self, trade: PublicTrade) -> None:
        """Take in a trade."""
        price, lots = trade.price_ticks, trade.qty_lots
        value = price * lots
        taken = (lots, value) if trade.taker_side == BUY else (0, 0)
        minute = trade.time_ns // MINUTE_NS
        one = Candle(minute, price, price, price, price, lots, value, 1, *taken)
        self._take(TRADES, trade.instrument_id, one)

    def price(self, series: str, instrument_id: int, ticks: int, time_ns: int) -> None:
        """Take in a mark or an index."""
        minute = time_ns // MINUTE_NS
        self._take(series, instrument_id, Candle(minute, ticks, ticks, ticks, ticks))

    def _take(self, series: str, instrument_id: int, one: Candle) -> None:
        current = self._current.get((series, instrument_id))
        if current is None:
            current = self._stored(series, instrument_id, one.minute)
        if current is not None and current.minute == one.minute:
            current.add(one)
            one = current
        elif current is not None:
            self._keep(series, instrument_id, current)
        self._current[series, instrument_id] = one

    def _keep(self, series: str, instrument_id: int, candle: Candle) -> None:
        self._file.put("candles", (series, instrument_id, *msgspec.structs.astuple(candle)))

    def _stored(self, series: str, instrument_id: int, minute: int) -> Candle | None:
        found = self._rows(series, instrument_id, minute, minute)
        return found[0] if found else None

    def keep_current(self) -> None:
        """Put the candles that are not over in line for the file."""
        for (series, instrument_id), candle in self._current.items():
            self._keep(series, instrument_id, candle)

    def _rows(self, series: str, instrument_id: int, first: int, last: int) -> list[Candle]:
        found = self._file.rows(
            "SELECT minute, open, high, low, close, lots, value, trades, taker_lots, taker_value "
            "FROM candles WHERE series = ? AND instrument_id = ? AND minute BETWEEN ? AND ? "
            "ORDER BY minute",
            (series, instrument_id, first, last),
        )
        return [Candle(*row) for row in found]

    def minutes(self, series: str, instrument_id: int, first: int, last: int) -> list[Candle]:
        """The minutes in which something happened."""
        found = self._rows(series, instrument_id, first, last)
        current = self._current.get((series, instrument_id))
        if current is not None and first <= current.minute <= last:
            if found and found[-1].minute == current.minute:
                found.pop()
            found.append(msgspec.structs.replace(current))
        return found

    def first_minute(self, series: str, instrument_id: int) -> int | None:
        """The first minute there is; None where there is none."""
        [(found,)] = self._file.rows(
            "SELECT min(minute) FROM candles WHERE series = ? AND instrument_id = ?",
            (series, instrument_id),
        )
        current = self._current.get((series, instrument_id))
        if found is None and current is not None:
            return current.minute
        return None if found is None else int(found)

    def _last_before(self, series: str, instrument_id: int, minute: int) -> Candle | None:
        found = self._file.rows(
            "SELECT minute, open, high, low, close, lots, value, trades, taker_lots, taker_value "
            "FROM candles WHERE series = ? AND instrument_id = ? AND minute < ? "
            "ORDER BY minute DESC LIMIT 1",
            (series, instrument_id, minute),
        )
        return Candle(*found[0]) if found else None

    def of_length(
        self, series: str, instrument_id: int, length: int, first: int, last: int, most: int
    ) -> list[Candle]:
        """Candles of ``length`` minutes whose first minute is from ``first`` to ``last``: the last
        ``most`` of them. Those before anything happened are not there."""
        earliest = self.first_minute(series, instrument_id)
        if earliest is None:
            return []
        begin = max(begin_of(first + length - 1, length), begin_of(earliest, length))
        end = begin_of(last, length)
        begin = max(begin, end - (most - 1) * length)
        if begin > end:
            return []
        minutes = self.minutes(series, instrument_id, begin, end + length - 1)
        before = self._last_before(series, instrument_id, begin)
        close = before.close if before is not None else 0
        return list(_put_together(minutes, length, begin, end, close))


def _put_together(
    minutes: list[Candle], length: int, begin: int, end: int, close: int
) -> Iterator[Candle]:
    """One candle for each span from ``begin`` to ``end``; where nothing happened at the price
    before."""
    place = 0
    for start in range(begin, end + 1, length):
        whole: Candle | None = None
        while place < len(minutes) and minutes[place].minute < start + length:
            if whole is None:
                whole = msgspec.structs.replace(minutes[place], minute=start)
            else:
                whole.add(minutes[place])
            place += 1
        if whole is None:
            if not close:
                continue
            whole = Candle(start, close, close, close, close)
        close = whole.close
        yield whole
