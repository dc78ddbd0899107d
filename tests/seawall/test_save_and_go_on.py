"""A run that was saved goes on as if it never had been: exchange, agents, chance and all."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.commands import AdvanceTime, Deposit
from engine.events import Event
from risk.accounts import FIRST_TRADER
from seawall import load_scenario
from seawall.exchange import Exchange
from seawall.market import Market
from seawall.scenario import Scenario
from seawall.simulating.simulation import Simulation
from seawall.state_hash import exchange_hash

SMALL_CRASH = Path(__file__).parents[2] / "examples/small_crash.toml"
LINKS = ("gateway_to_risk='2ms'", "risk_to_matching='3ms'", "matching_to_risk='3ms'")


def at(scenario: Scenario, share: float) -> int:
    """A moment of a run: after this share of it."""
    plan = scenario.time
    return plan.begin_ns + int(share * (plan.end_ns - plan.begin_ns))


def outcome(exchange: Exchange, simulation: Simulation) -> object:
    result = simulation.result()
    result.wall_seconds = 0.0
    counted = (exchange.commands, exchange.events, exchange.time_ns, exchange.last_order_id)
    return exchange.state_hash(), counted, result


@pytest.mark.parametrize(
    ("links", "shares"),
    [((), (0.2, 0.55, 0.9)), (LINKS, (0.6,))],
    ids=["without latencies", "with latencies"],
)
def test_a_saved_run_goes_on_to_the_same_end(
    links: tuple[str, ...], shares: tuple[float, ...]
) -> None:
    scenario = load_scenario(str(SMALL_CRASH), [f"latency.{link}" for link in links])
    exchange = Exchange(latency=scenario.latency)
    simulation = Simulation(scenario, exchange)
    simulation.open()
    saved = [(exchange.snapshot(), simulation.snapshot())]
    for share in shares:
        simulation.advance(at(scenario, share))
        assert exchange.bus.idle == (not links), "with latencies something is under way"
        saved.append((exchange.snapshot(), simulation.snapshot()))
    simulation.advance(scenario.time.end_ns)
    expected = outcome(exchange, simulation)
    straight = Exchange(latency=scenario.latency)
    whole = Simulation(scenario, straight)
    whole.run()
    assert outcome(straight, whole) == expected
    for exchange_state, simulation_state in saved:
        again = Exchange(latency=scenario.latency)
        again.resume(exchange_state)
        resumed = Simulation(scenario, again)
        resumed.restore(simulation_state)
        assert (again.snapshot(), resumed.snapshot()) == (exchange_state, simulation_state)
        resumed.advance(scenario.time.end_ns)
        assert outcome(again, resumed) == expected


def test_a_snapshot_of_another_run_is_refused() -> None:
    scenario = load_scenario(str(SMALL_CRASH))
    simulation = Simulation(scenario, Exchange())
    simulation.open()
    with pytest.raises(ValueError, match=r"seed 7, is no place to go on for small_crash, seed 8"):
        Simulation(scenario, Exchange(), seed=8).restore(simulation.snapshot())


def test_time_does_not_go_back() -> None:
    scenario = load_scenario(str(SMALL_CRASH))
    simulation = Simulation(scenario, Exchange())
    simulation.open()
    simulation.advance(at(scenario, 0.1))
    with pytest.raises(ValueError, match="has passed: the simulation is at"):
        simulation.advance(at(scenario, 0.05))


def traded() -> Market:
    """A market with positions, resting orders and a trader who is called."""
    market = Market(price="100")
    long, short = market.open_account("200"), market.open_account("10000")
    market.sell(short, "10", "100")
    market.buy(long, "10", "100")
    market.buy(short, "3", "90")
    market.set_index("85")
    return market


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copied_exchange_goes_its_own_way(copied: Callable[[Exchange], Exchange]) -> None:
    exchange = traded().exchange
    twin = copied(exchange)
    before = exchange.state_hash()
    assert (twin.state_hash(), twin.time_ns, twin.commands) == (
        before,
        exchange.time_ns,
        exchange.commands,
    )
    deposit = Deposit(exchange.time_ns, FIRST_TRADER, 0, 10**6)
    twin.send(deposit)
    assert exchange.state_hash() == before != twin.state_hash()
    exchange.send(deposit)
    assert exchange.state_hash() == twin.state_hash()
    twin.check_invariants()


def test_an_exchange_takes_over_a_state() -> None:
    exchange = traded().exchange
    heard: list[Event] = []
    other = Exchange()
    other.subscribe(heard.append)
    other.restore(exchange.state())
    assert other.state_hash() == exchange.state_hash() == exchange_hash(other.state())
    assert other.next_order_id() == exchange.next_order_id()
    later = AdvanceTime(exchange.time_ns + 10**9)
    exchange.send(later)
    other.send(later)
    assert heard
    assert other.state_hash() == exchange.state_hash()
    other.check_invariants()
