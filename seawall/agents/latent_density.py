"""Latent density: what would be bought below and sold above an anchor, shown in the book or not.

In calm the density grows linearly with the log distance from the anchor, so what is wanted within
a distance grows with its square, and the price moves with the square root of what is traded faster
than intentions come back (Toth et al. 2011; Donier, Bonart, Mastromatteo and Bouchaud 2015, whose
diffusion of intentions is left out here). Trades use intentions up, time brings them back.
"""

import math
from typing import Any, Final

from engine.commands import BUY, SELL

_FIRST_SHARE: Final[float] = 1.0 / 4.0
"""Where the first slice ends, as a part of the distance at which the depth is stated: nearer by is
the makers' part of the book, and orders there would have to be moved all the time."""

_GROWTH: Final[float] = 1.5
"""Of the distance, from one slice to the next."""

_SHOWN_AT: Final[float] = math.sqrt((1.0 - _GROWTH**-2) / (2.0 * math.log(_GROWTH)))
"""Where a slice is shown, as a part of the distance at which it ends: so that owners whose slices
lie evenly between each other show together what is wanted within any distance."""

_FARTHEST: Final[float] = 3.0
"""The log distance at which slices end: a twentieth of the anchor, and twenty times it."""


class LatentDensity:
    """Intentions of one owner by side and slice; a slice lies between two distances.

    Within ``distance`` (a log distance, such as 0.01) each side wants ``depth`` in calm. ``phase``
    from 0 to 1 moves the slices, so that those of several owners lie between each other.
    ``half_life_ns`` is the time in which half of what was used up comes back.
    """

    __slots__ = ("_calm", "_half_life_ns", "_left", "_seen_ns", "distances")

    def __init__(self, depth: float, distance: float, phase: float, half_life_ns: int) -> None:
        self.distances: list[float] = []
        self._calm: list[float] = []
        self._half_life_ns = half_life_ns
        self._seen_ns = 0
        near = 0.0
        far = distance * _FIRST_SHARE * _GROWTH**phase
        while near < _FARTHEST:
            self.distances.append(far * _SHOWN_AT)
            self._calm.append(depth * (far * far - near * near) / (distance * distance))
            near = far
            far *= _GROWTH
        self._left: dict[int, list[float]] = {
            BUY: [1.0] * len(self._calm),
            SELL: [1.0] * len(self._calm),
        }

    def heal(self, now_ns: int) -> None:
        """Let what was used up come back for the time since the last call."""
        missing = 0.5 ** ((now_ns - self._seen_ns) / self._half_life_ns)
        for side in (BUY, SELL):
            self._left[side] = [1.0 - (1.0 - left) * missing for left in self._left[side]]
        self._seen_ns = now_ns

    def use(self, side: int, first: int, end: int, share: float) -> None:
        """A share of what the slices from ``first`` to before ``end`` showed was traded."""
        left = self._left[side]
        for number in range(first, end):
            left[number] *= 1.0 - share

    def shown(self, side: int, capital: float, room: float) -> list[float]:
        """Money that each slice can show, together less than ``room``.

        ``capital`` carries a position from nothing to its limit, ``room`` is what is left of it on
        this side. What is shown fades with what was shown before it, so the end of the capital is
        no edge: trading Q of it moves the price by
        ``distance * sqrt(capital / depth * log(capital / (capital - Q)))``, the square root law
        while Q is small, and beyond all bounds as the capital ends.
        """
        if capital <= 0.0 or room <= 0.0:
            return [0.0] * len(self._calm)
        amounts = []
        wanted = 0.0
        before = 1.0
        for calm, left in zip(self._calm, self._left[side], strict=True):
            wanted += calm * left
            after = math.exp(-wanted / capital)
            amounts.append(room * (before - after))
            before = after
        return amounts

    def state(self) -> list[Any]:
        """What is left of the intentions, and when they were looked at."""
        return [self._seen_ns, list(self._left[BUY]), list(self._left[SELL])]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._seen_ns, bought, sold = state
        self._left = {BUY: list(bought), SELL: list(sold)}
