"""The report page: what it shows, what it never loads, and that its figures add up."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import (
    FundChanged,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    Trade,
)
from seawall.records.event_table import EventTable
from seawall.records.listed import ListedAsset, ListedInstrument, ScenarioBlock
from seawall.report import (
    ReportData,
    ReportDataError,
    fund_series,
    load_report_data,
    rebuild_report,
    save_series,
    write_report,
)
from seawall.report.downsample import min_max_points
from seawall.report.facts import LOSS_FIELDS, call_facts, loss_parts
from seawall.report.market_charts import ContractData, line_points_max, marks_max, price_chart
from seawall.report.money_charts import house_charts, result_charts
from seawall.report.page import report_charts, report_html
from seawall.report.risk_charts import call_charts
from seawall.report.text import duration, money, plain, utc
from tests.seawall.report_world import (
    INVERSE,
    LINEAR,
    SECOND_NS,
    START_NS,
    empty_report,
    synthetic_report,
    synthetic_series,
)


def save_run(directory: Path, data: ReportData) -> None:
    """Leave the files a run leaves."""
    block = ScenarioBlock(
        title=data.title,
        description=data.description,
        notes=data.notes,
        assets=data.assets,
        instruments=data.instruments,
    )
    text = json.dumps(data.summary | {"scenario": msgspec.to_builtins(block)})
    (directory / "summary.json").write_text(text, encoding="utf-8")
    data.events.write_parquet(directory / "events.parquet")
    save_series(directory, data.series, data.margin_ratio, data.real_trades)


@pytest.fixture(scope="module")
def small() -> ReportData:
    return synthetic_report()


@pytest.fixture(scope="module")
def small_page(small: ReportData) -> str:
    return report_html(small)


def own_part(page: str) -> str:
    """The page without the embedded library, whose source text mentions addresses."""
    library_end = page.rindex("</script>\n<script>")
    library_start = page.rindex("</script>\n<script>", 0, library_end)
    return page[:library_start] + page[library_end:]


def figures(data: ReportData) -> dict[str, dict[str, Any]]:
    return {
        chart.key: chart.figure
        for _, charts in report_charts(data)
        for chart in charts
        if chart.figure is not None
    }


def test_the_page_loads_nothing_from_the_network(small_page: str) -> None:
    own = own_part(small_page)
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//", own)
    assert "<link" not in own
    assert "@import" not in own and "url(" not in own
    assert not re.search(r"<script[^>]*\ssrc", small_page)
    assert "default-src 'none'" in own
    assert "showSendToCloud: false" in own


def test_the_library_is_embedded_once(small_page: str) -> None:
    assert small_page.count("plotly.js v") == 1


def test_every_part_of_the_report_is_drawn(small: ReportData) -> None:
    expected = ["price-1", "depth-1", "open-interest-1", "price-2", "depth-2", "open-interest-2"]
    expected += ["calls", "windows", "stages", "outcomes", "cascade", "results-USDT"]
    expected += ["losses-1", "losses-2", "account-insurance_fund", "fund", "margin-ratio"]
    assert list(figures(small)) == expected


def test_every_chart_says_what_to_look_for(small: ReportData) -> None:
    for _, charts in report_charts(small):
        for chart in charts:
            assert chart.explanation.startswith("Look for"), chart.key


def test_a_waterfall_starts_at_the_equity_before_and_its_bars_lead_to_the_equity_after(
    small: ReportData,
) -> None:
    drawn = figures(small)
    for total in loss_parts(small.events):
        trace = drawn[f"losses-{total.asset_id}"]["data"][0]
        assert trace["measure"] == ["absolute", *["relative"] * len(LOSS_FIELDS), "total"]
        texts = [int(text.replace(",", "").replace(".", "")) for text in trace["customdata"]]
        assert texts[0] == total.equity_before_q != 0
        assert sum(texts[:-1]) == texts[-1] == total.equity_after_q


def test_the_parts_of_losses_are_summed_per_asset_from_the_ended_liquidations() -> None:
    table = EventTable()
    parts = (-50, -20, -3, -1, -26, 0, 0, 5)
    table.add(LiquidationEnded(1, 10, 1, 1, "taken_over", False, 100, 5, *parts), 1)
    table.add(LiquidationEnded(2, 11, 2, 1, "restored", True, 40, 30, -10, *[0] * 7), 2)
    table.add(LiquidationEnded(3, 12, 3, 2, "socialised", False, 7, 0, 0, 0, 0, 0, 0, -9, 2, 0), 3)
    first, second = loss_parts(table.frame())
    assert (first.asset_id, first.liquidations, first.change_q) == (1, 2, -105)
    assert list(first.parts.values()) == [-60, -20, -3, -1, -26, 0, 0, 5]
    assert (second.asset_id, second.change_q, second.unexplained_q) == (2, -7, 0)


def test_losses_that_do_not_add_up_are_called_out(small: ReportData) -> None:
    table = EventTable()
    table.add(LiquidationEnded(1, 10, 1, 1, "closed", False, 100, 40, -59, *[0] * 7), 1)
    page = own_part(report_html(synthetic_report(0, 60, events=table.frame())))
    assert "do NOT add up: -0.000001 USDT" in page
    assert "add up to the change in equity exactly" not in page
    assert "add up to the change in equity exactly" in report_html(small)


@given(
    values=st.lists(st.one_of(st.none(), st.integers(-1_000, 1_000)), max_size=200),
    cap=st.integers(4, 40),
)
def test_downsampling_keeps_low_high_and_both_ends(values: list[int | None], cap: int) -> None:
    schema = {"time_ns": pl.Int64, "y": pl.Int64}
    frame = pl.DataFrame(list(enumerate(values)), schema=schema, orient="row")
    thin = min_max_points(frame, "y", cap)
    known = frame.drop_nulls()
    assert thin.height <= cap
    assert thin["time_ns"].is_sorted()
    assert thin.join(known, on=["time_ns", "y"], how="anti").height == 0
    if known.height:
        assert thin["y"].min() == known["y"].min()
        assert thin["y"].max() == known["y"].max()
        assert thin.row(0) == known.row(0) and thin.row(-1) == known.row(-1)
    if known.height <= cap:
        assert thin.equals(known)


def test_downsampling_refuses_a_cap_without_room_for_the_extremes() -> None:
    with pytest.raises(ValueError, match="cap is 3"):
        min_max_points(pl.DataFrame({"time_ns": [1], "y": [1]}), "y", 3)


def test_a_single_print_at_the_low_is_drawn_among_many_trades() -> None:
    table = EventTable()
    for second in range(20_000):
        price = 123 if second == 13_337 else 20_000
        table.add(Trade(START_NS + second * SECOND_NS, 1, second, price, 1, 1, False), second)
    data = synthetic_report(0, 60, events=table.frame())
    traded = next(
        trace
        for trace in price_chart(ContractData(data, LINEAR), None).figure["data"]  # type: ignore[index]
        if trace["name"] == "Traded"
    )
    assert len(traded["x"]) <= line_points_max(2)
    low = traded["y"].index(0.123)
    assert traded["x"][low] == (START_NS + 13_337 * SECOND_NS) // 1_000_000


def test_marks_beyond_the_cap_are_dropped_smallest_first_and_the_page_says_so() -> None:
    cap = marks_max(2)
    table = EventTable()
    for number in range(cap + 500):
        table.add(Trade(START_NS + number, 1, number, 20_000, number + 1, -1, True), number)
    chart = price_chart(ContractData(synthetic_report(0, 60, events=table.frame()), LINEAR), None)
    assert chart.figure is not None
    marks = next(trace for trace in chart.figure["data"] if trace["mode"] == "markers")
    assert len(marks["x"]) == cap
    assert min(contracts for contracts, _ in marks["customdata"]) == pytest.approx(50.1)
    assert any(f"{cap:,} largest of {cap + 500:,}" in text for text in chart.captions)


def test_only_trades_of_liquidation_orders_become_marks() -> None:
    table = EventTable()
    table.add(Trade(START_NS, 1, 1, 20_000, 5, -1, True), 1)
    table.add(Trade(START_NS, 1, 2, 20_000, 7, -1, False), 2)
    fills = ContractData(synthetic_report(0, 60, events=table.frame()), LINEAR).fills()
    assert fills.rows() == [(START_NS, 20.0, 0.5, 10.0)]


def test_an_inverse_contract_s_notional_does_not_depend_on_the_price() -> None:
    table = EventTable()
    table.add(Trade(START_NS, 2, 1, 2_000, 5, -1, True), 1)
    table.add(Trade(START_NS, 2, 2, 1_000, 5, -1, True), 2)
    fills = ContractData(synthetic_report(0, 60, events=table.frame()), INVERSE).fills()
    assert fills["notional"].to_list() == [50.0, 50.0]


def test_the_response_window_runs_from_the_uncured_call_to_the_first_liquidation() -> None:
    table = EventTable()
    started = (1, 5, 5, 100, False)
    table.add(MarginCallIssued(100, 10, 1, 5, 200, 5, 5), 1)
    table.add(MarginCallEnded(150, 10, 1, "cured", 50, "deposit", 5), 2)
    table.add(LiquidationStarted(300, 10, 1, *started), 3)
    table.add(MarginCallIssued(400, 11, 1, 5, 500, 5, 5), 4)
    table.add(MarginCallEnded(430, 11, 1, "overtaken", 30), 5)
    table.add(LiquidationStarted(430, 11, 2, *started), 6)
    table.add(LiquidationStarted(900, 11, 3, *started), 7)
    table.add(MarginCallIssued(1_000, 12, 1, 5, 1_100, 5, 5), 8)
    facts = call_facts(table.frame())
    assert facts.response_ns == [30]
    assert facts.open_ns == {"cured by deposit": [50], "overtaken": [30]}
    assert (facts.issued, facts.still_open) == (3, 1)


def test_the_fund_series_begins_with_what_the_wallet_held_if_it_held_anything() -> None:
    table = EventTable()
    table.add(FundChanged(5, 1, 100, 700, "fee"), 1)
    table.add(FundChanged(6, 1, -300, 400, "deficit"), 2)
    table.add(FundChanged(7, 2, 50, 50, "deposit"), 3)
    rows = [(5, 1, 600), (5, 1, 700), (6, 1, 400), (7, 2, 50)]
    assert fund_series(table.frame()).rows() == rows


@pytest.mark.parametrize("detail", ["{", "[]", '{"asset_id":1}', None])
def test_a_damaged_event_is_named(detail: str | None) -> None:
    table = EventTable()
    for number in (1, 2, 3):
        table.add(FundChanged(number, 1, 100, 700, "fee"), number)
    damaged = pl.when(pl.col("seq") == 2).then(pl.lit(detail, pl.String)).otherwise("detail")
    with pytest.raises(ValueError, match=r"^event 2 \(FundChanged\): detail: "):
        fund_series(table.frame().with_columns(detail=damaged))


def test_the_comparison_table_states_low_time_and_basis_of_both_markets() -> None:
    minute = 60 * SECOND_NS
    table = EventTable()
    for step, price in enumerate((2_600, 2_000, 2_500)):
        table.add(Trade(START_NS + step * minute, 2, step, price, 1, 1, False), step)
    series = synthetic_series(1, 0.01, 1).with_columns(index_ticks=pl.lit(2_500, pl.Int64))
    real = pl.DataFrame({"time_ns": [START_NS, START_NS + 30 * SECOND_NS], "price": [25.0, 10.0]})
    data = synthetic_report(0, 60, events=table.frame(), series={2: series}, real_trades={2: real})
    rows = re.findall(r"<tr>(.*?)</tr>", price_chart(ContractData(data, INVERSE), None).table)
    cells = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in rows]
    at = "2025-10-10 20:46:00.000"
    assert cells[1] == ["Simulated perpetual", "26.00", "20.00", at, "-23.1%", "-20.0%", at]
    at = "2025-10-10 20:45:30.000"
    assert cells[2] == ["Real perpetual", "25.00", "10.00", at, "-60.0%", "-60.0%", at]


def test_a_run_without_liquidations_says_so() -> None:
    page = report_html(synthetic_report(0, 60))
    assert "No account was liquidated in this run." in page
    assert "No margin call was issued in this run." in page
    assert "No position of this instrument was liquidated in this run." in page


def test_a_run_in_which_nothing_was_recorded_still_gives_a_page() -> None:
    page = own_part(report_html(empty_report()))
    for words in ("No price was recorded", "No margin ratio was sampled", "fund never moved"):
        assert words in page
    assert "not recorded" in page


def test_text_is_escaped_wherever_it_is_shown() -> None:
    evil = "<img src=x onerror=alert(1)></script>&\"'"
    instrument = ListedInstrument(
        instrument_id=1,
        symbol=evil,
        kind="linear",
        tick_size="0.001",
        lot_size="0.1",
        settle_asset_id=1,
        settle_asset=evil,
        settle_decimals=6,
    )
    summary = {"state_hash": evil, "accounts": evil, "bad_debt": {evil: "1"}}
    table = EventTable()
    table.add(LiquidationEnded(START_NS, 1, 1, 1, evil, False, 2, 1, -1, *[0] * 7), 1)
    table.add(LiquidationStage(START_NS, 1, 1, evil, 1, 1), 2)
    table.add(FundChanged(START_NS, 1, 1, 1, evil), 3)
    data = synthetic_report(
        0,
        60,
        title=evil,
        description=evil,
        notes=[evil],
        summary=summary,
        instruments=[instrument],
        events=table.frame(),
        fund=fund_series(table.frame()),
    )
    own = own_part(report_html(data))
    assert "<img" not in own
    assert own.count("</script>") == 2
    assert "&lt;img src=x onerror=alert(1)&gt;" in own
    for figure in figures(data).values():
        assert "<img" not in json.dumps([trace.get("name", "") for trace in figure["data"]])
        assert "<img" not in json.dumps(figure["layout"])


def test_chart_data_is_valid_json_without_not_a_number(small_page: str) -> None:
    block = re.search(r'<script type="application/json" id="charts">(.*?)</script>', small_page)
    assert block is not None

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    charts = json.loads(block[1], parse_constant=refuse)
    assert {chart["key"] for chart in charts} >= {"price-1", "losses-1"}


def test_a_page_with_twenty_thousand_liquidations_stays_below_eight_megabytes(
    tmp_path: Path,
) -> None:
    path = write_report(synthetic_report(20_000, 5_400), tmp_path / "report.html")
    assert path.stat().st_size < 8_000_000
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_the_report_is_rebuilt_alike_from_the_run_directory(
    small: ReportData, small_page: str, tmp_path: Path
) -> None:
    save_run(tmp_path, small)
    path = rebuild_report(tmp_path)
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8") == small_page


def test_with_the_table_at_hand_the_file_of_events_is_not_read(
    small: ReportData, small_page: str, tmp_path: Path
) -> None:
    save_run(tmp_path, small)
    (tmp_path / "events.parquet").write_bytes(b"not looked at")
    path = rebuild_report(tmp_path, small.events)
    assert path.read_text(encoding="utf-8") == small_page


@pytest.mark.parametrize(
    "name", ["summary.json", "events.parquet", "series.parquet", "margin_ratio.parquet"]
)
def test_a_missing_file_of_the_run_is_named(small: ReportData, tmp_path: Path, name: str) -> None:
    save_run(tmp_path, small)
    (tmp_path / name).unlink()
    with pytest.raises(ReportDataError, match=re.escape(str(tmp_path / name))):
        load_report_data(tmp_path)


@pytest.mark.parametrize("name", ["events.parquet", "series.parquet", "margin_ratio.parquet"])
def test_a_damaged_file_or_a_missing_column_is_named(
    small: ReportData, tmp_path: Path, name: str
) -> None:
    save_run(tmp_path, small)
    path = tmp_path / name
    pl.read_parquet(path).drop("time_ns").write_parquet(path)
    with pytest.raises(ReportDataError, match=f"{name}: column 'time_ns' is missing"):
        load_report_data(tmp_path)
    path.write_bytes(b"not parquet")
    with pytest.raises(ReportDataError, match=f"{name}: not a readable parquet file"):
        load_report_data(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a JSON object"),
        ("{}", "key 'scenario'"),
        ('{"scenario": {"title": 1}}', "title"),
    ],
)
def test_a_malformed_summary_is_named(
    small: ReportData, tmp_path: Path, text: str, message: str
) -> None:
    save_run(tmp_path, small)
    (tmp_path / "summary.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReportDataError, match=message):
        load_report_data(tmp_path)


def test_series_without_a_column_are_refused_before_anything_is_written(
    small: ReportData, tmp_path: Path
) -> None:
    series = {1: small.series[1].drop("mark_ticks")}
    with pytest.raises(ReportDataError, match="instrument 1: column 'mark_ticks' is missing"):
        save_series(tmp_path, series, small.margin_ratio)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value"), [("kind", "quanto"), ("tick_size", "0"), ("lot_size", "x")]
)
def test_an_instrument_with_a_bad_field_is_refused(field: str, value: str) -> None:
    fields = {name: getattr(LINEAR, name) for name in LINEAR.__struct_fields__}
    with pytest.raises(ValueError, match=repr(value)):
        ListedInstrument(**(fields | {field: value}))


@pytest.mark.parametrize(
    ("amount_q", "decimals", "text"),
    [
        (0, 2, "0.00"),
        (-5, 2, "-0.05"),
        (123_456_789, 2, "1,234,567.89"),
        (-1_234, 0, "-1,234"),
        (10**40 + 1, 8, "100,000,000,000,000,000,000,000,000,000,000.00000001"),
    ],
)
def test_money_is_written_exactly(amount_q: int, decimals: int, text: str) -> None:
    assert money(amount_q, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1_234_567, "1,234,567"),
        ("1234567.500", "1,234,567.5"),
        ("-0.10", "-0.1"),
        ({"USDT": "1000.00", "AVAX": 0}, "1,000 USDT\n0 AVAX"),
        ({}, "none"),
        (None, "not recorded"),
        (0.5, "0.50"),
        ("deadbeef", "deadbeef"),
    ],
)
def test_values_of_the_summary_are_readable(value: Any, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [(0, "0 s"), (12, "12 ns"), (1_500_000, "1.5 ms"), (90 * SECOND_NS, "1.5 min")],
)
def test_durations_use_the_largest_unit_that_fits(time_ns: int, text: str) -> None:
    assert duration(time_ns) == text


def test_times_are_utc_and_rounded_down() -> None:
    assert utc(START_NS + 999_999_999) == "2025-10-10 20:45:00.999"


def rows_of(table: str) -> list[list[str]]:
    """The cells of a table, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    return [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in rows]


