"""Our draws against those of `random.Random`, from generators with the same seed."""

import random

from hypothesis import given
from hypothesis import strategies as st

from seawall.draws import below, between, exponential, uniform

SEEDS = st.integers(0, 2**64)
WHOLE = st.integers(-(2**70), 2**70)
REAL = st.floats(-1e9, 1e9)


@given(SEEDS, st.integers(1, 2**70), WHOLE, WHOLE, REAL, REAL, st.floats(1e-12, 1e12))
def test_draws_are_those_of_the_library(
    seed: int, bound: int, first: int, second: int, low: float, high: float, rate: float
) -> None:
    ours, library = random.Random(seed), random.Random(seed)
    least, most = sorted((first, second))
    for _ in range(4):
        assert below(ours, bound) == library.randrange(bound)
        assert between(ours, least, most) == library.randint(least, most)
        assert uniform(ours, low, high) == library.uniform(low, high)
        assert exponential(ours, rate) == library.expovariate(rate)
    assert ours.getstate() == library.getstate()


def test_one_value_takes_a_draw_all_the_same() -> None:
    ours, library = random.Random(1), random.Random(1)
    assert below(ours, 1) == library.randrange(1) == 0
    assert between(ours, 7, 7) == library.randint(7, 7) == 7
    assert ours.getstate() == library.getstate()
