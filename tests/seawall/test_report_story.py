"""The report's story: what is told, what is drawn, and where the axes begin."""

import re
from typing import Any

import polars as pl
import pytest

from engine.commands import SELL
from engine.events import (
    CollateralPriceChanged,
    MarginCallIssued,
    OrderFilled,
    TakenOver,
    Trade,
)
from seawall.records.event_table import EventTable
from seawall.report import ReportData
from seawall.report.buckets import bucket_width_ns, width_words
from seawall.report.chart import Window
from seawall.report.collateral_chart import collateral_charts
from seawall.report.contract import ContractData
from seawall.report.market_charts import thinned
from seawall.report.market_facts import forced_facts
from seawall.report.page import report_charts
from seawall.report.portfolios import portfolios_share
from seawall.report.story import forced_sentences, what_happened, what_people_did, who, why
from seawall.report.text import counted, rounded
from seawall.report.window import window_of
from tests.seawall.report_page import figures
from tests.seawall.report_world import (
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


def quiet(start_ns: int, *events: Any) -> ReportData:
    """A run of a hundred seconds at a price of 25, with these events."""
    table = EventTable()
    for number, event in enumerate(events):
        table.add(event, number)
    series = synthetic_series(100, 0.001, 1).with_columns(
        mark_ticks=pl.lit(25_000, pl.Int64), index_ticks=pl.lit(25_000, pl.Int64)
    )
    scenario = block([LINEAR], start_ns=start_ns)
    return synthetic_report(0, 60, scenario=scenario, series={1: series}, events=table.frame())


def test_the_axes_begin_with_the_action_and_the_warm_up_is_marked() -> None:
    start_ns, called_ns = START_NS + 20 * SECOND_NS, START_NS + 50 * SECOND_NS
    data = quiet(start_ns, MarginCallIssued(called_ns, 10, 1, 5, -1, 5, 5))
    window = window_of(data)
    assert window is not None
    assert (window.begin_ns, window.start_ns) == (START_NS, start_ns)
    assert window.action_ns == (called_ns - 5 * SECOND_NS, called_ns + 5 * SECOND_NS)
    for chart in (each for charts in report_charts(data).values() for each in charts):
        if chart.figure is None or not chart.time_axis:
            continue
        look = chart.figure["layout"]
        assert look["xaxis"]["range"] == list(window.action_ms), chart.key
        (warm_up,) = look["shapes"]
        assert (warm_up["x0"], warm_up["x1"]) == (START_NS // 10**6, start_ns // 10**6)
        assert look["annotations"][0]["text"] == "warm-up"


def test_a_run_without_action_is_drawn_as_a_whole_after_its_warm_up() -> None:
    data = quiet(START_NS + 20 * SECOND_NS)
    window = window_of(data)
    assert window is not None
    assert window.action_ns == (START_NS + 20 * SECOND_NS, START_NS + 99 * SECOND_NS)
    assert window_of(empty_report()) is None


def test_every_axis_says_what_it_is_in(small: ReportData) -> None:
    drawn = figures(small)
    assert len(drawn) > 20
    for key, figure in drawn.items():
        look = figure["layout"]
        for name in (each for each in look if re.fullmatch(r"[xy]axis\d*", each)):
            if look[name].get("type") == "category" and name == "yaxis":
                continue  # each bar has its name
            assert look[name].get("title", {}).get("text"), (key, name)


def test_whatever_is_drawn_has_a_name_in_the_legend(small: ReportData) -> None:
    for key, figure in figures(small).items():
        for trace in figure["data"]:
            hidden = trace.get("showlegend") is False
            assert hidden or trace["name"], key


def test_thinning_keeps_most_points_where_the_action_is() -> None:
    times = range(0, 100_000)
    frame = pl.DataFrame({"time_ns": times, "y": [(7 * each) % 1_001 for each in times]})
    window = Window(0, 0, 99_999, (40_000, 50_000))
    thin = thinned(frame, "y", 400, window)
    inside = thin.filter(pl.col("time_ns").is_between(40_000, 50_000))
    assert thin.height <= 400 and inside.height > 250
    assert thin["time_ns"].is_sorted()
    assert (thin["y"].min(), thin["y"].max()) == (frame["y"].min(), frame["y"].max())


@pytest.mark.parametrize(
    ("seconds", "width_s", "words"),
    [(60, 1, "second"), (600, 5, "5 s"), (7_000, 60, "minute"), (10**6, 21_600, "6 h")],
)
def test_buckets_are_as_wide_as_the_action_asks_for(seconds: int, width_s: int, words: str) -> None:
    width_ns = bucket_width_ns(Window(0, 0, 10**18, (0, seconds * SECOND_NS)))
    assert width_ns == width_s * SECOND_NS
    assert width_words(width_ns) == words


def trade(second: int, side: int, lots: int, price: int = 25_000, forced: bool = True) -> Trade:
    return Trade(START_NS + second * SECOND_NS, 1, second, price, lots, side, forced)


def test_forced_sales_are_told_with_what_rested_to_meet_them() -> None:
    """Lots of 0.1: 100 contracts are sold within ten seconds, 4 were bid within 2 %."""
    others = trade(61, -1, 800, forced=False)
    data = quiet(0, trade(32, -1, 600), trade(35, -1, 400), trade(60, 1, 200), others)
    depth = pl.lit(40, pl.Int64)
    data.series[1] = data.series[1].with_columns(depth_bid_200=depth, depth_ask_200=depth)
    contract = ContractData(data, LINEAR)
    facts = forced_facts(contract)
    assert facts is not None
    assert (facts.sold, facts.bought, facts.share) == (100, 20, pytest.approx(0.6))
    assert (facts.burst, facts.met) == (100, 4)
    told = why(contract)[-1]
    assert "liquidations sold 100 contracts" in told
    assert "bids within 2 % of the mid held 4: 25.0 times as much" in told


def test_the_story_of_a_fall_is_told_by_the_mark() -> None:
    data = quiet(0, trade(5, -1, 10, 20_000, forced=False))
    marks = pl.Series("mark_ticks", [25_000] * 50 + [20_000] + [22_500] * 49)
    data.series[1] = data.series[1].with_columns(marks)
    first, second, *_ = what_happened(data, [ContractData(data, LINEAR)])
    assert first == (
        "The mark of AVAX-USDT fell from 25.000 to 20.000 (-20.0%) at 20:45:50 UTC and ended at "
        "22.500. Its index did not move. The lowest trade was at 20.000; the furthest from the "
        "index was 20.0% below it, at 20:45:05."
    )
    assert second.startswith("Of 20,000 margined accounts")


def test_the_story_says_who_paid_and_who_answered(small: ReportData) -> None:
    (told,) = who(small)
    assert "1 trader liquidated at least once lost 900 USDT; 900 had been paid in." in told
    assert told.endswith("All of it adds up to zero.")
    answers = what_people_did(small)[0]
    assert answers.startswith("Of 360 calls, ") and "by the price alone" in answers
    assert what_people_did(empty_report()) == []


def test_the_price_of_collateral_is_drawn_and_told() -> None:
    """Of asset 2 (AVAX) in asset 1 (USDT): 30, then 24."""
    prices = [
        CollateralPriceChanged(START_NS + second * SECOND_NS, 2, 1, price * 10**9)
        for second, price in ((0, 30), (50, 24), (90, 27))
    ]
    data = quiet(0, *prices)
    (chart,) = collateral_charts(data, window_of(data))
    assert chart.heading == "Price of AVAX as collateral, USDT"
    assert chart.sentences == [
        "AVAX counts as margin in USDT. It went from 30 to a low of 24 (-20.0%) at 20:45:50 UTC "
        "and ended at 27."
    ]
    assert chart.figure is not None
    assert chart.figure["data"][0]["y"] == [30, 24, 27]
    assert chart in report_charts(data)["Why"]


def test_takeovers_are_counted_at_the_mark() -> None:
    data = quiet(0, trade(3, -1, 10), TakenOver(START_NS, 10, 1, 1, 500, 1, 25_000, 3))
    told = what_happened(data, [ContractData(data, LINEAR)])
    assert any("took over 1 position, at the mark worth 1,250 USDT" in each for each in told)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234.56", "1,235"),
        ("12.346", "12.35"),
        ("12.00", "12"),
        ("0", "0"),
        (0.00012345, "0.000123"),
        ("-2000", "-2,000"),
    ],
)
def test_amounts_in_sentences_are_rounded(value: str | float, text: str) -> None:
    assert rounded(value) == text


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(each, "call") for each in (0, 1, 2_000)] == ["0 calls", "1 call", "2,000 calls"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"population.retail.instruments.a": "0.5", "population.retail.instruments.b": "1"}, "75%"),
        ({"population.retail.instruments.a": "1", "population.retail.instruments.b": "0"}, ""),
        ({"agents.makers.instruments": "['a', 'b']"}, "25%"),
        ({"agents.makers.instruments": "['a']"}, ""),
        ({"population.retail.instrument": "a"}, ""),
    ],
)
def test_forced_trades_of_accounts_with_several_contracts_are_told(
    settings: dict[str, str], told: str
) -> None:
    at_ns = START_NS + 50 * SECOND_NS
    fills = [
        OrderFilled(at_ns, account_id, 1, 1, 0, SELL, lots, 20_000, False, True, 0, 0, 0)
        for account_id, lots in ((100, 30), (101, 10))
    ]
    own = OrderFilled(at_ns, 101, 1, 1, 0, SELL, 500, 20_000, False, False, 0, 0, 0)
    trades = [Trade(at_ns, 1, 1, 20_000, each.qty_lots, SELL, True) for each in fills]
    data = quiet(START_NS, *fills, own, *trades)
    data.settings = settings
    owners = [(100, "group", "retail"), (101, "agent", "makers"), (102, "group", "others")]
    data.accounts = pl.DataFrame(owners, schema=["account", "kind", "group"], orient="row")
    contract = ContractData(data, LINEAR)
    assert portfolios_share(data, contract) == (float(told[:-1]) / 100 if told else None)
    sentence = forced_sentences(data, contract)
    assert sentence.startswith("Liquidations sold 4 contracts of AVAX-USDT in the book, 100.0%")
    assert ("for accounts that hold other contracts too" in sentence) == bool(told)
    assert f"{told} of it" in sentence or not told
