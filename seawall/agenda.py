"""What is to be done when: actions by time, rank and the order in which they came."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

Action = Callable[[], None]

_NUMBER_BITS: Final[int] = 40
_STAMP_BITS: Final[int] = _NUMBER_BITS + 2
_STAMP_MASK: Final[int] = (1 << _STAMP_BITS) - 1
RANKS: Final[int] = 4
"""Ranks are below this."""


class Agenda:
    """Hands out actions in the order of (time, rank, coming), also while new ones come in.

    `time_ns` and `rank` are those of the action handed out last. The heap holds one int per action
    with the time in front, then the rank and the number: an int is compared in a fraction of the
    time of a tuple.
    """

    __slots__ = ("_actions", "_added", "_heap", "rank", "time_ns")

    def __init__(self) -> None:
        self.time_ns = 0
        self.rank = 0
        self._heap: list[int] = []
        self._actions: dict[int, Action] = {}
        self._added = 0

    def add(self, time_ns: int, rank: int, action: Action) -> None:
        """Do ``action`` at that time; at one time the lower rank comes first."""
        stamp = rank << _NUMBER_BITS | self._added
        self._added += 1
        self._actions[stamp] = action
        heappush(self._heap, time_ns << _STAMP_BITS | stamp)

    def take(self, until_ns: int) -> Action | None:
        """The next action whose time is at most ``until_ns``; None if there is none."""
        heap = self._heap
        if not heap:
            return None
        time_ns = heap[0] >> _STAMP_BITS
        if time_ns > until_ns:
            return None
        stamp = heappop(heap) & _STAMP_MASK
        self.time_ns = time_ns
        self.rank = stamp >> _NUMBER_BITS
        return self._actions.pop(stamp)
