"""Candles: minutes from trades, longer ones from minutes, and what a door finds again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doors.history.candles import INTERVALS, MARK, TRADES, Candle, Candles, begin_of
from doors.history.file import HistoryFile
from doors.history.records import PublicTrade
from doors.usdm.streams.candle_stream import FormingCandle
from engine.commands import BUY, SELL
from engine.units import MINUTE_NS
from tests.doors.test_decimals import contract

FIRST = 29_000_000 - 29_000_000 % 1_440
"""A midnight, in minutes since 1970."""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[HistoryFile]:
    found = HistoryFile(tmp_path / "door.sqlite")
    yield found
    found.close()


def trade(number: int, minute: int, price: int, lots: int, side: int = BUY) -> PublicTrade:
    return PublicTrade(1, number, price, lots, side, (FIRST + minute) * MINUTE_NS + number)


def put(candles: Candles, file: HistoryFile, trades: list[PublicTrade]) -> None:
    for one in trades:
        file.keep(one)
        candles.trade(one)


DAY = [
    trade(1, 0, 100, 2),
    trade(2, 0, 105, 1, SELL),
    trade(3, 0, 99, 3),
    trade(4, 3, 102, 1),
    trade(5, 61, 110, 4, SELL),
]


def test_a_minute_has_its_prices_and_who_took(file: HistoryFile) -> None:
    candles = Candles(file)
    put(candles, file, DAY)
    [first, second] = candles.of_length(TRADES, 1, 1, FIRST, FIRST + 1, 10)
    assert first == Candle(FIRST, 100, 105, 99, 99, 6, 602, 3, 5, 497)
    # Nothing happened in the second: it stands at the price before, without volume.
    assert second == Candle(FIRST + 1, 99, 99, 99, 99)


def test_longer_candles_are_sums_of_minutes(file: HistoryFile) -> None:
    candles = Candles(file)
    put(candles, file, DAY)
    [first, second] = candles.of_length(TRADES, 1, 60, FIRST, FIRST + 119, 10)
    assert (first.open, first.high, first.low, first.close, first.lots) == (100, 105, 99, 102, 7)
    assert (second.minute, second.close, second.trades) == (FIRST + 60, 110, 1)
    assert len(candles.of_length(TRADES, 1, 1, 0, FIRST + 61, 1_500)) == 62
    assert len(candles.of_length(TRADES, 1, 1, 0, FIRST + 61, 5)) == 5
    assert candles.of_length(TRADES, 1, 1, 0, FIRST - 1, 5) == []
    assert candles.of_length(TRADES, 2, 1, 0, FIRST + 61, 5) == []


def test_a_door_that_died_in_a_minute_finds_it_whole(file: HistoryFile) -> None:
    candles = Candles(file)
    put(candles, file, DAY[:2])
    candles.keep_current()
    # The third trade is in the file, but the candle with it is not.
    file.keep(DAY[2])
    again = Candles(file)
    assert again.minutes(TRADES, 1, FIRST, FIRST) == [
        Candle(FIRST, 100, 105, 99, 99, 6, 602, 3, 5, 497)
    ]


def test_marks_have_no_volume(file: HistoryFile) -> None:
    candles = Candles(file)
    for second, ticks in enumerate((100, 90, 95)):
        candles.price(MARK, 1, ticks, FIRST * MINUTE_NS + second)
    assert candles.minutes(MARK, 1, FIRST, FIRST) == [Candle(FIRST, 100, 100, 90, 95)]


@given(st.integers(0, 2 * FIRST), st.sampled_from(sorted(INTERVALS.values())))
def test_every_minute_is_in_one_candle(minute: int, length: int) -> None:
    begin = begin_of(minute, length)
    assert begin <= minute < begin + length
    assert begin_of(begin, length) == begin


def test_a_week_begins_on_monday() -> None:
    monday = 1_795_996_800 // 60  # 2026-11-30 00:00 UTC
    assert begin_of(monday, INTERVALS["1w"]) == monday
    assert begin_of(monday - 1, INTERVALS["1w"]) == monday - INTERVALS["1w"]


def test_a_trade_of_the_minute_it_was_asked_for_is_told_in_the_next_too(file: HistoryFile) -> None:
    candles = Candles(file)
    forming = FormingCandle(candles, contract(), "1m", 1, FIRST)
    put(candles, file, DAY[:1])
    [ended] = forming.take(FIRST + 1, last_trade_id=1)
    assert (ended["t"], ended["n"], ended["x"]) == (FIRST * 60_000, 1, True)
    assert forming.take(FIRST + 1, last_trade_id=1) == []
