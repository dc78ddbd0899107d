"""A clock whose strokes call for more: a Hawkes process with an exponential kernel.

The rate is ``base`` plus an excess that each stroke raises by ``excitation`` x decay and that
decays in between, so a stroke brings about ``excitation`` more, and clusters have on average
1 / (1 - ``excitation``) strokes. Waiting times are drawn exactly, without thinning (Dassios and
Zhao 2013, "Exact simulation of Hawkes process with exponentially decaying intensity").
"""

import math
import random
from typing import Final

_LEAST_NS: Final[int] = 1_000
"""No two strokes are closer than a microsecond."""


class HawkesClock:
    """Strokes at ``mean_ns`` on average; ``half_life_ns`` is that of the excess rate.

    `excess` is the excess rate per second just before the next stroke.
    """

    __slots__ = ("_base", "_decay", "_jump", "excess")

    def __init__(self, mean_ns: float, excitation: float, half_life_ns: float) -> None:
        self._base = (1.0 - excitation) * 1e9 / mean_ns
        self._decay = math.log(2.0) * 1e9 / half_life_ns
        self._jump = excitation * self._decay
        self.excess = 0.0

    def wait_ns(self, rng: random.Random) -> int:
        """A stroke happened: how long until the next."""
        excess = self.excess + self._jump
        wait = rng.expovariate(self._base)
        if excess > 0.0:
            left = 1.0 + self._decay * math.log(1.0 - rng.random()) / excess
            if left > 0.0:  # else what this excess would bring about is over
                wait = min(wait, -math.log(left) / self._decay)
        self.excess = excess * math.exp(-self._decay * wait)
        return max(_LEAST_NS, int(wait * 1e9))
