"""The cap on an index's steps: no print leaves the one before by more, and all arrive."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.index_path import IndexPlan, SourcePlan, index_path
from seawall.index_steps import in_steps
from seawall.price_files.candles import Point
from seawall.scenario import load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.time_plan import TimePlan
from tests.seawall.test_index_path import TICK, S, plan_time, write

ROOT = Path(__file__).parents[2]


def never(_: int) -> bool:
    return False


def steps(prices: list[Point], until: int = 10**9) -> list[Point]:
    points = [(second * S, price) for second, price in prices]
    return [(t // S, p) for t, p in in_steps(points, 0.01, S, lambda t: t > until * S)]


def test_a_step_is_made_up_tick_by_tick() -> None:
    assert steps([(0, 1_000), (5, 970)]) == [(0, 1_000), (5, 990), (6, 981), (7, 972), (8, 970)]


def test_a_price_that_comes_back_has_hardly_moved_the_index() -> None:
    assert steps([(0, 1_000), (5, 900), (6, 1_000)]) == [(0, 1_000), (5, 990), (6, 999), (7, 1_000)]


def test_the_next_print_goes_before_what_is_left() -> None:
    assert steps([(0, 1_000), (5, 900), (7, 985)]) == [(0, 1_000), (5, 990), (6, 981), (7, 985)]


def test_a_silent_source_makes_nothing_up() -> None:
    assert steps([(0, 1_000), (5, 900)], until=6) == [(0, 1_000), (5, 990), (6, 981)]


def test_a_cap_below_a_tick_still_moves_by_one() -> None:
    assert steps([(0, 50), (1, 48)]) == [(0, 50), (1, 49), (2, 48)]


@given(
    prices=st.lists(st.integers(1, 100_000), min_size=1, max_size=8),
    gaps=st.lists(st.integers(1, 5), min_size=8, max_size=8),
    cap=st.sampled_from([0.002, 0.01, 0.2, 1.0]),
)
def test_no_step_is_larger_and_the_last_price_is_reached(
    prices: list[int], gaps: list[int], cap: float
) -> None:
    points = list(zip(itertools.accumulate(gaps), prices, strict=False))
    found = in_steps(points, cap, 1, never)
    for (before_ns, before), (after_ns, after) in itertools.pairwise(found):
        assert after_ns > before_ns
        assert abs(after - before) <= max(1, before * cap)
    assert found[-1][1] == prices[-1]
    assert {t for t, _ in points} <= {t for t, _ in found}


def test_an_index_keeps_the_cap_through_warm_up_path_and_silence(tmp_path: Path) -> None:
    text = "timestamp_us,price\n1000000000,100\n1010000000,97\n1030000000,103\n"
    source = SourcePlan(
        "a",
        1,
        "trades_csv",
        file=write(tmp_path, text),
        silences=((12 * S, 20 * S),),
    )
    plan = IndexPlan((source,), 1.05, 0.0, 0.01)
    time: TimePlan = plan_time(35, 10)
    found = list(index_path(plan, 0, TICK, time, 1))
    times = [(each.time_ns - time.start_ns) // S for each in found]
    for before, after in itertools.pairwise(found):
        assert abs(after.price_ticks - before.price_ticks) <= before.price_ticks * 0.01
    assert not set(times) & set(range(12, 20)), "a silence is one"
    assert max(times) <= 35
    by_second = {second: each.price_ticks for second, each in zip(times, found, strict=True)}
    assert (by_second[11], by_second[30], by_second[35]) == (9_801, 9_899, 10_300)


def test_the_cap_is_a_share() -> None:
    with pytest.raises(ScenarioError, match=r"index\.perp\.max_step: 0 must be a number from"):
        load_scenario("small_crash", ["index.perp.max_step=0"])
