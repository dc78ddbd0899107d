"""One run: an exchange, its recorder and its simulation, from the set-up to the files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from engine.instruments import KIND_NAMES
from engine.record.journal import Checkpoint, Journal
from engine.record.snapshot import pack, unpack
from engine.units import from_grid
from risk.accounts import BACKSTOP, FUND
from seawall.exchange import Exchange
from seawall.index_csv import ROWS_OF, points_of
from seawall.interrupts import Interrupts
from seawall.price_files.price_table import read_price_file
from seawall.price_files.recognise import Reading
from seawall.price_sources import price_warnings
from seawall.records.account_table import account_table
from seawall.records.listed import ListedAsset, ListedInstrument, ScenarioBlock
from seawall.records.recorder import Recorder
from seawall.records.series import PERCENTILES
from seawall.records.stylised_facts import TAPE
from seawall.report import rebuild_report, save_series
from seawall.runs.run_directory import RunDirectory
from seawall.runs.run_origin import SCENARIO, file_hashes, origin_block
from seawall.scenario import Scenario, load_scenario
from seawall.simulating.simulation import Simulation
from seawall.simulating.simulation_result import SimulationResult
from seawall.version import __version__

CHECKPOINT_COMMANDS: Final[int] = 50_000
"""How often the journal notes the state hash, so that a broken replay says roughly where."""

AT_REST_NS: Final[int] = 2**63 - 1
"""Later than anything under way: what is still on a link when a run ends arrives."""

SOURCE: Final[str] = "source"
OVERRIDES: Final[str] = "overrides"
SAVE_EVERY: Final[str] = "save_every_ns"
FILES: Final[str] = "files"
"""Names in the journal's header."""


