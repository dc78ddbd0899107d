"""Files of prices as index: how long a scenario lasts, and the way of the price inside candles."""

from decimal import Decimal
from pathlib import Path

import pytest

from seawall.index_csv import CANDLES_CSV, points_of
from seawall.index_path import IndexPlan, SourcePlan, index_path
from seawall.price_files.candles import bridges, candle_walk, widths_ns
from seawall.price_files.price_table import read_price_file
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.simulating.index_stream import price_streams
from seawall.time_plan import TimePlan

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "prices"
CANDLES = FOLDER / "candles.csv"
TRADES = FOLDER / "trades.csv"
TICK = Decimal("0.01")
SECOND = 10**9
START_NS = 1_738_584_000 * SECOND
HOUR = 3_600 * SECOND


def scenario(tmp_path: Path, sources: str, time: str = "") -> Scenario:
    file = tmp_path / "s.toml"
    file.write_text(
        'rulebook = "teaching-default"\n[time]\nwarm_up = "0s"\n'
        f"{time}\n[assets.usd]\n[instruments.p]\nsymbol = 'X'\ntick = '0.01'\n{sources}"
    )
    return load_scenario(file)


def source(file: Path, name: str = "a", more: str = "") -> str:
    return f'[index.p.sources.{name}]\nkind = "file"\nfile = "{file}"\n{more}\n'


# the window


def test_a_scenario_lasts_as_long_as_its_file(tmp_path: Path) -> None:
    time = scenario(tmp_path, source(CANDLES)).time
    assert (time.start_ns, time.duration_ns) == (START_NS, HOUR)
    time = scenario(tmp_path, source(TRADES)).time
    assert (time.start_ns, time.duration_ns) == (START_NS + 1_200 * SECOND, 597 * SECOND)


def test_several_files_give_the_stretch_that_all_of_them_cover(tmp_path: Path) -> None:
    time = scenario(tmp_path, source(CANDLES) + source(TRADES, "b")).time
    assert (time.start_ns, time.duration_ns) == (START_NS + 1_200 * SECOND, 597 * SECOND)


def test_what_the_scenario_says_of_its_window_stays(tmp_path: Path) -> None:
    late = scenario(tmp_path, source(CANDLES), 'start = "2025-02-03T12:10:00Z"').time
    assert (late.start_ns, late.duration_ns) == (START_NS + 600 * SECOND, HOUR - 600 * SECOND)
    short = scenario(tmp_path, source(CANDLES), 'duration = "5m"').time
    assert (short.start_ns, short.duration_ns) == (START_NS, 300 * SECOND)
    tenth = scenario(tmp_path, source(FOLDER / "odd_names.csv", more=ODD), 'tick = "100ms"').time
    assert tenth.start_ns == START_NS + 1_200 * SECOND + 200_000_000


ODD = 'columns = { time = "when", price = "paid" }'


@pytest.mark.parametrize(
    ("time", "sources", "problem"),
    [
        ("", '[index.p.sources.a]\nkind = "anchored"\nanchors = [["0s", 1], ["1s", 1]]', "missing"),
        (
            'start = "file"\nduration = "5s"',
            '[index.p.sources.a]\nkind = "anchored"\nanchors = [["0s", 1], ["1s", 1]]',
            "time.start.*: 'file' has no meaning here: no source reads a file",
        ),
        (
            'start = "2025-02-03T13:10:00Z"',
            source(CANDLES),
            "nothing is left from 2025-02-03T13:10:00Z on that all files cover: .*candles.csv from "
            "2025-02-03T12:00:00Z to 2025-02-03T13:00:00Z",
        ),
        ("", source(CANDLES, more='time_unit = "hours"'), "'hours' is unknown; .*s, ms, us, ns"),
        ("", source(CANDLES, more="columns = { time = 1 }"), "must be a table of time, open, high"),
        ("", source(CANDLES, more="columns = { time = 0, price = 2 }"), "number from 1"),
        ("", source(CANDLES, more="columns = { time = 9, price = 2 }"), "no column 9 among 5"),
        ("", source(FOLDER / "none.csv"), "none.csv: no such file"),
    ],
)
def test_a_window_that_no_file_gives_is_refused(
    tmp_path: Path, time: str, sources: str, problem: str
) -> None:
    with pytest.raises(ScenarioError, match=problem):
        scenario(tmp_path, sources, time)


