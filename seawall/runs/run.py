"""One run from scenario to run directory: journal, events, series, summary and report."""

import gc
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from engine.instruments import KIND_NAMES
from engine.record.journal import Journal
from engine.units import from_grid
from risk.accounts import BACKSTOP, FUND
from seawall.exchange import Exchange
from seawall.index_csv import read_prices
from seawall.interrupts import held_interrupts
from seawall.records.account_table import account_table
from seawall.records.listed import ListedAsset, ListedInstrument, ScenarioBlock
from seawall.records.recorder import Recorder
from seawall.records.series import PERCENTILES
from seawall.report import rebuild_report, save_series
from seawall.runs.run_directory import RunDirectory
from seawall.runs.run_origin import origin_block, write_origin
from seawall.scenario import Scenario, load_scenario
from seawall.simulating.simulation import Simulation
from seawall.simulating.simulation_result import SimulationResult
from seawall.version import __version__

CHECKPOINT_COMMANDS: Final[int] = 50_000
"""How often the journal notes the state hash, so that a broken replay says roughly where."""

AT_REST_NS: Final[int] = 2**63 - 1
"""Later than anything under way: what is still on a link when a run ends arrives."""

COLLECT_OBJECTS: Final[int] = 2_000_000
"""New objects between two looks for unreachable cycles. A run keeps most of what it makes and makes
hardly any cycles; the interpreter's own setting (700) costs a tenth of the run."""


