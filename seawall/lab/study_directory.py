"""The directory of a study: written run by run, so that it can be stopped and gone on with.

| file | content |
| --- | --- |
| ``study.toml`` | the study as it was written |
| ``scenario.toml``, ``rulebook.toml`` | its scenario, with what is the same in all cells |
| ``cells.parquet`` | one row per cell: number, place in a Saltelli design, values |
| ``rows/cell=N/part-FIRST-LAST.parquet`` | one row per run: seed, state hash, version, figures |
| ``series/cell=N/seed=S.parquet`` | with ``series``: price, basis, open interest and fund |
| ``state.json`` | looks taken, runs done twice, why it stopped |

A file gets its name when it is complete.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from seawall.lab.design import Cell
from seawall.lab.intervals import LabError
from seawall.lab.study_file import Study
from seawall.runs.run_origin import SCENARIO, write_origin
from seawall.scenario import Scenario, load_scenario

STUDY: Final[str] = "study.toml"
CELLS: Final[str] = "cells.parquet"
ROWS: Final[str] = "rows"
SERIES: Final[str] = "series"
STATE: Final[str] = "state.json"
REPORT: Final[str] = "report.html"


class StudyState(msgspec.Struct):
    """How far a study is. ``checked`` runs were done twice, with the same state hash; ``stopped``
    is empty while it is not done."""

    looks: list[int] = []
    checked: list[tuple[int, int]] = []
    stopped: str = ""


class StudyDirectory:
    """A study's files.

    Raises:
        LabError: on opening, if the directory holds something else or another study.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def open(self, study: Study, cells: Sequence[Cell]) -> Scenario:
        """Make the directory of a study, or take it up again; returns its scenario.

        Raises:
            LabError: another study, or something else, is there.
            ScenarioError: the scenario is wrong.
        """
        noted = self.path / STUDY
        if noted.is_file():
            if noted.read_text(encoding="utf-8") != study.text:
                raise LabError(
                    f"{self.path}: holds another study, or this one as it was before a change; "
                    "choose another directory (--out)"
                )
        elif self.path.exists() and any(self.path.iterdir()):
            raise LabError(f"{self.path}: is not empty and holds no study; choose another (--out)")
        else:
            fixed = [f"{key}={value}" for key, value in study.fixed.items()]
            scenario = load_scenario(study.scenario_path(), fixed)
            self.path.mkdir(parents=True, exist_ok=True)
            write_origin(self.path, scenario, scenario.seed)
            self._write_cells(cells)
            noted.write_text(study.text, encoding="utf-8")
        return self.scenario(())

    def scenario(self, overrides: Sequence[str]) -> Scenario:
        """The study's scenario with a cell's values laid over it.

        Raises:
            ScenarioError: a value is wrong.
        """
        return load_scenario(self.path / SCENARIO, overrides)

    def _write_cells(self, cells: Sequence[Cell]) -> None:
        keys = list(cells[0].values)
        columns: dict[str, list[Any]] = {
            "cell": [cell.cell for cell in cells],
            "matrix": [cell.matrix for cell in cells],
            "row": [cell.row for cell in cells],
        }
        columns |= {key: [cell.values[key] for cell in cells] for key in keys}
        self.write_table(Path(CELLS), pl.DataFrame(columns))

    def write_table(self, name: Path, table: pl.DataFrame) -> None:
        """Write a table whole or not at all."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        table.write_parquet(partial)
        os.replace(partial, target)

    def add_rows(self, cell: int, rows: Sequence[dict[str, Any]]) -> None:
        """Keep the runs of a cell, in the order of their seeds."""
        ordered = sorted(rows, key=lambda row: int(row["seed"]))
        first, last = ordered[0]["seed"], ordered[-1]["seed"]
        name = Path(ROWS, f"cell={cell}", f"part-{first:07}-{last:07}.parquet")
        self.write_table(name, rows_table(ordered))

    def add_series(self, cell: int, seed: int, table: pl.DataFrame) -> None:
        """Keep the series of a run."""
        self.write_table(Path(SERIES, f"cell={cell}", f"seed={seed}.parquet"), table)

    def rows(self) -> pl.DataFrame:
        """All runs there are, with their cell, in the order of cells and seeds.

        Raises:
            LabError: a file is damaged.
        """
        parts = []
        for path in sorted(self.path.glob(f"{ROWS}/cell=*/part-*.parquet")):
            cell = int(path.parent.name.removeprefix("cell="))
            try:
                part = pl.read_parquet(path, hive_partitioning=False)
            except (OSError, pl.exceptions.PolarsError):
                raise LabError(
                    f"{path}: is damaged; remove it, and the study runs it again"
                ) from None
            parts.append(part.insert_column(0, pl.Series("cell", [cell] * part.height)))
        if not parts:
            return pl.DataFrame(schema={"cell": pl.Int64, "seed": pl.Int64})
        return (
            pl.concat(parts, how="diagonal_relaxed").unique(["cell", "seed"]).sort("cell", "seed")
        )

    def done(self) -> set[tuple[int, int]]:
        """Cell and seed of every run there is."""
        rows = self.rows()
        return set(zip(rows["cell"].to_list(), rows["seed"].to_list(), strict=True))

    def cells(self) -> pl.DataFrame:
        """The table of cells.

        Raises:
            LabError: this is no study's directory.
        """
        try:
            return pl.read_parquet(self.path / CELLS)
        except (OSError, pl.exceptions.PolarsError):
            raise LabError(f"{self.path}: holds no study") from None

    def state(self) -> StudyState:
        """How far it is."""
        try:
            return msgspec.json.decode((self.path / STATE).read_bytes(), type=StudyState)
        except (OSError, msgspec.MsgspecError):
            return StudyState()

    def note(self, state: StudyState) -> None:
        """Keep how far it is."""
        partial = self.path / f".{STATE}.{os.getpid()}"
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2))
        os.replace(partial, self.path / STATE)


def rows_table(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a table: counts stay whole, everything else that is a number is a float."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if all(isinstance(value, str) for value in values):
            kind: Any = pl.String
        elif all(isinstance(value, int) for value in values):
            kind = pl.Int64
        else:
            kind = pl.Float64
            values = [None if value is None else float(value) for value in values]
        columns[name] = pl.Series(name, values, dtype=kind)
    return pl.DataFrame(columns)
