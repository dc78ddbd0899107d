"""A run as a market day: a listener to its events."""

from array import array
from typing import Any, Final

import polars as pl

from engine.commands import BUY
from engine.events import Deleveraged, MarkUpdated, TakenOver, Trade
from seawall.exchange import Exchange
from seawall.lab.realism.market_day import INDEX, MarketDay
from seawall.records.stylised_facts import TAPE
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation

_BOUGHT: Final[int] = 1


class DayCollector:
    """Hears a run from its first command on, of the first contract; `day` when it has ended."""

    def __init__(self, scenario: Scenario) -> None:
        spec = next(iter(scenario.instruments.values()))
        self._instrument_id = spec.instrument_id
        self._tick, self._lot = float(spec.tick_size), float(spec.lot_size)
        self._time = scenario.time
        self._times_ns, self._sides = array("q"), array("b")
        self._prices, self._sizes = array("q"), array("q")
        self._index_ns, self._index = array("q"), array("q")
        self._transfers_ns = array("q")

    def __call__(self, exchange: Exchange, simulation: Simulation) -> None:
        """Listen; what a light run calls before its first command."""
        exchange.subscribe(self._on_event)

    def _on_event(self, event: Any) -> None:
        kind = type(event)
        if kind is Trade and event.instrument_id == self._instrument_id:
            self._times_ns.append(event.time_ns)
            self._prices.append(event.price_ticks)
            self._sides.append(_BOUGHT if event.taker_side == BUY else -_BOUGHT)
            self._sizes.append(event.qty_lots)
        elif kind is MarkUpdated and event.instrument_id == self._instrument_id:
            if event.index_ticks:
                self._index_ns.append(event.time_ns)
                self._index.append(event.index_ticks)
        elif kind in (TakenOver, Deleveraged) and event.instrument_id == self._instrument_id:
            self._transfers_ns.append(event.time_ns)

    def day(self) -> MarketDay:
        """What was heard."""
        trades = pl.DataFrame(
            {
                "time_ns": self._times_ns,
                "price": [ticks * self._tick for ticks in self._prices],
                "side": self._sides,
                "size": [lots * self._lot for lots in self._sizes],
            },
            schema=TAPE,
        )
        index = pl.DataFrame(
            {"time_ns": self._index_ns, "price": [ticks * self._tick for ticks in self._index]},
            schema=INDEX,
        )
        return MarketDay(
            self._time.start_ns, self._time.end_ns, trades, index, self._transfers_ns.tolist()
        )