def test_a_file_that_misses_the_window_says_so_in_utc() -> None:
    plan = IndexPlan((SourcePlan("a", 1, CANDLES_CSV, file=CANDLES),), 1.0, 0.5)
    time = TimePlan(START_NS - 2 * HOUR, 0, HOUR, SECOND)
    with pytest.raises(ScenarioError) as refused:
        next(index_path(plan, 0, TICK, time, 1))
    assert str(refused.value).endswith(
        "no price between 2025-02-03T10:00:00Z and 2025-02-03T11:00:00Z; the file covers "
        "2025-02-03T12:00:00Z to 2025-02-03T12:59:45Z (time.start = 'file' begins where it does)"
    )


def test_a_coin_that_costs_more_than_a_thousand_has_its_price_from_a_file() -> None:
    """In parts per billion a bitcoin is beyond the ticks that a contract may have."""
    real = {"replace": True, "real": {"kind": "file", "file": str(CANDLES)}}
    times = {"time.start": "file", "time.duration": "20s", "time.warm_up": "20s"}
    scenario = load_scenario("collateral_crash", {"asset_prices.btc.sources": real, **times})
    assert scenario.time.start_ns == START_NS
    stream = price_streams(scenario, 1, lambda *_: None)["btc"]
    points = list(iter(stream.take, None))
    assert (points[-1].time_ns, points[-1].price_ticks) == (
        START_NS + 15 * SECOND,
        99_846_010_000_000,
    )


# the bridge


def path(bridge: bool, seed: int = 1, start: int = 0, tick_ns: int = SECOND) -> dict[int, int]:
    plan = IndexPlan((SourcePlan("a", 1, "file", file=CANDLES, bridge=bridge),), 1.0, 0.5)
    begin_ns = START_NS + start * SECOND
    time = TimePlan(begin_ns, 0, START_NS + HOUR - begin_ns, tick_ns)
    return {each.time_ns: each.price_ticks for each in index_path(plan, 0, TICK, time, seed)}


@pytest.mark.parametrize("tick_ns", [SECOND, 250_000_000, 7 * SECOND])
def test_a_bridge_meets_open_high_low_and_close_of_every_candle(tick_ns: int) -> None:
    table = read_price_file(CANDLES)
    rows = table.ticks(TICK)
    points = list(bridges(table.times_ns, rows, tick_ns, (START_NS, START_NS + HOUR), "any seed"))
    for begin_ns, width_ns, (first, high, low, last) in zip(
        table.times_ns, widths_ns(table.times_ns), rows, strict=True
    ):
        inside = [price for at, price in points if begin_ns <= at < begin_ns + width_ns]
        assert len(inside) == width_ns // tick_ns
        assert (inside[0], max(inside), min(inside), inside[-1]) == (first, high, low, last)


def test_a_bridge_is_seen_by_the_clock_at_every_tick() -> None:
    walked = path(bridge=True)
    assert sorted(walked) == [START_NS + n * SECOND for n in range(3_600)]
    assert len(path(bridge=False)) == 240


def test_without_a_bridge_the_path_is_the_four_prices() -> None:
    assert path(bridge=False) == dict(points_of(read_price_file(CANDLES), TICK))


def test_a_bridge_goes_by_seed_and_not_by_the_start_of_the_run() -> None:
    assert path(bridge=True) == path(bridge=True)
    assert path(bridge=True) != path(bridge=True, seed=2)
    late = path(bridge=True, start=600)
    assert late == {at: price for at, price in path(bridge=True).items() if at in late}


def test_a_candle_without_room_for_a_bridge_prints_its_four_prices() -> None:
    candles = [(10, 12, 7, 9), (5, 5, 5, 5)]
    quarter = SECOND // 4
    points = list(bridges([0, SECOND], candles, SECOND, (0, 2 * SECOND), "x"))
    assert points[:4] == list(zip(range(0, SECOND, quarter), candle_walk(candles[0]), strict=True))
    level = list(bridges([0, 8], [candles[1]] * 2, 1, (0, 15), "x"))
    assert level == [(at, 5) for at in range(16)]


def test_a_bridge_is_refused_where_there_are_no_candles() -> None:
    plan = IndexPlan((SourcePlan("a", 1, "file", file=TRADES, bridge=True),), 1.0, 0.5)
    with pytest.raises(ScenarioError, match="holds trades; a bridge goes inside candles"):
        next(index_path(plan, 0, TICK, TimePlan(START_NS, 0, HOUR, SECOND), 1))
