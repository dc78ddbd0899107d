"""How fast a scenario's time passes: so many times as fast as the machine's, if it can."""

from collections.abc import Callable
from typing import Final

SLACK_NS: Final[int] = 1_000_000_000
"""How far, by the machine's clock, a scenario may be behind before its time is let pass later."""


class Pace:
    """The scenario's time that is due. ``clock`` is monotonic, in nanoseconds. `slipped_ns` is how
    much of the scenario's time was given up in all because the machine was too slow."""

    def __init__(self, speed: float, clock: Callable[[], int]) -> None:
        self.speed = speed
        self.slipped_ns = 0
        self._clock = clock
        self._from_ns = 0
        self._at_ns = clock()
        self.paused = False

    def begin(self, scenario_ns: int) -> None:
        """It is this time now."""
        self._from_ns = scenario_ns
        self._at_ns = self._clock()

    def due_ns(self) -> int:
        """What time it is."""
        if self.paused:
            return self._from_ns
        return self._from_ns + int((self._clock() - self._at_ns) * self.speed)

    def pause(self) -> None:
        """Time stands still from now on."""
        self._from_ns = self.due_ns()
        self.paused = True

    def resume(self) -> None:
        """Time goes on."""
        self.paused = False
        self._at_ns = self._clock()

    def reached(self, scenario_ns: int) -> None:
        """Everything up to a time has happened; time does not run away from it."""
        behind_ns = self.due_ns() - scenario_ns
        if behind_ns > SLACK_NS * self.speed:
            self.slipped_ns += behind_ns
            self.begin(scenario_ns)
