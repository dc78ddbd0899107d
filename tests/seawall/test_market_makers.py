"""What a market maker quotes: by volatility, inventory, its own capital and the margin table."""

import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import BUY, SELL, AmendOrder, SubmitOrder
from engine.events import CommandRejected, OrderAccepted
from engine.instruments import INVERSE, LINEAR, MarginSpec, MarginTier
from engine.reasons import Reason
from seawall.agents.margin_room import MarginRoom
from seawall.agents.market_maker import MarketMaker
from seawall.agents.plans import MarketMakerPlan
from seawall.agents.view import MarketView
from seawall.agents.volatility import VolatilityEstimate
from tests.seawall.test_agents import S, desk_for, make_view, plan_of

CALM = 0.0002


def maker(view: MarketView, seed: int = 1, **changes: Any) -> MarketMaker:
    settings = {"capital": 100_000, "size": 1_000, "levels": 3, **changes}
    plan = plan_of(MarketMakerPlan, **settings)
    return MarketMaker(plan, "m", 1, view, random.Random(seed))


def moved(view: MarketView, agent: MarketMaker, seconds: int, step: float) -> None:
    """Index and contract go up and down by a step each second, before the maker's eyes."""
    desk, _ = desk_for(agent)
    for second in range(seconds):
        view.index_ticks = view.last_ticks = round(10_000 * (1.0 + step * (second % 2)))
        desk.now_ns += S
        agent.wake(desk)


def quoted(agent: MarketMaker, now_ns: int = S) -> list[SubmitOrder]:
    """The bids of a maker that has none."""
    agent.orders.clear()
    desk, venue = desk_for(agent, now_ns)
    agent.wake(desk)
    return venue.orders(BUY)


@given(st.lists(st.tuples(st.sampled_from((BUY, SELL)), st.integers(9_990, 10_010)), max_size=9))
def test_the_best_orders_move_first_and_of_equal_prices_the_oldest(
    own: list[tuple[int, int]],
) -> None:
    """The ladder stands so far away that every rung moves, the orders beyond it are cancelled."""
    agent = maker(make_view(), half_spread=0.1, step_growth=1.1, spread_per_volatility=0)
    for order_id, (side, price) in enumerate(own, start=1):
        agent.on_event(OrderAccepted(0, 1, order_id, 0, side, 9, price))
    desk, venue = desk_for(agent)
    agent.wake(desk)
    touched: list[int] = [
        command.order_id for command in venue.commands if not isinstance(command, SubmitOrder)
    ]
    for side in (BUY, SELL):
        ids = [n for n, order in enumerate(own, start=1) if order[0] == side]
        ids.sort(key=lambda n: -side * own[n - 1][1])
        assert [n for n in touched if own[n - 1][0] == side] == ids


def test_a_ladder_stands_on_both_sides_of_fair_value() -> None:
    view = make_view()
    agent = maker(
        view, half_spread=0.001, step_growth=2.0, size_growth=1.0, spread_per_volatility=0
    )
    desk, venue = desk_for(agent)
    agent.wake(desk)
    assert [o.price_ticks for o in venue.orders(BUY)] == [9_990, 9_980, 9_960]
    assert [o.price_ticks for o in venue.orders(SELL)] == [10_010, 10_020, 10_040]
    assert all(o.post_only for o in venue.orders())
    assert {o.qty_lots for o in venue.orders(BUY)} == {venue.orders(BUY)[0].qty_lots}


def test_a_quiet_market_costs_no_commands() -> None:
    view = make_view()
    agent = maker(view)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    venue.commands.clear()
    desk.now_ns += S
    agent.wake(desk)
    assert venue.commands == []


def test_a_maker_follows_the_index_by_amending() -> None:
    view = make_view()
    agent = maker(view)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    venue.commands.clear()
    view.index_ticks = view.last_ticks = 9_500
    agent.wake(desk)
    amends = [c for c in venue.commands if isinstance(c, AmendOrder)]
    assert len(amends) == 6 == len(venue.commands)
    assert all(c.price_ticks < 9_700 for c in amends)


