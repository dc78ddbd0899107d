"""What one page is sent: everything at first, then what has changed, merged into one frame."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Final, TypeVar

import msgspec

from dashboard.board import Board
from dashboard.chart import Candle, Chart, Marker, Sample
from dashboard.sections import Sections
from engine.units import SECOND_NS
from seawall.terminal.watch_units import Units

SNAPSHOT: Final[str] = "snapshot"
FRAME: Final[str] = "frame"

_encode: Final = msgspec.json.Encoder().encode


class Frames:
    """What a page knows, and so what is new to it."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """The page shows something else from now on: the next frame is a snapshot."""
        self._sent: dict[str, bytes] = {}
        self._candle_ns = -1
        self._sample_ns = -1
        self._stress_ns = -1
        self._told = b""
        self._whole = True

    def next(self, sections: Sections, board: Board, instrument_id: int | None) -> str | None:
        """The next frame as JSON; None where nothing is new."""
        units = Units(board.market)
        chart = None
        if instrument_id is not None:
            chart = instrument_id, board.chart(instrument_id)
        parts: dict[str, bytes] = {}
        for name, value in sections.items():
            data = _encode(value)
            if self._sent.get(name) != data:
                parts[name] = self._sent[name] = data
        points = self._points_of(board, chart, units)
        if points and _encode(points) != self._told:
            parts["points"] = _encode(points)
            # The last candle is told again when it has changed since.
            self._told = _encode(self._points_of(board, chart, units))
        if not parts:
            return None
        kind = SNAPSHOT if self._whole else FRAME
        self._whole = False
        named = [b'"%s":%s' % (name.encode(), data) for name, data in parts.items()]
        return (b'{"kind":"%s",%s}' % (kind.encode(), b",".join(named))).decode()

    def _points_of(
        self, board: Board, chart: tuple[int, Chart] | None, units: Units
    ) -> dict[str, Any]:
        """What is new on the charts."""
        points = self._stress(board, units)
        if chart is not None:
            key, drawn = chart
            points |= self._of_chart(drawn, key, units)
        return points

    def _of_chart(self, chart: Chart, key: int, units: Units) -> dict[str, Any]:
        """Candles from the last one sent on, which may have changed; samples behind the last."""
        found: dict[str, Any] = {}
        candles = _newer(chart.candles, lambda each: each.from_ns >= self._candle_ns)
        if candles:
            found["candles"] = [_candle(each, key, units) for each in candles]
        markers = _newer(chart.markers, lambda each: each.from_ns >= self._candle_ns)
        if markers:
            found["markers"] = [_marker(each, key, units) for each in markers]
        if candles:
            self._candle_ns = candles[-1].from_ns
        samples = _newer(chart.samples, lambda each: each.time_ns > self._sample_ns)
        if samples:
            found["samples"] = [_sample(each, key, units) for each in samples]
            self._sample_ns = samples[-1].time_ns
        return found

    def _stress(self, board: Board, units: Units) -> dict[str, Any]:
        new = _newer(board.stress, lambda each: each.time_ns > self._stress_ns)
        if not new:
            return {}
        self._stress_ns = new[-1].time_ns
        rows = []
        for each in new:
            funds = [units.drawn_amount(key, q) for key, q in sorted(each.funds_q.items())]
            rows.append([each.time_ns / SECOND_NS, each.calls, each.liquidations, *funds[:1]])
        return {"stress": rows}


Timed = TypeVar("Timed")


def _newer(points: "Sequence[Timed]", is_new: Callable[[Timed], bool]) -> list[Timed]:
    """The points at the end that are new, in order; older ones are not looked at."""
    found = list(takewhile(is_new, reversed(points)))
    found.reverse()
    return found


def _candle(candle: Candle, key: int, units: Units) -> list[float]:
    prices = (candle.open, candle.high, candle.low, candle.close)
    drawn = [units.drawn_price(key, ticks) for ticks in prices]
    return [candle.from_ns // SECOND_NS, *drawn, units.drawn_quantity(key, candle.lots)]


def _marker(marker: Marker, key: int, units: Units) -> list[Any]:
    size = units.quantity(key, marker.lots)
    return [marker.from_ns // SECOND_NS, marker.kind, marker.count, size]


def _sample(sample: Sample, key: int, units: Units) -> list[float | None]:
    prices = (sample.mark, sample.index, sample.last)
    drawn = [units.drawn_price(key, ticks) if ticks > 0 else None for ticks in prices]
    interest = units.drawn_quantity(key, sample.open_interest)
    return [sample.time_ns / SECOND_NS, *drawn, interest]