def test_who_lost_and_who_won_is_a_table_with_a_total_of_zero(small: ReportData) -> None:
    (chart,) = result_charts(small)
    rows = rows_of(chart.table)
    names = ["retail", "makers", "insurance fund", "total"]
    assert [row[0] for row in rows] == ["", *names, "", *names]
    assert [row[-1] for row in rows[1:5]] == ["-900.5", "1,000", "-99.5", "0"]
    assert rows[6] == ["retail", "6,663", "0", "0", "0", "-900.5"]
    assert chart.figure is not None
    (bars,) = chart.figure["data"]
    assert bars["x"] == [-900.5, 1000.0, -99.5]
    assert chart.table in own_part(report_html(small))


def test_the_fund_s_account_has_a_column_for_each_asset_and_every_line(small: ReportData) -> None:
    (chart,) = house_charts(small)
    assert chart.heading == "Account of the insurance fund"
    rows = {row[0]: row[1:] for row in rows_of(chart.table)}
    assert rows[""] == ["USDT", "AVAX"]
    assert rows["At the start"] == ["1,000,000", "1,000,000"]
    assert rows["Deficits paid for accounts"] == ["-126,887.44898", "0"]
    # A line of another name is shown as it is called, before the end.
    assert rows["Solvency"] == ["0", "-87,989.888"]
    assert list(rows)[-1] == "At the end"
    assert "Funding" not in rows


