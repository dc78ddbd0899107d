"""What the charts of one instrument show: candles, samples of its prices, forced trades."""

from collections import deque
from typing import Final

import msgspec

from engine.commands import BUY
from engine.events import MarkUpdated, Trade
from engine.units import SECOND_NS

KEPT: Final[int] = 3_600
"""Candles and samples that are kept; older ones go."""

FORCED_BUY: Final[str] = "forced buy"
FORCED_SELL: Final[str] = "forced sell"
TAKEOVER: Final[str] = "takeover"
ADL: Final[str] = "ADL"


class Scale(msgspec.Struct, frozen=True):
    """How much time a candle covers, and from one sample to the next."""

    candle_ns: int = 5 * SECOND_NS
    sample_ns: int = SECOND_NS


def scale_of(duration_ns: int) -> Scale:
    """A scale at which all of a duration is kept; no finer than the usual one."""
    usual = Scale()
    candle_s = max(usual.candle_ns, 2 * duration_ns // KEPT) // SECOND_NS + 1
    sample_s = max(usual.sample_ns, duration_ns // KEPT + 1) // SECOND_NS
    # Candles of whole fives of seconds.
    return Scale(-(-candle_s // 5) * 5 * SECOND_NS, max(1, sample_s) * SECOND_NS)


class Candle(msgspec.Struct):
    """Prices in ticks, size in lots; ``from_ns`` is a whole number of candles since 1970."""

    from_ns: int
    open: int
    high: int
    low: int
    close: int
    lots: int


class Sample(msgspec.Struct, frozen=True):
    """Prices in ticks and open interest in lots, as last told."""

    time_ns: int
    mark: int
    index: int
    last: int
    open_interest: int


class Marker(msgspec.Struct):
    """Forced trades of one kind in one candle."""

    from_ns: int
    kind: str
    count: int
    lots: int


class Chart:
    """The charts of one instrument, fed in the order of time."""

    def __init__(self, scale: Scale) -> None:
        self.candles: deque[Candle] = deque(maxlen=KEPT)
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.markers: deque[Marker] = deque(maxlen=KEPT)
        self._scale = scale
        self._newest: dict[str, Marker] = {}

    def trade(self, trade: Trade) -> None:
        """A trade in the book."""
        from_ns = self._candle_of(trade.time_ns)
        price = trade.price_ticks
        if not self.candles or self.candles[-1].from_ns != from_ns:
            self.candles.append(Candle(from_ns, price, price, price, price, 0))
        candle = self.candles[-1]
        candle.high, candle.low = max(candle.high, price), min(candle.low, price)
        candle.close = price
        candle.lots += trade.qty_lots
        if trade.liquidation:
            kind = FORCED_BUY if trade.taker_side == BUY else FORCED_SELL
            self.forced(trade.time_ns, kind, trade.qty_lots)

    def forced(self, time_ns: int, kind: str, lots: int) -> None:
        """A position was closed against its owner's will."""
        from_ns = self._candle_of(time_ns)
        marker = self._newest.get(kind)
        if marker is None or marker.from_ns != from_ns:
            marker = self._newest[kind] = Marker(from_ns, kind, 0, 0)
            self.markers.append(marker)
        marker.count += 1
        marker.lots += abs(lots)

    def mark(self, event: MarkUpdated) -> None:
        """New mark and index."""
        if self.samples and event.time_ns - self.samples[-1].time_ns < self._scale.sample_ns:
            return
        self.samples.append(
            Sample(
                event.time_ns,
                event.mark_ticks,
                event.index_ticks,
                event.last_ticks,
                event.open_interest_lots,
            )
        )

    def _candle_of(self, time_ns: int) -> int:
        return time_ns - time_ns % self._scale.candle_ns
