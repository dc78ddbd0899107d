"""What `seawall watch` makes of events and answers."""

import pytest

from engine import commands as c
from engine.commands import MAX_ROWS
from engine.events import (
    AccountRisk,
    Event,
    FundingSettled,
    MarginLevelChanged,
    MarkUpdated,
    RiskReport,
    SystemChanged,
    Trade,
)
from risk.accounts import FUND, cross_account_id
from seawall.terminal.watch_model import TAPE_LENGTH, TRADES_KEPT, Notice, WatchModel
from tests.market import px, size, usd
from tests.seawall.watch_world import ANN, BOB, CARL, WatchedMarket


def named(model: WatchModel) -> list[str]:
    return [type(entry).__name__ for entry in model.tape]


def row(account_id: int, ratio_ppb: int, liquidation_id: int = 0) -> AccountRisk:
    key = cross_account_id(account_id, 0)
    return AccountRisk(
        key, 0, False, 0, 1, ratio_ppb, 0, "healthy", 0, 1, -1, -1, 0, 0, -1, liquidation_id, ""
    )


def nearest(model: WatchModel, count: int = 10) -> list[int]:
    return [row.margin_account_id for row in model.nearest(count)]


def test_the_market_is_what_the_last_report_and_the_marks_since_say() -> None:
    world = WatchedMarket()
    contract = world.model.instruments[0]
    assert (contract.mark_ticks, contract.open_interest_lots) == (px("100"), size("10"))
    world.index("97")
    moved = world.model.instruments[0]
    assert (moved.mark_ticks, moved.index_ticks) == (px("97"), px("97"))
    assert moved.spec == contract.spec


def test_a_mark_of_an_unknown_instrument_is_left_alone() -> None:
    model = WatchModel()
    model.apply(MarkUpdated(1, 9, 5, 5, 5, 0))
    assert model.instruments == {}


@pytest.mark.parametrize(
    "event", [SystemChanged(1, "instrument", "X"), FundingSettled(1, 0, 5, 5, 5, 5, 0)]
)
def test_what_changes_the_market_report_asks_for_it_again(event: Event) -> None:
    model = WatchModel()
    assert not model.market_changed
    model.apply(event)
    assert model.market_changed


def test_the_tape_of_a_call_that_is_cured() -> None:
    world = WatchedMarket()
    world.index("91.5")
    world.deposit(ANN, "50")
    assert named(world.model) == ["MarginCallIssued", "MarginCallEnded"]
    assert world.model.counts["MarginCallIssued"] == 1
    assert world.model.counts["cured"] == 1


def test_the_tape_of_a_liquidation_that_leaves_a_debt() -> None:
    world = WatchedMarket()
    world.index("60")
    tape = named(world.model)
    assert tape[0] == "LiquidationStarted"
    assert tape[-1] == "LiquidationEnded"
    assert "TakenOver" in tape
    assert world.model.bad_debt_q == {0: usd("250")}


def test_the_fund_follows_its_events_between_two_reports() -> None:
    world = WatchedMarket()
    assert world.model.funds_q[0] == usd("500")
    world.deposit(FUND, "7")
    assert world.model.funds_q[0] == usd("507")


def test_an_event_only_says_whose_figures_to_ask_for() -> None:
    world = WatchedMarket()
    before = world.model.nearest(10)
    assert not world.model.has_news
    world.index("94")  # Ann's alert
    assert world.model.has_news
    assert world.model.nearest(10) == before
    asked = world.model.ask_about(0)
    assert asked == [ANN]
    assert not world.model.has_news
    world.send(c.QueryRisk(world.now_ns, asked, 10))
    assert [row.level_name for row in world.model.nearest(1)] == ["alert"]


def test_who_is_shown_is_asked_about_and_nobody_twice() -> None:
    world = WatchedMarket()
    world.index("94")
    assert world.model.ask_about(10) == [ANN, BOB]
    assert world.model.ask_about(1) == [ANN]


def test_a_crowd_is_asked_about_in_parts() -> None:
    model = WatchModel()
    for account_id in range(100, 100 + MAX_ROWS):
        model.apply(MarginLevelChanged(1, cross_account_id(account_id, 3), 1, 0, "alert", 1, 1))
    first, second = model.ask_about(10), model.ask_about(10)
    assert [*first, *second] == list(range(100, 100 + MAX_ROWS))
    assert not model.has_news


def test_an_answer_about_all_replaces_what_was_known() -> None:
    model = WatchModel()
    model.apply(RiskReport(1, [], 70, [row(100, 5), row(101, 9)]))
    model.apply(RiskReport(2, [], 60, [row(102, 7)]))
    assert nearest(model) == [cross_account_id(102, 0)]
    assert model.accounts_at_risk == 60


def test_an_answer_about_some_replaces_those_and_drops_who_is_out_of_risk() -> None:
    model = WatchModel()
    model.apply(RiskReport(1, [], 3, [row(100, 5), row(101, 9), row(102, 10)]))
    model.apply(RiskReport(2, [100, 101], 1, [row(101, 30)]))
    assert nearest(model) == [cross_account_id(102, 0), cross_account_id(101, 0)]


def test_accounts_in_liquidation_stand_first_then_the_lowest_ratio() -> None:
    model = WatchModel()
    rows = [row(100, 5), row(101, -9), row(102, 99, liquidation_id=4), row(103, 5)]
    model.apply(RiskReport(1, [], 4, rows))
    assert nearest(model) == [cross_account_id(key, 0) for key in (102, 101, 100, 103)]
    assert nearest(model, 2) == [cross_account_id(key, 0) for key in (102, 101)]


def test_what_is_kept_has_an_end() -> None:
    model = WatchModel()
    for number in range(TAPE_LENGTH + 5):
        model.note(f"note {number}")
        model.apply(Trade(number, 7, number, 1, 1, 1, False))
        model.apply(RiskReport(number, [100 + number], 1, [row(100 + number, number)]))
    assert len(model.tape) == TAPE_LENGTH
    assert model.tape[-1] == Notice(TAPE_LENGTH + 3, f"note {TAPE_LENGTH + 4}")
    assert len(model.trades[7]) == TRADES_KEPT
    assert len(model.nearest(2 * MAX_ROWS)) == MAX_ROWS


def test_time_is_the_latest_heard_of() -> None:
    model = WatchModel()
    for time_ns in (5, 9, 7):
        model.apply(SystemChanged(time_ns, "asset", "X"))
    assert model.time_ns == 9


def test_trades_are_kept_by_instrument() -> None:
    world = WatchedMarket()
    world.trade(CARL, BOB, "2", "101")
    trades = list(world.model.trades[0])
    assert [trade.price_ticks for trade in trades] == [px("100"), px("101")]
