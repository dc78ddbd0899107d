"""The mark: formulas by table, the sample window against a naive twin, and its fallbacks."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import LiquidationStarted
from risk.exponential_average import decay_e18, ema_step
from risk.prices.mark import (
    MarkPrice,
    average_basis_price_ticks,
    funding_basis_price_ticks,
    mark_price_ticks,
)
from risk.rulebook import MarkRule
from tests.market import Market, ppb, rules

SECOND = 10**9
HOUR = 3_600 * SECOND
TICKS = st.integers(1, 10**9)


def plain_value(mark: MarkPrice, time_ns: int, index_ticks: int, last_ticks: int) -> int:
    return mark.value(time_ns, index_ticks, last_ticks, 0, 0, 0)


@pytest.mark.parametrize(
    ("index", "rate_ppb", "hours", "interval", "expected"),
    [
        (5_000_000, 100_000, 2, 8, 5_000_125),  # 50,000.00 x (1 + 0.01 % / 4)
        (5_000_000, -200_000, 8, 8, 4_999_000),
        (1_000, 100_000, 8, 8, 1_000),  # 1000.1, rounded down
        (1_000, -100_000, 8, 8, 999),  # 999.9, rounded down
        (1_000, 500_000_000, 0, 8, 1_000),
    ],
)
def test_funding_basis_price_moves_with_the_time_left(
    index: int, rate_ppb: int, hours: int, interval: int, expected: int
) -> None:
    price = funding_basis_price_ticks(index, rate_ppb, hours * HOUR, interval * HOUR)
    assert price == expected


@given(
    st.integers(1, 10**12),
    st.integers(-(10**11), 10**11),
    st.integers(0, 10 * 24 * HOUR),
    st.integers(1, 10 * 24 * HOUR),
)
def test_the_funding_basis_price_is_rounded_down_once(
    index: int, rate_ppb: int, left_ns: int, interval_ns: int
) -> None:
    exact = index * (1 + Fraction(rate_ppb, 10**9) * Fraction(left_ns, interval_ns))
    assert funding_basis_price_ticks(index, rate_ppb, left_ns, interval_ns) == floor(exact)


def test_without_funding_the_funding_basis_price_is_the_index() -> None:
    assert funding_basis_price_ticks(1_234, 999, 5, 0) == 1_234


@pytest.mark.parametrize(
    ("index", "twice_sum", "samples", "expected"),
    [
        (1_000, 0, 0, 1_000),
        (1_000, 3, 1, 1_001),  # basis 1.5: 1001.5, rounded down
        (1_000, -3, 1, 998),  # basis -1.5: 998.5, rounded down
        (1_000, 1 + 2 + 3, 3, 1_001),  # mean of 0.5, 1, 1.5
    ],
)
def test_average_basis_keeps_half_ticks_until_the_end(
    index: int, twice_sum: int, samples: int, expected: int
) -> None:
    assert average_basis_price_ticks(index, twice_sum, samples) == expected


@given(st.integers(1, 10**12), st.integers(-(10**15), 10**15), st.integers(1, 1_000))
def test_the_average_basis_price_is_rounded_down_once(
    index: int, twice_sum: int, samples: int
) -> None:
    exact = index + Fraction(twice_sum, 2 * samples)
    assert average_basis_price_ticks(index, twice_sum, samples) == floor(exact)


@given(TICKS, TICKS, TICKS)
def test_mark_is_the_middle_of_its_three_candidates(first: int, second: int, third: int) -> None:
    mark = mark_price_ticks(first, second, third)
    assert min(first, second, third) <= mark <= max(first, second, third)
    assert mark in (first, second, third)


def test_mark_is_zero_only_while_nothing_was_ever_known() -> None:
    mark = MarkPrice(MarkRule())
    assert plain_value(mark, 0, 0, 0) == 0
    assert plain_value(mark, 1, 0, 77) == 77
    assert plain_value(mark, 2, 0, 0) == 77


@pytest.mark.parametrize(
    ("method", "index", "last", "expected"),
    [
        ("index", 100, 250, 100),
        ("index", 0, 250, 250),
        ("last", 100, 250, 250),
        ("last", 100, 0, 100),
        ("median", 100, 250, 100),  # no samples: both other candidates stand at the index
        ("median", 100, 0, 100),
        ("median", 0, 250, 250),
    ],
)
def test_method_and_its_fallback(method: str, index: int, last: int, expected: int) -> None:
    mark = MarkPrice(MarkRule(method=method, max_distance_ppb=0))
    assert plain_value(mark, 0, index, last) == expected


def test_without_a_last_price_the_mark_lies_between_the_other_two_candidates() -> None:
    mark = MarkPrice(MarkRule())
    mark.sample(0, 1_010, 1_010, 1_000)
    assert mark.value(0, 1_000, 0, 4_000_000, 1, 1) == 1_007  # median of 1004 and 1010
    assert mark.value(0, 1_000, 0, 5_000_000, 1, 1) == 1_007  # of 1005 and 1010, rounded down


def test_average_of_the_basis_wins_when_last_price_strays_above_it() -> None:
    mark = MarkPrice(MarkRule())
    mark.sample(0, 1_004, 1_006, 1_000)
    mark.sample(5 * SECOND, 1_006, 1_008, 1_000)
    assert plain_value(mark, 5 * SECOND, 2_000, 9_999) == 2_006


def test_mark_never_falls_below_one_tick() -> None:
    mark = MarkPrice(MarkRule(max_distance_ppb=0))
    mark.sample(0, 1, 1, 1_000)
    assert mark.value(0, 3, 0, -1_000_000_000, 1, 1) == 1
    assert mark.value(0, 3, 5, -1_000_000_000, 1, 1) == 1


@pytest.mark.parametrize(
    ("index", "last", "distance_ppb", "expected"),
    [
        (1_000, 1_101, 100_000_000, 1_100),
        (1_000, 899, 100_000_000, 900),
        (1_000, 1_100, 100_000_000, 1_100),
        (1_000, 2_000, 0, 2_000),
        # Rounded towards the index: 5 % of 999 are 49.95.
        (999, 5_000, 50_000_000, 1_048),
        (999, 1, 50_000_000, 950),
        # Without an index there is nothing to be near to.
        (0, 250, 50_000_000, 250),
    ],
)
def test_the_mark_stays_within_its_distance_of_the_index(
    index: int, last: int, distance_ppb: int, expected: int
) -> None:
    mark = MarkPrice(MarkRule(method="last", max_distance_ppb=distance_ppb))
    assert plain_value(mark, 0, index, last) == expected


def test_a_book_far_away_does_not_take_the_median_along() -> None:
    """A quote on both sides and one trade at 3,000 are two of the three candidates."""
    mark = MarkPrice(MarkRule(max_distance_ppb=20_000_000))
    mark.sample(0, 2_999, 3_001, 1_000)
    assert plain_value(mark, 0, 1_000, 3_000) == 1_020


def test_the_bound_moves_with_the_index() -> None:
    mark = MarkPrice(MarkRule(method="last", max_distance_ppb=100_000_000))
    assert plain_value(mark, 0, 1_000, 1_200) == 1_100
    assert plain_value(mark, 1, 2_000, 1_200) == 1_800


@pytest.mark.parametrize("method", ["median", "last"])
def test_two_accounts_of_one_owner_move_the_mark_to_the_bound_and_no_further(method: str) -> None:
    """They quote both sides of an empty book and trade with each other, ever higher; the honest
    short next to them, with more margin than the bound takes, is not liquidated."""
    rule = MarkRule(method=method, basis_samples=1, max_distance_ppb=ppb("0.02"))
    m = Market(rules(mark=rule))
    m.open(100, 101, deposit="100000")
    m.open(102, deposit="100")
    m.index("100")
    m.trade(100, 102, "10", "100")
    for step in range(1, 20):
        price = 100 + 10 * step
        m.trade(100, 101, "0.10", str(price))
        low, high = m.buy(100, "0.10", str(price - 1)), m.sell(101, "0.10", str(price + 1))
        m.wait("5")
        m.cancel(100, low)
        m.cancel(101, high)
    assert m.mark() == "102"
    assert not m.all(LiquidationStarted)


@pytest.mark.parametrize(
    ("bid", "ask", "index"), [(0, 1_010, 1_000), (990, 0, 1_000), (990, 1_010, 0), (1_010, 990, 9)]
)
def test_no_sample_from_an_empty_side_a_crossed_book_or_without_index(
    bid: int, ask: int, index: int
) -> None:
    mark = MarkPrice(MarkRule())
    before = mark.state()
    mark.sample(0, bid, ask, index)
    assert mark.state() == before


def test_samples_are_taken_at_most_once_per_interval() -> None:
    mark = MarkPrice(MarkRule(basis_interval_ns=5 * SECOND))
    mark.sample(0, 1_001, 1_001, 1_000)
    mark.sample(5 * SECOND - 1, 1_009, 1_009, 1_000)
    mark.sample(5 * SECOND, 1_003, 1_003, 1_000)
    assert mark.state()[0] == [2, 6]


def test_basis_older_than_the_window_no_longer_counts() -> None:
    rule = MarkRule(basis_samples=2, basis_interval_ns=5 * SECOND)
    mark = MarkPrice(rule)
    mark.sample(0, 1_100, 1_100, 1_000)
    assert plain_value(mark, 10 * SECOND, 1_000, 2_000) == 1_100
    assert plain_value(mark, 10 * SECOND + 1, 1_000, 2_000) == 1_000
    mark.sample(11 * SECOND, 1_001, 1_001, 1_000)
    assert mark.state()[0] == [2]


SAMPLES = st.lists(st.tuples(st.integers(0, 3), TICKS, st.integers(0, 10), TICKS), max_size=30)


@given(SAMPLES, st.integers(1, 5))
def test_window_equals_a_twin_that_keeps_every_sample(
    samples: list[tuple[int, int, int, int]], size: int
) -> None:
    mark = MarkPrice(MarkRule(basis_samples=size, basis_interval_ns=1))
    kept: list[tuple[int, int]] = []
    time = 0
    for step, bid, spread, index in samples:
        time += step
        mark.sample(time, bid, bid + spread, index)
        if not kept or time - kept[-1][0] >= 1:
            if kept and time - kept[-1][0] > size:
                kept = []
            kept.append((time, 2 * bid + spread - 2 * index))
    twice_basis = [basis for _, basis in kept[-size:]]
    assert mark.state()[0] == twice_basis
    copy = MarkPrice(MarkRule(basis_samples=size, basis_interval_ns=1))
    copy.restore(mark.state())
    for price in (mark, copy):
        price.sample(time + 1, 10, 12, 7)
    assert copy.state() == mark.state()
    assert copy.value(time + 1, 50, 60, 0, 0, 0) == mark.value(time + 1, 50, 60, 0, 0, 0)


@given(SAMPLES, TICKS, TICKS, st.integers(-(10**8), 10**8))
def test_mark_lies_between_its_candidates_and_is_at_least_one_tick(
    samples: list[tuple[int, int, int, int]], index: int, last: int, rate: int
) -> None:
    mark = MarkPrice(MarkRule(basis_samples=4, basis_interval_ns=1))
    time = 0
    for step, bid, spread, sampled_index in samples:
        time += step
        mark.sample(time, bid, bid + spread, sampled_index)
    twice_basis = mark.state()[0]
    candidates = [
        funding_basis_price_ticks(index, rate, 1, 2),
        average_basis_price_ticks(index, sum(twice_basis), len(twice_basis)),
        last,
    ]
    value = mark.value(time, index, last, rate, 1, 2)
    assert value >= 1
    assert max(1, min(candidates)) <= value <= max(1, *candidates)


@pytest.mark.parametrize(
    ("elapsed", "tau", "expected"),
    [
        (0, 1, 10**18),
        (1, 1, 367_879_441_171_442_321),  # 1 / e
        (150, 150, 367_879_441_171_442_321),
        (1, 2, 606_530_659_712_633_423),  # e^(-1/2)
        (10, 1, 45_399_929_762_484),  # e^-10
        (42, 1, 0),
    ],
)
def test_decay_is_the_exponential_to_eighteen_places(elapsed: int, tau: int, expected: int) -> None:
    assert abs(decay_e18(elapsed, tau) - expected) <= 30


def test_decay_refuses_time_that_runs_back_or_a_constant_of_zero() -> None:
    with pytest.raises(ValueError, match="decay over -1 ns"):
        decay_e18(-1, 10)
    with pytest.raises(ValueError, match="tau 0 ns"):
        decay_e18(1, 0)


def test_exponential_average_of_a_constant_is_that_constant() -> None:
    total, weight = 0, 0
    for _ in range(20):
        total, weight = ema_step(total, weight, 40, 3, 150)
    assert total == 40 * weight or abs(total - 40 * weight) < 40 * 20
