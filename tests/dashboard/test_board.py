"""The model behind the page: candles, samples, forced trades, losses, and a run played again."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dashboard.board import Board
from dashboard.chart import ADL, FORCED_SELL, KEPT, TAKEOVER, Chart, Scale, scale_of
from dashboard.frames import FRAME, SNAPSHOT, Frames
from dashboard.losses import BEGUN, BY_FUND, BY_WINNERS, Losses
from dashboard.playback import Player, Recording
from dashboard.standing import Standing
from engine.commands import BUY, SELL
from engine.events import (
    BadDebtBooked,
    FundChanged,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    LossSocialised,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
    MarkUpdated,
    Trade,
)
from engine.units import SECOND_NS
from seawall.runs.run_directory import Run
from seawall.terminal.watch_units import Units
from tests.dashboard.run_world import small_run

CROSS = 100
"""A cross account's id in asset 0 is its owner's."""


def trade(second: float, price: int, lots: int = 1, side: int = BUY, forced: bool = False) -> Trade:
    return Trade(int(second * SECOND_NS), 0, 1, price, lots, side, forced)


def ended(partial: bool = False) -> LiquidationEnded:
    costs = {"slippage_q": -30, "fee_q": -5, "adl_q": 12}
    names = LiquidationEnded.__struct_fields__[1:]
    fields: dict[str, Any] = {**dict.fromkeys(names, 0), **costs, "partial": partial}
    fields |= {"margin_account_id": CROSS, "liquidation_id": 7, "outcome": "closed"}
    return LiquidationEnded(9, **fields)


def test_trades_make_candles_and_a_gap_makes_none() -> None:
    chart = Chart(Scale())
    for each in (trade(10, 100, 2), trade(11, 105), trade(14.9, 98), trade(25, 101)):
        chart.trade(each)
    first, second = chart.candles
    assert (first.from_ns, first.open, first.high, first.low, first.close, first.lots) == (
        *(10 * SECOND_NS, 100, 105, 98, 98),
        4,
    )
    assert second.from_ns == 25 * SECOND_NS


def test_forced_trades_of_a_candle_are_one_marker_by_kind() -> None:
    chart = Chart(Scale())
    for second in (10, 11, 12):
        chart.trade(trade(second, 100, 5, SELL, forced=True))
    chart.forced(13 * SECOND_NS, ADL, -4)
    chart.forced(16 * SECOND_NS, TAKEOVER, 3)
    told = [(each.from_ns // SECOND_NS, each.kind, each.count, each.lots) for each in chart.markers]
    assert told == [(10, FORCED_SELL, 3, 15), (10, ADL, 1, 4), (15, TAKEOVER, 1, 3)]


def test_marks_are_sampled_and_bounded() -> None:
    chart = Chart(Scale())
    for tenth in range(KEPT * 11):
        chart.mark(MarkUpdated(tenth * SECOND_NS // 10, 0, 100, 101, 102, 5))
    assert len(chart.samples) == KEPT
    assert chart.samples[-1].time_ns - chart.samples[-2].time_ns == SECOND_NS


@pytest.mark.parametrize("hours", [0.01, 1, 10, 1_000])
def test_all_of_a_run_fits(hours: float) -> None:
    duration_ns = int(hours * 3600 * SECOND_NS)
    scale = scale_of(duration_ns)
    assert duration_ns // scale.candle_ns <= KEPT and duration_ns // scale.sample_ns <= KEPT
    assert scale.candle_ns % (5 * SECOND_NS) == 0


def test_losses_are_added_up_and_what_is_over_goes() -> None:
    losses = Losses()
    losses.apply(MarginCallIssued(1, CROSS, 3, 50, 99, 10, 20))
    losses.apply(LiquidationStarted(2, CROSS, 7, 0, 10, 20, 100, False))
    assert losses.running == {7: BEGUN} and list(losses.calls) == [CROSS]
    losses.apply(MarginCallEnded(2, CROSS, 3, "overtaken", 1, "", 0, 0))
    losses.apply(LiquidationStage(3, CROSS, 7, "close", 10, 20))
    losses.apply(BadDebtBooked(4, CROSS, 0, 11, "adl"))
    losses.apply(FundChanged(4, 0, -9, 100, "deficit"))
    losses.apply(FundChanged(4, 0, 5, 105, "liquidation fee"))
    losses.apply(LossSocialised(4, CROSS, 0, 2))
    assert losses.borne_q == {0: {BY_FUND: 9, BY_WINNERS: 2}}
    losses.apply(ended())
    assert losses.running == {} and losses.calls == {}
    assert losses.stages == {"close": 1}
    assert losses.deficits_q == {0: {"adl": 11}}
    taken = losses.taken_q[0]
    assert (taken["slippage"], taken["fee"], taken["ADL"]) == (30, 5, -12)


def test_an_account_stands_as_its_events_say() -> None:
    standing = Standing(Units(None))
    standing.apply(MarginLevelChanged(1, CROSS, 2, 0, "margin call", 150, 100))
    standing.apply(MarginCallIssued(1, CROSS, 3, 50, 99, 150, 100))
    [row] = standing.report(5).rows
    assert (row.level_name, row.ratio_ppb, row.call_id) == ("margin call", 1_500_000_000, 3)
    standing.apply(MarginCallEnded(2, CROSS, 3, "cured", 1, "deposit", 50, 0))
    standing.apply(MarginLevelChanged(2, CROSS, 0, 2, "", 300, 100))
    assert standing.report(5).rows == []
    standing.apply(LiquidationStarted(3, CROSS, 7, 0, 10, 20, 100, False))
    assert standing.report(5).rows[0].liquidation_id == 7
    standing.apply(ended())
    assert standing.report(5).rows == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(tmp_path_factory.mktemp("played"))


def frame_of(frames: Frames, player: Player) -> dict[str, Any]:
    text = frames.next(player.sections(0, None), player.board, 0)
    found: dict[str, Any] = {} if text is None else json.loads(text)
    return found


def test_a_page_gets_all_at_first_then_only_what_is_new(run: Run) -> None:
    recording = Recording(run)
    player, frames = Player(recording), Frames()
    player.seek(recording.start_ns + 60 * SECOND_NS)
    first = frame_of(frames, player)
    assert first["kind"] == SNAPSHOT and len(first["points"]["samples"]) > 100
    assert frame_of(frames, player) == {}, "nothing happened"
    player.speed = 10
    player.advance(0.5)
    second = frame_of(frames, player)
    assert second["kind"] == FRAME
    assert "instruments" not in second and "losses" not in second.get("head", {})
    assert 4 <= len(second["points"]["samples"]) <= 6
    assert second["points"]["candles"][0][0] >= first["points"]["candles"][-1][0]


def test_a_run_played_to_its_end_has_the_runs_figures(run: Run) -> None:
    player = Player(Recording(run))
    player.seek(player.recording.end_ns)
    counts = player.board.counts
    assert counts["MarginCallIssued"] == run.summary["margin_calls"]["issued"] > 0
    trades = run.events.filter(pl.col("type") == "Trade")
    chart = player.board.chart(0)
    assert sum(candle.lots for candle in chart.candles) == trades["qty_lots"].sum()
    fund = player.sections(0, None)["funds"]
    last = run.fund.filter(pl.col("asset") == "USDT")["wallet"][-1]
    assert fund[0].startswith(f"{float(last):,.2f}"[:-1])


def test_going_back_is_as_if_nothing_had_come_after(run: Run) -> None:
    recording = Recording(run)
    middle_ns = recording.start_ns + 90 * SECOND_NS
    there, back = Player(recording), Player(recording)
    there.seek(middle_ns)
    back.seek(recording.end_ns)
    back.seek(middle_ns)
    assert back.sections(0, None) == there.sections(0, None)
    assert there.board.counts["MarginCallIssued"] > 0


def test_a_player_stops_at_the_end(run: Run) -> None:
    player = Player(Recording(run))
    player.speed = 600
    player.advance(3_600.0)
    assert (player.now_ns, player.speed) == (player.recording.end_ns, 0)


def test_money_moves_while_a_board_samples_it() -> None:
    board = Board()
    board.apply(MarginCallIssued(1, CROSS, 3, 50, 99, 10, 20))
    board.apply(MarkUpdated(SECOND_NS, 0, 100, 101, 102, 5))
    [stress] = board.stress
    assert (stress.calls, stress.liquidations) == (1, 0)


def test_a_run_directory_without_its_events_is_refused(run: Run, tmp_path: Path) -> None:
    empty = Run(tmp_path, run.summary)
    with pytest.raises(ValueError, match=r"events\.parquet is missing"):
        Recording(empty)
