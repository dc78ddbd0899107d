"""A trader's own chance."""

import random


class Dice:
    """A trader's own chance. Seeding a generator costs more than anything else about a trader, and
    most never wait for a draw: so it is seeded when one does, and catches up. What was drawn so
    far, `bounds`, is all there is to it: `restore` does not look at that again."""

    __slots__ = ("_rng", "_seed", "_unseen", "bounds")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rng: random.Random | None = None
        self._unseen = 0
        self.bounds: list[int] = []

    def skip(self, bound: int) -> None:
        """A draw below ``bound`` that is not used."""
        self._unseen += 1
        self.bounds.append(bound)

    def rest(self) -> None:
        """Let go of the generator: nothing is drawn for a while, and it takes some room."""
        if self._rng is not None:
            self.restore(self.bounds)

    def restore(self, bounds: list[int]) -> None:
        """Go on behind these draws."""
        self._rng = None
        self._unseen = len(bounds)
        self.bounds = bounds

    def below(self, bound: int) -> int:
        """A draw from 0 to ``bound`` - 1."""
        rng = self._rng
        if rng is None:
            rng = self._rng = random.Random(self._seed)
        bounds = self.bounds
        for place in range(len(bounds) - self._unseen, len(bounds)):
            rng.randrange(bounds[place])
        self._unseen = 0
        bounds.append(bound)
        return rng.randrange(bound)
