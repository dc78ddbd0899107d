"""The population: distributions, bounds and independence of the draws."""

import math
from inspect import signature

import pytest
from msgspec.structs import replace

from engine.commands import BY_MARK
from seawall.population import (
    CALL_ANSWERS,
    ParetoWealth,
    PopulationPlan,
    population_plan,
)
from seawall.profiles import TraderProfile, draw_population
from seawall.scenario_fields import ScenarioReader

TABLE: dict[str, object] = {
    "accounts": 4_000,
    "wealth": {"kind": "lognormal", "median": 1_000, "sigma": 1.0, "bounds": [10, 100_000]},
    "leverage": {"2": 1, "10": 3},
    "long_share": 0.8,
    "isolated_share": 0.25,
    "utilisation": [0.2, 0.6],
    "reserve": [0.5, 1.5],
    "on_call": {"add": 1, "ignore": 1},
    "stop_share": 0.1,
    "stop_distance": [0.05, 0.1],
    "stop_by": "mark",
}
SETTLES = {"x": "usd", "y": "usd", "z": "coin"}


def plan(**changes: object) -> PopulationPlan:
    table = ScenarioReader().struct(PopulationPlan, {**TABLE, **changes}, "population.p")
    return population_plan("p", table, SETTLES, {name: ["coin"] for name in SETTLES})


def figures(trader: TraderProfile) -> list[object]:
    """All of a profile, the id first."""
    return [getattr(trader, name) for name in signature(TraderProfile).parameters]


def share(count: int) -> float:
    return count / 4_000


def test_shares_and_weights_come_out_as_asked() -> None:
    traders = draw_population((plan(),), 100, 1)
    # 4,000 draws: three standard errors are at most 0.024
    assert share(sum(t.is_long for t in traders)) == pytest.approx(0.8, abs=0.024)
    assert share(sum(t.isolated for t in traders)) == pytest.approx(0.25, abs=0.024)
    assert share(sum(t.leverage == 10 for t in traders)) == pytest.approx(0.75, abs=0.024)
    assert share(sum(t.answer == "add" for t in traders)) == pytest.approx(0.5, abs=0.024)
    assert share(sum(t.stop_distance > 0 for t in traders)) == pytest.approx(0.1, abs=0.024)
    assert {t.stop_by for t in traders} == {BY_MARK}
    assert {t.answer for t in traders} == {"add", "ignore"}


def test_every_figure_stays_inside_its_range() -> None:
    for trader in draw_population((plan(),), 100, 1):
        assert 10 <= trader.wealth <= 100_000
        assert 0.2 <= trader.utilisation <= 0.6
        assert 0.5 * trader.wealth <= trader.reserve <= 1.5 * trader.wealth
        assert trader.stop_distance == 0 or 0.05 <= trader.stop_distance <= 0.1
        assert 0 <= trader.entry_share < 1
        assert 5 * 10**9 <= trader.reaction_ns <= 60 * 10**9


def test_lognormal_wealth_has_its_median_and_spread() -> None:
    logs = sorted(math.log(t.wealth) for t in draw_population((plan(),), 100, 1))
    # standard errors: median 1.25 / sqrt(4000) = 0.02, quartiles 0.022
    assert logs[2_000] == pytest.approx(math.log(1_000), abs=0.06)
    assert (logs[3_000] - logs[1_000]) / 2 == pytest.approx(0.6745, abs=0.06)


def test_pareto_wealth_has_its_tail() -> None:
    wealth = ParetoWealth(bounds=(100.0, 1e9), alpha=1.5)
    traders = draw_population((replace(plan(), wealth=wealth),), 100, 1)
    above = share(sum(t.wealth > 400 for t in traders))
    assert above == pytest.approx(4**-1.5, abs=0.016)
    assert min(t.wealth for t in traders) >= 100


def test_ids_are_consecutive_over_all_groups() -> None:
    groups = (replace(plan(), accounts=3), replace(plan(), name="q", accounts=2))
    traders = draw_population(groups, 100, 1)
    assert [t.account_id for t in traders] == [100, 101, 102, 103, 104]
    assert [t.group for t in traders] == ["p", "p", "p", "q", "q"]


def test_a_group_does_not_change_with_its_neighbours() -> None:
    alone = draw_population((replace(plan(), accounts=5),), 100, 9)
    groups = (replace(plan(), name="q", accounts=7), replace(plan(), accounts=5))
    beside = draw_population(groups, 100, 9)[7:]
    assert [figures(t)[1:] for t in alone] == [figures(t)[1:] for t in beside]


def test_draws_repeat_with_the_seed() -> None:
    first, again, other = (
        [figures(t) for t in draw_population((plan(),), 100, seed)] for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_every_answer_to_a_call_can_be_asked_for() -> None:
    for answer in CALL_ANSWERS:
        group = replace(plan(on_call={answer: 1}), accounts=3)
        assert {t.answer for t in draw_population((group,), 100, 1)} == {answer}