def test_a_run_in_which_nobody_won_anything_says_so() -> None:
    (chart,) = result_charts(empty_report())
    assert chart.figure is None
    assert chart.empty == "Nobody lost or won anything in this run."
    assert house_charts(empty_report()) == []


def test_an_asset_that_only_serves_as_collateral_has_its_name() -> None:
    gold = ListedAsset(asset_id=7, symbol="XAUT", decimals=2)
    table = EventTable()
    table.add(FundChanged(START_NS, 7, 100, 700, "collateral"), 1)
    events = table.frame()
    data = synthetic_report(0, 60, assets=[gold], events=events, fund=fund_series(events))
    (drawn,) = figures(data)["fund"]["data"]
    assert (drawn["name"], drawn["y"][-1]) == ("XAUT", 7.0)


def test_the_cards_show_the_fund_s_lines_per_asset(small: ReportData) -> None:
    page = own_part(report_html(small))
    assert "<dt>deficits</dt><dd>-126,887.44898 USDT</dd>" in page


def test_cured_calls_are_told_apart(small: ReportData) -> None:
    table = call_charts(small, None)[0].table
    names = [row[0] for row in rows_of(table)[1:]]
    assert names[:4] == [f"cured by {name}" for name in ("deposit", "reduction", "both", "price")]
    windows = figures(small)["windows"]["data"]
    assert [bars["name"].split(" after")[0] for bars in windows] == [
        "Liquidated",
        "Answered and cured",
        "Cured by price",
    ]
