"""What a study found: its runs as a table, intervals, and pairs of cells that differ in one key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
from polars import selectors as cs

from engine.settings import unknown
from seawall.lab.intervals import Interval, LabError, mean_interval
from seawall.lab.precision import interval_of, values_of
from seawall.lab.study_directory import STUDY, StudyDirectory, StudyState
from seawall.lab.study_file import MEAN, Study, read_study

_NUMBER: Final[tuple[str, ...]] = ("cell", "matrix", "row")


class Pairing:
    """Runs of the same seed, and of cells that are alike but for one key: one pair per seed. Where
    other keys vary too, a seed's runs are averaged first: they are no independent ones."""

    def __init__(self, rows: pl.DataFrame, key: str, one: str, other: str) -> None:
        self.key = key
        self.one = one
        self.other = other
        self._pairs = rows

    def __len__(self) -> int:
        return self._pairs.height

    def differences(self, figure: str) -> list[float]:
        """``other - one`` of every pair that has the figure in both runs.

        Raises:
            LabError: there is no such figure.
        """
        values_of(self._pairs, figure)
        both = self._pairs.select(figure, f"{figure}_other").drop_nulls()
        return [float(after) - float(before) for before, after in both.iter_rows()]

    def interval(self, figure: str) -> Interval:
        """The mean of ``other - one``, by the paired bootstrap.

        Raises:
            LabError: there is no such figure, or no pair that has it.
        """
        return mean_interval(self.differences(figure))

    def agreement(self, figure: str) -> float:
        """The share of pairs whose difference has the sign of the mean; pairs without a difference
        count half. 0.5 is no agreement at all.

        Raises:
            LabError: there is no such figure.
        """
        differences = self.differences(figure)
        if not differences:
            return 0.5
        sign = 1 if sum(differences) >= 0 else -1
        same = sum(each * sign > 0 for each in differences)
        none = sum(each == 0 for each in differences)
        return (same + none / 2) / len(differences)

    def variance_ratio(self, figure: str) -> float | None:
        """Variance of the paired differences over that of independent runs: what the common seeds
        gain, 1 for nothing. None where the figure does not vary.

        Raises:
            LabError: there is no such figure.
        """
        differences = self.differences(figure)
        both = self._pairs.select(figure, f"{figure}_other").drop_nulls()
        independent = variance(both[figure].to_list()) + variance(both[f"{figure}_other"].to_list())
        return variance(differences) / independent if independent else None


def variance(values: Sequence[float]) -> float:
    """Sample variance; 0 of fewer than two values."""
    count = len(values)
    if count < 2:
        return 0.0
    mean = sum(values) / count
    return sum((value - mean) ** 2 for value in values) / (count - 1)


class StudyResults:
    """A study's directory, read. `rows` has one row per run, with the values of its cell."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        directory = StudyDirectory(path)
        # Texts that look like numbers are in quotes, as overrides have them.
        unquoted = pl.col(pl.String).str.strip_chars('"')
        self.cells: pl.DataFrame = directory.cells().with_columns(unquoted)
        self.study: Study = read_study(self.path / STUDY)
        self.state: StudyState = directory.state()
        rows = directory.rows()
        self.rows: pl.DataFrame = self.cells.join(rows, on="cell", how="inner").sort("cell", "seed")

    @property
    def keys(self) -> list[str]:
        """What varies."""
        return [name for name in self.cells.columns if name not in _NUMBER]

    def key(self, name: str) -> str:
        """The whole name of a key, of which the end may be given.

        Raises:
            LabError: no key, or more than one, ends so.
        """
        found = [key for key in self.keys if key == name or key.endswith(f".{name}")]
        if len(found) != 1:
            raise LabError(f"key {name!r} {unknown(name, self.keys)}")
        return found[0]

    def chosen(self, values: Mapping[str, object]) -> pl.DataFrame:
        """The runs of the cells with these values by key.

        Raises:
            LabError: a key is unknown, or no cell has these values.
        """
        rows = self.rows
        for name, value in values.items():
            key = self.key(name)
            rows = rows.filter(pl.col(key) == str(value))
            if not rows.height:
                there = ", ".join(self.cells[key].unique(maintain_order=True).to_list())
                raise LabError(f"{key}: no cell has {value!r}; there are {there}")
        return rows

    def interval(
        self, figure: str, statistic: str = "mean", above: float = 0.0, **values: object
    ) -> Interval:
        """A figure's statistic over the runs of the cell with these values; a mean may be one over
        several cells, of which each seed's runs are averaged first.

        Raises:
            LabError: there is no such figure, statistic, key or value, no run has it, or it is no
                mean and there are several cells: runs of one seed are not independent.
        """
        rows = self.chosen(values)
        if rows["cell"].n_unique() > 1:
            if statistic != MEAN:
                given = [self.key(name) for name in values]
                left = ", ".join(key for key in self.keys if key not in given)
                raise LabError(
                    f"{statistic} of several cells: their runs share seeds and are not "
                    f"independent; say which {left}"
                )
            values_of(rows, figure)
            rows = rows.group_by("seed").agg(pl.col(figure).mean()).sort("seed")
        return interval_of(values_of(rows, figure), statistic, above)

    def paired(self, key: str, one: object, other: object) -> Pairing:
        """Pairs of runs that differ in this key alone, ``one`` and ``other`` its values.

        Raises:
            LabError: no such key, or no cell has the value.
        """
        whole = self.key(key)
        others = [name for name in self.keys if name != whole]
        figures = [name for name in self.rows.columns if name not in (*self.keys, *_NUMBER)]
        first = self.chosen({whole: one}).select(*others, *figures)
        second = self.chosen({whole: other}).select(*others, *figures)
        pairs = first.join(second, on=[*others, "seed"], how="inner", suffix="_other")
        by_seed = pairs.group_by("seed").agg(cs.numeric().exclude("seed").mean()).sort("seed")
        return Pairing(by_seed, whole, str(one), str(other))

    def label(self, cell: int, without: str = "") -> str:
        """A cell in words, by the last parts of its keys, without one of them."""
        row = self.cells.row(by_predicate=pl.col("cell") == cell, named=True)
        keys = [key for key in self.keys if key != without]
        words = [f"{key.rsplit('.', 1)[-1]} {row[key]}" for key in keys]
        return ", ".join(words) or ("" if without else "the scenario")


class CellFigures(msgspec.Struct, frozen=True):
    """A cell's interval of one figure."""

    cell: int
    label: str
    interval: Interval


def by_cell(
    results: StudyResults, figure: str, statistic: str, above: float = 0.0
) -> list[CellFigures]:
    """The interval of every cell that has the figure.

    Raises:
        LabError: there is no such figure or statistic.
    """
    found = []
    for (cell,), rows in results.rows.group_by("cell", maintain_order=True):
        values = values_of(rows, figure)
        if values:
            number = int(str(cell))
            interval = interval_of(values, statistic, above)
            found.append(CellFigures(number, results.label(number), interval))
    return found


def load(path: str | Path) -> StudyResults:
    """Read the directory of a study, finished or not.

    Raises:
        LabError: it holds no study, or a file is damaged.
    """
    return StudyResults(path)
