"""What a reset is given: the seed of the episode, and options."""

import warnings
from collections.abc import Mapping
from typing import Any, Final

from numpy.random import Generator

_SEEDS: Final[int] = 2**31
"""Drawn seeds lie below."""


def episode_seed(rng: Generator, seed: int | None) -> int:
    """The seed that was asked for, or the next one drawn."""
    return int(rng.integers(_SEEDS)) if seed is None else seed


def warn_of_options(options: Mapping[str, Any] | None) -> None:
    """Warn of options of a reset: none does anything. PettingZoo's own test hands one in, so they
    are not refused."""
    for name in options or {}:
        warnings.warn(f"reset: there is no option {name!r}; it does nothing", stacklevel=3)