def run_scenario(
    scenario: Scenario | str | Path,
    out: str | Path,
    *,
    seed: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Run a scenario and leave a complete run directory at ``out``; returns the summary.

    A name or path is loaded first. Nothing is left behind when the run fails.

    Raises:
        ScenarioError: an input file turns out to be wrong.
        RunDirectoryError: ``out`` cannot be written, or holds a run and ``overwrite`` is off.
        AssertionError: an invariant broke.
        KeyboardInterrupt: the process was interrupted, or asked to terminate.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    used_seed = scenario.seed if seed is None else seed
    with (
        rare_collections(),
        held_interrupts() as interrupts,
        RunDirectory(out, overwrite=overwrite) as directory,
    ):
        exchange = Exchange(
            latency=scenario.latency,
            publish_depth=scenario.output.publish_depth,
            check_invariants_every=scenario.output.check_invariants_every,
        )
        header = journal_header(scenario, used_seed)
        with Journal.create(directory.journal_path, header) as journal:
            folder = directory.waiting_events
            recorder = Recorder(exchange, journal, scenario, CHECKPOINT_COMMANDS, folder)
            simulation = Simulation(
                scenario,
                exchange,
                seed=seed,
                on_ready=lambda: recorder.house.begin(exchange),
                interrupts=interrupts,
                progress=progress,
            )
            result = simulation.run()
            exchange.run_until(AT_REST_NS)
            exchange.check_invariants()
            final_hash = exchange.state_hash()
            journal.checkpoint(exchange.time_ns, final_hash)
        summary = recorder.collector.summary(
            state_hash=final_hash,
            commands=exchange.commands,
            accounts=result.accounts,
            fund=recorder.house.accounts(exchange, FUND),
            backstop=recorder.house.accounts(exchange, BACKSTOP),
            results=recorder.results.results(exchange, result.owners),
            residue_q=residues_q(exchange),
            wall_seconds=result.wall_seconds,
        )
        summary = {"seed": used_seed, "seawall_version": __version__, **summary}
        summary["entered"] = result.entered
        summary["warnings"] = result.warnings
        summary["run"] = origin_block(scenario, used_seed)
        summary["scenario"] = _scenario_block(scenario)
        interrupts.check()
        recorder.events.write(directory.events_path)
        shutil.rmtree(folder)
        accounts = account_table(exchange, recorder.results, result.owners)
        accounts.write_parquet(directory.accounts_path)
        _save_series(directory.partial, scenario, result)
        write_origin(directory.partial, scenario, used_seed)
        directory.write_summary(summary)
        events = recorder.events.frame() if recorder.events.in_memory else None
        rebuild_report(directory.partial, events)
        interrupts.check()
    return summary


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for unreachable cycles less often, see `COLLECT_OBJECTS`."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_OBJECTS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def journal_header(scenario: Scenario, seed: int) -> dict[str, str]:
    """What a replay needs besides the commands, and what a reader wants to know."""
    latency = scenario.latency
    return {
        "seawall_version": __version__,
        "scenario": scenario.name,
        "seed": str(seed),
        "publish_depth": str(int(scenario.output.publish_depth)),
        "latency": "" if latency is None else msgspec.json.encode(latency).decode(),
    }


def residues_q(exchange: Exchange) -> dict[int, int]:
    """Conservation residue per asset id; every value must be 0."""
    core = exchange.risk.core
    return {asset_id: core.ledger.residue_q(asset_id) for asset_id in core.assets}


def _scenario_block(scenario: Scenario) -> dict[str, Any]:
    assets = {asset.asset_id: asset for asset in scenario.assets.values()}
    instruments = []
    for spec in scenario.instruments.values():
        asset = assets[spec.settle_asset_id]
        # unit_q = lot x multiplier / tick (inverse), tick x lot x multiplier (linear), in quanta.
        per_contract = spec.unit_q * asset.quantum
        if KIND_NAMES[spec.kind] == "inverse":
            per_contract = per_contract * spec.tick_size / spec.lot_size
        else:
            per_contract = per_contract / spec.tick_size / spec.lot_size
        instruments.append(
            ListedInstrument(
                instrument_id=spec.instrument_id,
                symbol=spec.symbol,
                kind=KIND_NAMES[spec.kind],
                tick_size=spec.tick,
                lot_size=spec.lot,
                settle_asset_id=asset.asset_id,
                settle_asset=asset.symbol,
                settle_decimals=asset.decimals,
                multiplier=from_grid(1, per_contract.normalize()),
            )
        )
    listed = [
        ListedAsset(asset_id=asset.asset_id, symbol=asset.symbol, decimals=asset.decimals)
        for asset in assets.values()
    ]
    block = ScenarioBlock(
        title=scenario.title,
        description=scenario.description,
        notes=list(scenario.notes),
        begin_ns=scenario.time.begin_ns,
        start_ns=scenario.time.start_ns,
        end_ns=scenario.time.end_ns,
        assets=listed,
        instruments=instruments,
    )
    described: dict[str, Any] = msgspec.to_builtins(block)
    return described


def _save_series(directory: Path, scenario: Scenario, result: SimulationResult) -> None:
    series = {
        instrument_id: pl.DataFrame(columns) for instrument_id, columns in result.series.items()
    }
    save_series(directory, series, ratio_frame(result.margin_ratio), _real_trades(scenario))


def ratio_frame(samples: Mapping[str, list[float]]) -> pl.DataFrame:
    """The margin-ratio percentiles as a frame; empty (with its columns) without samples."""
    if not samples or not samples["time_ns"]:
        columns = [f"p{percent:02d}" for percent in PERCENTILES]
        schema = {"time_ns": pl.Int64, **dict.fromkeys(columns, pl.Float64)}
        return pl.DataFrame(schema=schema)
    return pl.DataFrame(samples)


def _real_trades(scenario: Scenario) -> dict[int, pl.DataFrame]:
    reference = scenario.reference
    if reference is None:
        return {}
    spec = scenario.instruments[reference.instrument]
    points = read_prices(reference.file, reference.kind, spec.tick_size)
    tick = float(spec.tick_size)
    frame = pl.DataFrame(
        {
            "time_ns": [time_ns for time_ns, _ in points],
            "price": [ticks * tick for _, ticks in points],
        }
    )
    return {spec.instrument_id: frame}
