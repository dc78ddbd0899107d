"""An agent's own estimate of how much a price moves, from the samples it took itself."""

import math
from typing import Any, Final

from engine.units import SECOND_NS

_PLAIN: Final[float] = 4.0
"""Moves of up to this many standard deviations count by their squares, larger ones less."""


class VolatilityEstimate:
    """Variance per second of a price: a moving average of squared returns.

    A return of more than ``_PLAIN`` standard deviations counts in proportion to its size and no
    longer to its square (Huber 1964, Ann. Math. Stat. 35): one jump is not yet a wild market, many
    large moves are, and there is no size at which the answer breaks. ``usual`` is the volatility
    (per root second) of a calm market, known beforehand: the first estimate, and the least that a
    move is compared with.
    """

    __slots__ = ("_half_life_ns", "_price", "_seen_ns", "_usual", "variance")

    def __init__(self, half_life_ns: int, usual: float) -> None:
        self._half_life_ns = half_life_ns
        self._usual = usual
        self._price = 0.0
        self._seen_ns = 0
        self.variance = usual * usual

    def look(self, price: float, now_ns: int) -> None:
        """Take a sample of the price (of any scale, above 0)."""
        if self._price > 0 and now_ns > self._seen_ns:
            passed_ns = now_ns - self._seen_ns
            move = abs(math.log(price / self._price)) / math.sqrt(passed_ns / SECOND_NS)
            kept = 0.5 ** (passed_ns / self._half_life_ns)
            self.variance += (self._counted(move) - self.variance) * (1.0 - kept)
        self._price = price
        self._seen_ns = now_ns

    def _counted(self, move: float) -> float:
        """What a move (per root second) adds: its square, or beyond the bound its tangent."""
        bound = _PLAIN * max(self._usual, math.sqrt(self.variance))
        return move * move if move <= bound else bound * (2.0 * move - bound)

    def state(self) -> list[Any]:
        """What it has seen."""
        return [self._price, self._seen_ns, self.variance]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._price, self._seen_ns, self.variance = state
