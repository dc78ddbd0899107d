"""The series of a run in a study: a sample per second of every contract, and of the fund.

| column | meaning |
| --- | --- |
| ``second`` | seconds after the window's beginning |
| ``price`` | last price over the index at the first sample |
| ``basis`` | last price over the index, less one |
| ``open_interest`` | in contracts |
| ``fund`` | the insurance fund's wallet in the first contract's asset |

Those of the first contract have no suffix, those of others end in ``.SYMBOL``, as figures do.
"""

from typing import Any, Final

import polars as pl

from engine.events import FundChanged, MarkUpdated
from engine.instruments import InstrumentSpec
from engine.units import SECOND_NS
from seawall.exchange import Exchange
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation

SERIES_NS: Final[int] = SECOND_NS
"""How far apart the samples of a series are."""


class _Contract:
    """One contract's columns and what was heard of it last; ``None`` before anything was."""

    def __init__(self, spec: InstrumentSpec, suffix: str) -> None:
        self._lot = float(spec.lot_size)
        self._first_index_ticks = 0
        self._heard: MarkUpdated | None = None
        self.columns: dict[str, list[float | None]] = {
            f"{name}{suffix}": [] for name in ("price", "basis", "open_interest")
        }

    def hear(self, event: MarkUpdated) -> None:
        """Its mark was told anew."""
        if event.index_ticks and event.last_ticks:
            self._heard = event

    def sample(self) -> None:
        """Add what was heard last to the columns."""
        row: tuple[float | None, ...] = (None, None, None)
        event = self._heard
        if event is not None:
            self._first_index_ticks = self._first_index_ticks or event.index_ticks
            row = (
                event.last_ticks / self._first_index_ticks,
                event.last_ticks / event.index_ticks - 1,
                event.open_interest_lots * self._lot,
            )
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)


class SeriesSampler:
    """Samples while a run lasts, at the first contract's marks."""

    def __init__(self, scenario: Scenario) -> None:
        specs = list(scenario.instruments.values())
        first = specs[0]
        assets = {asset.asset_id: asset for asset in scenario.assets.values()}
        self._instrument_id = first.instrument_id
        self._asset_id = first.settle_asset_id
        self._unit_q: int = 10 ** assets[first.settle_asset_id].decimals
        self._start_ns = scenario.time.start_ns
        self._next_ns = self._start_ns
        self._fund_q = 0
        self._contracts = {
            spec.instrument_id: _Contract(spec, "" if spec is first else f".{spec.symbol}")
            for spec in specs
        }
        self._seconds: list[float | None] = []
        self._fund: list[float | None] = []

    def __call__(self, exchange: Exchange, simulation: Simulation) -> None:
        """Listen from the first command on."""
        exchange.subscribe(self._on_event)

    @property
    def columns(self) -> dict[str, list[float | None]]:
        """The samples so far, by column."""
        columns = {"second": self._seconds}
        for contract in self._contracts.values():
            columns |= contract.columns
        return columns | {"fund": self._fund}

    def _on_event(self, event: Any) -> None:
        kind = type(event)
        if kind is FundChanged and event.asset_id == self._asset_id:
            self._fund_q = event.wallet_q
        elif kind is MarkUpdated:
            self._contracts[event.instrument_id].hear(event)
            if self._is_due(event):
                self._sample(event.time_ns)

    def _is_due(self, event: MarkUpdated) -> bool:
        known = event.index_ticks and event.last_ticks
        ours = event.instrument_id == self._instrument_id
        return bool(ours and known and event.time_ns >= self._next_ns)

    def _sample(self, time_ns: int) -> None:
        second = (time_ns - self._start_ns) // SERIES_NS
        self._next_ns = self._start_ns + (second + 1) * SERIES_NS
        self._seconds.append(second)
        for contract in self._contracts.values():
            contract.sample()
        self._fund.append(self._fund_q / self._unit_q)


def series_table(columns: dict[str, list[float | None]]) -> pl.DataFrame:
    """The series of a run as a table."""
    return pl.DataFrame(
        {name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()}
    )
