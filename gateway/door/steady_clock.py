"""The exchange's time: runs with the monotonic clock and leans towards the wall clock.

A machine's wall clock jumps: an operator sets it, a virtual machine wakes, a time server corrects
it. Stamping commands with it directly, a jump forwards would let deadlines expire that no owner had
the time to meet, and one backwards would stop time until the clock is past its old reading. So the
exchange follows a jump slowly, in both directions.
"""

from collections.abc import Callable
from typing import Final

LEAN: Final[int] = 10
"""Exchange time gains or loses at most one part in so many on the monotonic clock."""


class SteadyClock:
    """Nanoseconds since 1970 that never go back and never leap.

    ``clock`` is monotonic, ``wall_clock`` the machine's idea of the time. The first reading is
    ``first_ns``.
    """

    def __init__(
        self, clock: Callable[[], int], wall_clock: Callable[[], int], first_ns: int
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._read_ns = clock()
        self._now_ns = first_ns

    def take_wall_clock(self) -> None:
        """The wall clock is right, an operator says: leap to it, unless that would go back."""
        self._now_ns = max(self._now_ns, self._wall_clock())

    def now_ns(self) -> int:
        """The exchange's time."""
        read_ns = self._clock()
        elapsed_ns = read_ns - self._read_ns
        self._read_ns = read_ns
        # Rounded down: a reading after less than `LEAN` nanoseconds does not lean at all.
        most_ns = elapsed_ns // LEAN
        steady_ns = self._now_ns + elapsed_ns
        wanted_ns = self._wall_clock()
        self._now_ns = max(steady_ns - most_ns, min(steady_ns + most_ns, wanted_ns))
        return self._now_ns
