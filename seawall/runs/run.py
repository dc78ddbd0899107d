"""A run of a scenario from its file to its run directory, at once or with a stop between."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.record.journal import Journal, JournalReader
from engine.units import from_grid
from seawall.interrupts import held_interrupts
from seawall.runs.run_directory import RunDirectory, load_run
from seawall.runs.run_origin import write_origin
from seawall.runs.scenario_run import SAVE_EVERY, ScenarioRun, journal_header, saved_scenario
from seawall.runs.unfinished import UnfinishedRun
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.time_plan import TimePlan

COLLECT_OBJECTS: Final[int] = 2_000_000
"""New objects between two looks for unreachable cycles. A run keeps most of what it makes and makes
hardly any cycles; the interpreter's own setting (700) costs a tenth of the run."""

_NS: Final[Decimal] = Decimal("1e-9")


def run_scenario(
    scenario: Scenario | str | Path,
    out: str | Path,
    *,
    seed: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
    save_every_ns: int = 0,
) -> dict[str, Any]:
    """Run a scenario and leave a complete run directory at ``out``; returns the summary.

    A name or path is loaded first. Nothing is left behind when the run fails; but with
    ``save_every_ns`` everything is saved each time that much of the scenario's time has passed, and
    a run that stopped after that stays as ``out.unfinished`` for `continue_run`.

    Raises:
        ScenarioError: an input file turns out to be wrong, or nothing would be saved.
        RunDirectoryError: ``out`` cannot be written, or holds a run and ``overwrite`` is off.
        AssertionError: an invariant broke.
        KeyboardInterrupt: the process was interrupted, or asked to terminate.
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    if seed is not None:
        scenario = msgspec.structs.replace(scenario, seed=seed)
    place: RunDirectory = RunDirectory(out, overwrite)
    if save_every_ns:
        _require_saves(scenario.time, save_every_ns)
        place = UnfinishedRun(out, overwrite)
    with rare_collections(), held_interrupts() as interrupts, place as directory:
        write_origin(directory.partial, scenario, scenario.seed)
        header = journal_header(scenario, save_every_ns)
        with Journal.create(directory.journal_path, header) as journal:
            run = ScenarioRun(scenario, directory, journal, interrupts, progress)
            run.simulation.open()
            final_hash = run.to_the_end(save_every_ns)
        return run.finish(final_hash)


def continue_run(
    out: str | Path, *, overwrite: bool = False, progress: bool = False
) -> dict[str, Any]:
    """Go on with the run that was left at ``out.unfinished`` from where it was saved last; returns
    the summary. What it ends with is what it would have ended with.

    Raises:
        RunDirectoryError: no run was left there, or as for `run_scenario`.
        JournalError: its journal is damaged, or holds no saved state.
        ValueError: another version saved it, or the state is not the one that was saved.
        AssertionError: an invariant broke.
        KeyboardInterrupt: the process was interrupted, or asked to terminate.
    """
    place = UnfinishedRun(out, overwrite, go_on=True)
    with rare_collections(), held_interrupts() as interrupts, place as directory:
        if directory.complete:  # it stopped while the directory was given its name
            return load_run(directory.partial).summary
        with JournalReader(directory.journal_path) as reader:
            header, checkpoint = reader.header(), reader.last_snapshot()
        scenario = saved_scenario(directory.partial, header)
        with Journal.reopen(directory.journal_path) as journal:
            run = ScenarioRun(scenario, directory, journal, interrupts, progress)
            run.restore(checkpoint)
            final_hash = run.to_the_end(int(header[SAVE_EVERY]), checkpoint.time_ns)
        return run.finish(final_hash)


def _require_saves(time: TimePlan, save_every_ns: int) -> None:
    """Refuse what would save nothing, or at moments when nothing happens.

    Raises:
        ScenarioError: it would.
    """
    length_ns = time.end_ns - time.begin_ns
    if not time.tick_ns <= save_every_ns < length_ns:
        asked, least, most = (from_grid(ns, _NS) for ns in (save_every_ns, time.tick_ns, length_ns))
        raise ScenarioError(
            f"the run cannot be saved every {asked} s: allowed is at least a tick of the clock, "
            f"{least} s, and less than the whole run, {most} s"
        )


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for unreachable cycles less often, see `COLLECT_OBJECTS`."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_OBJECTS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
