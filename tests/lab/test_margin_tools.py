"""Tools against procyclical margin: the published table, by the lab and by the engine's meter."""

import math
import os
from itertools import pairwise
from pathlib import Path

import pytest

from engine.units import PPB
from risk.margin.volatility import E18, VolatilityMeter, VolatilityRules, log_return_e18
from seawall.cli import main
from seawall.lab.margin_tools import (
    FIRST,
    QUANTILE,
    PricesError,
    first_variance,
    hourly_closes,
    largest_rise,
    log_returns,
    margin_paths,
)

SHARED = Path(os.environ.get("SEAWALL_SHARED", Path(__file__).parents[3] / "shared"))
CANDLES = SHARED / "data" / "binance_usdm_klines_2025" / "BTCUSDT_5m_20250306-0413.csv.gz"
there = pytest.mark.skipif(not CANDLES.is_file(), reason=f"{CANDLES} is not there")

# tool: min, max, peak-to-trough, 1-day rise, 5-day rise, cost (%), breaches of longs and shorts
TABLE = {
    "none": (0.029780, 0.134854, 4.5284, 101.79, 188.06, 0, 24, 12),
    "floor": (0.071503, 0.134854, 1.8860, 51.07, 88.60, 22.36, 8, 0),
    "buffer 25 %": (0.037225, 0.134854, 3.6227, 61.43, 130.44, 12.11, 10, 2),
    "stressed 25 %": (0.087332, 0.143530, 1.6435, 27.39, 54.72, 56.39, 2, 0),
    "speed limit 2 %/h": (0.029780, 0.126536, 4.2491, 60.84, 152.77, -2.65, 24, 12),
}


@pytest.mark.data
@there
def test_the_table_to_four_decimals() -> None:
    closes = hourly_closes(CANDLES)
    assert len(closes) == 909
    found = {
        each.tool: (
            round(each.least, 6),
            round(each.most, 6),
            round(each.peak_to_trough, 4),
            round(100 * each.day_rise, 2),
            round(100 * each.five_day_rise, 2),
            round(100 * each.cost, 2),
            each.long_breaches,
            each.short_breaches,
        )
        for each in margin_paths(closes)
    }
    assert found == TABLE


def meter(sigma: float, **figures: float) -> VolatilityMeter:
    """The engine's meter with the lab's multiplier; figures are rates."""
    rates = {
        "floor": 0.0,
        "buffer": 0.0,
        "buffer_until": 0.0,
        "stressed": 0.0,
        "stressed_weight": 0.0,
        "rise_limit": 0.0,
    } | figures
    ppb = {name: round(value * PPB) for name, value in rates.items()}
    rules = VolatilityRules(
        3600 * 10**9,
        970_000_000,
        round(QUANTILE * math.sqrt(24) * PPB),
        round(sigma * PPB),
        ppb["floor"],
        PPB,
        ppb["buffer"],
        ppb["buffer_until"],
        ppb["stressed"],
        ppb["stressed_weight"],
        ppb["rise_limit"],
    )
    return VolatilityMeter(rules)


@pytest.mark.data
@there
def test_the_engine_s_meter_gives_the_same_margins() -> None:
    """In integers, from prices in hundredths; the speed limit begins with the first variance."""
    closes = hourly_closes(CANDLES)
    returns = log_returns(closes)
    sigma = math.sqrt(first_variance(returns))
    by_tool = {each.tool: each.margin for each in margin_paths(closes)}
    mean = sum(by_tool["none"]) / len(by_tool["none"])
    long_run = math.sqrt(sum(each * each for each in returns) / len(returns))
    figures = {
        "none": {},
        "floor": {"floor": QUANTILE * math.sqrt(24) * long_run},
        "buffer 25 %": {"buffer": 0.25, "buffer_until": 1.25 * mean},
        "stressed 25 %": {"stressed": 0.01464232, "stressed_weight": 0.25},
        "speed limit 2 %/h": {"rise_limit": 0.02},
    }
    ticks = [round(close * 100) for close in closes]
    for tool, given in figures.items():
        one = meter(sigma, **given)
        path = []
        for before, after in pairwise(ticks[FIRST:]):
            one.add(log_return_e18(before, after))
            path.append(one.rate_ppb / PPB)
        wanted = by_tool[tool]
        if tool.startswith("speed"):
            assert max(path) / min(path) == pytest.approx(4.2491, abs=5e-5)
        else:
            assert path == pytest.approx(wanted, rel=1e-6)


def test_logarithms_in_integers() -> None:
    for before, after in ((100, 101), (101, 100), (7, 7), (1, 1_000), (9_999_999, 10_000_000)):
        assert log_return_e18(before, after) / E18 == pytest.approx(
            math.log(after / before), rel=1e-12, abs=1e-16
        )


def test_the_largest_rise_looks_ahead_only_so_far() -> None:
    assert largest_rise([1, 2, 3, 1], 1) == 1
    assert largest_rise([1, 2, 3, 1], 2) == 2
    assert largest_rise([3, 2, 1], 2) == 0


def test_what_are_no_candles_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "candles.csv"
    path.write_text("time,close\n1,2\n")
    with pytest.raises(PricesError, match="missing"):
        hourly_closes(path)
    path.write_text("open_time_ms,close\n0,1\n300000,2\n")
    with pytest.raises(PricesError, match="0 hours that end with a candle; needs 96"):
        hourly_closes(path)
    assert main(["lab", "margin", str(path)]) == 2
    assert "needs 96" in capsys.readouterr().err


@pytest.mark.data
@there
def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "margin", str(CANDLES)]) == 0
    assert "4.5284" in capsys.readouterr().out
