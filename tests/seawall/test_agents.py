"""What each agent does when it looks at a book set up by hand."""

import random
from itertools import groupby, pairwise
from typing import Any, TypeVar

import msgspec
import pytest

from engine.commands import (
    BUY,
    IOC,
    SELL,
    CancelAll,
    Command,
    SubmitOrder,
    Withdraw,
)
from engine.events import (
    BalanceChanged,
    CommandRejected,
    Deleveraged,
    LiquidationEnded,
    OrderAccepted,
    OrderClosed,
    OrderFilled,
    TakenOver,
)
from engine.instruments import INVERSE, LINEAR, AssetSpec, MarginSpec, build_instrument_spec
from engine.reasons import Reason
from matching.book import Book
from seawall.agents import AgentPlan, build_agents
from seawall.agents.arbitrageur import Arbitrageur
from seawall.agents.base import Agent, worse
from seawall.agents.holding import shrink
from seawall.agents.momentum_trader import MomentumTrader
from seawall.agents.noise_trader import NoiseTrader
from seawall.agents.plans import (
    ArbitrageurPlan,
    MomentumPlan,
    NoisePlan,
)
from seawall.agents.view import Desk, MarketView
from seawall.scenario_fields import ScenarioReader

S = 10**9
ASSET = AssetSpec(0, "USDT", 6)
MARGIN = MarginSpec("flat", params=[("maintenance_ppb", 5_000_000), ("max_leverage", 50)])


def make_view(kind: int = LINEAR, band_ppb: int = 0) -> MarketView:
    spec = build_instrument_spec(
        instrument_id=0,
        symbol="X",
        kind=kind,
        asset=ASSET,
        tick="0.01",
        lot="1",
        multiplier="1" if kind == LINEAR else "10",
        margin=MARGIN,
        band_ppb=band_ppb,
    )
    view = MarketView(spec, ASSET, Book(), S)
    view.mark_ticks = view.index_ticks = view.last_ticks = 10_000
    return view


def rest(view: MarketView, side: int, price: int, lots: int, order_id: int) -> None:
    view.book.submit(order_id, 9_999, side, price, lots)


