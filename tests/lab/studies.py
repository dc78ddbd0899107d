"""A small study for tests, and workers in threads of the process."""

from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from seawall.lab.ensemble import Ensemble
from seawall.lab.study_directory import StudyDirectory, StudyState
from seawall.lab.study_file import read_study
from seawall.lab.workers import Workers

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "examples" / "small_crash.toml"

STUDY = f"""\
scenario = "{SCENARIO}"
title = "Two funds"
series = true
seeds = {{ first = 1, least = 2, most = 4 }}
[set]
"population.retail.accounts" = 20
"population.funds.accounts" = 4
"population.hedgers.accounts" = 8
"time.duration" = "90s"
[vary]
"house.fund" = [0, 2_000]
"""


class ThreadWorkers:
    """Runs in this process, one after the other."""

    def __init__(self) -> None:
        self.count = 1
        self._pool = ThreadPoolExecutor(1)

    @property
    def executor(self) -> Executor:
        return self._pool

    def lost(self, error: BaseException) -> bool:
        return False

    def renew(self) -> None:
        raise AssertionError("threads do not die")

    def close(self) -> None:
        self._pool.shutdown()


def written(folder: Path, text: str = STUDY, name: str = "study.toml") -> Path:
    """The file of a study."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def run(study: Path, out: Path, workers: Workers | None = None) -> StudyState:
    """Run a study to its end."""
    given = workers or ThreadWorkers()
    try:
        return Ensemble(read_study(study), StudyDirectory(out), given).run()
    finally:
        given.close()
