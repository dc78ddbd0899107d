"""A task of a study: some seeds of one cell, run where a worker is. Everything it needs comes with
it but the files of prices that the scenario reads."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import polars as pl

from engine.events import FundChanged, MarkUpdated
from engine.units import SECOND_NS
from seawall.exchange import Exchange
from seawall.runs.light_run import light_run
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation
from seawall.version import __version__

SERIES_NS: Final[int] = SECOND_NS
"""How far apart the samples of a series are."""


class RunTask(msgspec.Struct):
    """Seeds of a cell; ``series`` asks for those of every run."""

    cell: int
    scenario: Scenario
    seeds: list[int]
    series: bool = False


class RunAnswer(msgspec.Struct):
    """A row per seed, and its series as columns."""

    cell: int
    rows: list[dict[str, Any]]
    series: dict[int, dict[str, list[float | None]]]


def run_task(task: RunTask) -> RunAnswer:
    """Do the runs of a task.

    Raises:
        Exception: what a run raised.
    """
    answer = RunAnswer(task.cell, [], {})
    for seed in task.seeds:
        sampler = SeriesSampler(task.scenario) if task.series else None
        run = light_run(task.scenario, seed=seed, before=sampler)
        answer.rows.append(
            {
                "seed": seed,
                "state_hash": run.state_hash,
                "version": __version__,
                "commands": run.commands,
                "wall_seconds": run.wall_seconds,
                "warnings": len(run.warnings),
                **run.figures,
            }
        )
        if sampler is not None:
            answer.series[seed] = sampler.columns
    return answer


class SeriesSampler:
    """Samples the first contract while a run lasts: seconds after the window's beginning, last
    price over the index then, basis, open interest in contracts and the fund's wallet."""

    def __init__(self, scenario: Scenario) -> None:
        spec = next(iter(scenario.instruments.values()))
        assets = {asset.asset_id: asset for asset in scenario.assets.values()}
        self._instrument_id = spec.instrument_id
        self._asset_id = spec.settle_asset_id
        self._unit_q: int = 10 ** assets[spec.settle_asset_id].decimals
        self._lot = float(spec.lot_size)
        self._start_ns = scenario.time.start_ns
        self._next_ns = self._start_ns
        self._fund_q = 0
        self._index = 0
        self.columns: dict[str, list[float | None]] = {
            name: [] for name in ("second", "price", "basis", "open_interest", "fund")
        }

    def __call__(self, exchange: Exchange, simulation: Simulation) -> None:
        """Listen from the first command on."""
        exchange.subscribe(self._on_event)

    def _on_event(self, event: Any) -> None:
        kind = type(event)
        if kind is FundChanged and event.asset_id == self._asset_id:
            self._fund_q = event.wallet_q
        elif kind is MarkUpdated and self._is_due(event):
            self._sample(event)

    def _is_due(self, event: MarkUpdated) -> bool:
        known = event.index_ticks and event.last_ticks
        ours = event.instrument_id == self._instrument_id
        return bool(ours and known and event.time_ns >= self._next_ns)

    def _sample(self, event: MarkUpdated) -> None:
        self._index = self._index or event.index_ticks
        second = (event.time_ns - self._start_ns) // SERIES_NS
        self._next_ns = self._start_ns + (second + 1) * SERIES_NS
        row: Sequence[float] = (
            second,
            event.last_ticks / self._index,
            event.last_ticks / event.index_ticks - 1,
            event.open_interest_lots * self._lot,
            self._fund_q / self._unit_q,
        )
        for column, value in zip(self.columns.values(), row, strict=True):
            column.append(value)


def series_table(columns: dict[str, list[float | None]]) -> pl.DataFrame:
    """The series of a run as a table."""
    return pl.DataFrame(
        {name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()}
    )
