"""Arbitrage desks on a real exchange: two legs, two accounts, money that takes minutes.

The only counterparty is an account driven by the test: what stands in the book is what it put
there.
"""

from pathlib import Path
from typing import Any

import pytest

from engine.commands import BUY, SELL
from engine.events import (
    BalanceChanged,
    CommandRejected,
    Deleveraged,
    FundingPaid,
    LiquidationEnded,
)
from engine.units import SECOND_NS
from risk.accounts import owner_of
from seawall.agents.arbitrageur import Arbitrageur
from seawall.agents.outside import OutsideAgent
from seawall.agents.view import Desk
from seawall.exchange import Exchange
from seawall.scenario import load_scenario
from seawall.simulating.simulation import Simulation

SCENARIO = """
rulebook = "teaching-default"
[time]
warm_up = "10s"
start = "2025-01-01T00:00:00Z"
duration = "20m"
[house]
fund = "1000000"
[assets.usd]
symbol = "USDT"
[instruments.perp]
symbol = "X-PERP"
tick = "0.01"
lot = "1"
[index.perp]
warm_up_volatility = 0
[index.perp.sources.one]
kind = "anchored"
volatility = 0
anchors = [["0s", 100], ["20m", 100]]
[agents.stranger]
kind = "outside"
capital = 100000000
leverage = 5
[agents.desks]
kind = "arbitrageur"
count = 3
capital = 60000
clip = 5000
entry = [0.001, 0.002]
transfer = ["2m", "3m"]
return_after = ["1m", "2m"]
"""
FALL_AND_RISE = [["0s", 100], ["2m", 100], ["3m", 80], ["7m", 80], ["8m", 115], ["20m", 115]]
FALL = [["0s", 100], ["2m", 100], ["3m", 80], ["20m", 80]]
INVERSE = {
    "instruments.perp.kind": "inverse",
    "instruments.perp.multiplier": "100",
    "assets.usd.symbol": "COIN",
    "assets.usd.decimals": 8,
    "house.fund": "1000",
}


class Trading:
    """A run with the desks and the account against them."""

    def __init__(self, folder: Path, changes: dict[str, Any] | None = None) -> None:
        file = folder / "s.toml"
        file.write_text(SCENARIO)
        scenario = load_scenario(str(file), changes or {})
        self.exchange = Exchange(check_invariants_every=1)
        self.simulation = Simulation(scenario, self.exchange, samples=False)
        self.events: list[Any] = []
        self.simulation.open()
        self.exchange.subscribe(self.events.append)
        agents = self.simulation.agents
        self.desks = [each for each in agents if isinstance(each, Arbitrageur)]
        (self.stranger,) = (each for each in agents if isinstance(each, OutsideAgent))
        self.start_ns = scenario.time.start_ns
        self.until(0)

    def until(self, second: float) -> None:
        self.simulation.advance(self.start_ns + int(second * SECOND_NS))
        self.check()

    def check(self) -> None:
        """Every desk's account of itself is the venue's, and its legs, costs and capital agree."""
        for desk in self.desks:
            (pot,) = self.exchange.account_report(desk.account_id).margin_accounts
            equity = desk.view.worth(pot.equity_q, desk.view.mark_ticks)
            assert desk.venue_equity() == pytest.approx(equity, abs=0.01)
            assert sum(leg.qty_lots for leg in pot.positions) == desk.position_lots

    def offer(self, side: int, lots: int, price_ticks: int) -> None:
        desk = Desk(self.simulation)
        desk.now_ns = self.simulation.now_ns
        stranger = self.stranger
        stranger.take_heard()
        desk.cancel_all(stranger.account_id, stranger.view.instrument_id)
        desk.submit(stranger.account_id, stranger.view.instrument_id, side, lots, price_ticks)

    def held(self) -> list[int]:
        return [desk.position_lots for desk in self.desks]

    def of_desks(self, kind: type[Any]) -> list[Any]:
        ids = {desk.account_id for desk in self.desks}
        found = [event for event in self.events if type(event) is kind]
        return [event for event in found if owner_of(event.margin_account_id) in ids]


