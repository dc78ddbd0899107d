"""The agenda of a simulation: actions by time, rank and the order in which they came."""

from heapq import heapify, heappop, heappush

from seawall.actions import Action

Entry = tuple[int, int, int, Action]
"""Time, rank, number and action."""


class Agenda:
    """Hands out actions in the order of (time, rank, coming), also while new ones come in.

    `time_ns` and `rank` are those of the action handed out last, `added` is how many ever came.
    """

    __slots__ = ("_waiting", "added", "rank", "time_ns")

    def __init__(self) -> None:
        self.time_ns = 0
        self.rank = 0
        self.added = 0
        self._waiting: list[Entry] = []

    def add(self, time_ns: int, rank: int, action: Action) -> None:
        """Do ``action`` at that time; at one time the lower rank comes first."""
        heappush(self._waiting, (time_ns, rank, self.added, action))
        self.added += 1

    def take(self, until_ns: int) -> Action | None:
        """The next action whose time is at most ``until_ns``; None if there is none."""
        if not self._waiting or self._waiting[0][0] > until_ns:
            return None
        self.time_ns, self.rank, _, action = heappop(self._waiting)
        return action

    def entries(self) -> list[Entry]:
        """What waits, in order."""
        return sorted(self._waiting)

    def restore(self, added: int, entries: list[Entry]) -> None:
        """Take over what `added` and `entries` were."""
        self.added = added
        self._waiting = entries
        heapify(self._waiting)
