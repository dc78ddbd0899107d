"""The runs of request numbers of one client: which are remembered, and which are over.

Every run that had something carried out is remembered, up to a number; beyond, the one that was
used least recently is forgotten. A forgotten run must not be taken for a new one, or its requests
would be carried out a second time. So run numbers grow: what is not above the highest forgotten one
and not remembered is over, for good.
"""

from typing import Any, Final

from gateway.door.parcels import Memory, Parcel

MAX_RUNS: Final[int] = 1_000
"""Runs remembered of one client."""

MAX_ANSWERS: Final[int] = 100_000
"""Answers remembered of one client, in all its runs together."""

_NEVER: Final[int] = 2**63
"""Above every request number."""

RUN_SHIFT: Final[int] = 11
_DAY_US: Final[int] = 86_400 * 1_000_000


def run_at(time_ns: int) -> int:
    """The first run number of a moment (Unix time): microseconds, then `RUN_SHIFT` bits by
    chance for those that begin in the same one."""
    return time_ns // 1_000 << RUN_SHIFT


def last_run(time_ns: int) -> int:
    """The highest run number that is taken now: a day ahead, for clocks that are wrong."""
    return (time_ns // 1_000 + _DAY_US) << RUN_SHIFT


def requester(client: str, run: int) -> str:
    """Whose request numbers they are."""
    return f"{client}/{run}"


HOUSEKEEPING: Final[str] = requester("", 0)
"""Requester of what the gateway asks for itself (cancel on disconnect)."""


def client_and_run(name: str) -> tuple[str, int]:
    """What `requester` made a name of."""
    client, _, run = name.rpartition("/")
    return client, int(run)


class Runs:
    """``floor`` is the highest number of a run that was forgotten, -1 before the first;
    ``answered`` counts the answers remembered in all runs."""

    __slots__ = ("answered", "floor", "memories")

    def __init__(self) -> None:
        self.floor = -1
        self.answered = 0
        # The run that asked last stands last.
        self.memories: dict[int, Memory] = {}

    def memory(self, run: int) -> Memory:
        """What is remembered of a run: of a new one nothing, and of one that is over that all its
        numbers are too old."""
        found = self.memories.get(run)
        if found is None:
            found = Memory()
            if self.is_over(run):
                found.floor = _NEVER
        return found

    def is_over(self, run: int) -> bool:
        """Whether it was forgotten, or cannot be told from one that was."""
        return run <= self.floor and run not in self.memories

    def problem_of(self, run: int, now_ns: int) -> str:
        """Why nothing can be asked in a run; empty if it can."""
        last = last_run(now_ns)
        if not 0 <= run <= last:
            return f"run {run}: allowed are 0 to {last} (they grow with the time)"
        if self.is_over(run):
            return f"run {run} is over and forgotten; begin one above {self.floor}"
        return ""

    def used(self, run: int) -> Memory:
        """The memory of a run that something is asked in now."""
        memory = self.memories.pop(run, None) or Memory()
        self.memories[run] = memory
        return memory

    def tidy(self, run: int) -> None:
        """A request of a run was answered: forget the run if it only had queries, which may be
        done again, and the ones used least recently beyond `MAX_RUNS`."""
        memory = self.memories[run]
        if not (memory.answered or memory.under_way or memory.floor):
            del self.memories[run]
        self._forget_answers()
        if len(self.memories) <= MAX_RUNS:
            return
        for oldest in list(self.memories)[: len(self.memories) - MAX_RUNS]:
            if not self.memories[oldest].under_way:
                self.answered -= self.memories.pop(oldest).answered
                self.floor = max(self.floor, oldest)

    def finish(self, run: int, parcel: Parcel, answers: bytes, keep: int) -> None:
        """A parcel of a run is answered; of the run ``keep`` answers are remembered."""
        memory = self.memories[run]
        self.answered -= memory.answered
        memory.finish(parcel, answers, keep)
        self.answered += memory.answered
        self.tidy(run)

    def _forget_answers(self) -> None:
        """Beyond `MAX_ANSWERS` the oldest answers of the run that has most of them go: a run that
        needs few is not made to forget by one that needs many."""
        while self.answered > MAX_ANSWERS:
            most = max(self.memories.values(), key=lambda memory: memory.answered)
            if len(most.done) < 2:
                return
            before = most.answered
            most.forget_oldest()
            self.answered += most.answered - before

    def state(self) -> list[Any]:
        """What `restore` needs besides the parcels in work."""
        return [self.floor, [[run, memory.state()] for run, memory in self.memories.items()]]

    def restore(self, requester: str, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.floor, rows = state
        self.answered = 0
        self.memories = {}
        for run, remembered in rows:
            memory = self.memories[run] = Memory()
            memory.restore(requester, remembered)
            self.answered += memory.answered
