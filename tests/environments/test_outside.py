"""An account driven from outside changes nothing until somebody drives it."""

from typing import Any

from engine.commands import BUY
from engine.events import AccountChanged, BalanceChanged, OrderFilled
from risk.accounts import owner_of
from seawall import Exchange, load_scenario
from seawall.agents.outside import OutsideAgent
from seawall.agents.view import Desk
from seawall.simulating.simulation import Simulation

OUTSIDE = {"agents.stranger.kind": "outside", "agents.stranger.capital": 5_000}
SHORT = {
    "population.retail.accounts": 60,
    "population.funds.accounts": 6,
    "population.hedgers.accounts": 16,
    "time.duration": "80s",
}


def opened(settings: dict[str, object], heard: list[Any]) -> tuple[Simulation, Exchange]:
    scenario = load_scenario("small_crash", SHORT | settings)
    exchange = Exchange()
    exchange.subscribe(heard.append)
    simulation = Simulation(scenario, exchange, samples=False)
    simulation.open()
    return simulation, exchange


def stranger_of(simulation: Simulation) -> OutsideAgent:
    found = [agent for agent in simulation.agents if isinstance(agent, OutsideAgent)]
    assert len(found) == 1
    return found[0]


def is_about(event: Any, account_id: int) -> bool:
    if isinstance(event, BalanceChanged):
        return owner_of(event.margin_account_id) == account_id
    return isinstance(event, AccountChanged) and event.account_id == account_id


def test_who_does_nothing_changes_nothing_for_anybody() -> None:
    without: list[Any] = []
    simulation, _ = opened({}, without)
    simulation.advance(simulation.scenario.time.end_ns)
    beside: list[Any] = []
    simulation, exchange = opened(OUTSIDE, beside)
    simulation.advance(simulation.scenario.time.end_ns)
    account_id = stranger_of(simulation).account_id
    assert len(without) > 1_000
    assert [event for event in beside if not is_about(event, account_id)] == without
    (pot,) = exchange.account_report(account_id).margin_accounts
    assert pot.equity_q == pot.wallet_q == 5_000 * 10**6


def test_an_order_from_outside_is_filled_and_heard_of_once() -> None:
    simulation, _ = opened(OUTSIDE, [])
    simulation.advance(simulation.scenario.time.start_ns)
    stranger = stranger_of(simulation)
    stranger.take_heard()
    desk = Desk(simulation)
    desk.now_ns = simulation.now_ns
    stranger.take(desk, BUY, 3, stranger.view.best_ask() + 50)
    (fill,) = [event for event in stranger.take_heard() if isinstance(event, OrderFilled)]
    assert fill.position_lots == stranger.position_lots == 3
    assert stranger.take_heard() == []
