"""Workers: where the runs of a study are done, behind `concurrent.futures.Executor`.

Processes of this machine, or a Dask cluster by its address. A worker that dies takes its runs with
it; `renew` makes an executor that works again, and whoever asked sends them anew.
"""

import multiprocessing
import os
import signal
from concurrent.futures import BrokenExecutor, CancelledError, Executor, ProcessPoolExecutor
from typing import Any, Protocol

from seawall.lab.intervals import LabError


class Workers(Protocol):
    """Where tasks go. ``count`` is how many work at once."""

    count: int

    @property
    def executor(self) -> Executor:
        """Where to submit."""

    def lost(self, error: BaseException) -> bool:
        """Whether a task failed because its worker died."""

    def renew(self) -> None:
        """Make the executor work again after a loss."""

    def close(self) -> None:
        """End what was started; tasks that wait are dropped."""


def _leave_interrupts() -> None:
    """Ctrl-C goes to the whole group of processes; who asked for the runs decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class LocalWorkers:
    """Processes of this machine, each started anew (a fork would copy locks of other threads)."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._executor = self._pool()

    def _pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.count, mp_context=context, initializer=_leave_interrupts)

    @property
    def executor(self) -> Executor:
        """The pool."""
        return self._executor

    def lost(self, error: BaseException) -> bool:
        """A pool breaks as a whole."""
        return isinstance(error, BrokenExecutor)

    def renew(self) -> None:
        """Another pool, once the old one is known to be broken."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._pool()

    def close(self) -> None:
        """Let what runs end, drop the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class ClusterWorkers:
    """The workers of a Dask scheduler. They need this version of Seawall, and every file a scenario
    reads at the same place.

    Raises:
        LabError: ``distributed`` is not installed, or no scheduler or worker answers.
    """

    def __init__(self, address: str, timeout_s: float = 20.0) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise LabError("a cluster needs Dask: pip install 'seawall[cluster]'") from None
        try:
            self._client: Any = Client(address, timeout=timeout_s, set_as_default=False)
            self._client.wait_for_workers(1, timeout=timeout_s)
        except (OSError, TimeoutError, ValueError) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise LabError(f"--cluster {address}: no scheduler with workers: {told}") from None
        self.count = max(1, sum(self._client.nthreads().values()))
        self._executor: Executor = self._client.get_executor(pure=False)

    @property
    def executor(self) -> Executor:
        """The client as an executor."""
        return self._executor

    def lost(self, error: BaseException) -> bool:
        """Dask gives a task to another worker by itself, and gives up after several."""
        from distributed import KilledWorker

        return isinstance(error, KilledWorker | CancelledError)

    def renew(self) -> None:
        """The scheduler goes on by itself."""

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()
