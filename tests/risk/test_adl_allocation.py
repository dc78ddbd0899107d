"""Sharing lots out: hand-worked examples, and each rule against its definition in fractions."""

from fractions import Fraction
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from risk.liquidation.allocation import (
    Claims,
    least_worst,
    level_leverage,
    leverage_level,
    proportional,
)
from risk.liquidation.ranking import ADL_RANKINGS
from risk.rulebook import AdlRule


def shares(name: str, claims: Claims, lots: int, budget_q: int, **params: int) -> list[int]:
    ranking = ADL_RANKINGS.get(name)
    values = ranking.values(AdlRule(params=list(params.items())).params)
    return ranking.shares(claims, lots, budget_q, values)


# WF-1: (size, equity) A (10, 1), B (12, 3), C (5, 5), D (8, 4) at price 1, in quarters of a lot so
# that every answer is whole.
SIZES = [40, 48, 20, 32]
EQUITIES = [1, 3, 5, 4]


def test_water_filling_brings_the_highest_leverage_down_to_one_level() -> None:
    """8 lots: L = 7/2, x = 13/2, 3/2, 0, 0. 16 lots: L = 7/4, x = 33/4, 27/4, 0, 1."""
    assert Fraction(*leverage_level(SIZES, EQUITIES, 32)) == 4 * Fraction(7, 2)
    assert level_leverage(SIZES, EQUITIES, 32) == [26, 6, 0, 0]
    assert Fraction(*leverage_level(SIZES, EQUITIES, 64)) == 4 * Fraction(7, 4)
    assert level_leverage(SIZES, EQUITIES, 64) == [33, 27, 0, 4]


def test_an_account_split_in_two_gives_as_much() -> None:
    """B as twice (6, 3/2): its halves give 3/4 each, the others what they gave."""
    sizes, equities_q = [80, 48, 48, 40, 64], [4, 6, 6, 20, 16]
    assert level_leverage(sizes, equities_q, 64) == [52, 6, 6, 0, 0]


MM_1 = Claims([3, 5, 2], [100, 50, 10], [100, 50, 10])


def test_the_worst_haircut_is_made_least() -> None:
    """MM-1: gap 10, budget 60. By size (2, 3, 1): haircuts 20, 60, 100 %. Least worst (3, 3, 0)."""
    assert shares("pro_rata", MM_1, 6, 60) == [2, 3, 1]
    assert shares("min_max", MM_1, 6, 60) == [3, 3, 0]


# Five winners, 100 lots to place, gap 2: a budget of 200.
FIVE = Claims([100, 60, 40, 20, 10], [200, 300, 40, 400, 50], [120, 30, 60, 100, 40])


def test_five_winners_under_every_rule() -> None:
    """Capacities min(gain, equity): 120, 30, 40, 100, 40; each affords half as many lots, at most
    its size: 60, 15, 20, 20, 10.

    | rule | exact shares |
    | size | 43.48, 26.09, 17.39, 8.70, 4.35 |
    | capacity | the last two give 20 and 10; 70 by 120 : 30 : 40 are 44.21, 11.05, 14.74 |
    | profit | the last three give 20, 20, 10; 50 by 120 : 30 are 40 and 10 |
    | equity | all but the first and third are full, 15, 20, 10; 55 by 200 : 40 are 45.83, 9.17 |
    | leverage | down to 110/590: 62.71, 4.07, 32.54, 0, 0.68 |
    | least worst | the fourth gives 20; 80 by 200 : 300 : 40 : 50 are 27.1, 40.7, 5.4, 6.8; of the
      next lots 41/300 and 28/200 burden least |
    """
    assert shares("pro_rata", FIVE, 100, 200) == [44, 26, 17, 9, 4]
    assert shares("wealth_pro_rata", FIVE, 100, 200) == [44, 11, 15, 20, 10]
    assert shares("profit_pro_rata", FIVE, 100, 200) == [40, 10, 20, 20, 10]
    assert shares("equity_pro_rata", FIVE, 100, 200) == [46, 15, 9, 20, 10]
    assert shares("water_filling", FIVE, 100, 200) == [63, 4, 32, 0, 1]
    assert shares("min_max", FIVE, 100, 200) == [28, 41, 5, 20, 6]


def test_capped_shares_leave_the_rest() -> None:
    """A tenth of equity: 20, 30, 4, 40, 5 pay for 10, 15, 2, 20, 2 lots of the 100."""
    assert shares("capped_pro_rata", FIVE, 100, 200, equity_cap_ppb=10**8) == [10, 15, 2, 20, 2]


def test_mirror_descent_loads_the_large_and_is_cut_at_capacity() -> None:
    """Squares 10000, 3600, 1600, 400, 100 of 15700: 63.7, 22.9, 10.2, 2.5, 0.6; the second affords
    15 only, and what that leaves is nobody's."""
    assert shares("mirror_descent", FIVE, 100, 200) == [60, 15, 10, 2, 1]


def test_lots_that_cost_nothing_are_bounded_by_size_alone() -> None:
    assert sum(shares("wealth_pro_rata", FIVE, 200, 0)) == 200
    assert shares("mirror_descent", FIVE, 100, 0) == [64, 23, 10, 2, 1]


