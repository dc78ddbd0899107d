"""The model behind the page: that of the terminal's watch, with charts and losses beside it."""

from collections import deque

import msgspec

from dashboard.chart import ADL, KEPT, TAKEOVER, Chart, Scale
from dashboard.losses import Losses
from engine.events import Deleveraged, Event, MarkUpdated, TakenOver, Trade
from seawall.terminal.watch_model import WatchModel


class Stress(msgspec.Struct, frozen=True):
    """Open calls, liquidations under way, and the insurance fund by asset, at one time."""

    time_ns: int
    calls: int
    liquidations: int
    funds_q: dict[int, int]


class Board(WatchModel):
    """A `WatchModel` that remembers how prices, calls, liquidations and the fund moved."""

    def __init__(self, scale: Scale | None = None) -> None:
        super().__init__()
        self.losses = Losses()
        self.stress: deque[Stress] = deque(maxlen=KEPT)
        self.scale = Scale() if scale is None else scale
        self._charts: dict[int, Chart] = {}

    def chart(self, instrument_id: int) -> Chart:
        """The charts of an instrument."""
        if instrument_id not in self._charts:
            self._charts[instrument_id] = Chart(self.scale)
        return self._charts[instrument_id]

    def apply(self, event: Event) -> None:
        """Take in an event or an answer."""
        super().apply(event)
        self.losses.apply(event)
        match event:
            case Trade():
                self.chart(event.instrument_id).trade(event)
            case MarkUpdated():
                self.chart(event.instrument_id).mark(event)
                self._sample()
            case TakenOver():
                chart = self.chart(event.instrument_id)
                chart.forced(event.time_ns, TAKEOVER, event.qty_lots)
            case Deleveraged():
                self.chart(event.instrument_id).forced(event.time_ns, ADL, event.qty_lots)

    def _sample(self) -> None:
        if self.stress and self.time_ns - self.stress[-1].time_ns < self.scale.sample_ns:
            return
        losses = self.losses
        self.stress.append(
            Stress(self.time_ns, len(losses.calls), len(losses.running), dict(self.funds_q))
        )
