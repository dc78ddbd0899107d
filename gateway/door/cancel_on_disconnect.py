"""Cancel on disconnect: which runs asked for it, for which accounts, and who has fallen silent.

A run (a client and the number its program gave) is watched from its first order after a greeting
that asks for it. Its accounts are journaled with the order that brings them in, so a restarted
gateway knows which to wait for: each run gets its full interval once more to come back.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

from gateway.door.frames import Heartbeat

MAX_INTERVAL_NS: Final[int] = 86_400_000_000_000
"""Longest interval a client can ask for, one day; more is taken as this."""


MAX_WATCHES: Final[int] = 1_000
"""Runs of one client that are watched at a time; another greeting that asks for it is refused."""


def _client_of(requester: str) -> str:
    return requester.rpartition("/")[0]


class _Watched:
    """A run; ``due_ns`` is when it is looked at next."""

    __slots__ = ("accounts", "due_ns", "heard_ns", "interval_ns")

    def __init__(self, interval_ns: int, heard_ns: int, accounts: Iterable[int]) -> None:
        self.interval_ns = interval_ns
        self.heard_ns = heard_ns
        self.due_ns = 0
        self.accounts = dict.fromkeys(accounts)


class Heartbeats:
    """When each watched run was last heard of; times are monotonic, in nanoseconds.

    Runs stand in a heap by the moment they are looked at next, so that a batch costs the runs that
    are due and not all of them.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Watched] = {}
        self._of_client: dict[str, int] = {}
        self._due: list[tuple[int, str]] = []
        self._changed: dict[str, None] = {}

    def restore(self, heartbeats: Iterable[Heartbeat], now_ns: int) -> None:
        """After a restart: each watched run counts as heard of just now."""
        for heartbeat in heartbeats:
            self._begin(
                heartbeat.requester, _Watched(heartbeat.interval_ns, now_ns, heartbeat.accounts)
            )

    def has_room(self, requester: str) -> bool:
        """Whether a run may be watched, as one more of its client's."""
        if requester in self._runs:
            return True
        return self._of_client.get(_client_of(requester), 0) < MAX_WATCHES

    def greeted(self, requester: str, interval_ns: int, now_ns: int) -> None:
        """A run greets again, perhaps with another interval; 0 ends that."""
        run = self._runs.get(requester)
        if run is None:
            return
        run.heard_ns = now_ns
        if run.interval_ns != interval_ns:
            run.interval_ns = interval_ns
            self._changed[requester] = None
            if interval_ns:
                self._look_later(requester, run)
            else:
                self._end(requester)

    def heard(self, requester: str, now_ns: int) -> None:
        """Something came from a run."""
        run = self._runs.get(requester)
        if run is not None:
            run.heard_ns = now_ns

    def traded(self, requester: str, interval_ns: int, account_id: int, now_ns: int) -> None:
        """A run that asked for ``interval_ns`` sends an order for an account."""
        run = self._runs.get(requester)
        if run is None:
            run = _Watched(interval_ns, now_ns, ())
            self._begin(requester, run)
        if account_id not in run.accounts:
            run.accounts[account_id] = None
            self._changed[requester] = None

    def take_silent(self, now_ns: int) -> dict[str, list[int]]:
        """The runs that were silent too long, with their accounts; they are watched no more."""
        found: dict[str, list[int]] = {}
        due = self._due
        while due and due[0][0] < now_ns:
            due_ns, requester = heappop(due)
            run = self._runs.get(requester)
            if run is None or run.due_ns != due_ns:
                # It ended, or has another moment in the heap.
                continue
            if now_ns - run.heard_ns > run.interval_ns:
                found[requester] = list(run.accounts)
                self._end(requester)
                self._changed[requester] = None
            else:
                self._look_later(requester, run)
        return found

    def _begin(self, requester: str, run: _Watched) -> None:
        client = _client_of(requester)
        self._runs[requester] = run
        self._of_client[client] = self._of_client.get(client, 0) + 1
        self._look_later(requester, run)

    def _look_later(self, requester: str, run: _Watched) -> None:
        run.due_ns = run.heard_ns + run.interval_ns
        heappush(self._due, (run.due_ns, requester))

    def _end(self, requester: str) -> None:
        client = _client_of(requester)
        del self._runs[requester]
        left = self._of_client[client] - 1
        if left:
            self._of_client[client] = left
        else:
            del self._of_client[client]

    def take_changes(self) -> list[Heartbeat]:
        """What has to be journaled since the last call."""
        heartbeats: list[Heartbeat] = []
        for requester in self._changed:
            run = self._runs.get(requester)
            if run is None:
                heartbeats.append(Heartbeat(requester, 0, []))
            else:
                heartbeats.append(Heartbeat(requester, run.interval_ns, list(run.accounts)))
        self._changed.clear()
        return heartbeats
