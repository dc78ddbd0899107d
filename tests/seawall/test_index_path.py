"""Index sources: real files resampled to the clock, seeded generators, and damaged files."""

import gzip
import itertools
import math
from decimal import Decimal
from pathlib import Path

import pytest

from seawall.index_csv import CANDLES_CSV, TRADES_CSV, read_prices
from seawall.index_path import (
    IndexPlan,
    Jump,
    SourcePlan,
    index_path,
    resample,
)
from seawall.scenario_fields import ScenarioError
from seawall.time_plan import TimePlan

TICK = Decimal("0.01")
S = 10**9


def plan_time(seconds: int = 60, warm_up: int = 0, start: int = 1_000) -> TimePlan:
    return TimePlan(start_ns=start * S, warm_up_ns=warm_up * S, duration_ns=seconds * S, tick_ns=S)


def write(tmp_path: Path, text: str, name: str = "prices.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def prints(
    source: SourcePlan, time: TimePlan, seed: int = 1, *more: SourcePlan
) -> list[tuple[int, int, int]]:
    plan = IndexPlan((source, *more), 1.0, 0.5)
    return [(p.time_ns, p.source_id, p.price_ticks) for p in index_path(plan, 3, TICK, time, seed)]


def anchored(**changes: object) -> SourcePlan:
    anchors = ((0, 100.0), (30 * S, 80.0), (60 * S, 90.0))
    fields: dict[str, object] = {"volatility": 1.0, "anchors": anchors, **changes}
    return SourcePlan("a", 1, "anchored", **fields)  # type: ignore[arg-type]


def test_trades_are_read_in_ticks_to_the_nearest_one(tmp_path: Path) -> None:
    path = write(tmp_path, "trade_id,timestamp_us,price\n7,1000000,26.604\n8,1000001,26.606\n")
    assert read_prices(path, TRADES_CSV, TICK) == [(S, 2660), (S + 1000, 2661)]


def test_gzip_and_plain_files_read_alike(tmp_path: Path) -> None:
    text = "timestamp_us,price\n1000000,5\n"
    packed = tmp_path / "prices.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_prices(packed, TRADES_CSV, TICK) == read_prices(
        write(tmp_path, text), TRADES_CSV, TICK
    )


def test_a_candle_prints_four_prices_the_nearer_extreme_first(tmp_path: Path) -> None:
    text = "open_time_ms,open,high,low,close\n0,10,11,8,9\n60000,9,12,8.5,11\n"
    quarter = 15 * S
    assert read_prices(write(tmp_path, text), CANDLES_CSV, Decimal(1)) == [
        (0, 10),
        (quarter, 11),
        (2 * quarter, 8),
        (3 * quarter, 9),
        (4 * quarter, 9),
        (5 * quarter, 8),
        (6 * quarter, 12),
        (7 * quarter, 11),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["empty", "timestamp_us, price"]),
        ("timestamp_us,price\n", ["no rows"]),
        ("timestamp_us,prise\n1,2\n", ["line 1", "'price' is missing", "did you mean 'prise'"]),
        ("timestamp_us,price\n1,2\n1,nan\n", ["line 3", "'nan'", "above 0"]),
        ("timestamp_us,price\n1,inf\n", ["line 2", "'inf'"]),
        ("timestamp_us,price\n1,0\n", ["line 2", "'0'"]),
        ("timestamp_us,price\n1,-3\n", ["line 2", "'-3'"]),
        ("timestamp_us,price\n1,\n", ["line 2", "''"]),
        ("timestamp_us,price\n1,0.001\n", ["line 2", "below one tick"]),
        ("timestamp_us,price\n5,1\n4,1\n", ["line 3", "4", "sorted by time"]),
        ("timestamp_us,price\nx,1\n", ["line 2", "'x'", "whole number"]),
        ("timestamp_us,price\n-1,1\n", ["line 2", "'-1'"]),
        ("timestamp_us,price\n1\n", ["line 2", "1 fields"]),
    ],
)
def test_damaged_trades_name_file_line_and_value(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        read_prices(path, TRADES_CSV, TICK)
    for part in [str(path), *parts]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("row", "part"),
    [("0,10,9,8,9", "do not fit"), ("0,10,12,11,11", "do not fit"), ("0,1,2,-1,1", "low '-1'")],
)
def test_impossible_candles_are_refused(tmp_path: Path, row: str, part: str) -> None:
    path = write(tmp_path, f"open_time_ms,open,high,low,close\n{row}\n")
    with pytest.raises(ScenarioError, match=part):
        read_prices(path, CANDLES_CSV, Decimal(1))


def test_doubled_candles_are_refused(tmp_path: Path) -> None:
    row = "60000,10,11,9,10\n"
    path = write(tmp_path, "open_time_ms,open,high,low,close\n" + row + row)
    with pytest.raises(ScenarioError, match="line 3"):
        read_prices(path, CANDLES_CSV, Decimal(1))


