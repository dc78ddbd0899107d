"""Workers that die, and a cluster: the rows are those of one process."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy", reason="the extra lab is not installed")

from seawall.lab.dispatch import answers
from seawall.lab.ensemble import Ensemble
from seawall.lab.intervals import LabError
from seawall.lab.study_directory import StudyDirectory
from seawall.lab.study_file import read_study
from seawall.lab.workers import ClusterWorkers, LocalWorkers
from tests.lab.studies import ROOT, run, written
from tests.lab.test_study import figures


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    run(written(folder), folder / "out")
    return folder / "out"


class Kills(StudyDirectory):
    """Kills a process when the first rows have come."""

    victim: Any = None
    killed = 0

    def add_rows(self, cell: int, rows: Sequence[dict[str, Any]]) -> None:
        super().add_rows(cell, rows)
        if not self.killed:
            self.killed = self.victim()
            os.kill(self.killed, signal.SIGKILL)


def child() -> int:
    """A process of the pool."""
    pid = multiprocessing.active_children()[0].pid
    assert pid is not None
    return pid


def test_a_killed_worker_is_a_retried_seed(tmp_path: Path, alone: Path) -> None:
    workers = LocalWorkers(2)
    directory = Kills(tmp_path / "out")
    directory.victim = child
    try:
        Ensemble(read_study(written(tmp_path)), directory, workers).run()
    finally:
        workers.close()
    assert directory.killed
    assert figures(tmp_path / "out").equals(figures(alone))


def test_a_worker_that_dies_between_two_answers_loses_no_task() -> None:
    workers = LocalWorkers(1)
    found = []
    try:
        for answer in answers(workers, abs, range(8), str):
            if not found:
                os.kill(child(), signal.SIGKILL)
                time.sleep(0.5)  # the pool knows by now, and takes nothing more
            found.append(answer)
    finally:
        workers.close()
    assert sorted(found) == list(range(8))


def test_a_task_that_kills_its_workers_is_named() -> None:
    workers = LocalWorkers(1)
    try:
        with pytest.raises(LabError, match=r"task 9: its worker died 4 times; is there enough"):
            list(answers(workers, os._exit, [9], lambda task: f"task {task}"))
    finally:
        workers.close()


def test_an_interrupted_command_goes_on_with_the_same_rows(tmp_path: Path, alone: Path) -> None:
    """Ctrl-C once the first rows are there: the exit status of an interruption, and one line."""
    study, out = written(tmp_path), tmp_path / "out"
    command = [sys.executable, "-m", "seawall.cli", "lab", "run", str(study), "--out", str(out)]
    started = subprocess.Popen(
        [*command, "--workers", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not list(out.glob("rows/*/part-*.parquet")):
        assert started.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "runs are kept" in told
    assert len(told.splitlines()) == 1
    run(study, out)
    assert figures(out).equals(figures(alone))


class Cluster:
    """A scheduler and two workers of one thread each, on this machine."""

    def __init__(self, folder: Path) -> None:
        self._env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",
        }
        self.file = folder / "scheduler.json"
        self._folder = folder
        local = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.processes = [
            self._start("distributed.cli.dask_scheduler", *local, "--scheduler-file", self.file)
        ]
        self._until(self.file.exists)
        worker = ["--scheduler-file", self.file, "--nworkers", "1", "--nthreads", "1"]
        more = ["--host", "127.0.0.1", "--no-dashboard", "--no-nanny", "--death-timeout", "30"]
        self.processes += [
            self._start("distributed.cli.dask_worker", *worker, *more, "--name", name)
            for name in ("one", "two")
        ]

    def _start(self, module: str, *arguments: object) -> "subprocess.Popen[bytes]":
        with (self._folder / f"{module}-{len(arguments)}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                cwd=self._folder,
                env=self._env,
                stdout=log,
                stderr=log,
            )

    @staticmethod
    def _until(true: Any, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "the cluster does not start"
            time.sleep(0.05)

    @property
    def address(self) -> str:
        address: str = json.loads(self.file.read_text())["address"]
        return address

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    started = Cluster(tmp_path)
    yield started
    started.close()


def test_a_cluster_gives_the_same_rows_although_a_worker_dies(
    tmp_path: Path, alone: Path, cluster: Cluster
) -> None:
    workers = ClusterWorkers(cluster.address)
    workers._client.wait_for_workers(2, timeout=60)
    directory = Kills(tmp_path / "out")
    directory.victim = lambda: cluster.processes[1].pid
    try:
        Ensemble(read_study(written(tmp_path)), directory, workers).run()
    finally:
        workers.close()
    assert cluster.processes[1].wait(timeout=30) == -signal.SIGKILL
    assert figures(tmp_path / "out").equals(figures(alone))


def test_no_cluster_is_told_in_one_line() -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    with pytest.raises(LabError, match="no scheduler with workers"):
        ClusterWorkers("tcp://127.0.0.1:9", timeout_s=1)


def test_a_process_does_task_after_task() -> None:
    """Python up to 3.13 hangs where a pool is to replace processes after so many tasks."""
    workers = LocalWorkers(1)
    try:
        found = [workers.executor.submit(os.getpid) for _ in range(500)]
        assert len({each.result(timeout=60) for each in found}) == 1
    finally:
        workers.close()
