"""A clock whose strokes call for more keeps its mean and comes in bursts."""

import random
from itertools import accumulate

from seawall.agents.hawkes import HawkesClock

S = 10**9


def waits(excitation: float, count: int = 40_000) -> list[int]:
    rng = random.Random(1)
    clock = HawkesClock(5 * S, excitation, 0.1 * S)
    return [clock.wait_ns(rng) for _ in range(count)]


def fano(times: list[int], bucket_ns: int) -> float:
    """Variance over mean of the counts per bucket: 1 where strokes do not know of each other."""
    counts = [0] * (times[-1] // bucket_ns)
    for time_ns in times:
        if time_ns // bucket_ns < len(counts):
            counts[time_ns // bucket_ns] += 1
    mean = sum(counts) / len(counts)
    return sum((count - mean) ** 2 for count in counts) / len(counts) / mean


def test_without_excitation_waits_are_exponential() -> None:
    drawn = waits(0.0)
    mean = sum(drawn) / len(drawn)
    assert abs(mean - 5 * S) < 0.1 * S  # four standard errors
    variance = sum((wait - mean) ** 2 for wait in drawn) / len(drawn)
    assert abs(variance / mean**2 - 1) < 0.1
    assert abs(fano(list(accumulate(drawn)), 60 * S) - 1) < 0.25


def test_excitation_keeps_the_mean_and_makes_bursts() -> None:
    drawn = waits(0.8)
    # 8,000 bursts of five: the standard error is five Poisson ones
    assert abs(sum(drawn) / len(drawn) - 5 * S) < 0.5 * S
    # over buckets much longer than a burst: 1 / (1 - excitation) squared (Hawkes 1971)
    assert abs(fano(list(accumulate(drawn)), 60 * S) - 25) < 6
    # a burst is followed at once, and the base rate goes on between them
    assert 0.7 < sum(1 for wait in drawn if wait < S) / len(drawn) < 0.9


def test_the_excess_is_all_there_is_to_remember() -> None:
    rng = random.Random(7)
    clock = HawkesClock(5 * S, 0.8, 0.1 * S)
    for _ in range(100):
        clock.wait_ns(rng)
    again = HawkesClock(5 * S, 0.8, 0.1 * S)
    again.excess = clock.excess
    chance = random.Random(8)
    other = random.Random(8)
    assert [clock.wait_ns(chance) for _ in range(50)] == [again.wait_ns(other) for _ in range(50)]
