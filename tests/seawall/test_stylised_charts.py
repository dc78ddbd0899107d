"""The part of the report that sets a contract's trades beside the real ones."""

import random
from pathlib import Path

import polars as pl

from engine.events import Trade
from engine.units import SECOND_NS
from seawall.cli import main
from seawall.records.event_table import EventTable
from seawall.report.chart import Chart
from seawall.report.contract import ContractData
from seawall.report.page import BESIDE, report_charts, report_html
from seawall.report.stylised_charts import HERE, stylised_charts
from tests.seawall.report_page import rows_of
from tests.seawall.report_world import INVERSE, START_NS, synthetic_report

SECONDS = 1_800
LABEL = "The real one"
MINUTES_US = 60_000_000


def prints(seed: int, step: float) -> list[tuple[int, int, int, int]]:
    """Trades at random times: time, ticks, side and lots, in runs of one side."""
    rng = random.Random(seed)
    times = sorted(rng.randrange(SECONDS * SECOND_NS) for _ in range(4 * SECONDS))
    side, price, rows = 1, 2_600.0, []
    for time_ns in times:
        side = -side if rng.random() < 0.2 else side
        lots = 1 + int(rng.expovariate(0.1))
        price *= 1 + step * side * lots**0.5
        rows.append((START_NS + time_ns, round(price), side, lots))
    return rows


def charts(here: list[tuple[int, int, int, int]], real: pl.DataFrame) -> list[Chart]:
    table = EventTable()
    for place, (time_ns, ticks, side, lots) in enumerate(here):
        table.add(Trade(time_ns, 2, place, ticks, lots, side, False), place)
    data = synthetic_report(0, SECONDS, events=table.frame(), real_trades={2: real})
    data.scenario.end_ns = START_NS + SECONDS * SECOND_NS
    data.settings["reference.label"] = LABEL
    return stylised_charts(ContractData(data, INVERSE))


def real_frame(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    """In prices, and in contracts of another size."""
    tick = float(INVERSE.tick_size)
    columns = [(time_ns, ticks * tick, side, lots * 7.0) for time_ns, ticks, side, lots in rows]
    return pl.DataFrame(columns, schema=["time_ns", "price", "side", "size"], orient="row")


def test_a_market_beside_itself_agrees_in_every_fact() -> None:
    rows = prints(1, 2e-4)
    chart, *distances = charts(rows, real_frame(rows))
    header, *facts = rows_of(chart.table)
    assert header == ["Fact", HERE, LABEL, "Ratio"]
    assert len(facts) == 12
    assert {row[3] for row in facts} <= {"1.00", ""}
    assert all(row[1] == row[2] != "not known" for row in facts)
    assert f"{len(rows):,} trades here and {len(rows):,} in the real market" in chart.sentences[0]
    assert "moved 1.00 times as much" in chart.sentences[1]
    assert "are within a factor of 1.5" in chart.sentences[-1]
    assert [each.key for each in distances] == ["signs-2", "sizes-2", "tails-2"]
    for each in distances:
        assert each.figure is not None
        this, that = each.figure["data"]
        assert (this["x"], this["y"]) == (that["x"], that["y"])


def test_a_wilder_market_is_told_by_how_much() -> None:
    calm, wild = prints(2, 1e-4), prints(2, 4e-4)
    chart, *_ = charts(wild, real_frame(calm))
    facts = {row[0]: row[1:] for row in rows_of(chart.table)}
    here, real, ratio = map(float, facts["Volatility of 10 s returns, % per root hour"])
    assert 3 < ratio < 5
    assert abs(here / real - ratio) < 0.05
    assert (
        f"moved {ratio:.2f} times as much as the real ones: {here} % against" in chart.sentences[1]
    )


def test_a_file_without_sides_leaves_unknown_what_goes_by_them() -> None:
    rows = prints(3, 2e-4)
    chart, signs, sizes, tails = charts(rows, real_frame(rows).select("time_ns", "price"))
    unknown = [row[0] for row in rows_of(chart.table) if row[2] == "not known"]
    assert len(unknown) == 6
    assert all("sign" in name or name.startswith(("Last", "Impact", "Part")) for name in unknown)
    assert "does not say which side took" in chart.captions[-1]
    assert [len(each.figure["data"]) for each in (signs, sizes, tails) if each.figure] == [1, 2, 2]


def test_a_real_market_without_trades_in_the_window_is_no_fault() -> None:
    empty = real_frame(prints(4, 2e-4)).clear()
    chart, *_ = charts(prints(4, 2e-4), empty)
    assert " and 0 in the real market" in chart.sentences[0]
    assert all(row[2] in ("not known", "0.0") for row in rows_of(chart.table)[1:])


def test_the_part_is_there_only_beside_a_real_market() -> None:
    alone = synthetic_report(0, 60, real_trades={})
    assert BESIDE not in report_charts(alone)
    assert BESIDE not in report_html(alone)
    assert BESIDE in report_html(synthetic_report(0, 60))


SCENARIO = """
extends = "small_crash"
[time]
start = "2025-10-10T20:45:00Z"
[reference]
label = "The real one"
file = "real.csv"
"""


def test_a_run_with_a_reference_is_set_beside_it(tmp_path: Path) -> None:
    rng = random.Random(5)
    start_us = 1_760_129_100_000_000  # 2025-10-10 20:45 UTC
    price, lines = 10_000, ["timestamp_us,trade_id,side,price,contracts"]
    for number in range(1_500):
        side = rng.choice(("buy", "sell"))
        price += rng.randrange(3) * (1 if side == "buy" else -1)
        at_us = start_us + number * 3 * MINUTES_US // 1_500
        lines.append(f"{at_us},{number},{side},{price / 100},{rng.randrange(1, 99)}")
    (tmp_path / "real.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "beside.toml").write_text(SCENARIO)
    out = tmp_path / "out"
    assert main(["run", str(tmp_path / "beside.toml"), "--out", str(out)]) == 0
    real = pl.read_parquet(out / "real_trades.parquet")
    assert real.columns == ["instrument_id", "time_ns", "price", "side", "size"]
    assert (out / "report.html").read_text().count("Stylised facts of") == 1
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert f'<h2 id="part-2">{BESIDE}</h2>' in page
    assert "1,500 in the real market" in page
    assert "Trades per minute</th><td>" in page
    assert len(page) < 1_500_000 + 1_100_000  # with the library it draws with