class Recorder:
    """A venue that accepts every order for its agent and keeps the commands."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.agent: Agent | None = None
        self._last_id = 100

    def send(self, command: Command) -> None:
        self.commands.append(command)
        if self.agent is None:
            return
        if isinstance(command, SubmitOrder):
            self.agent.on_event(
                OrderAccepted(
                    command.time_ns,
                    command.account_id,
                    command.order_id,
                    0,
                    command.side,
                    command.qty_lots,
                    command.price_ticks,
                )
            )
            if command.tif == IOC:
                self.close(command.order_id, command.qty_lots)
        elif isinstance(command, CancelAll):
            for order_id in list(self.agent.orders):
                self.close(order_id, 0)

    def close(self, order_id: int, left: int) -> None:
        assert self.agent is not None
        self.agent.on_event(OrderClosed(0, 1, order_id, 0, left, Reason.IOC_REMAINDER))

    def next_order_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def orders(self, side: int = 0) -> list[SubmitOrder]:
        found = [c for c in self.commands if isinstance(c, SubmitOrder)]
        return [c for c in found if side in (0, c.side)]


def desk_for(agent: Agent, now_ns: int = S) -> tuple[Desk, Recorder]:
    venue = Recorder()
    venue.agent = agent
    desk = Desk(venue)
    desk.now_ns = now_ns
    return desk, venue


def filled(agent: Agent, side: int, lots: int, price: int, position: int) -> None:
    agent.on_event(OrderFilled(0, 1, 1, 0, 0, side, lots, price, False, False, 0, 0, position))


AnyPlan = TypeVar("AnyPlan", bound=msgspec.Struct)


def plan_of(kind: type[AnyPlan], **values: Any) -> AnyPlan:
    return ScenarioReader().struct(kind, values, "agents.a")


def arbitrageur(view: MarketView, **changes: Any) -> Arbitrageur:
    settings = {"clip": 2_000, "entry": [0.01, 0.01], "hedge_spread": 0, "usual_volatility": 1e-7}
    plan = plan_of(ArbitrageurPlan, capital=20_000, **(settings | changes))
    agent = Arbitrageur(plan, "a", 1, view, random.Random(1))
    agent.funded(view.settle_q(agent.capital, view.index_ticks))
    return agent


def test_an_arbitrageur_buys_below_the_index_after_its_reaction_delay() -> None:
    view = make_view()
    rest(view, SELL, 9_800, 50, 1)
    agent = arbitrageur(view, reaction=["500ms", "500ms"])
    desk, venue = desk_for(agent)
    assert agent.wake(desk) == S + S // 2 + 1
    assert venue.commands == []
    agent.wake(desk)
    (order,) = venue.orders()
    assert (order.side, order.qty_lots, order.price_ticks, order.tif) == (BUY, 20, 9_900, IOC)
    assert not order.reduce_only


@pytest.mark.parametrize("kind", [Arbitrageur, MomentumTrader])
def test_who_takes_waits_for_what_the_last_order_brought(kind: type[Agent]) -> None:
    """Behind a slow link an order is neither answered nor filled when its sender looks again."""
    view = make_view()
    if kind is Arbitrageur:
        rest(view, SELL, 9_800, 50, 1)
        agent: Agent = arbitrageur(view)
    else:
        rest(view, BUY, 9_600, 10**6, 1)
        view.history.extend([10_000.0] * 10 + [9_000.0])
        agent = momentum(view)
    desk, venue = desk_for(agent)
    venue.agent = None
    for _ in range(4):
        agent.wake(desk)
    (order,) = venue.commands
    venue.agent = agent
    venue.commands.clear()
    venue.send(order)
    for _ in range(2):
        agent.wake(desk)
    assert len(venue.orders()) > 1


def test_an_arbitrageur_sells_above_the_index() -> None:
    view = make_view()
    rest(view, BUY, 10_200, 50, 1)
    agent = arbitrageur(view)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    agent.wake(desk)
    assert [(o.side, o.price_ticks) for o in venue.orders()] == [(SELL, 10_100)]


def test_a_gap_that_closed_during_the_delay_is_left_alone() -> None:
    view = make_view()
    rest(view, SELL, 9_800, 50, 1)
    agent = arbitrageur(view)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    view.book.cancel(1)
    rest(view, SELL, 9_990, 50, 2)
    agent.wake(desk)
    assert venue.commands == []


def test_a_volatile_index_makes_an_arbitrageur_ask_for_a_larger_gap() -> None:
    view = make_view()
    agent = arbitrageur(view)
    calm = agent.required_gap(0)
    desk, _ = desk_for(agent)
    for index_ticks in (10_000, 10_100, 10_000, 9_900, 10_000):
        view.index_ticks = index_ticks
        agent.wake(desk)
        desk.now_ns += S
    assert agent.volatility() > 0.0005
    assert agent.required_gap(desk.now_ns) > calm + agent.volatility()


@pytest.mark.parametrize("changes", [{"leverage": 1}, {"hedge_leverage": 1}])
def test_an_arbitrageur_stops_where_one_of_its_accounts_carries_no_more(
    changes: dict[str, int],
) -> None:
    view = make_view()
    rest(view, SELL, 9_800, 500, 1)
    agent = arbitrageur(view, margin_use=0.7, **changes)
    desk, venue = desk_for(agent)
    assert agent.capacity() == 10_000
    agent.position_lots = 60
    agent.wake(desk)
    agent.wake(desk)
    assert [o.qty_lots for o in venue.orders()] == [10]
    agent.position_lots = 70
    agent.wake(desk)
    agent.wake(desk)
    assert len(venue.orders()) == 1


def test_an_arbitrageur_asks_for_what_the_venue_has_when_it_was_refused_more() -> None:
    view = make_view()
    agent = arbitrageur(view, venue_share=0.6)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    assert venue.commands == []
    agent.funds.booked_q += 5_000 * 10**6
    agent.wake(desk)
    (asked,) = venue.commands
    assert isinstance(asked, Withdraw)
    assert asked.amount_q == 2_000 * 10**6
    desk.now_ns += S
    agent.wake(desk)
    assert venue.commands == [asked], "one at a time"
    free_q = 700 * 10**6
    reason = int(Reason.INSUFFICIENT_FREE_COLLATERAL)
    agent.on_event(CommandRejected(desk.now_ns, 1, 0, reason, asked.amount_q, free_q))
    agent.wake(desk)
    assert isinstance(venue.commands[-1], Withdraw)
    assert venue.commands[-1].amount_q == free_q
    before = agent.equity()
    agent.on_event(BalanceChanged(desk.now_ns, 10_100, 0, -free_q, 0, "withdrawal"))
    assert agent.equity() == pytest.approx(before)
    assert agent.funds.under_way_q == free_q


def test_an_arbitrageur_closes_what_it_has_near_the_index() -> None:
    view = make_view()
    rest(view, BUY, 9_999, 500, 2)
    agent = arbitrageur(view)
    filled(agent, BUY, 5, 9_900, 5)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    agent.wake(desk)
    assert [(o.side, o.qty_lots, o.reduce_only) for o in venue.orders()] == [(SELL, 5, True)]


def test_an_arbitrageur_believes_the_venue_about_what_a_liquidation_left() -> None:
    """Who paid a deficit is told to nobody."""
    view = make_view()
    agent = arbitrageur(view)
    filled(agent, BUY, 20, 9_000, 20)
    left_q = 123 * 10**6
    told = (left_q, 0, 0, 0, 0, 0, 0, 0, 0)
    agent.on_event(LiquidationEnded(0, 10_100, 1, 0, "reduced", True, 7, *told))
    assert agent.venue_equity() == pytest.approx(123, abs=1e-5)


def test_an_arbitrageur_that_takes_over_its_account_keeps_its_gain_and_hedges_what_it_finds() -> (
    None
):
    view = make_view()
    agent = arbitrageur(view)
    filled(agent, BUY, 20, 9_000, 20)
    before = agent.equity()
    agent.adopt({0: 30})
    assert agent.equity() == pytest.approx(before) == pytest.approx(20_200)
    desk, _ = desk_for(agent)
    agent.wake(desk)
    assert agent.funds.spot.coins == -agent.coins == -30 / 100


@pytest.mark.parametrize(
    ("kind", "value_q"), [(LINEAR, 50 * 9_000 * 10_000), (INVERSE, -500 * 10**6 // 90)]
)
def test_what_the_venue_closes_counts_at_its_value(kind: int, value_q: int) -> None:
    """Five of ten lots bought at 100 are closed at 90, whatever the mark; the rest is at 80."""
    view = make_view(kind)
    for event in (
        TakenOver(0, 10_100, 2, 0, 50, value_q, 9_500, 0),
        Deleveraged(0, 10_100, 10_200, 0, -50, -value_q, 9_500, 1, 0),
    ):
        agent = arbitrageur(view)
        filled(agent, BUY, 100, 10_000, 100)
        agent.on_event(event)
        view.last_ticks = 8_000
        assert agent.position_lots == 50
        worth = 50 * 90 + 50 * 80 - 100 * 100
        if kind == INVERSE:  # coins, worth 80 at the end
            worth = round((1_000 / 100 - 500 / 90 - 500 / 80) * 80)
        assert agent.profit() == pytest.approx(worth, abs=0.5)


def momentum(view: MarketView, clip: float = 1_000) -> MomentumTrader:
    plan = plan_of(
        MomentumPlan,
        capital=10_000,
        clip=clip,
        window=["10s", "10s"],
        threshold=[0.02, 0.02],
        hold=["60s", "60s"],
        exposure_limit=1.0,
    )
    return MomentumTrader(plan, "t", 1, view, random.Random(1))


def test_momentum_follows_the_more_the_larger_the_move() -> None:
    agent = momentum(make_view())
    moves = [step / 10_000 for step in range(2_001)]
    strengths = [agent.strength(-move) for move in moves]
    assert strengths == sorted(strengths)
    assert strengths == [agent.strength(move) for move in moves]
    assert strengths[20] < 0.001
    assert abs(strengths[200] - 0.5) < 1e-9
    assert strengths[1_000] > 0.99
    # no step of a basis point of the move changes the answer by more than half a percent
    assert max(b - a for a, b in pairwise(strengths)) < 0.01


def test_momentum_sends_no_dust() -> None:
    """A twentieth of its clip is the least that follows a move: 50 of 1,000, at 96 each."""
    sizes = []
    for step in range(300):
        view = make_view()
        rest(view, BUY, 9_600, 10**6, 1)
        view.history.extend([10_000.0] * 10 + [10_000.0 - step])
        agent = momentum(view, clip=100_000)
        desk, venue = desk_for(agent)
        agent.wake(desk)
        sizes += [o.qty_lots for o in venue.orders()]
    assert sizes == sorted(sizes)
    assert sizes[0] == 5_000 // 96


def test_momentum_holds_less_the_more_it_has_lost() -> None:
    def ordered(last: int) -> int:
        view = make_view()
        rest(view, BUY, 9_600, 500, 1)
        view.history.extend([10_000.0] * 10 + [9_500.0])
        agent = momentum(view, clip=100_000)
        filled(agent, SELL, 10, 10_000, -10)
        view.last_ticks = last
        desk, venue = desk_for(agent)
        agent.wake(desk)
        return sum(o.qty_lots for o in venue.orders(SELL))

    sizes = [ordered(last) for last in (10_000, 10_500, 11_000, 11_500, 12_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


def test_momentum_sells_into_a_fall_and_closes_after_its_hold() -> None:
    view = make_view()
    rest(view, BUY, 9_600, 500, 1)
    rest(view, SELL, 9_610, 500, 2)
    view.history.extend([10_000.0] * 10 + [9_700.0])
    agent = momentum(view)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    assert [(o.side, o.qty_lots, o.price_ticks) for o in venue.orders()] == [(SELL, 8, 9_504)]
    agent.position_lots = -10
    view.history.extend([9_700.0] * 20)
    agent.wake(desk)
    assert len(venue.orders()) == 1
    desk.now_ns += 61 * S
    agent.wake(desk)
    last = venue.orders()[-1]
    assert (last.side, last.reduce_only) == (BUY, True)


def test_momentum_ignores_moves_that_volatility_explains() -> None:
    view = make_view()
    rest(view, BUY, 9_600, 500, 1)
    view.history.extend([10_000.0] * 10 + [9_700.0])
    view.volatility = 0.03
    agent = momentum(view)
    desk, venue = desk_for(agent)
    agent.wake(desk)
    assert venue.commands == []


def noise(view: MarketView, **changes: Any) -> NoiseTrader:
    fixed = {"capital": 10_000, "size": 500, "size_sigma": 0, "every_sigma": 0}
    plan = plan_of(NoisePlan, **fixed, **changes)
    return NoiseTrader(plan, "n", 1, view, random.Random(1))


def noise_orders(agent: NoiseTrader, wakes: int) -> list[SubmitOrder]:
    desk, venue = desk_for(agent)
    for _ in range(wakes):
        agent.wake(desk)
    return venue.orders()


def test_noise_trades_both_ways_and_leans_against_its_position() -> None:
    def sides(position: int) -> list[int]:
        view = make_view()
        rest(view, BUY, 9_990, 10**6, 1)
        rest(view, SELL, 10_010, 10**6, 2)
        agent = noise(view, passive_share=0.5, pieces_max=1)
        agent.position_lots = position
        desk, venue = desk_for(agent)
        for _ in range(200):
            agent.wake(desk)
        return [o.side for o in venue.orders()]

    # at most 200 fair coins: three standard deviations are 42
    assert abs(sum(sides(0))) <= 42
    assert set(sides(10**4)) == {SELL}
    assert set(sides(-(10**4))) == {BUY}


def test_a_metaorder_stays_on_its_side_until_its_pieces_are_done() -> None:
    view = make_view()
    rest(view, BUY, 9_990, 10**6, 1)
    rest(view, SELL, 10_010, 10**6, 2)
    sides = [o.side for o in noise_orders(noise(view, pieces=20, pieces_max=20), 400)]
    for place in range(0, 400, 20):
        assert len(set(sides[place : place + 20])) == 1
    assert set(sides) == {BUY, SELL}


def test_metaorders_have_a_pareto_tail() -> None:
    view = make_view()
    rest(view, BUY, 9_990, 10**6, 1)
    rest(view, SELL, 10_010, 10**6, 2)
    sides = [o.side for o in noise_orders(noise(view, pieces=1, pieces_max=50), 20_000)]
    runs = [len(list(same)) for _, same in groupby(sides)]
    # one metaorder in 350 has 50 pieces or more
    assert max(runs) >= 50
    assert sum(1 for run in runs if run <= 2) > len(runs) / 3


def test_noise_takes_what_is_scarce_and_waits_for_what_is_plenty() -> None:
    def resting(bids: int, asks: int) -> float:
        view = make_view()
        rest(view, BUY, 9_990, bids, 1)
        rest(view, SELL, 10_010, asks, 2)
        buys = [o for o in noise_orders(noise(view), 1_000) if o.side == BUY]
        return sum(1 for o in buys if o.post_only) / len(buys)

    scarce, equal, plenty = resting(900, 100), resting(500, 500), resting(100, 900)
    # 0.4 x (0.35 + 1.3 x share of the asks); three standard deviations of 400 orders are 0.07
    assert abs(scarce - 0.192) < 0.07
    assert abs(equal - 0.4) < 0.07
    assert abs(plenty - 0.608) < 0.07


def test_noise_rests_inside_the_spread_and_never_crosses_it() -> None:
    view = make_view()
    rest(view, BUY, 9_950, 500, 1)
    rest(view, SELL, 10_050, 500, 2)
    orders = noise_orders(noise(view, passive_share=1, queue_weight=0), 300)
    assert all(o.post_only for o in orders)
    assert all(o.side * o.price_ticks < o.side * (10_000 + 50 * o.side) for o in orders)
    inside = [o for o in orders if 9_950 < o.price_ticks < 10_050]
    # an exponential distance of mean half the spread: 1 - 1/e are inside
    assert 0.5 < len(inside) / len(orders) < 0.75


def test_the_band_keeps_orders_where_the_venue_accepts_them() -> None:
    view = make_view(band_ppb=100_000_000)
    assert view.inside_band(SELL, 5_000) == 9_002
    assert view.inside_band(BUY, 20_000) == 10_999
    assert view.inside_band(SELL, 20_000) == 20_000


def test_sizes_of_linear_and_inverse_contracts() -> None:
    linear, inverse = make_view(), make_view(INVERSE)
    assert linear.lots(1_000, 10_000) == 10
    assert inverse.lots(1_000, 10_000) == 100
    assert inverse.lots(1_000, 5_000) == 100
    assert linear.settle_q(50, 10_000) == 50_000_000
    assert inverse.settle_q(50, 10_000) == 500_000


def test_volatility_of_a_steady_walk_is_its_step() -> None:
    view = make_view()
    price = 1_000_000.0
    for second in range(400):
        price *= 1.001 if second % 2 else 1 / 1.001
        view.last_ticks = round(price)
        view.on_tick(second * S)
    assert abs(view.volatility - 0.001) < 0.00002


def test_profit_is_the_same_story_in_cash_and_coins() -> None:
    view = make_view()
    agent = arbitrageur(view)
    filled(agent, BUY, 10, 10_000, 10)
    view.last_ticks = 11_000
    assert abs(agent.profit() - 100.0) < 1e-9
    filled(agent, SELL, 10, 11_000, 0)
    view.last_ticks = 5_000
    assert abs(agent.profit() - 100.0) < 1e-9


def test_small_helpers() -> None:
    assert (shrink(10, -3), shrink(-10, 3), shrink(5, 9)) == (7, -7, 0)
    assert (worse(1_000, BUY, 0.1), worse(1_000, SELL, 0.1)) == (1_100, 900)


def test_one_more_agent_changes_nobody_elses_chance() -> None:
    view = make_view()
    settings = plan_of(NoisePlan, capital=1, size=1)

    def draws(count: int) -> list[float]:
        plans = (AgentPlan("n", "x", count, settings),)
        return [a.rng.random() for a in build_agents(plans, {"x": view}, 500, 7)]

    three, two = draws(3), draws(2)
    assert three[:2] == two
    assert len({*three}) == 3


def test_momentum_only_closes_once_it_has_lost_too_much() -> None:
    view = make_view()
    rest(view, BUY, 9_600, 500, 1)
    view.history.extend([10_000.0] * 10 + [9_700.0])
    agent = momentum(view)
    filled(agent, SELL, 100, 10_000, -100)
    view.last_ticks = 14_000
    desk, venue = desk_for(agent)
    agent.wake(desk)
    assert [o for o in venue.orders() if not o.reduce_only] == []