@pytest.mark.parametrize("cut", [10, 30])
def test_damaged_gzip_files_are_refused(tmp_path: Path, cut: int) -> None:
    rows = "".join(f"{n},5\n" for n in range(500))
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress(f"timestamp_us,price\n{rows}".encode())[:-cut])
    with pytest.raises(ScenarioError, match="damaged gzip"):
        read_prices(path, TRADES_CSV, TICK)
    path.write_text("timestamp_us,price\n1,2\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="damaged gzip"):
        read_prices(path, TRADES_CSV, TICK)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        read_prices(tmp_path / "absent.csv", TRADES_CSV, TICK)


def test_resampling_takes_the_last_price_up_to_each_tick_and_nothing_where_none_was() -> None:
    time = plan_time(seconds=5, start=10)
    points = [
        (9 * S, 1),
        (10 * S, 2),
        (10 * S + 1, 3),
        (11 * S, 4),
        (13 * S + 5, 5),
        (15 * S, 6),
        (16 * S, 7),
    ]
    assert resample(points, time, "x") == [(10 * S, 2), (11 * S, 4), (14 * S, 5), (15 * S, 6)]


def test_a_path_that_starts_late_begins_with_its_first_price() -> None:
    time = plan_time(seconds=5, start=10)
    assert resample([(12 * S, 9)], time, "x") == [(10 * S, 9), (12 * S, 9)]


@pytest.mark.parametrize("at", [9, 16])
def test_a_file_without_a_price_in_the_window_is_refused(at: int) -> None:
    with pytest.raises(ScenarioError, match="no price between"):
        resample([(at * S, 9)], plan_time(seconds=5, start=10), "x")


def test_an_anchored_path_passes_through_its_anchors() -> None:
    path = {time_ns: price for time_ns, _, price in prints(anchored(), plan_time())}
    assert (path[1_000 * S], path[1_030 * S], path[1_060 * S]) == (10_000, 8_000, 9_000)
    assert len(path) == 61


def test_without_volatility_an_anchored_path_is_straight_in_log_price() -> None:
    path = prints(anchored(volatility=0.0), plan_time())
    assert path[15][2] == round(100 * math.sqrt(100 * 80))


def test_a_path_that_ends_before_the_run_stays_at_its_last_anchor() -> None:
    path = prints(anchored(volatility=0.0), plan_time(seconds=80))
    assert path[-1] == (1_080 * S, 1, 9_000)


def test_generators_repeat_with_the_seed_and_differ_without_it() -> None:
    source = SourcePlan("j", 1, "jump_diffusion", start_price=50.0, volatility=1.0)
    assert prints(source, plan_time()) == prints(source, plan_time())
    assert prints(source, plan_time()) != prints(source, plan_time(), seed=2)


def test_a_jump_diffusion_has_the_variance_it_was_given() -> None:
    volatility = 2.0
    source = SourcePlan("j", 1, "jump_diffusion", start_price=1e6, volatility=volatility)
    prices = [price for _, _, price in prints(source, plan_time(seconds=20_000))]
    returns = [math.log(b / a) for a, b in itertools.pairwise(prices)]
    spread = math.sqrt(sum(r * r for r in returns) / len(returns))
    # the standard error of a deviation from 20,000 normal draws is 0.5 %
    assert spread == pytest.approx(volatility / math.sqrt(365 * 86_400), rel=0.03)


def test_jumps_arrive_at_their_rate() -> None:
    source = SourcePlan(
        "j", 1, "jump_diffusion", start_price=1e6, jump=Jump(per_hour=360.0, mean=0.01, spread=0.0)
    )
    prices = [price for _, _, price in prints(source, plan_time(seconds=20_000))]
    jumps = sum(1 for a, b in itertools.pairwise(prices) if b > a * 1.005)
    # 2,000 expected, standard deviation about 43
    assert 1_800 < jumps < 2_200


def test_a_follower_stays_near_its_leader_and_is_silent_when_told() -> None:
    follower = SourcePlan("b", 2, "follow", leader="a", noise=0.001, silences=((10 * S, 20 * S),))
    path = prints(anchored(), plan_time(), 1, follower)
    leader = {t: price for t, source, price in path if source == 1}
    other = {t: price for t, source, price in path if source == 2}
    assert all(abs(price / leader[t] - 1) < 0.006 for t, price in other.items())
    missing = [t // S - 1_000 for t in leader if t not in other]
    assert missing == list(range(10, 20))


def test_the_warm_up_ends_where_the_path_begins() -> None:
    plan = IndexPlan((anchored(volatility=0.0),), 1.05, 0.0)
    path = [
        (p.time_ns // S, p.price_ticks) for p in index_path(plan, 0, TICK, plan_time(60, 20), 1)
    ]
    assert path[0] == (980, 10_500)
    assert path[19][0] == 999
    assert path[20] == (1_000, 10_000)
    assert path[19][1] > 10_000


def test_prints_are_ordered_by_time_then_file_order() -> None:
    follower = SourcePlan("b", 9, "follow", leader="a", noise=0.0)
    path = prints(anchored(), plan_time(3), 1, follower)
    assert [(t // S, source) for t, source, _ in path] == [
        (t, source) for t in range(1_000, 1_004) for source in (1, 9)
    ]