@pytest.mark.parametrize("changes", [{}, INVERSE], ids=["linear", "inverse"])
def test_a_small_gap_is_gone_within_seconds_and_both_legs_are_there(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    run = Trading(tmp_path, changes)
    run.offer(SELL, 200, 9_920)
    run.until(15)
    assert run.stranger.view.best_ask() == 0
    assert sum(run.held()) == 200
    run.until(25)
    for desk in run.desks:
        spot = desk.funds.spot
        assert spot.coins == pytest.approx(-desk.coins)
        gain = desk.cash + desk.coins * desk.view.mark_ticks - spot.costs - fees(desk)
        assert desk.equity() == pytest.approx(60_000 + gain)
    run.offer(BUY, 300, 10_010)
    run.until(40)
    assert run.held() == [0, 0, 0]
    run.until(50)
    for desk in run.desks:
        assert desk.equity() > 60_000, "the gap is earned, whatever the index did"


def fees(desk: Arbitrageur) -> float:
    """What it paid at the venue."""
    paid_q = desk.view.settle_q(30_000, desk.view.index_ticks) - desk.funds.booked_q
    return desk.view.worth(paid_q, desk.view.index_ticks)


def test_capital_is_used_up_and_comes_anew_by_transfers_that_take_minutes(tmp_path: Path) -> None:
    run = Trading(tmp_path, {"index.perp.sources.one.anchors": FALL, "agents.desks.leverage": 3})
    run.offer(SELL, 5_000, 9_700)
    run.until(110)
    full = run.held()
    most = 0.8 * 30_000 * 3 / 100
    assert all(0.9 * most < lots <= most for lots in full)
    run.until(121)
    assert run.held() == full, "there is a gap, and nothing to carry more"
    run.until(180)
    assert run.stranger.view.index_ticks == 8_000
    assert not run.of_desks(BalanceChanged), "the hedge has gained, but not at the venue"
    run.offer(SELL, 5_000, 7_600)
    before = run.held()
    for desk in run.desks:
        assert desk.funds.spot.equity(8_000) > 1.2 * desk.venue_equity()
    run.until(240)
    assert run.held() == before
    run.until(500)
    assert len(run.of_desks(BalanceChanged)) >= 3
    assert sum(run.held()) > 1.1 * sum(before)


def test_money_is_in_one_place_at_a_time(tmp_path: Path) -> None:
    """What is at the spot venue, under way, or was paid in at the exchange changes by trades of the
    hedge alone, and by those at the index."""
    run = Trading(tmp_path, {"index.perp.sources.one.anchors": FALL_AND_RISE})
    run.offer(SELL, 5_000, 9_700)
    places = set()
    before = [Money(run, desk) for desk in run.desks]
    for second in range(1, 900):
        run.until(second)
        now = [Money(run, desk) for desk in run.desks]
        for old, new in zip(before, now, strict=True):
            places.add((new.under_way > 0, new.paid_in > 0))
            bought = new.coins - old.coins
            paid = old.total() - new.total() - (new.costs - old.costs)
            slack = abs(bought) * abs(new.index - old.index) + 1e-4
            assert paid == pytest.approx(bought * new.index, abs=slack)
        before = now
    assert {(True, False), (True, True), (False, True)} <= places
    (hedges,) = run.simulation.result().hedges
    assert (hedges.name, hedges.desks) == ("desks", 3)
    own = [Money(run, desk) for desk in run.desks]
    assert hedges.under_way == pytest.approx(sum(each.under_way for each in own), abs=0.02)
    assert hedges.costs == pytest.approx(sum(each.costs for each in own), abs=0.02)
    worth = sum(each.total() + each.coins * each.index for each in own)
    assert hedges.result == pytest.approx(worth - 3 * 30_000, abs=0.05)
    assert {event.cause for event in run.of_desks(BalanceChanged)} == {"deposit", "withdrawal"}


class Money:
    """Where a desk has its money, in quote currency."""

    def __init__(self, run: Trading, desk: Arbitrageur) -> None:
        moved = [e for e in run.events if type(e) is BalanceChanged]
        ids = [e.amount_q for e in moved if owner_of(e.margin_account_id) == desk.account_id]
        self.paid_in = sum(ids) / 1e6
        self.under_way = desk.funds.under_way_q / 1e6
        self.spot_cash = desk.funds.spot.cash
        self.coins = desk.funds.spot.coins
        self.costs = desk.funds.spot.costs
        self.index = desk.view.index_ticks

    def total(self) -> float:
        return self.paid_in + self.under_way + self.spot_cash


def test_a_desk_takes_what_leverage_the_margin_table_is_worth_to_it(tmp_path: Path) -> None:
    """Orders that the table refuses are none: there would be one at every look."""
    tiers = [
        {"up_to": 30_000, "max_leverage": 10, "maintenance": "0.02"},
        {"up_to": 150_000, "max_leverage": 4, "maintenance": "0.05"},
        {"max_leverage": 1, "maintenance": "0.2"},
    ]
    changes = {
        "rulebook_overrides.margin.tiers": tiers,
        "agents.stranger.leverage": 1,
        "agents.desks.capital": 120_000,
        "agents.desks.leverage": 10,
        "agents.desks.hedge_leverage": 10,
    }
    run = Trading(tmp_path, changes)
    run.offer(SELL, 5_000, 9_700)
    run.until(180)
    assert not [event for event in run.events if type(event) is CommandRejected]
    for desk in run.desks:
        assert desk.leverage == 4
        assert 147_000 < desk.position_lots * 100 <= 150_000


def test_a_desk_whose_margin_gets_thin_cuts_both_legs(tmp_path: Path) -> None:
    """The contract falls a fifth and the index with it: no transfer comes in time."""
    changes = {
        "index.perp.sources.one.anchors": FALL,
        "agents.desks.leverage": 4,
        "agents.desks.hedge_leverage": 4,
        "agents.desks.transfer": ["15m", "15m"],
        "agents.desks.margin_use": 1,
    }
    run = Trading(tmp_path, changes)
    run.offer(SELL, 5_000, 9_700)
    run.until(115)
    full = run.held()
    run.offer(BUY, 5_000, 7_600)
    before = [desk.equity() for desk in run.desks]
    run.until(220)
    assert not run.of_desks(LiquidationEnded)
    for desk, lots, equity in zip(run.desks, full, before, strict=True):
        assert 0 < desk.position_lots < lots
        assert desk.position_lots * 80 <= 2.05 * 4 * desk.venue_equity()
        assert desk.funds.spot.coins == pytest.approx(-desk.coins)
        cost = (lots - desk.position_lots) * 4
        assert desk.equity() < equity - cost, "sold 4 below the index: that capital is gone"


def test_who_was_liquidated_sells_its_hedge_and_stays_away(tmp_path: Path) -> None:
    changes = {
        "index.perp.sources.one.anchors": [["0s", 100], ["2m", 100], ["121s", 80], ["20m", 80]],
        "agents.desks.leverage": 10,
        "agents.desks.hedge_leverage": 10,
        "agents.desks.clip": 20_000,
        "agents.desks.margin_use": 1,
    }
    run = Trading(tmp_path, changes)
    run.offer(SELL, 5_000, 9_700)
    run.until(115)
    run.until(135)
    assert run.of_desks(LiquidationEnded)
    run.until(150)
    shaken = [desk for desk in run.desks if desk.position_lots == 0]
    assert shaken
    run.offer(SELL, 1_000, 7_500)
    for desk in shaken:
        assert desk.funds.spot.coins == pytest.approx(-desk.coins, abs=1e-6)
    run.until(178)
    assert all(desk.position_lots == 0 for desk in shaken)
    run.until(600)
    assert any(desk.position_lots > 0 for desk in shaken)


def test_a_desk_that_is_deleveraged_sells_its_hedge_at_a_price_the_contract_never_gave(
    tmp_path: Path,
) -> None:
    """Who bought above the index is bankrupt before it is down, and the desks' gain ends there."""
    changes = {
        "index.perp.sources.one.anchors": [["0s", 100], ["1m", 100], ["61s", 70], ["20m", 70]],
        "agents.stranger.capital": 5_000,
        "agents.stranger.leverage": 10,
        "house.fund": "0",
    }
    run = Trading(tmp_path, changes)
    run.offer(BUY, 300, 10_300)
    run.until(55)
    held = run.held()
    assert sum(held) == -300
    before = [desk.equity() for desk in run.desks]
    run.until(75)
    assert sum(event.qty_lots for event in run.of_desks(Deleveraged)) == 300
    assert run.held() == [0, 0, 0]
    for desk, lots, equity in zip(run.desks, held, before, strict=True):
        assert desk.funds.spot.coins == pytest.approx(0, abs=1e-9)
        lost = (103 - 5_000 / 300 - 70) * -lots
        assert desk.equity() == pytest.approx(equity - lost, rel=0.002)
        assert desk.equity() < 60_000


def test_funding_is_part_of_what_a_desk_has(tmp_path: Path) -> None:
    run = Trading(tmp_path, {"time.start": "2025-01-01T07:55:00Z"})
    run.offer(SELL, 5_000, 9_700)
    run.until(320)
    paid = run.of_desks(FundingPaid)
    assert {owner_of(event.margin_account_id) for event in paid} == {
        desk.account_id for desk in run.desks
    }
    assert all(event.amount_q > 0 for event in paid), "longs below the index are paid"


def test_what_the_venue_took_for_a_bankrupts_collateral_is_not_on_its_way_home(
    tmp_path: Path,
) -> None:
    path = tmp_path / "desks.toml"
    path.write_text(SCENARIO)
    simulation = Simulation(load_scenario(path), Exchange(), samples=False)
    simulation.open()
    desk = next(each for each in simulation.agents if isinstance(each, Arbitrageur))
    booked_q = desk.funds.booked_q
    paid = BalanceChanged(0, desk.account_id, desk.view.asset.asset_id, -7, 0, "collateral")
    desk.on_event(paid)
    assert (desk.funds.booked_q, desk.funds.under_way_q) == (booked_q - 7, 0)
