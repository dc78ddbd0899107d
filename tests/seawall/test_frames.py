"""Frames of a run for people: decimals, UTC and names, and figures that add up."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.events import Deleveraged, FundChanged, MarginCallEnded, MarginCallIssued, Trade
from risk.accounts import cross_account_id, isolated_account_id
from seawall.records.account_table import SCHEMA as ACCOUNTS
from seawall.records.event_table import SCHEMA as EVENTS
from seawall.records.event_table import EventTable
from seawall.records.frames import (
    Units,
    accounts_frame,
    adl_frame,
    calls_frame,
    fund_frame,
    liquidations_frame,
    series_frame,
    trades_frame,
)
from seawall.records.listed import ListedAsset, ListedInstrument, ScenarioBlock
from seawall.report.run_card import FRAMES
from seawall.runs.run import run_scenario
from seawall.runs.run_directory import Run, RunDirectoryError, load_run
from seawall.scenario import load_scenario

SMALL = Path(__file__).parents[2] / "examples" / "small_crash.toml"

WITHOUT_MONEY = (
    "population.nobody={accounts=3, leverage={2=1.0}, wealth={kind='pareto', bounds=[0.01, 0.02]}}"
)

LINEAR = ListedInstrument(
    instrument_id=1,
    symbol="COIN-USD",
    kind="linear",
    tick_size="0.05",
    lot_size="0.1",
    settle_asset_id=0,
    settle_asset="USD",
    settle_decimals=2,
)
INVERSE = ListedInstrument(
    instrument_id=2,
    symbol="USD-COIN",
    kind="inverse",
    tick_size="5",
    lot_size="1",
    settle_asset_id=7,
    settle_asset="COIN",
    settle_decimals=8,
    multiplier="10",
)
BLOCK = ScenarioBlock(
    title="Two contracts",
    description="",
    notes=[],
    assets=[
        ListedAsset(asset_id=0, symbol="USD", decimals=2),
        ListedAsset(asset_id=7, symbol="COIN", decimals=8),
    ],
    instruments=[LINEAR, INVERSE],
)
UNITS = Units(BLOCK)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("frames") / "run"
    run_scenario(load_scenario(SMALL, [WITHOUT_MONEY]), out)
    return load_run(out)


def table(*events: Any) -> pl.DataFrame:
    kept = EventTable()
    for number, event in enumerate(events):
        kept.add(event, number)
    return kept.frame()


def accounts_of(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return accounts_frame(pl.DataFrame(list(rows), schema=ACCOUNTS, orient="row"), UNITS)


def test_results_of_all_accounts_add_up_to_zero_with_agents_and_the_house(run: Run) -> None:
    kinds = set(run.accounts["kind"])
    assert kinds == {"group", "agent", "house"}
    assert run.accounts["result"].sum() == 0
    assert run.accounts["result"].abs().sum() > 0


def test_groups_of_accounts_have_the_results_of_the_summary(run: Run) -> None:
    by_group = run.accounts.group_by("kind", "group").agg(
        pl.col("result").sum(), pl.col("deposit").sum(), pl.len()
    )
    found = {(kind, name): rest for kind, name, *rest in by_group.iter_rows()}
    told = [row for row in run.summary["results"] if row["kind"] in ("group", "agent")]
    assert len(told) > 3
    for row in told:
        result, deposit, accounts = found[row["kind"], row["name"]]
        assert (result, deposit) == (Decimal(row["result"]), Decimal(row["paid_in"]))
        assert accounts == row["accounts"]


def test_fates_are_those_of_the_summary(run: Run) -> None:
    total = next(row for row in run.summary["results"] if row["kind"] == "total")
    counts = dict(run.accounts.drop_nulls("fate").group_by("fate").len().iter_rows())
    assert counts["liquidated"] == total["accounts_liquidated"]
    assert counts["deleveraged"] == total["accounts_deleveraged"]
    assert counts["idle"] == run.summary["accounts"] - run.summary["entered"] == 3
    result = run.accounts.filter(pl.col("fate") == "liquidated")["result"].sum()
    assert result == Decimal(total["liquidated"])


def test_a_trader_is_described_as_it_was_drawn(run: Run) -> None:
    traders = run.accounts.filter(pl.col("kind") == "group")
    assert set(traders["side"]) == {"long", "short"}
    assert set(traders["mode"]) == {"cross", "isolated"}
    assert set(traders["on_call"]) >= {"add", "cut", "ignore"}
    assert set(traders["leverage"]) >= {1, 2, 3, 5, 10, 20}
    assert traders.null_count().sum_horizontal().item() == 0


def test_every_call_is_a_row_with_its_end(run: Run) -> None:
    told = run.summary["margin_calls"]
    assert run.calls.height == told["issued"] > 50
    outcomes = dict(run.calls.drop_nulls("outcome").group_by("outcome").len().iter_rows())
    assert outcomes["overtaken"] == told["overtaken"]
    cures = dict(run.calls.drop_nulls("cured_by").group_by("cured_by").len().iter_rows())
    assert cures == {name: count for name, count in told["cured_by"].items() if count}
    assert (run.calls["equity"] > 0).all() and (run.calls["amount"] > 0).all()
    assert (run.calls["deadline"] > run.calls["time"]).all()


def test_the_parts_of_a_liquidation_add_up_to_its_change_in_equity(run: Run) -> None:
    over = run.liquidations.drop_nulls("outcome")
    told = run.summary["liquidations"]
    assert over.height == told["partial"] + told["full"]
    parts = over.select("price", "slippage", "fee", "funding", "surrender", "adl", "socialised")
    change = over["equity_after"] - over["equity_before"]
    assert (parts.sum_horizontal() + over["transfer"] == change).all()
    assert run.liquidations["account"].n_unique() <= told["accounts"]
    # whose entry is over has no orders to cancel
    traders = run.accounts.filter(pl.col("kind") == "group")["account"].implode()
    theirs = run.liquidations.filter(pl.col("account").is_in(traders))
    assert theirs["stages"].list.first().unique().to_list() == ["reduce"]


def test_trades_adl_and_fund_are_complete(run: Run) -> None:
    assert run.trades.height == run.summary["trades"]
    assert run.trades["liquidation"].sum() > 0
    assert run.adl.height == run.summary["adl"]["fills"] > 10
    assert run.adl["value"].sum() == Decimal(run.summary["adl"]["notional"]["USDT"])
    assert (run.fund["amount"].cum_sum() == run.fund["wallet"]).all()


def test_times_are_utc_and_begin_with_the_warm_up(run: Run) -> None:
    first = run.series["time"][0]
    assert first == datetime(2024, 12, 31, 23, 59, tzinfo=UTC)
    assert run.scenario.start_ns - run.scenario.begin_ns == 60 * 10**9
    for name in FRAMES:
        frame = getattr(run, name)
        if "time" in frame.columns:
            assert frame["time"].dtype == pl.Datetime("ns", "UTC")
            assert frame["time"].is_sorted()


def test_every_instrument_and_asset_has_its_own_steps() -> None:
    trades = trades_frame(
        table(Trade(5, 1, 1, 201, 33, 1, False), Trade(6, 2, 2, 7, 3, -1, True)), UNITS
    )
    assert trades.select(pl.exclude("time")).rows() == [
        ("COIN-USD", Decimal("10.05"), Decimal("3.3"), "buy", False),
        ("USD-COIN", Decimal("35.00"), Decimal("3.0"), "sell", True),
    ]
    fund = fund_frame(
        table(FundChanged(1, 0, 123, 123, "deposit"), FundChanged(2, 7, -5, 95, "deficit")), UNITS
    )
    amounts = [(asset, amount) for _, asset, amount, _, _ in fund.iter_rows()]
    assert amounts == [("USD", Decimal("1.23")), ("COIN", Decimal("-0.00000005"))]


def test_a_wallet_beyond_a_machine_word_is_exact() -> None:
    fund = fund_frame(table(FundChanged(1, 7, 1, 3 * 2**63, "deposit")), UNITS)
    assert fund["wallet"][0] == Decimal(3 * 2**63).scaleb(-8)


def test_a_price_that_there_was_not_is_null() -> None:
    names = ("instrument_id", "time_ns", "mark_ticks", "last_ticks", "open_interest_lots")
    series = pl.DataFrame([(1, 5, 20, 0, 7)], schema=names, orient="row")
    frame = series_frame(series, UNITS)
    row = frame.row(0, named=True)
    assert (row["mark"], row["last"], row["open_interest"]) == (1, None, Decimal("0.7"))


def test_calls_know_their_owner_their_pot_and_what_is_missing() -> None:
    """An isolated pot's asset is that of its contract; a call may have no deadline and no end."""
    isolated, cross = isolated_account_id(101, 2, 0), cross_account_id(100, 0)
    events = table(
        MarginCallIssued(10, cross, 1, 250, 90, 100, 50),
        MarginCallIssued(11, isolated, 2, 5, -1, 1, 1),
        MarginCallEnded(40, cross, 1, "cured", 30, "deposit", 250, 0),
    )
    owners = accounts_of(
        (100, "group", "retail", 1, "long", 5, False, "add", 0, 1000, 1000, "called"),
        (101, "group", "funds", 2, "short", 3, True, "cut", 7, 1000, 1000, "called"),
    )
    first, second = calls_frame(events, UNITS, owners).rows(named=True)
    assert (first["group"], first["mode"], first["asset"]) == ("retail", "cross", "USD")
    assert (first["amount"], first["outcome"], first["cured_by"]) == (
        Decimal("2.5"),
        "cured",
        "deposit",
    )
    assert (second["group"], second["mode"], second["asset"]) == ("funds", "isolated", "COIN")
    assert (second["deadline"], second["outcome"], second["paid"]) == (None, None, None)


