"""What is to be done when: actions by time, rank and the order in which they came."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from seawall.actions import Action

_NUMBER_BITS: Final[int] = 40
_STAMP_BITS: Final[int] = _NUMBER_BITS + 2
_STAMP_MASK: Final[int] = (1 << _STAMP_BITS) - 1
_SPAN_BITS: Final[int] = 30
"""A span of time is a little over a second, as long as the clock's ticks are apart."""
_BEFORE_ALL: Final[int] = -(2**60)
RANKS: Final[int] = 4
"""Ranks are below this."""


class Agenda:
    """Hands out actions in the order of (time, rank, coming), also while new ones come in.

    `time_ns` and `rank` are those of the action handed out last. An action waits as one int, the
    time in front, then the rank and the number: an int is compared in a fraction of the time of a
    tuple. What lies up to the end of the present span of time is a heap (`_near`), which so stays
    small; what comes later waits unsorted by span (`_later`) until its turn comes.
    """

    __slots__ = ("_actions", "_added", "_later", "_near", "_span", "_spans", "rank", "time_ns")

    def __init__(self) -> None:
        self.time_ns = 0
        self.rank = 0
        self._actions: dict[int, Action] = {}
        self._added = 0
        self._near: list[int] = []
        self._later: dict[int, list[int]] = {}
        self._spans: list[int] = []
        self._span = _BEFORE_ALL

    def add(self, time_ns: int, rank: int, action: Action) -> None:
        """Do ``action`` at that time; at one time the lower rank comes first."""
        stamp = rank << _NUMBER_BITS | self._added
        self._added += 1
        self._actions[stamp] = action
        waiting = time_ns << _STAMP_BITS | stamp
        span = time_ns >> _SPAN_BITS
        if span <= self._span:
            heappush(self._near, waiting)
            return
        later = self._later.get(span)
        if later is None:
            self._later[span] = [waiting]
            heappush(self._spans, span)
        else:
            later.append(waiting)

    def take(self, until_ns: int) -> Action | None:
        """The next action whose time is at most ``until_ns``; None if there is none."""
        near = self._near
        if not near:
            if not self._spans:
                return None
            self._span = heappop(self._spans)
            near = self._later.pop(self._span)
            heapify(near)
            self._near = near
        time_ns = near[0] >> _STAMP_BITS
        if time_ns > until_ns:
            return None
        stamp = heappop(near) & _STAMP_MASK
        self.time_ns = time_ns
        self.rank = stamp >> _NUMBER_BITS
        return self._actions.pop(stamp)

    def entries(self) -> list[tuple[int, int, Action]]:
        """What waits, in order: the time, rank and number as one int, and the action."""
        waiting = sorted([*self._near, *(each for later in self._later.values() for each in later)])
        stamps = [(each >> _STAMP_BITS, each & _STAMP_MASK) for each in waiting]
        return [(time_ns, stamp, self._actions[stamp]) for time_ns, stamp in stamps]

    @property
    def added(self) -> int:
        """How many actions ever came."""
        return self._added

    def restore(self, added: int, entries: Sequence[tuple[int, int, Action]]) -> None:
        """Take over what `entries` and `added` returned."""
        self._added = added
        self._actions = {stamp: action for _, stamp, action in entries}
        self._near = []
        self._later = {}
        self._span = _BEFORE_ALL
        for time_ns, stamp, _ in entries:
            waiting = time_ns << _STAMP_BITS | stamp
            self._later.setdefault(time_ns >> _SPAN_BITS, []).append(waiting)
        self._spans = sorted(self._later)