def test_what_moves_more_is_quoted_wider_and_smaller() -> None:
    def bid(step: float) -> SubmitOrder:
        view = make_view()
        agent = maker(view, size=50_000, capital=10_000_000)
        moved(view, agent, 61, step)
        view.index_ticks = view.last_ticks = 10_000
        return quoted(agent, 63 * S)[0]

    bids = [bid(step) for step in (0.0, 0.001, 0.003, 0.01)]
    prices, sizes = [b.price_ticks for b in bids], [b.qty_lots for b in bids]
    assert prices == sorted(prices, reverse=True)
    assert len({*prices}) == 4
    assert sizes == sorted(sizes, reverse=True)
    assert len({*sizes}) == 4


def test_inventory_moves_the_ladder_down_and_stops_buying_at_the_limit() -> None:
    view = make_view()
    agent = maker(view, inventory_limit=1.0)
    agent.position_lots = 1_000
    desk, venue = desk_for(agent)
    agent.wake(desk)
    assert venue.orders(BUY) == []
    assert venue.orders(SELL)[0].price_ticks < 10_003


@pytest.mark.parametrize(("lost", "lots"), [(0, 80), (25_000, 60), (50_000, 40), (100_000, 0)])
def test_who_lost_a_part_of_its_capital_quotes_that_much_less(lost: int, lots: int) -> None:
    agent = maker(make_view(), size=10_000, size_volatility=[0.0008, 0.0008], leverage=50)
    agent.cash = -float(lost)
    assert sum(order.qty_lots for order in quoted(agent)[:1]) == lots


def test_who_lost_everything_is_out_and_returns_slowly_with_what_it_has() -> None:
    agent = maker(make_view(), size=10_000, recovery=["60s", "60s"], size_volatility=[1, 1])
    agent.cash = -100_000.0
    assert quoted(agent) == []
    agent.cash = -50_000.0
    sizes = [sum(o.qty_lots for o in quoted(agent, second * S)[:1]) for second in (1, 61, 121, 999)]
    assert sizes == [0, 24, 37, 49]


def test_makers_judge_the_same_market_differently() -> None:
    def willing(seed: int) -> float:
        view = make_view()
        agent = maker(view, seed)
        moved(view, agent, 30, 0.004)
        return agent.books[0].size

    sizes = [willing(seed) for seed in range(6)]
    assert len({*sizes}) == 6
    assert max(sizes) < 2 * min(sizes)


@given(st.floats(0.00001, 0.2), st.floats(1.001, 1.5))
def test_a_larger_jump_is_a_larger_volatility_and_only_a_little_larger(
    jump: float, more: float
) -> None:
    """There is no size at which the answer breaks: variance grows at most by the square."""

    def variance(by: float) -> float:
        estimate = VolatilityEstimate(60 * S, CALM)
        estimate.look(1.0, S)
        estimate.look(math.exp(-by), 2 * S)
        return estimate.variance - CALM**2 * 0.5 ** (1 / 60)

    assert 1.0 <= variance(jump * more) / variance(jump) <= more**2 * 1.0001


def test_one_jump_is_no_wild_market_and_many_large_moves_are() -> None:
    jumped, wild = VolatilityEstimate(60 * S, CALM), VolatilityEstimate(60 * S, CALM)
    price = 1.0
    for second in range(1, 121):
        price *= 1.01 if second % 2 else 1 / 1.01
        wild.look(price, second * S)
        jumped.look(0.97 if second == 120 else 1.0, second * S)
    assert math.sqrt(jumped.variance) < 5 * CALM
    assert math.sqrt(wild.variance) > 0.007


