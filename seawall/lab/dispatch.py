"""Tasks given to workers, a few at a time, and given again where a worker died."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Final, Generic, TypeVar

from seawall.lab.intervals import LabError
from seawall.lab.workers import Workers

Task = TypeVar("Task")
Answer = TypeVar("Answer")

RETRIES: Final[int] = 3
"""How often a task is given again whose worker died."""

IN_FLIGHT: Final[int] = 2
"""Tasks on their way, for each worker: more would only hold results."""


def answers(
    workers: Workers,
    do: Callable[[Task], Answer],
    tasks: Iterable[Task],
    name: Callable[[Task], str],
) -> Iterator[Answer]:
    """What ``do`` answers to each task, as it comes, in no order. Tasks are drawn when a worker is
    about to be free; ``name`` says in errors which one it was.

    Raises:
        LabError: a task failed, or its worker died too often.
    """
    return _Dispatch(workers, do, name).run(tasks)


class _Given(Generic[Task]):
    """A task and how many workers it has outlived."""

    __slots__ = ("losses", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.losses = 0


class _Dispatch(Generic[Task, Answer]):
    """Tasks on their way, and those that were lost."""

    def __init__(
        self, workers: Workers, do: Callable[[Task], Answer], name: Callable[[Task], str]
    ) -> None:
        self._workers = workers
        self._do = do
        self._name = name
        self._flying: dict[Future[Answer], _Given[Task]] = {}
        self._lost: list[_Given[Task]] = []

    def run(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """The answers."""
        waiting = (_Given(task) for task in tasks)
        try:
            while True:
                self._fill(waiting)
                if not self._flying:
                    return
                done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                given = [(future, self._flying.pop(future)) for future in done]
                broken = [self._was_lost(*each) for each in given]
                if any(broken):
                    self._renew()
                for future, _ in given:
                    if not future.cancelled() and future.exception() is None:
                        yield future.result()
        finally:
            for future in self._flying:
                future.cancel()

    def _fill(self, waiting: Iterator[_Given[Task]]) -> None:
        """Give tasks until enough are on their way, the lost ones first."""
        while len(self._flying) < IN_FLIGHT * self._workers.count:
            given = self._lost.pop() if self._lost else next(waiting, None)
            if given is None:
                return
            try:
                future = self._workers.executor.submit(self._do, given.task)
            except BrokenExecutor:
                # A worker died since the last answer; those on their way will say so as well.
                self._lost.append(given)
                self._renew()
                continue
            self._flying[future] = given

    def _was_lost(self, future: Future[Answer], given: _Given[Task]) -> bool:
        """Whether its worker died; what the task itself raised is an error."""
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            return False
        if error is not None and not self._workers.lost(error):
            if isinstance(error, LabError):
                raise error
            raise LabError(
                f"{self._name(given.task)}: the run failed: {type(error).__name__}: {error}"
            ) from error
        given.losses += 1
        if given.losses > RETRIES:
            raise LabError(
                f"{self._name(given.task)}: its worker died {given.losses} times; is there enough "
                "memory? Fewer --workers need less"
            )
        self._lost.append(given)
        return True

    def _renew(self) -> None:
        """Get workers again; what was on its way to a broken pool is given anew."""
        before = self._workers.executor
        self._workers.renew()
        if self._workers.executor is not before:
            self._lost.extend(self._flying.values())
            self._flying.clear()
