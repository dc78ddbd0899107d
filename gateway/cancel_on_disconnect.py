"""Cancel on disconnect: which runs asked for it, for which accounts, and who has fallen silent.

A run (a client and the number its program gave) is watched from its first order after a greeting
that asks for it. Its accounts are journaled with the order that brings them in, so a restarted
gateway knows whom to wait for: each run gets its full interval once more to come back.
"""

from collections.abc import Iterable
from typing import Final

from gateway.frames import Watch

MAX_INTERVAL_NS: Final[int] = 86_400_000_000_000
"""Longest interval a client can ask for, one day; more is taken as this."""


class _Watched:
    __slots__ = ("accounts", "heard_ns", "interval_ns")

    def __init__(self, interval_ns: int, heard_ns: int, accounts: Iterable[int]) -> None:
        self.interval_ns = interval_ns
        self.heard_ns = heard_ns
        self.accounts = dict.fromkeys(accounts)


class Heartbeats:
    """When each watched run was last heard of; times are monotonic, in nanoseconds."""

    def __init__(self) -> None:
        self._runs: dict[str, _Watched] = {}
        self._changed: dict[str, None] = {}

    def restore(self, watches: Iterable[Watch], now_ns: int) -> None:
        """After a restart: whoever was watched counts as heard of just now."""
        for watch in watches:
            self._runs[watch.requester] = _Watched(watch.interval_ns, now_ns, watch.accounts)

    def greeted(self, requester: str, interval_ns: int, now_ns: int) -> None:
        """A run greets again, perhaps with another interval; 0 ends its watch."""
        run = self._runs.get(requester)
        if run is None:
            return
        run.heard_ns = now_ns
        if run.interval_ns != interval_ns:
            run.interval_ns = interval_ns
            self._changed[requester] = None
            if not interval_ns:
                del self._runs[requester]

    def heard(self, requester: str, now_ns: int) -> None:
        """Something came from a run."""
        run = self._runs.get(requester)
        if run is not None:
            run.heard_ns = now_ns

    def traded(self, requester: str, interval_ns: int, account_id: int, now_ns: int) -> None:
        """A run that asked for ``interval_ns`` sends an order for an account."""
        run = self._runs.get(requester)
        if run is None:
            run = self._runs[requester] = _Watched(interval_ns, now_ns, ())
        if account_id not in run.accounts:
            run.accounts[account_id] = None
            self._changed[requester] = None

    def take_silent(self, now_ns: int) -> dict[str, list[int]]:
        """The runs that were silent too long, with their accounts; they are watched no more."""
        found = {
            requester: list(run.accounts)
            for requester, run in self._runs.items()
            if now_ns - run.heard_ns > run.interval_ns
        }
        for requester in found:
            del self._runs[requester]
            self._changed[requester] = None
        return found

    def take_changes(self) -> list[Watch]:
        """What has to be journaled since the last call."""
        watches: list[Watch] = []
        for requester in self._changed:
            run = self._runs.get(requester)
            if run is None:
                watches.append(Watch(requester, 0, []))
            else:
                watches.append(Watch(requester, run.interval_ns, list(run.accounts)))
        self._changed.clear()
        return watches
