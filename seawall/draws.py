"""Draws by the formulas of `random.Random`, for compiled callers: the same values from the same
generator, without the interpreted layers between its methods."""

import math
import random


def uniform(rng: random.Random, low: float, high: float) -> float:
    """As ``rng.uniform``: from ``low`` to ``high``."""
    return low + (high - low) * rng.random()


def exponential(rng: random.Random, rate: float) -> float:
    """As ``rng.expovariate``: a waiting time with mean 1 / ``rate``."""
    return -math.log(1.0 - rng.random()) / rate


def below(rng: random.Random, bound: int) -> int:
    """As ``rng.randrange``: a whole number from 0 to ``bound`` - 1."""
    bits = bound.bit_length()
    drawn = rng.getrandbits(bits)
    while drawn >= bound:
        drawn = rng.getrandbits(bits)
    return drawn


def between(rng: random.Random, low: int, high: int) -> int:
    """As ``rng.randint``: a whole number from ``low`` to ``high``."""
    return low + below(rng, high - low + 1)
