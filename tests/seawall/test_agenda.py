"""The agenda against a sorted list of (time, rank, number)."""

from hypothesis import given
from hypothesis import strategies as st

from engine.commands import IndexPrice
from seawall.actions import Action
from seawall.index_path import IndexTick
from seawall.simulating.agenda import Agenda
from seawall.simulating.index_stream import IndexStream, Print

TIMES = st.integers(-3, 3) | st.integers(0, 2**31) | st.integers(0, 2**62)
ENTRIES = st.lists(st.tuples(TIMES, st.integers(0, 3)), max_size=12)


TICK = IndexTick(0, 0, 0, 1)


def noting(done: list[int], number: int) -> Action:
    """An action that notes its number."""
    stream = IndexStream("index", IndexPrice, iter([TICK]))
    return Print(stream, TICK, lambda _: done.append(number))


@given(ENTRIES, ENTRIES, st.integers(0, 12), TIMES)
def test_actions_come_by_time_rank_and_number(
    first: list[tuple[int, int]], second: list[tuple[int, int]], taken: int, until_ns: int
) -> None:
    """Some are added, some taken, more are added, and the rest is taken up to a time."""
    agenda = Agenda()
    waiting: list[tuple[int, int, int]] = []
    done: list[int] = []

    def add(entries: list[tuple[int, int]]) -> None:
        for time_ns, rank in entries:
            number = len(waiting) + len(done)
            waiting.append((time_ns, rank, number))
            agenda.add(time_ns, rank, noting(done, number))
        waiting.sort()

    def take(until_ns: int) -> None:
        action = agenda.take(until_ns)
        assert action is not None
        action()
        time_ns, rank, number = waiting.pop(0)
        assert (agenda.time_ns, agenda.rank, done[-1]) == (time_ns, rank, number)

    add(first)
    for _ in range(min(taken, len(first))):
        take(2**62)
    add(second)
    while waiting and waiting[0][0] <= until_ns:
        take(until_ns)
    assert agenda.take(until_ns) is None
