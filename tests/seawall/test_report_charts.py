"""The charts and tables of the report: what they are drawn of, and that their figures add up."""

import re
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import (
    FundChanged,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    Trade,
)
from seawall.records.event_table import EventTable
from seawall.records.listed import ListedAsset
from seawall.report import ReportData, fund_series
from seawall.report.call_charts import call_charts
from seawall.report.contract import ContractData, line_points_max, marks_max
from seawall.report.downsample import min_max_points
from seawall.report.facts import call_facts, loss_parts
from seawall.report.house_charts import house_charts
from seawall.report.market_charts import price_chart
from seawall.report.market_table import market_chart
from seawall.report.page import report_html
from seawall.report.result_charts import FATES, WAYS, result_charts, split
from seawall.report.text import duration, money, plain, utc
from tests.seawall.report_page import figures, own_part, rows_of
from tests.seawall.report_world import (
    INVERSE,
    LINEAR,
    SECOND_NS,
    START_NS,
    block,
    empty_report,
    synthetic_report,
    synthetic_series,
)


@pytest.fixture(scope="module")
def small() -> ReportData:
    return synthetic_report()


def test_every_part_of_the_report_is_drawn(small: ReportData) -> None:
    expected = ["price-1", "price-2"]
    for number in (1, 2):
        expected += [f"chain-{number}", f"depth-{number}", f"open-interest-{number}"]
    expected += ["stages", "cascade", "margin-ratio", "sizes-2", "tails-2"]
    expected += ["results-USDT", "losses-1", "losses-2"]
    expected += ["account-insurance_fund-USDT", "account-insurance_fund-AVAX", "fund-1", "fund-2"]
    expected += ["outcomes", "calls", "windows", "leverage"]
    assert list(figures(small)) == expected


def test_a_waterfall_starts_at_the_equity_before_and_its_bars_lead_to_the_equity_after(
    small: ReportData,
) -> None:
    drawn = figures(small)
    for total in loss_parts(small.events):
        trace = drawn[f"losses-{total.asset_id}"]["data"][0]
        unit = 10 ** {1: 6, 2: 8}[total.asset_id]
        bars = list(zip(trace["base"], trace["x"], strict=True))
        assert bars[0] == (0, total.equity_before_q / unit)
        assert bars[-1] == (0, total.equity_after_q / unit)
        level = bars[0][1]
        for base, length in bars[1:-1]:
            assert base == pytest.approx(level)
            level += length
        assert level == pytest.approx(bars[-1][1], abs=1e-6)


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
    assert min(marks["customdata"]) == pytest.approx(50.1)
    assert any(f"{cap:,} largest of {cap + 500:,}" in text for text in chart.captions)


def test_only_trades_of_liquidation_orders_become_marks() -> None:
    table = EventTable()
    table.add(Trade(START_NS, 1, 1, 20_000, 5, -1, True), 1)
    table.add(Trade(START_NS, 1, 2, 20_000, 7, -1, False), 2)
    fills = ContractData(synthetic_report(0, 60, events=table.frame()), LINEAR).fills()
    assert fills.rows() == [(START_NS, -1, 20.0, 0.5, 10.0)]


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
    data.settings["reference.label"] = "The real one"
    rows = {row[0]: row[1:] for row in rows_of(market_chart(ContractData(data, INVERSE)).table)}
    assert rows["AVAX-USD, quote currency"] == ["Traded here", "The real one", "Mark", "Index"]
    assert [rows[name][0] for name in ("First price", "Low", "Last price")] == [
        "26.00",
        "20.00",
        "25.00",
    ]
    assert rows["Fall, first to low"][:2] == ["-23.1%", "-60.0%"]
    assert rows["Time of the low (UTC)"][:2] == ["10-10 20:46:00", "10-10 20:45:30"]
    assert rows["Largest basis"] == ["-20.0%", "-60.0%", rows["Largest basis"][2], ""]
    assert rows["Time of that (UTC)"][:2] == ["10-10 20:46:00", "10-10 20:45:30"]


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


