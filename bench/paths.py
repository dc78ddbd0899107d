"""Paths per minute: light runs of whole scenarios on every core, on processes and through Dask.

    python -m bench.paths [--paths N] [--scenario FILE ...]

Workers are started and have run once before the clock starts. A path is one seed of one scenario,
sent as a study sends it; the state hashes of both ways must be the same.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from engine.units import COMPILED
from seawall.lab.run_task import RunAnswer, RunTask, run_task
from seawall.lab.workers import ClusterWorkers, LocalWorkers, Workers
from seawall.scenario import load_scenario

SCENARIOS: Final[tuple[str, ...]] = ("small_crash", "flash_crash", "examples/oct10_avax.toml")
PATHS: Final[int] = 24


def measure(workers: Workers, scenario: Any, paths: int) -> tuple[float, float, list[str]]:
    """Paths per minute, seconds of one run by its own clock, and the hashes by seed."""
    warm = [
        workers.executor.submit(run_task, RunTask(0, scenario, [0])) for _ in range(workers.count)
    ]
    for each in warm:
        each.result()
    started = time.perf_counter()
    sent = [
        workers.executor.submit(run_task, RunTask(0, scenario, [seed]))
        for seed in range(1, paths + 1)
    ]
    answers: list[RunAnswer] = [each.result() for each in sent]
    elapsed = time.perf_counter() - started
    rows = [row for answer in answers for row in answer.rows]
    own = sum(row["wall_seconds"] for row in rows) / paths
    return 60 * paths / elapsed, own, [row["state_hash"] for row in rows]


@contextmanager
def cluster(count: int) -> Iterator[Workers]:
    """A scheduler and as many worker processes of one thread each, on 127.0.0.1."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as local:
        workers = ClusterWorkers(local.scheduler_address)
        try:
            yield workers
        finally:
            workers.close()


@contextmanager
def processes(count: int) -> Iterator[Workers]:
    """A pool of processes."""
    workers = LocalWorkers(count)
    try:
        yield workers
    finally:
        workers.close()


def main() -> None:
    """Measure and print a line per scenario and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paths", type=int, default=PATHS)
    parser.add_argument("--scenario", action="append")
    given = parser.parse_args()
    count = len(os.sched_getaffinity(0))
    print(f"engine {'compiled' if COMPILED else 'interpreted'}, {count} cores")
    for name in given.scenario or SCENARIOS:
        scenario = load_scenario(Path(name) if name.endswith(".toml") else name)
        found = {}
        for way, opened in (("processes", processes), ("Dask", cluster)):
            with opened(count) as workers:
                found[way] = measure(workers, scenario, given.paths)
            rate, own, _ = found[way]
            print(f"{name:<28}{way:<12}{rate:>7.1f} paths/min {own:>7.2f} s a run")
        assert found["processes"][2] == found["Dask"][2], "the same seeds, another result"


if __name__ == "__main__":
    main()
