"""What renews a contract's initial margin rate inside a run."""

from typing import Any


class RateMeter:
    """A margin rate that stands still between whole multiples of an interval.

    `rate_ppb` is the rate in force. Meters differ in what they make of a sample (`_take`) and in
    what they remember beside the two (`state`).
    """

    __slots__ = ("_interval_ns", "_next_ns", "rate_ppb")

    def __init__(self, interval_ns: int, rate_ppb: int) -> None:
        self._interval_ns = interval_ns
        self._next_ns = 0
        self.rate_ppb = rate_ppb

    def sample(self, time_ns: int, index_ticks: int, open_q: int) -> bool:
        """Take index and open interest if a sample is due; whether the rate has changed.

        Samples are due at whole multiples of the interval; several that have passed are one.
        ``open_q`` is the open interest at the mark, one side, in quanta.
        """
        if not index_ticks or time_ns < self._next_ns:
            return False
        self._next_ns = (time_ns // self._interval_ns + 1) * self._interval_ns
        before = self.rate_ppb
        self._take(index_ticks, open_q)
        return self.rate_ppb != before

    def _take(self, index_ticks: int, open_q: int) -> None:
        """Renew `rate_ppb` from one sample."""
        raise NotImplementedError

    def state(self) -> list[Any]:
        """What it remembers."""
        return [self._next_ns, self.rate_ppb]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._next_ns, self.rate_ppb = state