def test_who_lost_and_who_won_is_told_in_five_ways_that_add_up_to_zero(small: ReportData) -> None:
    (chart,) = result_charts(small, [])
    tables = [rows_of(table) for table in re.findall(r"<table>.*?</table>", chart.table)]
    assert [rows[0][0] for rows in tables] == list(WAYS.values())
    for rows in tables:
        assert rows[-1] == ["Total", "0", "5", "3,200", "3,200"]
    by_group, by_fate, by_leverage, by_side, by_mode = (dict(_results(rows)) for rows in tables)
    assert by_group == {
        "retail": "-300",
        "funds": "90",
        "makers (agents)": "250",
        "insurance fund": "-40",
    }
    assert by_fate["liquidated at least once"] == "-900"
    assert by_fate["a position closed by ADL"] == "600"
    assert by_leverage == {"5x": "690", "20x": "-900", "agents": "250", "the house": "-40"}
    assert by_side == {"long": "-810", "short": "600", "agents": "250", "the house": "-40"}
    assert by_mode == {"cross": "690", "isolated": "-900", "agents": "250", "the house": "-40"}
    assert chart.figure is not None
    (bars,) = chart.figure["data"]
    assert bars["x"] == [90.0, -300.0, 250.0, -40.0]


def _results(rows: list[list[str]]) -> list[list[str]]:
    return [row[:2] for row in rows[1:-1]]


owners = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["group", "agent"]),
        "group": st.sampled_from(["a", "b", "c"]),
        "leverage": st.one_of(st.none(), st.integers(1, 100)),
        "side": st.sampled_from(["long", "short", None]),
        "mode": st.sampled_from(["cross", "isolated", None]),
        "fate": st.sampled_from([*FATES, None]),
        "result": st.decimals(-1_000_000, 1_000_000, places=6),
    }
)


@given(st.lists(owners, max_size=12))
def test_every_way_has_everybody_once_and_adds_up_to_zero(drawn: list[dict[str, Any]]) -> None:
    """The house is given what the others do not have."""
    left = -sum((owner["result"] for owner in drawn), Decimal(0))
    house = {"kind": "house", "group": "insurance fund", "result": left}
    rows = [
        {"account": number, "deposit": Decimal(0), "end": owner["result"], **owner}
        for number, owner in enumerate([house, *drawn])
    ]
    money = dict.fromkeys(("deposit", "end", "result"), pl.Decimal(38, 6))
    texts = dict.fromkeys(("kind", "group", "side", "mode", "fate"), pl.String)
    schema = {"account": pl.Int64, "leverage": pl.Int64, **texts, **money}
    accounts = pl.DataFrame(rows, schema=schema)
    for way in WAYS:
        found = split(accounts, way)
        assert found["result"].sum() == 0
        assert found["accounts"].sum() == len(rows)
        assert found.select("kind", "name").is_unique().all()


def test_the_fund_s_account_has_every_line_and_adds_up(small: ReportData) -> None:
    usdt, avax = house_charts(small, [])
    assert usdt.heading == "Account of the insurance fund, USDT"
    rows = dict(rows_of(usdt.table))
    assert rows["At the start"] == "1,000,000"
    assert rows["Deficits paid"] == "-126,887.44898"
    assert list(rows)[-1] == "At the end"
    assert "Funding" not in rows
    # A line of another name is shown as it is called, before the end.
    assert dict(rows_of(avax.table))["Solvency"] == "-87,989.888"


def test_a_run_in_which_nobody_won_anything_says_so() -> None:
    (chart,) = result_charts(empty_report(), [])
    assert chart.figure is None
    assert chart.empty == "Nobody lost or won anything in this run."
    assert house_charts(empty_report(), []) == []


def test_an_asset_that_only_serves_as_collateral_has_its_name() -> None:
    gold = ListedAsset(asset_id=7, symbol="XAUT", decimals=2)
    table = EventTable()
    table.add(FundChanged(START_NS, 7, 100, 700, "collateral"), 1)
    events = table.frame()
    scenario = block([LINEAR], assets=[gold])
    data = synthetic_report(0, 60, scenario=scenario, events=events, fund=fund_series(events))
    (drawn,) = figures(data)["fund-7"]["data"]
    assert drawn["name"].endswith("XAUT") and drawn["y"][-1] == 7.0


def test_the_cards_show_the_fund_rounded(small: ReportData) -> None:
    page = own_part(report_html(small))
    assert '<div class="value">873,113 USDT, 912,010 AVAX</div>' in page


def test_cured_calls_are_told_apart(small: ReportData) -> None:
    table = call_charts(small, None, [])[0].table
    names = [row[0] for row in rows_of(table)[1:]]
    assert names[:4] == [f"cured by {name}" for name in ("deposit", "reduction", "both", "price")]
    windows = figures(small)["windows"]["data"]
    assert [bars["name"].split(" after")[0] for bars in windows] == [
        "Liquidated",
        "Answered and cured",
        "Cured by price",
    ]