def test_a_steady_walk_has_the_volatility_of_its_step() -> None:
    estimate = VolatilityEstimate(30 * S, CALM)
    for second in range(400):
        estimate.look(1.001 ** (second % 2), (second + 1) * S)
    assert math.sqrt(estimate.variance) == pytest.approx(math.log(1.001), rel=0.01)


def tiered(kind: int) -> MarketView:
    """50x below 10,000, 5x below 200,000, 2x below a million; in coins worth 100 where inverse."""
    unit = 1_000_000 if kind == LINEAR else 10_000
    tiers = [
        MarginTier(0, 10_000 * unit, 5_000_000, 50, 0),
        MarginTier(10_000 * unit, 200_000 * unit, 50_000_000, 5, 450 * unit),
        MarginTier(200_000 * unit, 1_000_000 * unit, 100_000_000, 2, 10_450 * unit),
    ]
    view = make_view(kind)
    view.spec = msgspec.structs.replace(view.spec, margin=MarginSpec("brackets", tiers=tiers))
    return view


@pytest.mark.parametrize("kind", [LINEAR, INVERSE])
@pytest.mark.parametrize(
    ("capital", "wished", "leverage", "largest"),
    [
        (100, 50, 50, 5_000),
        (1_000, 50, 50, 10_000),
        (50_000, 20, 5, 200_000),
        (300_000, 9, 2, 600_000),
    ],
)
def test_the_leverage_is_the_one_that_carries_the_most(
    kind: int, capital: int, wished: int, leverage: int, largest: int
) -> None:
    room = MarginRoom(tiered(kind), capital, wished, 10_000)
    assert room.leverage == leverage
    assert room.largest == pytest.approx(largest, rel=1e-3)


def test_a_thin_bracket_is_filled_and_not_exceeded() -> None:
    """Ten rungs of 40,000 would lead far beyond what the table allows: they are made to fit."""
    agent = maker(tiered(LINEAR), capital=2_000_000, size=40_000, levels=10, leverage=3)
    agent.prepare({0: 10_000})
    assert agent.leverage == 2
    bids = quoted(agent)
    assert len(bids) == 10
    assert 500_000 < sum(bid.qty_lots for bid in bids) * 100 < 1_000_000


def test_a_ladder_that_is_under_way_is_not_sent_again() -> None:
    agent = maker(make_view())
    desk, venue = desk_for(agent)
    venue.agent = None  # slow to answer
    agent.wake(desk)
    assert len(venue.orders()) == 6
    desk.now_ns += S
    agent.wake(desk)
    assert len(venue.orders()) == 6
    for order in venue.orders()[:5]:
        agent.on_event(OrderAccepted(0, 1, order.order_id, 0, order.side, 1, order.price_ticks))
    agent.on_event(CommandRejected(0, 1, venue.orders()[5].order_id, Reason.POST_ONLY_WOULD_CROSS))
    agent.wake(desk)
    assert len(venue.orders()) == 7
    desk.now_ns += 61 * S  # too long for an answer
    agent.wake(desk)
    assert len(venue.orders()) == 8


def test_refused_sizes_are_halved_for_a_while() -> None:
    agent = maker(make_view(), size=10_000, size_volatility=[1, 1], recovery=["30s", "30s"])
    first = quoted(agent)[0].qty_lots
    for order_id in (5, 6, 7):  # of one ladder: the others say nothing new
        agent.on_event(CommandRejected(0, 1, order_id, Reason.INSUFFICIENT_MARGIN))
    assert quoted(agent)[0].qty_lots == pytest.approx(first / 2, abs=1)
    agent.on_event(CommandRejected(0, 1, 5, Reason.LEVERAGE_ABOVE_MAXIMUM))
    agent.on_event(CommandRejected(0, 1, 5, Reason.UNKNOWN_ORDER))
    assert quoted(agent)[0].qty_lots == pytest.approx(first / 4, abs=1)
    assert quoted(agent, 31 * S)[0].qty_lots == pytest.approx(first * 5 / 8, abs=1)
