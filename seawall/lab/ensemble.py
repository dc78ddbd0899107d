"""An ensemble: the runs of a study, sent to workers until its targets are known exactly enough.

Every cell has the same seeds. After ``least`` of them, twice as many, and so on, the targets are
looked at; the study stops when the interval of each is narrow enough in every cell. Runs that are
there are not done again, so a study that was stopped goes on. One run in a hundred is done a second
time, and its state hash must be the same.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from engine.settings import unknown
from seawall.lab.design import Cell, cells_of
from seawall.lab.dispatch import answers
from seawall.lab.intervals import LabError
from seawall.lab.precision import unmet_targets
from seawall.lab.run_task import RunAnswer, RunTask, run_task
from seawall.lab.series_sampler import series_table
from seawall.lab.study_directory import StudyDirectory, StudyState
from seawall.lab.study_file import Study
from seawall.lab.workers import Workers
from seawall.scenario import Scenario
from seawall.version import __version__

CHECK_EVERY: Final[int] = 100
"""One run in so many is done twice."""

TASK_SECONDS: Final[float] = 2.0
"""How long a task should take: seeds of short runs are sent several at a time."""

MOST_SEEDS: Final[int] = 64


class Ensemble:
    """A study being run. ``progress`` writes a line to the terminal."""

    def __init__(
        self,
        study: Study,
        directory: StudyDirectory,
        workers: Workers,
        progress: bool = False,
    ) -> None:
        self._study = study
        self._directory = directory
        self._workers = workers
        self._cells = cells_of(study)
        directory.open(study, self._cells)
        self._scenarios = {cell.cell: self._scenario(cell) for cell in self._cells}
        self._state = directory.state()
        self._progress = _Progress(progress and sys.stderr.isatty())
        self._seconds = 0.0

    def _scenario(self, cell: Cell) -> Scenario:
        return self._directory.scenario(cell.overrides())

    def run(self) -> StudyState:
        """Run until the targets are met or the seeds are used up.

        Raises:
            LabError: a run failed, was lost too often, or came out differently the second time.
            KeyboardInterrupt: the process was interrupted; what is done is kept.
        """
        seeds = self._study.seeds
        for look in seeds.looks():
            wanted = range(seeds.first, seeds.first + look)
            self._do(wanted)
            if look not in self._state.looks:
                self._state.looks.append(look)
            unmet = unmet_targets(self._study, self._directory.rows())
            if self._study.targets and not unmet:
                self._state.stopped = "all targets are as exact as asked"
                break
        else:
            self._state.stopped = (
                "the seeds are used up; not exact enough: " + "; ".join(unmet)
                if self._study.targets
                else "the seeds are used up; the study has no targets"
            )
        self._directory.note(self._state)
        return self._state

    def _do(self, wanted: range) -> None:
        """Do the runs of all cells with these seeds that are missing, and those to be checked."""
        rows = self._directory.rows()
        _refuse_other_version(self._directory, rows)
        hashes = {
            (cell, seed): text
            for cell, seed, text in zip(
                rows["cell"], rows["seed"], rows.get_column("state_hash", default=[]), strict=True
            )
        }
        every = [(cell.cell, seed) for seed in wanted for cell in self._cells]
        missing = [run for run in every if run not in hashes]
        doubled = [
            run for run in every if self._is_checked(*run) and run not in self._state.checked
        ]
        self._progress.begin(len(missing) + len(doubled))
        self._send(missing, hashes, again=False)
        self._send(doubled, hashes, again=True)
        self._progress.end()

    def _is_checked(self, cell: int, seed: int) -> bool:
        first = (self._cells[0].cell, self._study.seeds.first)
        return (cell, seed) == first or (cell * 1_009 + seed * 7_919) % CHECK_EVERY == 0

    def _tasks(self, runs: list[tuple[int, int]], series: bool) -> Iterator[RunTask]:
        """The runs as tasks, several seeds of a cell at a time where runs are short."""
        waiting: dict[int, list[int]] = {}
        for cell, seed in runs:
            seeds = waiting.setdefault(cell, [])
            seeds.append(seed)
            if len(seeds) >= self._batch():
                yield RunTask(cell, self._scenarios[cell], waiting.pop(cell), series)
        for cell, seeds in waiting.items():
            yield RunTask(cell, self._scenarios[cell], seeds, series)

    def _batch(self) -> int:
        """Seeds in one task; one until it is known how long a run takes."""
        if not self._seconds:
            return 1
        return max(1, min(MOST_SEEDS, int(TASK_SECONDS / self._seconds)))

    def _send(
        self, runs: list[tuple[int, int]], hashes: dict[tuple[int, int], str], again: bool
    ) -> None:
        tasks = self._tasks(runs, self._study.series and not again)
        for answer in answers(self._workers, run_task, tasks, _name):
            self._take(answer, hashes, again)

    def _know_targets(self, row: dict[str, Any]) -> None:
        """End the study at its first run if a target is no figure, and not at its first look."""
        for figure in self._study.targets:
            if figure not in row or isinstance(row[figure], str):
                known = [name for name, value in row.items() if not isinstance(value, str)]
                raise LabError(f"target.{figure}: {unknown(figure, known)}")

    def _take(self, answer: RunAnswer, hashes: dict[tuple[int, int], str], again: bool) -> None:
        for row in answer.rows:
            self._know_targets(row)
            run = (answer.cell, int(row["seed"]))
            text = str(row["state_hash"])
            if again and hashes[run] != text:
                raise LabError(
                    f"cell {run[0]}, seed {run[1]}: two runs gave the state hashes {hashes[run]} "
                    f"and {text}; runs must not depend on where they are done"
                )
            hashes[run] = text
            if again:
                self._state.checked.append(run)
            self._seconds = 0.8 * (self._seconds or row["wall_seconds"]) + 0.2 * row["wall_seconds"]
        if again:
            self._directory.note(self._state)
        else:
            for seed, columns in answer.series.items():
                self._directory.add_series(answer.cell, seed, series_table(columns))
            self._directory.add_rows(answer.cell, answer.rows)
        self._progress.add(len(answer.rows))


def _name(task: RunTask) -> str:
    return f"cell {task.cell}, seed {', '.join(map(str, task.seeds))}"


def _refuse_other_version(directory: StudyDirectory, rows: Any) -> None:
    for version in rows.get_column("version", default=None) if rows.height else ():
        if version != __version__:
            raise LabError(
                f"{directory.path}: version {version} of Seawall made some of its runs; this is "
                f"{__version__}; choose another directory (--out)"
            )


class _Progress:
    """A line with a bar and the time to go."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._total = self._done = 0
        self._started = 0.0

    def begin(self, total: int) -> None:
        """So many runs are to be done."""
        self._total, self._done, self._started = total, 0, time.monotonic()
        self._show()

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        self._show()

    def _show(self) -> None:
        if not self._shown or not self._total:
            return
        share = self._done / self._total
        seconds = time.monotonic() - self._started
        line = f"\r[{'#' * int(share * 30):<30}] {self._done:,} of {self._total:,} runs"
        if self._done and seconds > 1:
            rate = self._done / seconds
            left = (self._total - self._done) / rate
            line += f", {60 * rate:,.0f} a minute, {left / 60:,.0f} min {left % 60:.0f} s to go"
        sys.stderr.write(line + "\033[K")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
