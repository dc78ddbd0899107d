"""A fit by simulated moments: settings are tried, each over several seeds and all windows, and what
comes near the real figures is looked around. What it leaves is the set of trials that pass, not a
point.

Optuna's tree-structured Parzen estimator proposes; its journal in the fit's directory lets it go on
where it was stopped. A trial starts with one seed of the quick windows, and is given up where its
score so far is worse than the median of others at that stage.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec

from seawall.lab.intervals import LabError
from seawall.lab.realism.fit_file import FitSettings, FreeSetting
from seawall.lab.realism.realism_runs import WindowRun, measured
from seawall.lab.realism.realism_table import Figures, Realism, realism
from seawall.lab.realism.row_file import Row, RowFile
from seawall.lab.realism.score import WORST, Score, score
from seawall.lab.realism.windows import CALM, CRASH, MILD, STEP, Windows, read_windows
from seawall.lab.workers import Workers

JOURNAL: Final[str] = "trials.log"
ROWS: Final[str] = "rows.jsonl"
STAGES: Final[tuple[tuple[str, ...], ...]] = ((STEP, MILD), (CALM,), (CRASH,))
"""The windows of the first seed in order, the quick ones before."""
_STARTUP: Final[int] = 8
"""Trials before one is given up, or proposed by what others came to."""


class Trial(msgspec.Struct, frozen=True):
    """A trial: its values and the overrides they make, in the order of the free settings, its score
    and coverage, how many seeds it had, and whether it was given up (with what it had by then).
    ``problem`` says why its runs failed."""

    number: int
    values: list[float]
    overrides: list[str]
    score: float
    coverage: float
    seeds: int
    given_up: bool
    problem: str = ""


def optuna() -> ModuleType:
    """Optuna, quiet.

    Raises:
        LabError: it is not installed.
    """
    try:
        import optuna as found
    except ImportError:
        raise LabError("a fit needs Optuna: pip install 'seawall[lab,fit]'") from None
    found.logging.set_verbosity(found.logging.ERROR)
    module: ModuleType = found
    return module


class Fit:
    """A fit in a directory, new or to be gone on with. ``real`` has the real figures by kind and
    name of the window.

    Raises:
        LabError: Optuna is not installed, or the directory is of a fit with other free settings.
    """

    def __init__(
        self,
        path: Path,
        settings: FitSettings,
        directory: Path,
        real: Mapping[tuple[str, str], Figures],
        seeds: Sequence[int],
    ) -> None:
        self._path = path
        self._settings = settings
        self._real = real
        self._seeds = list(seeds)
        self._optuna = optuna()
        self._rows = RowFile(directory / ROWS)
        self._study = self._opened(directory / JOURNAL)

    def _opened(self, journal: Path) -> Any:
        """The study, with trials that a killed process left behind ended."""
        o = self._optuna
        backend = o.storages.journal.JournalFileBackend(str(journal))
        storage = o.storages.JournalStorage(backend)
        study = o.create_study(
            storage=storage, study_name="fit", direction="minimize", load_if_exists=True
        )
        told = msgspec.json.decode(msgspec.json.encode([self._settings, self._seeds]))
        known = study.user_attrs.get("settings")
        # A mistake in the file ends a fit before its first trial; nothing is there to keep then.
        begun = any("found" in trial.user_attrs for trial in study.trials)
        if begun and known != told:
            raise LabError(f"{journal}: a fit with other settings or seeds; choose another --out")
        study.set_user_attr("settings", told)
        for trial in study.get_trials(states=(o.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=o.trial.TrialState.FAIL)
        # A sampler that goes on must not propose again what it proposed first.
        study.sampler = o.samplers.TPESampler(
            seed=len(study.trials), n_startup_trials=_STARTUP, multivariate=True
        )
        study.pruner = o.pruners.MedianPruner(n_startup_trials=_STARTUP)
        return study

    def try_next(self, workers: Workers) -> Trial:
        """Do another trial.

        Raises:
            ScenarioError: a scenario knows no such setting, or no such value of it.
        """
        trial = self._study.ask()
        values = {each.name: self._suggested(trial, each) for each in self._settings.free}
        overrides = self._settings.overrides(values)
        windows = read_windows(self._path, overrides)
        try:
            found = self._tried(trial, windows, workers)
        except LabError as error:  # a market that cannot be run is as bad as one can be
            found = Trial(
                trial.number, [*values.values()], overrides, WORST, 0.0, 0, False, str(error)
            )
        trial.set_user_attr("found", msgspec.to_builtins(found))
        state = self._optuna.trial.TrialState
        if found.given_up:
            self._study.tell(trial, state=state.PRUNED)
        else:
            self._study.tell(trial, found.score)
        return found

    def _suggested(self, trial: Any, setting: FreeSetting) -> float:
        if setting.whole:
            low, high = round(setting.low), round(setting.high)
            return float(trial.suggest_int(setting.name, low, high, log=setting.log))
        return float(trial.suggest_float(setting.name, setting.low, setting.high, log=setting.log))

    def _tried(self, trial: Any, windows: Windows, workers: Workers) -> Trial:
        rows: list[Row] = []
        stages = list(self._stages(windows))
        for stage, runs in enumerate(stages):
            for row in measured(runs, workers):
                rows.append(row)
                self._rows.add({"trial": trial.number, **row})
            # as if one worker had done them: sums of floats go by their order
            rows.sort(key=lambda row: (row["kind"], row["name"], row["seed"]))
            so_far = score(self._table(windows, rows))
            trial.report(so_far.value, stage)
            if stage < len(stages) - 1 and trial.should_prune():
                return self._trial(trial, so_far, rows, given_up=True)
        return self._trial(trial, so_far, rows, given_up=False)

    def _trial(self, trial: Any, found: Score, rows: list[Row], given_up: bool) -> Trial:
        values = {name: float(value) for name, value in trial.params.items()}
        return Trial(
            trial.number,
            [values[each.name] for each in self._settings.free],
            self._settings.overrides(values),
            found.value,
            found.coverage,
            len({row["seed"] for row in rows}),
            given_up,
        )

    def _stages(self, windows: Windows) -> Iterator[list[WindowRun]]:
        """Runs that are done before the score is looked at again."""
        first, *others = self._seeds
        for kinds in STAGES:
            stage = [WindowRun(each, first) for kind in kinds for each in windows.of(kind)]
            if stage:
                yield stage
        for seed in others:
            yield [WindowRun(each, seed) for each in windows.windows]

    def _table(self, windows: Windows, rows: list[Row]) -> Realism:
        return realism(windows, rows, self._real)

    def trials(self) -> list[Trial]:
        """All trials that came to an end, the best first; those given up after the others."""
        found = [
            msgspec.convert(each.user_attrs["found"], Trial)
            for each in self._study.get_trials()
            if "found" in each.user_attrs
        ]
        return sorted(found, key=lambda each: (each.given_up, each.score))

    def passing(self) -> list[Trial]:
        """Those that pass, the best first: the set that a fit leaves."""
        return [
            each
            for each in self.trials()
            if not each.given_up and each.coverage >= self._settings.passing
        ]

    def rows(self, trials: Sequence[Trial]) -> list[Row]:
        """What the runs of some trials came to."""
        numbers = [each.number for each in trials]
        return [row for row in self._rows.rows if row["trial"] in numbers]
