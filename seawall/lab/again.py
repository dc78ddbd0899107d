"""One run of a study in full: its directory with journal, tables and report, and the same hash."""

from pathlib import Path

import polars as pl

from seawall.lab.design import Cell
from seawall.lab.intervals import LabError
from seawall.lab.study_directory import StudyDirectory
from seawall.lab.study_results import StudyResults
from seawall.runs.run import run_scenario
from seawall.scenario import Scenario


def again_path(directory: str | Path, cell: int, seed: int) -> Path:
    """Where the whole run of a cell and seed is kept."""
    return Path(directory) / "again" / f"cell-{cell}-seed-{seed}"


def cell_scenario(results: StudyResults, cell: int, seed: int) -> Scenario:
    """The scenario of one run of a study.

    Raises:
        LabError: the study has no such cell.
        ScenarioError: its scenario cannot be read any more.
    """
    row = results.cells.filter(pl.col("cell") == cell)
    if not row.height:
        raise LabError(f"--cell {cell}: the study has cells 1 to {results.cells.height}")
    directory = StudyDirectory(results.path)
    as_written = directory.cells().filter(pl.col("cell") == cell)
    values = {key: as_written[key][0] for key in results.keys}
    overrides = [*Cell(cell, values).overrides(), f"seed={seed}"]
    return directory.scenario(overrides)


def run_again(
    directory: str | Path,
    cell: int,
    seed: int,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> tuple[Path, str, bool]:
    """Run one cell and seed of a study and keep everything; returns the run directory, its state
    hash, and whether the study had noted it. A seed it has not run is run all the same.

    Raises:
        LabError: no such study or cell, or the state hash is not the one the study noted.
        RunDirectoryError: the run directory cannot be written.
    """
    results = StudyResults(directory)
    scenario = cell_scenario(results, cell, seed)
    path = Path(out) if out is not None else again_path(directory, cell, seed)
    summary = run_scenario(scenario, path, overwrite=overwrite, progress=progress)
    found = str(summary["state_hash"])
    noted = results.rows.filter((pl.col("cell") == cell) & (pl.col("seed") == seed))
    if noted.height and noted["state_hash"][0] != found:
        raise LabError(
            f"cell {cell}, seed {seed}: the study noted the state hash {noted['state_hash'][0]}, "
            f"this run gives {found}; is another version of Seawall running, or a price file other?"
        )
    return path, found, bool(noted.height)
