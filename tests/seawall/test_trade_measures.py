"""Volume, volatility, trades and spread of files whose figures are known."""

import math
import random
from pathlib import Path

import pytest

from engine.units import MINUTE_NS, SECOND_NS
from seawall.price_files.price_table import read_price_file
from seawall.scenario_fields import ScenarioError
from seawall.trade_measures import (
    Stretch,
    trade_spread,
    trades_per_minute,
    volatility,
    volume_per_minute,
)

BEGIN_S = 1_760_083_200


def stretch(directory: Path, text: str, seconds: int) -> Stretch:
    path = directory / "prices.csv"
    path.write_text(text)
    begin_ns = BEGIN_S * SECOND_NS
    return Stretch(read_price_file(path), begin_ns, begin_ns + seconds * SECOND_NS)


def trades(*rows: tuple[float, float, float, str]) -> str:
    """Seconds from the beginning, price, amount, side."""
    lines = [
        f"{BEGIN_S * 1_000_000 + round(s * 1e6)},{price},{amount},{side}"
        for s, price, amount, side in rows
    ]
    return "\n".join(["timestamp_us,price,amount,side", *lines, ""])


def test_volume_is_amount_times_price_per_minute(tmp_path: Path) -> None:
    text = trades((0, 10, 3, "buy"), (90, 20, 6, "sell"), (120, 1000, 1000, "buy"))
    part = stretch(tmp_path, text, 120)
    assert volume_per_minute(part) == (30 + 120) / 2, "the trade at its end is not in it"
    assert trades_per_minute(part) == 1.0


def test_contracts_count_what_one_is_worth(tmp_path: Path) -> None:
    text = trades((0, 26.5, 3, "buy")).replace("amount", "contracts")
    part = stretch(tmp_path, text, 60)
    with pytest.raises(ScenarioError, match="counts contracts; what one is worth has to be given"):
        volume_per_minute(part)
    assert volume_per_minute(part, contract_value=10.0) == 30.0


def test_amounts_beyond_counting_are_refused(tmp_path: Path) -> None:
    text = trades((0, 100, 1e308, "buy"), (1, 100, 1e308, "buy"))
    with pytest.raises(ScenarioError, match="too large to be added up"):
        volume_per_minute(stretch(tmp_path, text, 60))


def test_years_of_seconds_are_refused_before_they_fill_the_memory(tmp_path: Path) -> None:
    ten_years = 10 * 365 * 86_400
    part = stretch(tmp_path, trades((0, 100, 1, "buy"), (ten_years, 101, 1, "sell")), ten_years)
    with pytest.raises(ScenarioError, match="at most 2,777 h of such prices"):
        volatility(part)


@pytest.mark.parametrize("per_root_second", [1e-4, 3e-4])
def test_volatility_of_a_random_walk_is_found(tmp_path: Path, per_root_second: float) -> None:
    rng, log, rows = random.Random(5), 0.0, []
    for second in range(4 * 3600):
        log += rng.gauss(0, per_root_second)
        rows.append((second, round(1000 * math.exp(log), 4), 1, "buy"))
    found = volatility(stretch(tmp_path, trades(*rows), 4 * 3600))
    assert found == pytest.approx(per_root_second, rel=0.05)


def test_the_bounce_between_bid_and_ask_hardly_counts(tmp_path: Path) -> None:
    """A price that jumps by 10 bp with every trade and goes nowhere: 1.4e-3 over a second."""
    rng = random.Random(5)
    rows = [(second, rng.choice((1000, 1001)), 1, "buy") for second in range(3600)]
    found = volatility(stretch(tmp_path, trades(*rows), 3600))
    assert found == pytest.approx(1e-3 / math.sqrt(2) / math.sqrt(30), rel=0.1)


def test_candles_move_from_close_to_close(tmp_path: Path) -> None:
    closes = [100, 101, 100, 101, 100]
    rows = [
        f"{(BEGIN_S + 60 * n) * 1000},{c},{c},{c},{c},7,0,0,0,0,0,0" for n, c in enumerate(closes)
    ]
    part = stretch(tmp_path, "\n".join(rows), 300)
    assert volatility(part) == pytest.approx(math.log(1.01) / math.sqrt(60))
    assert volume_per_minute(part) == 7 * sum(closes) / 5


def test_the_spread_is_between_a_buy_and_a_sell_next_to_it(tmp_path: Path) -> None:
    text = trades(
        (0, 1000, 1, "sell"),
        (1, 1001, 1, "buy"),
        (2, 1002, 1, "buy"),  # the same side
        (20, 900, 1, "sell"),  # too long after
    )
    assert trade_spread(stretch(tmp_path, text, 60)) == pytest.approx(math.log(1.001))


def test_without_sides_there_is_no_spread(tmp_path: Path) -> None:
    text = f"timestamp,price\n{BEGIN_S},1\n{BEGIN_S + 1},2\n"
    assert trade_spread(stretch(tmp_path, text, 60)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"timestamp,price\n{BEGIN_S},1\n", "no column of amounts"),
        (trades((0, 10, math.nan, "buy")), "line 2: amount must be a number of 0 or more"),
        (trades((70, 10, 1, "buy")), "nothing was traded"),
    ],
)
def test_a_volume_that_is_none_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        volume_per_minute(stretch(tmp_path, text, 60))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (trades((0, 10, 1, "buy"), (100, 10, 1, "buy")), "the price does not move"),
        (trades((130, 10, 1, "buy")), "no price lies in it"),
        (trades((110, 10, 1, "buy")), "prices of 60 s or more are needed"),
    ],
)
def test_a_volatility_that_is_none_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        volatility(stretch(tmp_path, text, 2 * MINUTE_NS // SECOND_NS))
