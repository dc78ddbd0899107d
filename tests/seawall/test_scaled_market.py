"""A coin eight times as large has the same market eight times as large, command for command.

It fails with the first setting or constant in money that is not scaled. Eight is a power of two, so
no float is rounded otherwise.
"""

from typing import Any

import pytest

from seawall import load_scenario
from seawall.agents import AGENT_KINDS
from seawall.runs.light_run import LightRun, light_run
from seawall.scenario import Scenario

LARGER = 8


def coin(times: int) -> Scenario:
    """The small crash, with agents of every kind, on a coin of so many times the volume, whose
    contract has steps, limits and brackets as many times as large."""
    tiers: list[dict[str, Any]] = [
        {"up_to": 100_000 * times, "max_leverage": 20, "maintenance": "0.02"},
        {"up_to": 1_000_000 * times, "max_leverage": 10, "maintenance": "0.04"},
        {"max_leverage": 5, "maintenance": "0.08"},
    ]
    overrides: dict[str, object] = {
        "calibrated": {"volume_per_minute": 1000, "volatility": 0.0001},
        "calm.perp": {"volume_per_minute": 1000 * times, "volatility": 0.0001},
        "instruments.perp.lot": f"{0.1 * times:g}",
        "instruments.perp.max_qty": f"{20_000 * times}",
        "rulebook_overrides.margin": {"model": "brackets", "tiers": tiers},
        "agents.arbitrage.hedge_time": "1ms",  # a hedge that costs little: it trades
    }
    return load_scenario("small_crash", overrides)


@pytest.fixture(scope="module")
def runs() -> tuple[LightRun, LightRun]:
    return light_run(coin(1), seed=3), light_run(coin(LARGER), seed=3)


def test_every_kind_of_agent_is_in_it() -> None:
    kinds = {str(plan.settings.__struct_config__.tag) for plan in coin(1).agents}
    assert kinds == set(AGENT_KINDS) - {"outside"}


def test_prices_and_counts_are_the_same(runs: tuple[LightRun, LightRun]) -> None:
    one, larger = runs
    assert larger.commands == one.commands
    same = ("entered", "calls", "liquidated", "adl_fills", "low", "high", "low_s", "end")
    assert {name: larger.figures[name] for name in same} == {n: one.figures[n] for n in same}
    assert one.figures["liquidated"] > 10, "it crashed"


def test_sizes_and_money_are_that_many_times_as_large(runs: tuple[LightRun, LightRun]) -> None:
    one, larger = runs
    grown = ("open_interest_start", "open_interest_end", "volume", "forced_volume", "fund_end")
    grown += ("profit_retail", "profit_hedgers", "profit_makers", "profit_arbitrage")
    for name in grown:
        assert larger.figures[name] == pytest.approx(LARGER * one.figures[name], rel=1e-5), name
        assert one.figures[name] != 0
