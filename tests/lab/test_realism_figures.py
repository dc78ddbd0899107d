"""Figures of a market day: series whose answers are known, and the real crash."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from engine.units import SECOND_NS
from seawall.lab.intervals import LabError
from seawall.lab.realism.crash_figures import crash_figures, swings
from seawall.lab.realism.flow_figures import flow_figures
from seawall.lab.realism.market_day import INDEX, MarketDay
from seawall.lab.realism.real_day import left_out, real_day
from seawall.records.stylised_facts import TAPE
from seawall.scenario import load_scenario

SHARED = Path(os.environ.get("SEAWALL_SHARED", Path(__file__).parents[3] / "shared"))
EXAMPLES = Path(__file__).parents[2] / "examples"
START_NS = 1_000 * SECOND_NS


def day(
    trades: Sequence[tuple[float, float, int, float]],
    index: Sequence[tuple[float, float]],
    seconds: int,
    transfers: Sequence[float] = (),
) -> MarketDay:
    """Of trades (second, price, side, size) and index prints (second, price)."""
    rows = [(START_NS + int(at * SECOND_NS), *rest) for at, *rest in trades]
    prints = [(START_NS + int(at * SECOND_NS), price) for at, price in index]
    return MarketDay(
        START_NS,
        START_NS + seconds * SECOND_NS,
        pl.DataFrame(rows, schema=TAPE, orient="row"),
        pl.DataFrame(prints, schema=INDEX, orient="row"),
        [START_NS + int(at * SECOND_NS) for at in transfers],
    )


def at_seconds(prices: Sequence[float]) -> list[tuple[float, float, int, float]]:
    return [(second, price, -1, 1.0) for second, price in enumerate(prices)]


def test_a_fall_and_its_recovery() -> None:
    """Index 100. Down to 70 at second 3, half of that is left at second 5; 20 % below at 2 to 4."""
    prices = [100, 95, 79, 70, 79, 86, 96, 96]
    found = crash_figures(day(at_seconds(prices), [(0, 100.0)], 7, transfers=[-5, 2, 3, 6, 99]))
    assert found["low"] == pytest.approx(-0.3)
    assert found["index_low"] == 0
    assert found["basis_worst"] == pytest.approx(-0.3)
    assert (found["half_s"], found["below_s"], found["episodes"]) == (2, 3, 1)
    assert found["rebound"] == pytest.approx(96 / 70 - 1)
    assert (found["transfers"], found["transfer_s"]) == (3, 3)


def test_what_never_heals_takes_the_rest_of_the_window() -> None:
    found = crash_figures(day(at_seconds([100, 60, 61, 62]), [(0, 100.0)], 9))
    assert (found["half_s"], found["below_s"]) == (9, 9)


def test_an_episode_counts_again_only_after_it_was_near() -> None:
    prices = [100, 79, 90, 79, 96, 79, 79, 100]
    assert crash_figures(day(at_seconds(prices), [(0, 100.0)], 7))["episodes"] == 2


def test_a_fall_with_the_index_is_no_basis() -> None:
    index = [(second, 100.0 - 10 * second) for second in range(5)]
    found = crash_figures(day(at_seconds([price for _, price in index]), index, 4))
    assert found["low"] == found["index_low"] == pytest.approx(-0.4)
    assert (found["basis_worst"], found["below_s"], found["episodes"]) == (0, 0, 0)


def test_what_was_before_the_window_does_not_count() -> None:
    trades = [(-3, 50.0, 1, 1.0), (-1, 100.0, 1, 1.0), (0, 100.0, 1, 1.0), (1, 99.5, -1, 1.0)]
    found = crash_figures(day(trades, [(-4, 100.0)], 2))
    assert found["basis_worst"] == found["low"] == pytest.approx(-0.005)


def test_a_day_without_trades_has_no_figures() -> None:
    found = crash_figures(day([], [(0, 100.0)], 5))
    assert found == {"transfers": 0, "transfer_s": None}
    assert flow_figures(day([], [(0, 100.0)], 5))["flow_r2"] is None


@pytest.mark.parametrize(
    ("prices", "count"),
    [([100, 95, 100], 0), ([100, 90], 1), ([100, 111, 99, 98, 110], 3), ([100] * 5, 0)],
)
def test_swings_are_turns_of_ten_per_cent(prices: list[float], count: int) -> None:
    assert swings(prices) == count


def test_sides_that_come_in_pairs() -> None:
    """Buy, buy, sell, sell, ...: a side is like the one before it every other time, and like that
    100 before it always."""
    sides = [1 if number % 4 < 2 else -1 for number in range(4_000)]
    trades = [(number / 10, 100.0, side, 1.0) for number, side in enumerate(sides)]
    found = flow_figures(day(trades, [(0, 100.0)], 400))
    assert found["sign_1"] == pytest.approx(0.0, abs=1e-3)
    assert found["sign_100"] == pytest.approx(1.0)
    assert found["per_minute"] == 600


def test_the_spread_is_bought_over_sold() -> None:
    trades = [
        (number, 100.02 if number % 2 else 100.0, 1 if number % 2 else -1, 1.0)
        for number in range(60)
    ]
    assert flow_figures(day(trades, [(0, 100.0)], 60))["spread_bp"] == pytest.approx(2.0)


def test_flow_that_moves_prices_explains_them() -> None:
    """The log price moves by a ten-thousandth for each contract bought less sold, in every step of
    ten seconds; then by nothing that the flow knows."""
    flows = [(number * 7_919) % 11 - 5 for number in range(200)]
    price, trades = 100.0, []
    for step, flow in enumerate(flows):
        price *= math.exp(flow / 10_000)
        trades.append((step * 10 + 5, price, 1 if flow >= 0 else -1, float(abs(flow))))
    assert flow_figures(day(trades, [(0, 100.0)], 2_000))["flow_r2"] == pytest.approx(1.0)
    shuffled = [(*row[:3], float((row[0] * 31) % 17)) for row in trades]
    other = [(at, price, 1 if at % 3 else -1, size) for at, price, _, size in shuffled]
    assert flow_figures(day(other, [(0, 100.0)], 2_000))["flow_r2"] < 0.1


def test_numbers_that_are_left_out() -> None:
    assert left_out([10, 20, 30], [5, 6, 9]) == [30, 30]
    assert left_out([10, 20, 30], []) == []


@pytest.mark.data
@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason=f"{SHARED}/data is not there")
def test_the_real_crash() -> None:
    """The lows as the data's own description gives them, and worst bases of -68 and -80 %."""
    lows = {"avax": (6.02, 26.61), "dot": (0.696, 3.953)}
    worst = {"avax": -0.68, "dot": -0.80}
    for coin, (low, start) in lows.items():
        found = real_day(load_scenario(EXAMPLES / f"oct10_{coin}.toml"))
        assert found is not None
        figures = crash_figures(found)
        assert figures["low"] == pytest.approx(low / start - 1, abs=1e-3)
        assert figures["basis_worst"] == pytest.approx(worst[coin], abs=6e-3)


@pytest.mark.data
@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason=f"{SHARED}/data is not there")
def test_the_real_calm() -> None:
    """Sides of the four coins agree with the one before at 0.76 and 100 before at 0.07."""
    days = [
        real_day(load_scenario(EXAMPLES / "realism" / f"calm_{coin}.toml"))
        for coin in ("avax", "aave", "bch", "dot")
    ]
    found = [flow_figures(each) for each in days if each is not None]
    for figure, expected in (("sign_1", 0.766), ("sign_100", 0.069), ("flow_r2", 0.21)):
        values = [each[figure] for each in found]
        assert sum(values) / 4 == pytest.approx(expected, abs=0.01)


@pytest.mark.data
@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason=f"{SHARED}/data is not there")
def test_a_reference_needs_sides() -> None:
    scenario = load_scenario(
        EXAMPLES / "oct10_avax.toml",
        [f"reference.file={Path(__file__).parents[2] / 'examples/prices/ccxt/ohlcv.csv'}"],
    )
    with pytest.raises(LabError, match="side and an amount"):
        real_day(scenario)
