"""The index: hand-worked tables, and the property that it never leaves its fresh sources."""

from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.prices.index_price import Index, median_ticks, weighted_median_ticks
from risk.rulebook import IndexRule

SECOND = 10**9


def index_of(prices: list[int], rule: IndexRule) -> Index:
    index = Index(rule)
    for source, price in enumerate(prices):
        index.update(source, price, 0)
    return index


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([7], 7),
        ([1, 100], 50),  # 50.5, rounded down
        ([3, 1, 2], 2),
        ([4, 1, 3, 2], 2),  # 2.5, rounded down
        ([5, 5, 5, 9], 5),
    ],
)
def test_median_is_the_middle_or_the_floor_of_the_middle_two(
    prices: list[int], expected: int
) -> None:
    assert median_ticks(prices) == expected


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([(10, 1), (20, 1), (30, 1)], 20),
        ([(10, 3), (20, 1), (30, 1)], 10),  # 3 of 5 lies at 10
        ([(10, 2), (21, 1), (30, 1)], 15),  # exactly half at 10: floor of (10 + 21) / 2
        ([(30, 1), (10, 1), (20, 5)], 20),
        ([(100, 3), (101, 2), (99, 2), (90, 1), (102, 1)], 100),
    ],
)
def test_weighted_median_is_where_half_of_the_weight_is_reached(
    prices: list[tuple[int, int]], expected: int
) -> None:
    assert weighted_median_ticks(prices) == expected


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 5)), min_size=1, max_size=8))
def test_weighted_median_is_the_median_of_repeated_prices(prices: list[tuple[int, int]]) -> None:
    repeated = [price for price, weight in prices for _ in range(weight)]
    assert weighted_median_ticks(prices) == median_ticks(repeated)


def test_median_of_nothing_and_weights_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="no prices"):
        median_ticks([])
    with pytest.raises(ValueError, match="no prices"):
        weighted_median_ticks([])
    with pytest.raises(ValueError, match="weight 0 is not allowed; it must be positive"):
        weighted_median_ticks([(10, 1), (20, 0)])


def test_index_is_zero_and_stale_until_a_source_reports() -> None:
    index = Index(IndexRule())
    assert index.value(5) == 0
    assert index.stale(5)


def test_stale_sources_are_left_out_at_the_first_instant_beyond_the_limit() -> None:
    index = Index(IndexRule(stale_ns=10 * SECOND))
    index.update(1, 100, 0)
    index.update(2, 200, 4 * SECOND)
    assert index.value(10 * SECOND) == 150
    assert index.value(10 * SECOND + 1) == 200
    assert not index.stale(14 * SECOND)


def test_index_stays_at_its_last_value_when_every_source_is_stale() -> None:
    index = Index(IndexRule(stale_ns=10 * SECOND))
    index.update(1, 100, 0)
    index.update(2, 200, 4 * SECOND)
    last_good = index.value(14 * SECOND)
    assert index.stale(14 * SECOND + 1)
    assert index.value(14 * SECOND + 1) == last_good == 200
    assert index.value(10**6 * SECOND) == 200
    index.update(1, 120, 20 * SECOND)
    assert not index.stale(20 * SECOND)
    assert index.value(20 * SECOND) == 120


def test_outlier_is_dropped_beyond_the_bound_and_kept_on_it() -> None:
    rule = IndexRule(outlier_ppb=50_000_000)
    assert index_of([1000, 1000, 1050, 1050], rule).value(0) == 1025
    # The last source has most of the weight: it decides at 5 % off, and is left out beyond.
    heavy = IndexRule(method="weighted", outlier_ppb=50_000_000, weights=[(3, 10)])
    assert index_of([1000, 1000, 1000, 1050], heavy).value(0) == 1050
    assert index_of([1000, 1000, 1000, 1051], heavy).value(0) == 1000
    assert index_of([1000, 1000, 1040, 1051], rule).value(0) == 1020
    assert index_of([900, 1000, 1000, 1040], rule).value(0) == 1000
    assert index_of([900, 1000, 1010], rule).value(0) == 1005


def test_two_sources_that_disagree_both_count() -> None:
    assert index_of([100, 300], IndexRule(outlier_ppb=50_000_000)).value(0) == 200


def test_weights_apply_by_source_and_default_to_one() -> None:
    rule = IndexRule(method="weighted", weights=[(0, 3)])
    assert index_of([10, 20, 30], rule).value(0) == 10  # 3 of 5
    assert index_of([10, 20, 30, 40], rule).value(0) == 15  # 3 of 6: between 10 and 20


def test_older_word_of_a_source_does_not_replace_a_newer_one() -> None:
    index = Index(IndexRule())
    index.update(1, 100, 50)
    index.update(1, 90, 40)
    assert index.sources() == [(1, 100, 50)]
    index.update(1, 95, 50)
    assert index.sources() == [(1, 95, 50)]


@pytest.mark.parametrize("price", [0, -1])
def test_price_below_one_tick_is_refused(price: int) -> None:
    with pytest.raises(ValueError, match=f"source 4: price_ticks is {price}"):
        Index(IndexRule()).update(4, price, 0)


UPDATES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 10**9), st.integers(0, 100)), min_size=1
)
RULES = st.builds(
    IndexRule,
    method=st.sampled_from(["median", "weighted"]),
    stale_ns=st.integers(0, 60),
    outlier_ppb=st.integers(0, 10**9),
    weights=st.just([(0, 3), (1, 2)]),
)


@given(UPDATES)
def test_every_source_keeps_its_newest_word(updates: list[tuple[int, int, int]]) -> None:
    index = Index(IndexRule())
    twin: dict[int, tuple[int, int]] = {}
    for source, price, time in updates:
        index.update(source, price, time)
        if source not in twin or twin[source][1] <= time:
            twin[source] = (price, time)
        assert index.state() == [[key, *twin[key]] for key in sorted(twin)]


@given(UPDATES, RULES, st.integers(0, 200))
def test_index_never_leaves_the_range_of_its_fresh_sources(
    updates: list[tuple[int, int, int]], rule: IndexRule, later: int
) -> None:
    index = Index(rule)
    for source, price, time in updates:
        index.update(source, price, time)
    now = max(time for _, _, time in updates) + later
    fresh = [p for _, p, t in index.sources() if rule.stale_ns == 0 or now - t <= rule.stale_ns]
    if fresh:
        assert not index.stale(now)
        assert min(fresh) <= index.value(now) <= max(fresh)
    else:
        assert index.stale(now)
        known = [price for _, price, _ in index.sources()]
        assert min(known) <= index.value(now) <= max(known)


@given(UPDATES, RULES, st.integers(0, 200))
def test_restored_index_answers_like_the_original_whatever_the_order_of_sources(
    updates: list[tuple[int, int, int]], rule: IndexRule, now: int
) -> None:
    index = Index(rule)
    for source, price, time in updates:
        index.update(source, price, time)
    copy = Index(rule)
    copy.restore(index.state()[::-1])
    assert copy.state() == index.state() == sorted(index.state())
    assert copy.value(now) == index.value(now)
    assert copy.stale(now) == index.stale(now)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=9))
def test_odd_median_is_one_of_the_prices(prices: list[int]) -> None:
    expected = median_low(prices) if len(prices) % 2 else None
    if expected is not None:
        assert median_ticks(prices) == expected
    assert median_low(prices) <= median_ticks(prices)
