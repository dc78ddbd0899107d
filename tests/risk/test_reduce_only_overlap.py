"""Reduce-only orders while other messages are under way: no fill of one opens or turns a position.

The book bounds every fill of a reduce-only order by the position it knows, so neither the commands
beside it in a batch nor slow links change that.
"""

import itertools
import random
from typing import Any

import pytest

from engine import commands as c
from engine.events import Deleveraged, OrderClosed, OrderFilled, TakenOver
from engine.reasons import Reason
from engine.routing.bus import Latency
from tests.market import FUND, Market, liquidation, px, rules, size, usd

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103
MS_NS = 10**6
TRADERS = (ALICE, BOB, CAROL, DAVE)


def opening_fills(events: list[Any], reduce_only: set[int]) -> list[OrderFilled]:
    """Fills of reduce-only orders that left a position on their own side."""
    return [
        event
        for event in events
        if isinstance(event, OrderFilled)
        and event.order_id in reduce_only
        and event.position_lots * event.side > 0
    ]


def long_ten(**settings: Any) -> Market:
    m = Market(**settings)
    m.open(*TRADERS, deposit="100000")
    m.index("100")
    m.wait("1")
    m.sell(BOB, "10", "100")
    m.buy(ALICE, "10", "100")
    m.wait("1")
    m.buy(BOB, "30", "99.90")
    m.wait("1")
    return m


def selling(m: Market, qty: str, price: str, **fields: Any) -> c.SubmitOrder:
    order_id = m.exchange.next_order_id()
    return c.SubmitOrder(m.now_ns, ALICE, 0, order_id, c.SELL, size(qty), px(price), **fields)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_neighbours_in_a_batch_close_a_position_once(order: tuple[int, ...]) -> None:
    m = long_ten()
    commands = [
        selling(m, "10", "99.90", tif=c.IOC),
        selling(m, "10", "99.90", tif=c.IOC, reduce_only=True),
        selling(m, "7", "99.90", tif=c.FOK, reduce_only=True),
        selling(m, "8", "99.90", reduce_only=True),
    ]
    limited = {command.order_id for command in commands if command.reduce_only}
    m.exchange.send_batch([commands[place] for place in order])
    assert not opening_fills(m.events, limited)
    # What the plain order sold after the others is its own affair.
    plain_last = [e for e in m.all(OrderFilled) if e.account_id == ALICE][-1].order_id
    assert m.lots(ALICE) == 0 or (m.lots(ALICE) < 0 and plain_last == commands[0].order_id)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_take_profit_and_a_plain_close_beside_each_other_close_once(
    order: tuple[int, ...],
) -> None:
    m = long_ten()
    profit = selling(m, "10", "101", reduce_only=True)
    m.send(profit)
    taking = c.SubmitOrder(
        m.now_ns, CAROL, 0, m.exchange.next_order_id(), c.BUY, size("10"), px("101")
    )
    more = selling(m, "10", "101", reduce_only=True, tif=c.IOC)
    commands = [selling(m, "10", "99.90"), taking, more]
    m.exchange.send_batch([commands[place] for place in order])
    assert not opening_fills(m.events, {profit.order_id, more.order_id})
    m.exchange.check_invariants()


def test_what_is_cut_off_is_told_with_its_reason() -> None:
    m = long_ten()
    first = selling(m, "4", "99.90", tif=c.IOC)
    second = selling(m, "10", "99.90", tif=c.IOC, reduce_only=True)
    third = selling(m, "10", "99.90", tif=c.IOC, reduce_only=True)
    m.exchange.send_batch([first, second])
    m.send(third)
    ends = {e.order_id: (e.remaining_lots, e.reason) for e in m.all(OrderClosed)}
    assert ends[second.order_id] == (size("4"), Reason.REDUCE_ONLY_TRIMMED)
    assert m.lots(ALICE) == 0
    assert m.refusal().order_id == third.order_id
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE


def test_an_order_that_finds_nothing_left_to_close_is_told_so() -> None:
    m = long_ten()
    first = selling(m, "10", "99.90", tif=c.IOC)
    second = selling(m, "10", "99.90", tif=c.IOC, reduce_only=True)
    m.exchange.send_batch([first, second])
    ends = {e.order_id: (e.remaining_lots, e.reason) for e in m.all(OrderClosed)}
    assert ends[second.order_id] == (size("10"), Reason.NOTHING_TO_REDUCE)


def test_the_legs_of_a_hedge_are_bounded_apart() -> None:
    m = Market()
    m.open(*TRADERS, deposit="100000")
    m.hedge(ALICE)
    m.index("100")
    m.sell(BOB, "10", "100")
    m.buy(ALICE, "10", "100", leg=c.LEG_LONG)
    m.buy(BOB, "5", "100")
    m.sell(ALICE, "5", "100", leg=c.LEG_SHORT)
    m.buy(BOB, "30", "99.90")
    m.exchange.send_batch(
        [selling(m, "8", "99.90", tif=c.IOC, leg=c.LEG_LONG) for _ in range(3)]
        + [selling(m, "3", "99.90", tif=c.IOC, leg=c.LEG_SHORT)]
    )
    assert m.lots(ALICE, leg=c.LEG_LONG) == 0
    assert m.lots(ALICE, leg=c.LEG_SHORT) == -size("8")


def random_latency(rng: random.Random) -> Latency:
    gateway, there, back = (rng.choice((0, 1, 3, 20)) * MS_NS for _ in range(3))
    return Latency(gateway, rng.choice((0, 5)) * MS_NS, there, back, MS_NS, MS_NS)


def random_order(m: Market, rng: random.Random, limited: set[int]) -> None:
    side = rng.choice((c.BUY, c.SELL))
    order_id = m.exchange.next_order_id()
    reduce_only = rng.random() < 0.5
    if reduce_only:
        limited.add(order_id)
    price = px("100") + side * rng.randint(-3, 3)
    tif = rng.choice((c.GTC, c.GTC, c.IOC, c.FOK))
    stp = rng.randint(0, 3)
    m.send(
        c.SubmitOrder(
            m.now_ns,
            rng.choice(TRADERS),
            0,
            order_id,
            side,
            rng.randint(1, 20),
            price,
            tif=tif,
            reduce_only=reduce_only,
            stp=stp,
        )
    )


@pytest.mark.parametrize("seed", range(12))
def test_no_reduce_only_fill_opens_whatever_the_latencies(seed: int) -> None:
    rng = random.Random(seed)
    m = Market(latency=random_latency(rng), listed=False)
    m.add("PERP")
    m.wait("1")
    m.open(*TRADERS, deposit="100000")
    m.index("100")
    m.wait("1")
    limited: set[int] = set()
    for number in range(1, 500):
        dice = rng.random()
        if dice < 0.8:
            random_order(m, rng, limited)
        elif dice < 0.9:
            m.cancel(rng.choice(TRADERS), rng.randint(max(1, number - 30), number))
        else:
            old = rng.randint(max(1, number - 30), number)
            m.amend(rng.choice(TRADERS), old, str(rng.randint(1, 20)), str(rng.randint(98, 102)))
        m.now_ns += rng.choice((0, 0, 1, 2, 9)) * MS_NS
    m.wait("10")
    m.exchange.check_invariants()
    filled = {e.order_id for e in m.all(OrderFilled)} & limited
    assert len(filled) > 10
    assert not opening_fills(m.events, limited)


@pytest.mark.parametrize("seed", range(12))
def test_no_reduce_only_fill_opens_whatever_the_batches(seed: int) -> None:
    rng = random.Random(seed)
    m = Market()
    m.open(*TRADERS, deposit="100000")
    m.index("100")
    limited: set[int] = set()
    for _ in range(60):
        batch: list[c.Command] = []
        m.send = batch.append  # type: ignore[method-assign, assignment]
        for _ in range(rng.randint(1, 12)):
            random_order(m, rng, limited)
        m.exchange.send_batch(batch)
    m.exchange.check_invariants()
    filled = {e.order_id for e in m.all(OrderFilled)} & limited
    assert len(filled) > 10
    assert not opening_fills(m.events, limited)


