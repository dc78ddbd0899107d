"""Waiting for moments in which no other program slows this core down.

A neighbour on the other thread of a core makes everything half again as slow or twice, from one
second to the next. So a short loop of plain Python is run before a measurement, until it is nearly
as fast as it ever is here, and once more after it.
"""

import math
from collections import Counter
from collections.abc import Callable
from time import process_time_ns, sleep
from typing import Final, TypeVar

TURNS: Final[int] = 100_000
PAUSE_SECONDS: Final[float] = 0.02
FIRST_LOOKS: Final[int] = 800
"""Reference loops to find out how fast the machine can be: some twenty seconds."""
LOOKS: Final[int] = 300
"""Reference loops before an attempt goes on anyway: some eight seconds."""
LOOKS_OF_A_PROCESS: Final[int] = 2_400
"""The same for all attempts of a process together: some minute."""
ATTEMPTS: Final[int] = 4
TOLERANCE: Final[float] = 1.15

Prepared = TypeVar("Prepared")
Figure = TypeVar("Figure")


def reference_loop(turns: int) -> int:
    """A loop that only the speed of Python decides."""
    total = 0
    table = {number: number for number in range(16)}
    for number in range(turns):
        total += table[number & 15]
    return total


def turn_ns() -> float:
    """Nanoseconds of processor time a turn of the reference loop takes now."""
    start = process_time_ns()
    reference_loop(TURNS)
    return (process_time_ns() - start) / TURNS


def quiet_turn_ns(looks: int = FIRST_LOOKS) -> float:
    """The longest turn that counts as quiet: the fastest of so many loops, and 15 %."""
    fastest = math.inf
    for _ in range(looks):
        fastest = min(fastest, turn_ns())
        sleep(PAUSE_SECONDS)
    return fastest * TOLERANCE


class QuietMoments:
    """Measures while a turn of the reference loop takes at most ``limit_ns``.

    Waiting and repeating are bounded. ``missed`` names what was measured in louder moments.
    """

    def __init__(
        self,
        limit_ns: float,
        turn: Callable[[], float] = turn_ns,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self.missed: list[str] = []
        self._limit_ns = limit_ns
        self._turn = turn
        self._pause = pause
        self._looks_left = LOOKS_OF_A_PROCESS

    def measure(
        self, name: str, prepare: Callable[[], Prepared], timed: Callable[[Prepared], Figure]
    ) -> Figure:
        """``timed`` of what ``prepare`` made, from the attempt with the quietest surroundings."""
        loudest_ns, figure = self._attempt(prepare, timed)
        for _ in range(ATTEMPTS - 1):
            if loudest_ns <= self._limit_ns:
                return figure
            again_ns, again = self._attempt(prepare, timed)
            if again_ns < loudest_ns:
                loudest_ns, figure = again_ns, again
        if loudest_ns > self._limit_ns:
            self.missed.append(name)
        return figure

    def _attempt(
        self, prepare: Callable[[], Prepared], timed: Callable[[Prepared], Figure]
    ) -> tuple[float, Figure]:
        """The slower of the loops before and after, and the figure."""
        prepared = prepare()
        before_ns = self._wait()
        figure = timed(prepared)
        return max(before_ns, self._turn()), figure

    def _wait(self) -> float:
        looks = min(LOOKS, self._looks_left)
        now_ns = self._turn()
        while now_ns > self._limit_ns and looks > 0:
            looks -= 1
            self._looks_left -= 1
            self._pause(PAUSE_SECONDS)
            now_ns = self._turn()
        return now_ns


def note(limit_ns: float, missed: Counter[str]) -> str:
    """What was done about the neighbours, in a sentence; ``missed`` counts measurements by name."""
    text = (
        f"Each measured while a turn of the reference loop took at most {limit_ns:.1f} ns "
        "(the machine's fastest plus 15 %), before and after"
    )
    if missed:
        names = ", ".join(f"{name} ({count} times)" for name, count in sorted(missed.items()))
        text += f"; not reached for: {names}"
    return f"{text}."