def test_who_gains_nothing_gives_nothing_of_a_loss() -> None:
    losers = Claims([10, 10], [50, 50], [-5, 5])
    for name in ("wealth_pro_rata", "profit_pro_rata", "equity_pro_rata"):
        assert shares(name, losers, 5, 5) == [0, 5]


claims = st.lists(
    st.tuples(st.integers(1, 6), st.integers(-2, 9), st.integers(-5, 9)), min_size=1, max_size=4
)


@given(claims, st.integers(1, 24), st.integers(-3, 40))
def test_shares_are_whole_lots_within_the_sizes(
    rows: list[tuple[int, int, int]], lots: int, budget_q: int
) -> None:
    sizes, equities_q, gains_q = map(list, zip(*rows, strict=True))
    for name in ADL_RANKINGS.names():
        if ADL_RANKINGS.get(name).splits:
            given = shares(
                name, Claims(sizes, equities_q, gains_q), lots, budget_q, equity_cap_ppb=5 * 10**8
            )
            assert all(0 <= share <= size for share, size in zip(given, sizes, strict=True)), name
            assert sum(given) <= lots, name
            if name in ("pro_rata", "water_filling"):
                assert sum(given) == min(lots, sum(sizes)), name


@given(claims, st.integers(1, 24))
def test_no_other_lots_have_a_smaller_worst_haircut(
    rows: list[tuple[int, int, int]], lots: int
) -> None:
    sizes, equities_q, _ = map(list, zip(*rows, strict=True))
    caps = [size if equity_q > 0 else 0 for size, equity_q in zip(sizes, equities_q, strict=True)]
    lots = min(lots, sum(caps))

    def worst(each: tuple[int, ...]) -> Fraction:
        return max(
            (Fraction(k, e) for k, e in zip(each, equities_q, strict=True) if e > 0),
            default=Fraction(0),
        )

    every = product(*(range(cap + 1) for cap in caps))
    least = min(worst(each) for each in every if sum(each) == lots)
    found = least_worst(sizes, equities_q, lots)
    assert sum(found) == lots
    assert worst(tuple(found)) == least


@given(claims, st.integers(1, 24))
def test_proportional_shares_are_within_a_lot_of_the_exact_ones(
    rows: list[tuple[int, int, int]], lots: int
) -> None:
    """The exact level by bisection over the places that are at their caps, written another way."""
    caps, weights, _ = map(list, zip(*rows, strict=True))
    weights = [max(0, weight) for weight in weights]
    lots = min(lots, sum(cap for cap, weight in zip(caps, weights, strict=True) if weight))
    exact = [Fraction(0)] * len(caps)
    left, free = Fraction(lots), [place for place, weight in enumerate(weights) if weight]
    while left and free:
        level = left / sum(weights[place] for place in free)
        full = [place for place in free if exact[place] + level * weights[place] >= caps[place]]
        step = min([level, *((caps[p] - exact[p]) / Fraction(weights[p]) for p in free)])
        for place in free:
            exact[place] += step * weights[place]
            left -= step * weights[place]
        free = [place for place in free if exact[place] < caps[place]]
        assert full or not left
    found = proportional(weights, caps, lots)
    assert sum(found) == lots
    assert all(abs(a - b) < 1 for a, b in zip(found, exact, strict=True))


SPLIT_PROOF = (
    "pro_rata",
    "wealth_pro_rata",
    "profit_pro_rata",
    "equity_pro_rata",
    "capped_pro_rata",
    "water_filling",
    "min_max",
)
"""Rules under which an owner gains nothing by several accounts in the place of one."""

halves = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 60), st.integers(-20, 60)),
    min_size=2,
    max_size=5,
)


@given(halves, st.integers(1, 200), st.integers(0, 300))
def test_an_owner_of_two_accounts_gives_what_one_would(
    rows: list[tuple[int, int, int]], lots: int, budget_q: int
) -> None:
    """The first account is twice its row, or two accounts of one row each: but for the lots that
    rounding moves the owner gives the same."""
    (size, equity_q, gain_q), *others = rows
    one = Claims(*map(list, zip((2 * size, 2 * equity_q, 2 * gain_q), *others, strict=True)))
    two = Claims(*map(list, zip(rows[0], rows[0], *others, strict=True)))
    for name in SPLIT_PROOF:
        alone = shares(name, one, lots, budget_q, equity_cap_ppb=5 * 10**8)[0]
        apart = sum(shares(name, two, lots, budget_q, equity_cap_ppb=5 * 10**8)[:2])
        assert abs(alone - apart) <= 2 + len(others), name


def test_under_the_square_of_the_size_two_accounts_give_less_than_one() -> None:
    """40 against 40 lots give 20 and 20 of 40; 20 and 20 against 40 give 7 each."""
    assert shares("mirror_descent", Claims([40, 40], [99, 99], [9, 9]), 40, 0) == [20, 20]
    split = shares("mirror_descent", Claims([20, 20, 40], [50, 49, 99], [5, 4, 9]), 40, 0)
    assert split == [7, 7, 26]
