"""A market maker with several books: one account, one capital."""

import random
from typing import Any

import msgspec
import pytest

from engine.commands import BUY, SELL
from engine.events import (
    CommandRejected,
    LiquidationStarted,
    OrderAccepted,
    OrderFilled,
)
from engine.instruments import LINEAR
from engine.reasons import Reason
from seawall.agents.market_maker import MarketMaker
from seawall.agents.plans import MarketMakerPlan
from seawall.exchange import Exchange
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.simulating.simulation import Simulation
from tests.seawall.test_agents import S, desk_for, make_view, plan_of


def firm(**changes: Any) -> MarketMaker:
    """Two books with 100,000 each, which quote 10,000 as their first level."""
    first, second = make_view(LINEAR), make_view(LINEAR)
    second.spec = msgspec.structs.replace(second.spec, instrument_id=1)
    second.instrument_id = 1
    settings = {"capital": 100_000, "size": 10_000, "levels": 1, "size_volatility": [1, 1]}
    plan = plan_of(MarketMakerPlan, **(settings | changes))
    return MarketMaker(plan, "m", 1, first, random.Random(1), [(plan, second)])


def sizes(agent: MarketMaker, instrument_id: int) -> list[int]:
    """Lots of bid and offer in a book in which nothing of it rests."""
    for book in agent.books:
        book.holding.orders.clear()
        book.holding.sent.clear()
    desk, venue = desk_for(agent)
    venue.agent = None
    agent.wake(desk)
    sent = [order for order in venue.orders() if order.instrument_id == instrument_id]
    return [sum(order.qty_lots for order in sent if order.side == side) for side in (BUY, SELL)]


def bought(agent: MarketMaker, instrument_id: int, lots: int, price: int = 10_000) -> None:
    agent.on_event(
        OrderFilled(0, 1, 1, instrument_id, 0, BUY, lots, price, False, False, 0, 0, lots)
    )


def test_both_books_are_quoted_from_one_capital() -> None:
    agent = firm()
    assert agent.capital == 200_000
    assert sizes(agent, 0) == sizes(agent, 1) == [99, 99]


def test_what_is_lost_in_one_book_is_quoted_less_in_the_other() -> None:
    agent = firm(inventory_limit=50)
    bought(agent, 1, 1_000)
    agent.books[1].view.last_ticks = 1
    assert agent.profit() == pytest.approx(-100_000, rel=1e-3)
    assert sizes(agent, 0) == [49, 49]


def test_what_is_held_in_one_book_leaves_less_room_in_the_other() -> None:
    agent = firm(inventory_limit=1)
    bought(agent, 1, 1_000)
    assert sizes(agent, 0) == [49, 49]
    bought(agent, 1, 2_000)
    assert sizes(agent, 0) == [0, 0]
    assert sizes(agent, 1) == [0, 99], "what it holds it offers"


def test_a_ladder_leans_only_against_what_is_held_in_its_own_book() -> None:
    def centre(instrument_id: int) -> float:
        agent = firm(inventory_limit=4)
        bought(agent, 1, 1_000)
        desk, venue = desk_for(agent)
        agent.wake(desk)
        prices = [o.price_ticks for o in venue.orders() if o.instrument_id == instrument_id]
        return sum(prices) / len(prices)

    assert centre(1) < 9_999 <= centre(0)


def test_an_event_counts_in_the_book_it_is_about() -> None:
    agent = firm()
    agent.on_event(OrderAccepted(0, 1, 7, 1, SELL, 9, 10_100))
    agent.on_event(OrderAccepted(0, 1, 8, 0, BUY, 9, 9_900))
    bought(agent, 1, 5)
    first, second = (book.holding for book in agent.books)
    assert (first.position_lots, second.position_lots) == (0, 5)
    assert ([*first.orders], [*second.orders]) == ([8], [7])
    agent.on_event(CommandRejected(0, 1, 5, Reason.LEVERAGE_ABOVE_MAXIMUM))
    assert [book.size for book in agent.books] == [0.5, 0.5]
    agent.on_event(LiquidationStarted(0, 1, 1, 0, 0, 0, 0, False))
    assert agent.locked


def test_a_firm_is_saved_with_all_its_books() -> None:
    agent, again = firm(), firm()
    bought(agent, 1, 5)
    desk, _ = desk_for(agent, 9 * S)
    agent.wake(desk)
    again.restore(agent.state())
    assert again.state() == agent.state()
    assert again.books[1].holding.position_lots == 5
    again.adopt({0: 3, 1: 4})
    assert [book.holding.position_lots for book in again.books] == [3, 4]


TWO = [
    "instruments.other={symbol='OTHER-PERP', kind='linear', settle='usd', tick='0.01', lot='0.1'}",
    "index.other={sources={one={kind='anchored', volatility=0.2, anchors=[['0s',50],['3m',50]]}}}",
    "agents.makers.capital=120000",
    "agents.makers.inventory_limit=3",
    "population.retail.instrument=perp",
    "agents.crowd={kind='noise', instrument='other', count=3, capital=200000, size=300}",
]
TOGETHER = "agents.makers.instruments=['perp', 'other']"
APART = (
    "agents.others={kind='market_maker', instrument='other', count=2, capital=120000, size=4000,"
    " inventory_limit=3}"
)


def loaded(*changes: str) -> Scenario:
    return load_scenario("small_crash", [*TWO, *changes])


def depth_left(makers: str) -> float:
    """The least depth of the quiet contract during the other's crash, as a share of the most
    before it."""
    scenario = loaded(makers)
    columns = Simulation(scenario, Exchange(), seed=3).run().series[1]
    both = zip(columns["depth_bid_200"], columns["depth_ask_200"], strict=True)
    depth = [min(sides) for sides in both]
    crash_ns = scenario.time.start_ns + 30 * S
    before = sum(time_ns < crash_ns for time_ns in columns["time_ns"])
    return min(depth[before:]) / max(depth[:before])


def test_a_quiet_book_is_left_by_makers_who_lose_in_another() -> None:
    assert depth_left(TOGETHER) < 0.5
    assert depth_left(APART) > 0.75


def test_a_saved_run_with_a_firm_goes_on_to_the_same_end() -> None:
    scenario, exchange = loaded(TOGETHER, "time.duration=1m"), Exchange()
    simulation = Simulation(scenario, exchange)
    simulation.open()
    simulation.advance(scenario.time.start_ns)
    saved = exchange.snapshot(), simulation.snapshot()
    again = Exchange()
    again.resume(saved[0])
    resumed = Simulation(scenario, again)
    resumed.restore(saved[1])
    assert resumed.snapshot() == saved[1]
    for each in (simulation, resumed):
        each.advance(scenario.time.end_ns)
    assert again.state_hash() == exchange.state_hash()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("agents.makers.instruments=['perp', 'oter']", "did you mean 'other'"),
        ("agents.makers.instruments=['perp', 'perp']", "names 'perp' twice"),
        (
            "agents.makers={kind='market_maker', instrument='perp', instruments=['other'],"
            " capital=1, size=1}",
            "has no effect beside instrument",
        ),
    ],
)
def test_books_that_cannot_be_are_refused(change: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said) as raised:
        loaded(change)
    assert "agents.makers.instruments" in str(raised.value)


def test_books_that_share_no_account_are_refused() -> None:
    euro = "assets.eur={symbol='EUR', decimals=6}"
    with pytest.raises(ScenarioError, match="perp in usd, other in eur"):
        loaded(TOGETHER, euro, TWO[0].replace("'usd'", "'eur'"))