def test_deleveraging_names_both_sides() -> None:
    winner, bankrupt = cross_account_id(101, 7), cross_account_id(100, 7)
    events = table(Deleveraged(10, winner, bankrupt, 2, -4, -900, 8, 1, -3))
    row = adl_frame(events, UNITS, accounts_of()).row(0, named=True)
    assert (row["account"], row["bankrupt"], row["contracts"]) == (101, 100, -4)
    assert (row["value"], row["gain"]) == (Decimal("0.000009"), Decimal("-0.00000003"))


def test_a_run_in_which_nothing_happened_has_the_same_columns(run: Run) -> None:
    nothing = pl.DataFrame(schema=EVENTS)
    nobody = accounts_of()
    empty = {
        "trades": trades_frame(nothing, UNITS),
        "calls": calls_frame(nothing, UNITS, nobody),
        "liquidations": liquidations_frame(nothing, UNITS, nobody),
        "adl": adl_frame(nothing, UNITS, nobody),
        "fund": fund_frame(nothing, UNITS),
    }
    for name, frame in empty.items():
        assert frame.height == 0
        assert frame.columns == getattr(run, name).columns


def test_frames_become_pandas_frames(run: Run) -> None:
    pytest.importorskip("pandas", reason="needs seawall[pandas]")
    pytest.importorskip("pyarrow", reason="needs seawall[pandas]")
    for name in FRAMES:
        frame = getattr(run, name)
        assert frame.to_pandas().shape == frame.shape


def test_a_run_shows_itself_in_a_notebook(run: Run) -> None:
    shown = run._repr_html_()
    assert "<b>Small crash</b>" in shown and "teaching-default" in shown
    assert f"<td>{run.summary['margin_calls']['issued']}</td>" in shown
    named = Run(run.path, run.summary | {"seed": "<i>"})
    assert "<i>" not in named._repr_html_()
    assert repr(run) == f"Run({str(run.path)!r})"


@pytest.mark.parametrize(("name", "frame"), [("accounts", "calls"), ("series", "series")])
def test_a_table_that_is_missing_is_named(tmp_path: Path, name: str, frame: str, run: Run) -> None:
    (tmp_path / "events.parquet").symlink_to(run.path / "events.parquet")
    broken = Run(tmp_path, run.summary)
    with pytest.raises(RunDirectoryError, match=rf"{name}\.parquet is missing"):
        getattr(broken, frame)