class ScenarioRun:
    """A scenario under way on an exchange, with what it leaves in its directory.

    It begins with ``simulation.open()`` or, where it was saved, with `restore`; then `to_the_end`
    and `finish`.
    """

    def __init__(
        self,
        scenario: Scenario,
        directory: RunDirectory,
        journal: Journal,
        interrupts: Interrupts,
        progress: bool = False,
    ) -> None:
        self._scenario = scenario
        self._directory = directory
        self._journal = journal
        self._interrupts = interrupts
        output = scenario.output
        self._exchange = Exchange(
            latency=scenario.latency,
            publish_depth=output.publish_depth,
            check_invariants_every=output.check_invariants_every,
        )
        folder = directory.waiting_events
        self._recorder = Recorder(self._exchange, journal, scenario, CHECKPOINT_COMMANDS, folder)
        self.simulation = Simulation(
            scenario,
            self._exchange,
            on_ready=lambda: self._recorder.house.begin(self._exchange),
            interrupts=interrupts,
            progress=progress,
        )

    def to_the_end(self, save_every_ns: int = 0, from_ns: int | None = None) -> str:
        """Run to the scenario's end from a time on, by default its beginning; returns the state
        hash. With ``save_every_ns`` everything is saved each time that much has passed.

        Raises:
            AssertionError: an invariant broke.
            KeyboardInterrupt: the process was interrupted.
        """
        plan = self._scenario.time
        if save_every_ns:
            begin_ns = plan.begin_ns if from_ns is None else from_ns
            for time_ns in range(begin_ns + save_every_ns, plan.end_ns, save_every_ns):
                self.simulation.advance(time_ns)
                self._save(time_ns)
        self.simulation.advance(plan.end_ns)
        self._exchange.run_until(AT_REST_NS)
        self._exchange.check_invariants()
        final_hash = self._exchange.state_hash()
        self._journal.checkpoint(self._exchange.time_ns, final_hash)
        return final_hash

    def _save(self, time_ns: int) -> None:
        """Make a checkpoint that `restore` can go on from."""
        parts = [self._exchange.snapshot(), self.simulation.snapshot(), self._recorder.snapshot()]
        self._journal.checkpoint(time_ns, self._exchange.state_hash(), pack(parts))
        self._directory.saved = True

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint that was saved.

        Raises:
            ValueError: its snapshot is damaged.
        """
        exchange, simulation, recorder = unpack(checkpoint.snapshot or b"")
        self._exchange.resume(exchange)
        if self._exchange.state_hash() != checkpoint.state_hash:
            raise ValueError(
                f"{self._journal.path}: the state saved after command {checkpoint.seq} is not the "
                "one its checkpoint notes"
            )
        self.simulation.restore(simulation)
        self._recorder.restore(recorder)

    def finish(self, final_hash: str) -> dict[str, Any]:
        """Write every file of the directory; returns the summary."""
        directory, scenario = self._directory, self._scenario
        result = self.simulation.result()
        summary = self._summary(result, final_hash)
        self._interrupts.check()
        events = self._recorder.events
        events.write(directory.events_path)
        accounts = account_table(self._exchange, self._recorder.results, result.owners)
        accounts.write_parquet(directory.accounts_path)
        _save_series(directory.partial, scenario, result)
        directory.write_summary(summary)
        rebuild_report(directory.partial, events.frame() if events.in_memory else None)
        self._interrupts.check()
        return summary

    def _summary(self, result: SimulationResult, final_hash: str) -> dict[str, Any]:
        exchange, recorder, scenario = self._exchange, self._recorder, self._scenario
        figures = recorder.collector.summary(
            state_hash=final_hash,
            commands=exchange.commands,
            accounts=result.accounts,
            fund=recorder.house.accounts(exchange, FUND),
            backstop=recorder.house.accounts(exchange, BACKSTOP),
            results=recorder.results.results(exchange, result.owners),
            residue_q=residues_q(exchange),
            wall_seconds=result.wall_seconds,
        )
        return {
            "seed": scenario.seed,
            "seawall_version": __version__,
            **figures,
            "entered": result.entered,
            "hedges": msgspec.to_builtins(result.hedges),
            "warm_up": result.warm_up,
            "warnings": [*scenario.warnings, *price_warnings(scenario), *result.warnings],
            "run": origin_block(scenario, scenario.seed),
            "scenario": _scenario_block(scenario),
        }


def journal_header(scenario: Scenario, save_every_ns: int = 0) -> dict[str, str]:
    """What a replay, and a run that goes on, need besides the commands, and what a reader wants to
    know."""
    latency = scenario.latency
    return {
        "seawall_version": __version__,
        "scenario": scenario.name,
        "seed": str(scenario.seed),
        SOURCE: scenario.source,
        OVERRIDES: msgspec.json.encode(scenario.overrides).decode(),
        SAVE_EVERY: str(save_every_ns),
        FILES: msgspec.json.encode(file_hashes(scenario.tables) if save_every_ns else {}).decode(),
        "publish_depth": str(int(scenario.output.publish_depth)),
        "latency": "" if latency is None else msgspec.json.encode(latency).decode(),
    }


def saved_scenario(directory: Path, header: Mapping[str, str]) -> Scenario:
    """The scenario of a run that was saved, as it was asked for.

    Raises:
        ValueError: another version saved it, or a file it reads is not what it was.
        ScenarioError: such a file is missing.
    """
    version = header["seawall_version"]
    if version != __version__:
        raise ValueError(
            f"{directory}: version {version} of Seawall saved this run, and only it can go on with "
            f"it; this is {__version__}"
        )
    scenario = load_scenario(directory / SCENARIO)
    hashes = file_hashes(scenario.tables)
    for file, before in msgspec.json.decode(header[FILES], type=dict[str, str]).items():
        if hashes.get(file) != before:
            raise ValueError(f"{file}: is not what it was when the run began")
    overrides = msgspec.json.decode(header[OVERRIDES], type=tuple[str, ...])
    return msgspec.structs.replace(scenario, source=header[SOURCE], overrides=overrides)


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
    table = read_price_file(reference.file, Reading(kind=ROWS_OF[reference.kind]))
    points = points_of(table, spec.tick_size)
    tick = float(spec.tick_size)
    frame = pl.DataFrame(
        {
            "time_ns": [time_ns for time_ns, _ in points],
            "price": [ticks * tick for _, ticks in points],
        }
    )
    if table.sides and table.amounts:
        columns = {"side": table.sides, "size": table.amounts}
        known = [pl.Series(name, column, dtype=TAPE[name]) for name, column in columns.items()]
        frame = frame.with_columns(known)
    return {spec.instrument_id: frame}
