"""Margined traders: entry through orders, answers to calls, stops."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from engine.commands import (
    BUY,
    BY_INDEX,
    BY_LAST,
    BY_MARK,
    IOC,
    SELL,
    STOP,
    AdjustIsolatedMargin,
    Deposit,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import (
    CommandRejected,
    Deleveraged,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    OrderClosed,
    OrderFilled,
    TriggerFired,
)
from engine.reasons import Reason
from seawall.agents.dice import Dice
from seawall.agents.margin_traders import LATE_FACTOR, MarginTrader
from seawall.agents.stake import ENTRY_TRIES, Crowd, Stake
from seawall.agents.view import Desk, MarketView
from seawall.profiles import TraderProfile
from tests.seawall.test_agents import Recorder, make_view, rest

S = 10**9


class World:
    """One trader, a recording venue and a list of asked-for callbacks."""

    def __init__(self, view: MarketView, **profile: Any) -> None:
        self.venue = Recorder()
        self.desk = Desk(self.venue)
        self.desk.now_ns = S
        self.asked: list[tuple[int, Callable[[], None]]] = []
        self.view = view
        self.crowd = Crowd(
            self.desk, {"x": view}, lambda time_ns, action: self.asked.append((time_ns, action))
        )
        defaults: dict[str, Any] = {
            "account_id": 100,
            "group": "g",
            "instruments": (("x", 1.0),),
            "wealth": 1_000.0,
            "leverage": 5,
            "is_long": True,
            "isolated": False,
            "utilisation": 0.5,
            "reserve": 500.0,
            "answer": "add",
            "reaction_ns": 10 * S,
            "stop_distance": 0.0,
            "passive": False,
            "clip": 1e9,
            "entry_share": 0.5,
        }
        self.trader = MarginTrader(
            TraderProfile(**{**defaults, **profile}), self.crowd, Dice(1), 0, 1_000, [25]
        )

    @property
    def stake(self) -> Stake:
        return self.trader.stakes[0]

    def fill(self, side: int, lots: int, price: int, position: int) -> None:
        self.trader.on_event(
            OrderFilled(0, 100, 1, 0, 0, side, lots, price, False, False, 0, 0, position)
        )

    def call(self, amount_q: int = 300, deadline_ns: int = 60 * S) -> None:
        self.trader.on_event(MarginCallIssued(2 * S, 100, 7, amount_q, deadline_ns, 1, 2))

    def run_next(self) -> int:
        time_ns, action = self.asked.pop(0)
        self.desk.now_ns = time_ns
        action()
        return time_ns


def liquid_view() -> MarketView:
    view = make_view()
    rest(view, BUY, 9_990, 10**6, 1)
    rest(view, SELL, 10_010, 10**6, 2)
    return view


@pytest.mark.parametrize(("is_long", "side", "limit"), [(True, BUY, 10_040), (False, SELL, 9_960)])
def test_entry_takes_from_the_book_within_its_slippage(
    is_long: bool, side: int, limit: int
) -> None:
    world = World(liquid_view(), is_long=is_long)
    world.stake.enter()
    (order,) = world.venue.orders()
    assert (order.side, order.qty_lots, order.price_ticks, order.tif) == (side, 25, limit, IOC)


def test_a_passive_entry_rests_first_and_takes_after_two_tries() -> None:
    world = World(liquid_view(), passive=True)
    world.stake.enter()
    first = world.venue.orders()[0]
    assert (first.price_ticks, first.post_only) == (9_990, True)
    world.run_next()
    world.run_next()
    assert world.venue.orders()[-1].tif == IOC


def test_entry_sends_only_what_is_missing_and_stops_when_filled() -> None:
    world = World(liquid_view())
    world.stake.enter()
    world.fill(BUY, 20, 10_010, 20)
    world.run_next()
    assert world.venue.orders()[-1].qty_lots == 5
    world.fill(BUY, 5, 10_010, 25)
    world.run_next()
    assert len(world.venue.orders()) == 2
    assert not world.stake.entering
    assert world.asked == []


def test_entry_gives_up_in_a_market_without_offers() -> None:
    world = World(make_view())
    world.stake.enter()
    while world.asked:
        world.run_next()
    assert not world.stake.entering
    assert world.venue.orders() == []


def test_a_refused_entry_asks_for_less() -> None:
    world = World(liquid_view())
    world.trader.on_event(CommandRejected(0, 100, 1, Reason.INSUFFICIENT_MARGIN))
    assert world.stake.target_lots == 25 - 3
    world.trader.on_event(CommandRejected(0, 100, 1, Reason.UNKNOWN_ORDER))
    assert world.stake.target_lots == 22


def test_an_entry_that_is_always_refused_ends() -> None:
    world = World(liquid_view())
    world.stake.enter()
    tries = 1
    while world.asked:
        world.run_next()
        tries += 1
    assert tries == ENTRY_TRIES + 1


def test_adding_brings_the_amount_and_a_tenth_after_the_reaction_time() -> None:
    world = World(liquid_view())
    world.fill(BUY, 25, 10_000, 25)
    world.call(300)
    assert world.run_next() == 12 * S
    assert world.venue.commands == [Deposit(12 * S, 100, 0, 330)]
    assert world.trader.reserve_q == 670


def test_nobody_adds_more_than_the_reserve() -> None:
    world = World(liquid_view())
    world.fill(BUY, 25, 10_000, 25)
    world.call(5_000)
    world.run_next()
    assert world.venue.commands == [Deposit(12 * S, 100, 0, 1_000)]


def test_an_isolated_position_gets_the_money_moved_to_it() -> None:
    world = World(liquid_view(), isolated=True)
    world.fill(BUY, 25, 10_000, 25)
    world.call(300)
    world.run_next()
    assert world.venue.commands[-1] == AdjustIsolatedMargin(12 * S, 100, 0, 0, 330)


@pytest.mark.parametrize(
    ("answer", "deposits", "closed"), [("cut", 0, 12), ("both", 1, 6), ("add", 1, 0)]
)
def test_answers_to_a_call(answer: str, deposits: int, closed: int) -> None:
    world = World(liquid_view(), answer=answer)
    world.fill(BUY, 25, 10_000, 25)
    world.call()
    world.run_next()
    assert len([c for c in world.venue.commands if isinstance(c, Deposit)]) == deposits
    orders = [c for c in world.venue.commands if isinstance(c, SubmitOrder)]
    assert sum(o.qty_lots for o in orders) == closed
    assert all(o.side == SELL and o.reduce_only for o in orders)


def test_who_ignores_a_call_does_nothing() -> None:
    world = World(liquid_view(), answer="ignore")
    world.fill(BUY, 25, 10_000, 25)
    world.call()
    assert world.asked == []


def test_the_late_answer_comes_after_the_deadline() -> None:
    world = World(liquid_view(), answer="too_late")
    world.fill(BUY, 25, 10_000, 25)
    world.call(deadline_ns=60 * S)
    assert world.run_next() == (60 + LATE_FACTOR * 10) * S
    assert isinstance(world.venue.commands[0], Deposit)


def test_a_call_that_ended_needs_no_answer() -> None:
    world = World(liquid_view())
    world.fill(BUY, 25, 10_000, 25)
    world.call()
    world.trader.on_event(MarginCallEnded(3 * S, 100, 7, "cured", S))
    world.run_next()
    assert world.venue.commands == []


def test_nothing_is_sent_while_locked_or_flat() -> None:
    for event in (
        LiquidationStarted(3 * S, 100, 1, 0, 0, 1, 1, False),
        Deleveraged(3 * S, 100, 200, 0, 25, 1, 1, 1, 1),
    ):
        world = World(liquid_view())
        world.fill(BUY, 25, 10_000, 25)
        world.call()
        world.trader.on_event(event)
        world.run_next()
        assert world.venue.commands == []


@pytest.mark.parametrize(("is_long", "level", "side"), [(True, 9_500, SELL), (False, 10_500, BUY)])
def test_a_stop_is_sent_at_its_distance_from_the_first_fill(
    is_long: bool, level: int, side: int
) -> None:
    world = World(liquid_view(), is_long=is_long, stop_distance=0.05)
    opening = BUY if is_long else SELL
    world.fill(opening, 20, 10_000, 20 * opening)
    world.fill(opening, 5, 9_000, 25 * opening)
    assert world.run_next() == S + 1
    assert world.asked == []
    (stop,) = world.venue.commands
    assert isinstance(stop, SubmitTrigger)
    assert (stop.side, stop.trigger, stop.trigger_ticks) == (side, STOP, level)
    assert (stop.close_position, stop.qty_lots, stop.trigger_by) == (True, 0, BY_LAST)


@pytest.mark.parametrize("by", [BY_LAST, BY_MARK, BY_INDEX])
def test_a_stop_looks_at_the_price_its_group_says(by: int) -> None:
    world = World(liquid_view(), stop_distance=0.05, stop_by=by)
    world.fill(BUY, 25, 10_000, 25)
    world.run_next()
    (stop,) = world.venue.commands
    assert isinstance(stop, SubmitTrigger)
    assert stop.trigger_by == by


def stopped_world() -> tuple[World, int]:
    """A long of 25 with its stop; and the id of that."""
    world = World(liquid_view(), stop_distance=0.05)
    world.stake.enter()
    world.asked.clear()
    world.fill(BUY, 25, 10_000, 25)
    world.run_next()
    (stop,) = (each for each in world.venue.commands if isinstance(each, SubmitTrigger))
    world.venue.commands.clear()
    return world, stop.order_id


def test_what_a_stop_leaves_over_is_closed_by_hand() -> None:
    world, stop = stopped_world()
    world.trader.on_event(TriggerFired(2 * S, 100, stop, 0, 9_400, 9_500))
    assert not world.stake.entering
    world.fill(SELL, 15, 9_400, 10)
    world.trader.on_event(OrderClosed(2 * S, 100, stop, 0, 10, Reason.IOC_REMAINDER))
    world.run_next()
    (order,) = world.venue.orders()
    assert (order.side, order.qty_lots, order.reduce_only) == (SELL, 10, True)


def test_a_stop_that_closed_everything_needs_nothing_more() -> None:
    world, stop = stopped_world()
    world.trader.on_event(TriggerFired(2 * S, 100, stop, 0, 9_400, 9_500))
    world.fill(SELL, 25, 9_400, 0)
    world.trader.on_event(OrderClosed(2 * S, 100, stop, 0, 0, Reason.FILLED))
    assert world.asked == [] and world.venue.commands == []


def test_a_stop_whose_price_was_there_already_is_a_close() -> None:
    world, stop = stopped_world()
    world.trader.on_event(CommandRejected(2 * S, 100, stop, Reason.WOULD_TRIGGER_AT_ONCE))
    world.run_next()
    (order,) = world.venue.orders()
    assert (order.side, order.qty_lots, order.reduce_only) == (SELL, 25, True)


def test_a_partial_liquidation_takes_the_stop_and_leaves_a_new_one() -> None:
    world, stop = stopped_world()
    world.trader.on_event(LiquidationStarted(2 * S, 100, 1, 0, 0, 1, 1, False))
    world.trader.on_event(OrderClosed(2 * S, 100, stop, 0, 0, Reason.CANCELLED_BY_LIQUIDATION))
    assert world.asked == []
    world.fill(SELL, 20, 9_600, 5)
    world.trader.on_event(LiquidationEnded(3 * S, 100, 1, 0, "restored", True, *[0] * 10))
    world.run_next()
    (again,) = world.venue.commands
    assert isinstance(again, SubmitTrigger) and again.trigger_ticks == 9_500


def test_dice_give_the_draws_of_one_generator_seen_or_not() -> None:
    bounds = [4 * S, 20 * S, 7, 4 * S, S]
    generator = random.Random(5)
    drawn = [generator.randrange(bound) for bound in bounds]
    seen = Dice(5)
    assert [seen.below(bound) for bound in bounds] == drawn
    late = Dice(5)
    for bound in bounds[:2]:
        late.skip(bound)
    assert late.below(bounds[2]) == drawn[2]
    late.skip(bounds[3])
    assert late.below(bounds[4]) == drawn[4]