# a deleveraging while a reduce-only fill is under way


def deleveraged_on_the_way(
    sold_at: str, qty: str = "10", isolated: bool = False, reduce_only: bool = True
) -> Market:
    """Alice is long 10 with 100 of her own, Bob short ``qty``. Bob's reduce-only buy of all of it
    is filled by Dave; while that is on its way, risk closes 10 of his short against Alice at 90,
    where the mark is 88."""
    adl_at_once = rules(liquidation=liquidation(["adl", "socialise"]))
    m = Market(adl_at_once, Latency(matching_to_risk_ns=50 * MS_NS))
    m.deposit(FUND, "500")
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, DAVE, deposit="1000")
    if isolated:
        m.isolate(BOB)
    m.index("100")
    m.wait("1")
    m.sell(BOB, qty, "100")
    m.buy(ALICE, "10", "100")
    m.buy(CAROL, "10", "100")
    m.wait("1")
    m.exchange.send(c.CancelAll(m.now_ns, CAROL))
    m.wait("1")
    m.sell(DAVE, "20", sold_at)
    m.wait("1")
    m.index("88")
    m.now_ns += MS_NS
    m.buy(BOB, qty, sold_at, reduce_only=reduce_only)
    m.wait("1")
    assert m.only(Deleveraged).time_ns < m.all(OrderFilled)[-1].time_ns
    m.exchange.check_invariants()
    return m


@pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])
@pytest.mark.parametrize(("sold_at", "result"), [("87", "10"), ("88", "0"), ("89", "-10")])
def test_what_was_deleveraged_meanwhile_goes_to_the_fund_at_the_mark(
    sold_at: str, result: str, isolated: bool
) -> None:
    """Bob made 100 by his short; of the ten bought too much he keeps the price against the mark."""
    m = deleveraged_on_the_way(sold_at, isolated=isolated)
    assert m.lots(BOB) == 0
    assert m.wallet(BOB) == usd("1100") + usd(result)
    taken = m.only(TakenOver)
    assert taken.taker_account_id == FUND
    assert (taken.qty_lots, taken.value_q, taken.gain_q) == (size("10"), usd("880"), 0)
    assert m.held(FUND).qty_lots == size("10")
    assert m.wallet(FUND) == usd("500")


def test_only_the_excess_goes_to_the_fund() -> None:
    """Short 15, deleveraged by 10, bought 15: five close at 87 and ten go to the fund at 88."""
    m = deleveraged_on_the_way("87", "15")
    assert (m.lots(BOB), m.lots(FUND)) == (0, size("10"))
    assert m.wallet(BOB) == usd("1100") + usd("65") + usd("10")
    filled = [e for e in m.all(OrderFilled) if e.account_id == BOB][-1]
    assert (filled.qty_lots, filled.position_lots) == (size("15"), 0)
    assert filled.realised_q == usd("75")


def test_the_book_hears_of_a_deleveraging_after_the_fill_it_overtook() -> None:
    """The invariant compares the positions; a later reduce-only order is bounded by the new one."""
    m = deleveraged_on_the_way("87", "15")
    m.buy(BOB, "2", "88")
    m.sell(DAVE, "2", "88")
    m.wait("1")
    m.buy(CAROL, "9", "88")
    m.sell(BOB, "5", "88", reduce_only=True)
    m.wait("1")
    assert m.lots(BOB) == 0


def test_a_plain_fill_opens_what_was_deleveraged_meanwhile() -> None:
    m = deleveraged_on_the_way("87", reduce_only=False)
    assert m.lots(BOB) == size("10")
    assert not m.all(TakenOver)
