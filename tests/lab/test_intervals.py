"""Intervals: coverage on distributions whose truth is known, and answers that can be looked up."""

import math
from random import Random

import pytest

pytest.importorskip("scipy", reason="the extra lab is not installed")

from seawall.lab.fund_size import newsvendor_size
from seawall.lab.intervals import (
    Interval,
    LabError,
    mean_interval,
    paired_interval,
    quantile_interval,
    share_interval,
)
from seawall.lab.sensitivity import sobol_indices

STUDIES = 2_000


def covered(found: Interval, truth: float) -> bool:
    low = -math.inf if found.low is None else found.low
    high = math.inf if found.high is None else found.high
    return low <= truth <= high


def coverage(draws: int, interval_of: object, truth: float, studies: int = STUDIES) -> float:
    dice = Random(draws)
    return sum(covered(interval_of(dice), truth) for _ in range(studies)) / studies  # type: ignore[operator]


@pytest.mark.parametrize(
    ("studies", "within"), [(300, 0.04), pytest.param(STUDIES, 0.02, marks=pytest.mark.slow)]
)
def test_means_of_a_normal_distribution_are_covered(studies: int, within: float) -> None:
    """64 values each, mean 3; three standard errors of 300 studies are 3.8 %."""
    found = coverage(
        1, lambda dice: mean_interval([dice.gauss(3, 2) for _ in range(64)]), 3.0, studies
    )
    assert 0.95 - within <= found <= 0.95 + within


def test_shares_of_a_bernoulli_are_covered() -> None:
    for share in (0.1, 0.3, 0.5):
        found = coverage(
            2,
            lambda dice, share=share: share_interval(
                sum(dice.random() < share for _ in range(64)), 64
            ),
            share,
        )
        assert 0.93 <= found <= 0.97


def test_quantiles_are_covered_at_least_as_often_as_they_say() -> None:
    """Ranks are whole, so the level is 95 % or a little more; 99 of 200 values bound it above."""
    found = coverage(
        3,
        lambda dice: quantile_interval([dice.expovariate(1) for _ in range(200)], 0.9),
        -math.log(0.1),
    )
    assert 0.945 <= found <= 0.985


def test_differences_of_pairs_are_covered() -> None:
    """What both share, ten times as wide as their difference, does not matter."""

    def one(dice: Random) -> Interval:
        shared = [dice.gauss(0, 10) for _ in range(48)]
        ones = [each + dice.gauss(1, 1) for each in shared]
        others = [each + dice.gauss(0, 1) for each in shared]
        return paired_interval(ones, others)

    assert 0.915 <= coverage(4, one, 1.0, studies=300) <= 0.985
    assert one(Random(5)).half_width < 0.6


def test_the_newsvendor_s_fund_for_an_exponential_deficit() -> None:
    """ln 20 = 2.9957 at a cost ratio of 0.05; 90 to 99 of 100 studies of 400 runs cover it."""
    dice = Random(6)
    hits = sum(
        covered(newsvendor_size([dice.expovariate(1) for _ in range(400)], 0.05), math.log(20))
        for _ in range(100)
    )
    assert 90 <= hits <= 99 or hits == 100
    exact = [-math.log(1 - (rank + 0.5) / 100_000) for rank in range(100_000)]
    assert newsvendor_size(exact, 0.05).estimate == pytest.approx(2.9957, abs=5e-4)
    with pytest.raises(LabError, match="between 0 and 1"):
        newsvendor_size(exact, 1.0)


def test_a_share_by_wilson_and_what_was_never_seen() -> None:
    """8 of 20: 0.2188 to 0.6134 (Wilson 1927)."""
    found = share_interval(8, 20)
    assert (found.low, found.high) == pytest.approx((0.2188, 0.6134), abs=1e-4)
    assert share_interval(0, 60) == Interval(0.0, 0.0, 0.05, 60, "rule of three")
    assert share_interval(60, 60).low == 0.95


def test_ranks_of_the_median() -> None:
    """Of 20 values the 6th and the 15th bound the median (P = 95.9 %)."""
    found = quantile_interval(list(range(1, 21)), 0.5)
    assert (found.estimate, found.low, found.high) == (10, 6, 15)


def test_few_values_do_not_bound_a_far_quantile() -> None:
    found = quantile_interval(list(range(50)), 0.99)
    assert found.high is None
    assert found.half_width == math.inf


def test_what_does_not_vary_is_known() -> None:
    assert mean_interval([2.0, 2.0, 2.0, 2.0]).half_width == 0
    assert mean_interval([1.0, 2.0]).half_width == math.inf
    with pytest.raises(LabError, match="at least one"):
        mean_interval([])


def test_the_same_values_give_the_same_interval() -> None:
    values = [Random(7).random() for _ in range(20)]
    assert mean_interval(values) == mean_interval(list(values))


def test_sobol_indices_of_ishigami() -> None:
    """a = 7, b = 0.1: first 0.3139, 0.4424, 0; total 0.5576, 0.4424, 0.2437, at 2^13 points."""
    from scipy.stats import qmc

    points = qmc.Sobol(6, scramble=True, rng=1).random(2**13) * 2 * math.pi - math.pi

    def ishigami(x: list[float]) -> float:
        return math.sin(x[0]) + 7 * math.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * math.sin(x[0])

    a, b = points[:, :3].tolist(), points[:, 3:].tolist()
    mixed = [
        [
            ishigami([*one[:place], other[place], *one[place + 1 :]])
            for one, other in zip(a, b, strict=True)
        ]
        for place in range(3)
    ]
    first, total = sobol_indices(list(map(ishigami, a)), list(map(ishigami, b)), mixed)
    assert first == pytest.approx([0.3139, 0.4424, 0], abs=0.02)
    assert total == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)
