"""Trigger orders: when they fire, what they become, and what they never do.

The contract of `tests.market`: worth its price in USD, 10 % initial and 5 % maintenance margin, no
fees; the mark is the index.
"""

from typing import Any

import pytest

from engine import commands as c
from engine.events import (
    Deleveraged,
    LiquidationStarted,
    OrderAccepted,
    OrderClosed,
    OrderFilled,
    OrdersReport,
    TriggerAccepted,
    TriggerFired,
    TriggerRefused,
)
from engine.internal import BookTop, FireTrigger
from engine.reasons import Reason
from engine.units import PPB, SECOND_NS
from risk.accounts import FEES
from risk.rulebook import FeeRule
from risk.state import restore_risk, risk_state
from tests.market import Market, flat, liquidation, px, rules, size, usd

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103
BUY, SELL = c.BUY, c.SELL


def market(**contract: Any) -> Market:
    """Mark and last price 100; Carol quotes 99 and 101, Alice is long 10 against Bob."""
    m = Market(listed=False)
    m.add("PERP", **contract)
    m.open(ALICE, BOB, CAROL, DAVE, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.forget()
    return m


def trade_at(m: Market, price: str) -> None:
    """A trade of others: the last price is this."""
    m.trade(CAROL, DAVE, "1", price)


def state_of(m: Market, order_id: int) -> Any:
    """A waiting order as its owner sees it; None once it waits no more."""
    report = orders(m, ALICE)
    return next((row for row in report.triggers if row.order_id == order_id), None)


def orders(m: Market, trader: int) -> OrdersReport:
    (report,) = m.exchange.risk.answer(c.QueryOrders(m.now_ns, trader))
    assert isinstance(report, OrdersReport)
    return report


FIRES = [
    # what it is, side, its price, prices that do not fire it, the one that does
    (c.STOP, SELL, "95", ["97", "95.01"], "95"),
    (c.STOP, SELL, "95", ["99"], "90"),
    (c.STOP, BUY, "105", ["103", "104.99"], "105"),
    (c.TAKE_PROFIT, SELL, "105", ["95", "104.99"], "106"),
    (c.TAKE_PROFIT, BUY, "95", ["105", "95.01"], "95"),
]


@pytest.mark.parametrize(("trigger", "side", "price", "misses", "hit"), FIRES)
@pytest.mark.parametrize("by", [c.BY_LAST, c.BY_MARK, c.BY_INDEX])
def test_the_price_fires_it_at_its_level_or_beyond(
    trigger: int, side: int, price: str, misses: list[str], hit: str, by: int
) -> None:
    m = market()
    order = m.trigger(ALICE, side, "1", price, trigger=trigger, trigger_by=by)
    for miss in misses:
        trade_at(m, miss) if by == c.BY_LAST else m.index(miss)
        assert not m.all(TriggerFired)
        assert state_of(m, order).state == "waiting"
    trade_at(m, hit) if by == c.BY_LAST else m.index(hit)
    fired = m.only(TriggerFired)
    assert (fired.order_id, fired.price_ticks, fired.trigger_ticks) == (order, px(hit), px(price))
    assert m.accepted(order) and state_of(m, order) is None


@pytest.mark.parametrize("by", [c.BY_LAST, c.BY_MARK, c.BY_INDEX])
def test_the_other_prices_do_not_fire_it(by: int) -> None:
    m = market()
    m.trigger(ALICE, SELL, "1", "95", trigger_by=by)
    if by == c.BY_LAST:
        m.index("94")
    else:
        trade_at(m, "94")
    assert not m.all(TriggerFired)


def test_a_stop_at_market_sells_into_the_book() -> None:
    """Bob bids 2 at 94.50 and 8 at 94: the stop of 5 takes 2 and 3."""
    m = market()
    m.buy(BOB, "2", "94.50")
    m.buy(BOB, "8", "94")
    order = m.trigger(ALICE, SELL, "5", "95", reduce_only=True)
    accepted = m.only(TriggerAccepted)
    assert (accepted.order_id, accepted.qty_lots, accepted.trigger_ticks) == (
        order,
        size("5"),
        px("95"),
    )
    m.trade(CAROL, DAVE, "1", "95")
    sold = [(e.qty_lots, e.price_ticks) for e in m.all(OrderFilled) if e.order_id == order]
    assert sold == [(size("2"), px("94.50")), (size("3"), px("94"))]
    assert m.only_closed(order).reason == Reason.FILLED
    assert m.lots(ALICE) == size("5")


def test_a_stop_limit_rests_at_its_price() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "5", "95", "96")
    trade_at(m, "95")
    (resting,) = orders(m, ALICE).orders
    assert (resting.order_id, resting.price_ticks) == (order, px("96"))
    m.amend(ALICE, order, "4", "97")
    m.cancel(ALICE, order)
    assert m.only_closed(order).reason == Reason.CANCELLED_BY_OWNER


def test_they_fire_by_price_and_then_by_time() -> None:
    """From 100 to 90 at once: 97 is met first, then both at 95 in the order they came."""
    m = market()
    ids = [m.trigger(ALICE, SELL, "1", price) for price in ("95", "90", "97", "95", "89")]
    trail = m.trigger(ALICE, SELL, "1", "0", trigger=c.TRAILING, trail_ticks=px("4"))
    trade_at(m, "90")
    fired = [event.order_id for event in m.all(TriggerFired)]
    assert fired == [ids[2], trail, ids[0], ids[3], ids[1]]
    accepted = [event.order_id for event in m.all(OrderAccepted) if event.order_id in fired]
    assert accepted == fired


def test_one_that_fires_may_fire_the_next() -> None:
    """Bids at 95, 90, 85: each stop sells through one and its trade reaches the next."""
    m = market()
    m.trade(CAROL, DAVE, "1", "97")
    for price in ("95", "90", "85"):
        m.buy(BOB, "1", price)
    ids = [m.trigger(ALICE, SELL, "1", price) for price in ("96", "95", "90")]
    trade_at(m, "96")
    assert [event.order_id for event in m.all(TriggerFired)] == ids
    assert m.lots(ALICE) == size("7")
    assert m.exchange.last_ticks(0) == px("85")


def test_a_chain_of_triggers_ends() -> None:
    """Two accounts fire each other up and down: each order fires once."""
    m = market()
    for step in range(1, 6):
        m.trigger(ALICE, BUY, "0.10", f"{100 + step}", f"{101 + step}")
        m.trigger(BOB, SELL, "0.10", f"{100 - step}", f"{99 - step}")
    m.sell(DAVE, "1", "101")
    m.buy(CAROL, "1", "101")
    fired = [event.order_id for event in m.all(TriggerFired)]
    assert fired and len(fired) == len(set(fired))


TRAILS = [
    # side, trail, prices, level after them, the price that fires
    (SELL, {"trail_ticks": px("5")}, ["103", "98.01", "110"], "105", "105"),
    (BUY, {"trail_ticks": px("5")}, ["97", "101.99", "90"], "95", "96"),
    # 1 % below 123.45 is 122.2155: the last whole tick at or below is 122.21
    (SELL, {"trail_ppb": 10_000_000}, ["110", "123.45"], "122.21", "122.21"),
    # 1 % above 87.65 is 88.5265: the first at or above is 88.53
    (BUY, {"trail_ppb": 10_000_000}, ["95", "87.65"], "88.53", "88.53"),
]


@pytest.mark.parametrize(("side", "trail", "prices", "level", "fires"), TRAILS)
def test_a_trailing_order_follows_the_best_price(
    side: int, trail: dict[str, int], prices: list[str], level: str, fires: str
) -> None:
    m = market()
    order = m.trigger(ALICE, side, "1", "0", trigger=c.TRAILING, trigger_by=c.BY_INDEX, **trail)
    for price in prices:
        m.index(price)
    assert not m.all(TriggerFired)
    row = state_of(m, order)
    assert (row.best_ticks, row.fires_ticks) == (px(prices[-1]), px(level))
    beyond = px(level) - side
    m.index(f"{beyond // 100}.{beyond % 100:02d}")
    assert not m.all(TriggerFired)
    m.index(fires)
    assert m.only(TriggerFired).trigger_ticks == px(level)


def test_a_trailing_order_begins_at_its_activation_price() -> None:
    """Until 105 nothing is followed; from there the best price is 108."""
    m = market()
    order = m.trigger(ALICE, SELL, "1", "105", trigger=c.TRAILING, trail_ticks=px("2"))
    trade_at(m, "90")
    assert state_of(m, order).best_ticks == 0
    for price in ("106", "108", "106.01"):
        trade_at(m, price)
    assert state_of(m, order).best_ticks == px("108")
    assert not m.all(TriggerFired)
    trade_at(m, "106")
    assert m.only(TriggerFired).trigger_ticks == px("106")


def test_without_a_last_price_a_trailing_order_begins_with_the_first() -> None:
    m = Market()
    m.open(ALICE, CAROL, DAVE, deposit="1000")
    m.index("100")
    order = m.trigger(ALICE, SELL, "1", "0", trigger=c.TRAILING, trail_ticks=px("2"))
    assert state_of(m, order).best_ticks == 0
    trade_at(m, "100")
    assert state_of(m, order).best_ticks == px("100")


# close-position


def test_a_close_position_order_closes_what_there_is_by_then() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "", "95")
    m.trade(ALICE, BOB, "5", "100")
    m.buy(CAROL, "30", "94")
    trade_at(m, "95")
    assert m.lots(ALICE) == 0
    assert m.only_closed(order).reason == Reason.FILLED


def test_a_close_position_order_of_a_position_that_turned_closes_nothing() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "", "95")
    m.trade(BOB, ALICE, "15", "100")
    m.buy(CAROL, "30", "94")
    trade_at(m, "95")
    assert m.lots(ALICE) == -size("5")
    assert m.only(TriggerRefused).reason == Reason.NOTHING_TO_REDUCE
    assert m.only_closed(order).reason == Reason.NOTHING_TO_REDUCE


@pytest.mark.parametrize(
    ("limits", "closed"), [({"max_qty": "4"}, "4"), ({"max_notional": "500"}, "5")]
)
def test_a_close_position_order_is_as_large_as_an_order_may_be(
    limits: dict[str, str], closed: str
) -> None:
    """4 of 10; or 5, which are worth 500 at the mark of 100."""
    m = Market(listed=False)
    m.add("PERP", **limits)
    m.open(ALICE, BOB, CAROL, DAVE, deposit="1000")
    m.index("100")
    for _ in range(5):
        m.trade(ALICE, BOB, "2", "100")
    m.trigger(ALICE, SELL, "", "95")
    for _ in range(3):
        m.buy(CAROL, "4", "90")
    m.trade(BOB, DAVE, "1", "95")
    assert m.lots(ALICE) == size("10") - size(closed)


def test_a_close_of_an_inverse_contract_is_as_large_as_an_order_may_be() -> None:
    """At 9,000,000 a dollar is 11.11 quanta of a coin; the 100,000 allowed are 9,000 dollars."""
    m = Market(listed=False)
    m.add("INV", asset="BTC", inverse=True, tick="0.5", lot="1", max_notional="0.001")
    m.open(ALICE, BOB, CAROL, deposit="10", asset="BTC")
    m.index("10000000", "INV")
    for _ in range(2):
        m.trade(ALICE, BOB, "10000", "10000000", "INV")
    m.trigger(ALICE, SELL, "", "9000000", symbol="INV", trigger_by=c.BY_INDEX)
    for _ in range(2):
        m.buy(CAROL, "9000", "9000000", symbol="INV")
    m.index("9000000", "INV")
    assert m.lots(ALICE, "INV") == 20000 - 9000


def test_a_close_position_order_closes_its_own_leg() -> None:
    m = market()
    m.open(104, deposit="1000")
    m.hedge(104)
    m.sell(BOB, "3", "100")
    m.buy(104, "3", "100", leg=c.LEG_LONG)
    m.buy(BOB, "2", "100")
    m.sell(104, "2", "100", leg=c.LEG_SHORT)
    m.trigger(104, SELL, "", "95", leg=c.LEG_LONG)
    m.buy(CAROL, "30", "94")
    trade_at(m, "95")
    assert (m.lots(104, leg=c.LEG_LONG), m.lots(104, leg=c.LEG_SHORT)) == (0, -size("2"))


@pytest.mark.parametrize(
    ("rule", "qty", "left"), [("count", "", "0"), ("count", "10", "10"), ("cap", "10", "0")]
)
def test_a_close_waits_for_no_other_order_that_reduces(rule: str, qty: str, left: str) -> None:
    """A take profit of all of it rests, as with every bot; a plain reduce-only stop comes behind
    where such orders count."""
    m = Market(rules(reduce_only=rule))
    m.open(ALICE, BOB, CAROL, DAVE, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.sell(ALICE, "10", "120", reduce_only=True)
    m.trigger(ALICE, SELL, qty, "95", reduce_only=True)
    m.buy(CAROL, "30", "94")
    trade_at(m, "95")
    assert m.lots(ALICE) == size(left)


def test_an_isolated_position_is_closed_in_its_pot() -> None:
    m = market()
    m.open(104, deposit="1000")
    m.isolate(104)
    m.trade(104, BOB, "3", "100")
    m.trigger(104, SELL, "", "95")
    m.buy(CAROL, "30", "95")
    m.sell(DAVE, "1", "95")
    assert m.lots(104) == 0
    assert m.wallet(104) == usd("985")


# what a fired one must pass


def test_one_that_cannot_be_paid_for_ends_with_the_reason() -> None:
    """Alice has 1,000 and 10 lots at 100 need 100; 95 more at 105 would need 1,092 at least."""
    m = market()
    order = m.trigger(ALICE, BUY, "95", "105", trigger_by=c.BY_INDEX)
    before = m.exchange.risk.core.ledger.residue_q(0)
    m.index("105")
    refused = m.only(TriggerRefused)
    assert (refused.order_id, refused.reason) == (order, Reason.INSUFFICIENT_MARGIN)
    assert refused.required_q > refused.free_q == usd("1050")
    assert m.only_closed(order).reason == Reason.INSUFFICIENT_MARGIN
    assert m.exchange.risk.core.ledger.residue_q(0) == before
    assert not m.accepted(order)


def test_one_outside_the_band_ends_with_the_reason() -> None:
    m = market(band_ppb=100_000_000)
    order = m.trigger(ALICE, SELL, "1", "95", "80", trigger_by=c.BY_INDEX)
    m.index("95")
    assert m.only_closed(order).reason == Reason.PRICE_OUTSIDE_BAND
    assert "allowed: 8550 to 10450 ticks" in m.only(TriggerRefused).detail


def test_a_reduce_only_one_never_opens() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "30", "95", reduce_only=True)
    m.buy(CAROL, "50", "94")
    trade_at(m, "95")
    assert m.lots(ALICE) == 0
    assert m.only_closed(order).reason == Reason.FILLED


def test_two_that_close_the_same_position_close_it_once() -> None:
    """A stop for all of it and a close-position order at one price."""
    m = market()
    first = m.trigger(ALICE, SELL, "10", "95", reduce_only=True)
    second = m.trigger(ALICE, SELL, "", "95")
    m.buy(CAROL, "50", "94")
    trade_at(m, "95")
    assert m.lots(ALICE) == 0
    assert m.only_closed(first).reason == Reason.FILLED
    assert m.only_closed(second).reason in (Reason.NOTHING_TO_REDUCE, Reason.REDUCE_ONLY_TRIMMED)


# liquidation


def test_a_liquidation_ends_them_before_they_fire() -> None:
    """Long 10 at 100 with 140 in the account: at 88 there are 20 left of 44 needed, and the stop is
    at 88 too."""
    m = Market()
    m.open(ALICE, deposit="140")
    m.open(BOB, deposit="10000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    order = m.trigger(ALICE, SELL, "", "88", trigger_by=c.BY_INDEX)
    m.index("88")
    assert m.all(LiquidationStarted)
    assert m.only_closed(order).reason == Reason.CANCELLED_BY_LIQUIDATION
    assert not m.all(TriggerFired)


def test_an_account_in_liquidation_gets_none() -> None:
    """Half of it is closed at 88, 20 of 22 needed are left, and the next step waits for a day."""
    pace = {"partial": "fraction", "fraction_ppb": PPB // 2, "cooldown_ns": 86_400 * SECOND_NS}
    m = Market(rules(liquidation=liquidation(["reduce", "socialise"], **pace)))
    m.open(ALICE, deposit="140")
    m.open(BOB, deposit="10000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.buy(BOB, "10", "88")
    m.index("88")
    assert m.lots(ALICE) == size("5")
    m.trigger(ALICE, SELL, "1", "80")
    assert m.refusal().reason == Reason.ACCOUNT_IN_LIQUIDATION


def test_a_deleveraged_position_leaves_its_stop_nothing_to_close() -> None:
    """Bob, short 10 with 110, has nothing left at 115: his loss is closed against Alice."""
    m = Market(rules(liquidation=liquidation(["adl", "socialise"])))
    m.open(ALICE, CAROL, DAVE, deposit="1000")
    m.open(BOB, deposit="110")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    order = m.trigger(ALICE, SELL, "", "95")
    m.index("115")
    assert m.all(Deleveraged) and m.lots(ALICE) == 0
    assert state_of(m, order).state == "waiting"
    trade_at(m, "95")
    assert m.only_closed(order).reason == Reason.NOTHING_TO_REDUCE


def test_market_orders_that_one_price_fires_do_not_meet() -> None:
    """Alice's stop and Bob's take profit, of one owner: neither rests for the other."""
    m = market()
    stop = m.trigger(ALICE, SELL, "", "95", trigger_by=c.BY_INDEX)
    profit = m.trigger(BOB, BUY, "", "95", trigger=c.TAKE_PROFIT, trigger_by=c.BY_INDEX)
    before_q = m.equity(ALICE) + m.equity(BOB)
    m.index("95")
    assert [event.order_id for event in m.all(TriggerFired)] == [stop, profit]
    assert {m.only_closed(order).reason for order in (stop, profit)} == {Reason.NO_LIQUIDITY}
    assert m.equity(ALICE) + m.equity(BOB) == before_q


def test_a_liquidation_is_faster_than_a_stop_under_way() -> None:
    """At 95 the stop fires; before its turn comes, 88 liquidates the account."""
    m = Market()
    m.open(ALICE, deposit="140")
    m.open(BOB, deposit="10000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.trigger(ALICE, SELL, "", "95", trigger_by=c.BY_INDEX)
    risk = m.exchange.risk
    out: list[Any] = []
    for price in ("95", "88"):
        risk.handle(c.IndexPrice(0, 0, 1, px(price)), out)
        risk.handle(BookTop(0, 0, 0, 0), out)
    told = [type(message) for message in out]
    assert told.index(TriggerFired) < told.index(LiquidationStarted)
    (closed,) = (message for message in out if isinstance(message, OrderClosed))
    assert closed.reason == Reason.CANCELLED_BY_LIQUIDATION
    (turn,) = (message for message in out if isinstance(message, FireTrigger))
    after: list[Any] = []
    risk.handle(turn, after)
    assert after == []


def test_a_liquidated_isolated_position_leaves_the_other_triggers() -> None:
    m = Market(listed=False)
    m.add("PERP")
    m.add("OTHER")
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.index("100", "OTHER")
    m.isolate(ALICE)
    m.trade(ALICE, BOB, "10", "100")
    lost = m.trigger(ALICE, SELL, "", "80", trigger_by=c.BY_INDEX)
    kept = m.trigger(ALICE, SELL, "1", "80", symbol="OTHER")
    m.index("85")
    assert m.only_closed(lost).reason == Reason.CANCELLED_BY_LIQUIDATION
    assert state_of(m, kept).state == "waiting"


# amendment, cancels, limits


def test_they_are_amended_like_orders_and_go_last_then() -> None:
    m = market()
    first = m.trigger(ALICE, SELL, "1", "95")
    second = m.trigger(ALICE, SELL, "1", "95")
    m.send(c.AmendTrigger(0, ALICE, first, size("2"), px("94")))
    row = state_of(m, first)
    assert (row.qty_lots, row.trigger_ticks) == (size("2"), px("94"))
    m.send(c.AmendTrigger(0, ALICE, first, size("2"), px("95")))
    m.send(c.AmendOrder(0, ALICE, first, 0, size("3")))
    assert state_of(m, first).qty_lots == size("3")
    trade_at(m, "95")
    assert [event.order_id for event in m.all(TriggerFired)] == [second, first]


def test_an_amended_trail_keeps_its_best_price() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "1", "0", trigger=c.TRAILING, trail_ticks=px("5"))
    trade_at(m, "110")
    trade_at(m, "106")
    m.send(c.AmendTrigger(0, ALICE, order, size("1"), 0, trail_ppb=20_000_000))
    assert m.refusal().reason == Reason.WOULD_TRIGGER_AT_ONCE
    m.send(c.AmendTrigger(0, ALICE, order, size("1"), 0, trail_ticks=px("8")))
    row = state_of(m, order)
    assert (row.best_ticks, row.fires_ticks) == (px("110"), px("102"))
    m.send(c.AmendTrigger(0, ALICE, order, size("1"), px("120"), trail_ticks=px("8")))
    assert m.refusal().detail == "trigger_ticks 12000; it is active, and begins nowhere anew"
    m.amend(ALICE, order, "1", "90")
    assert m.refusal().detail == "price_ticks 9000; 0 where order_type is 1"


def test_a_trail_without_a_start_any_more_begins_at_once() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "1", "110", trigger=c.TRAILING, trail_ticks=px("5"))
    m.send(c.AmendTrigger(0, ALICE, order, size("1"), 0, trail_ticks=px("5")))
    assert state_of(m, order).best_ticks == px("100")


def test_cancel_all_ends_them_in_one_contract_or_in_all() -> None:
    m = market()
    m.add("OTHER")
    m.index("100", "OTHER")
    here = m.trigger(ALICE, SELL, "1", "95")
    there = m.trigger(ALICE, SELL, "1", "95", symbol="OTHER")
    m.send(c.CancelAll(0, ALICE, 1))
    assert (state_of(m, here).state, state_of(m, there)) == ("waiting", None)
    m.send(c.CancelAll(0, ALICE))
    assert m.only_closed(here).reason == Reason.CANCELLED_BY_OWNER
    assert m.exchange.listing(0).triggers is None


def test_only_the_owner_cancels_or_amends() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "1", "95")
    m.cancel(BOB, order)
    assert m.refusal().reason == Reason.UNKNOWN_ORDER
    m.send(c.AmendTrigger(0, BOB, order, size("1"), px("94")))
    assert m.refusal().reason == Reason.UNKNOWN_ORDER
    m.amend(BOB, order, "1", "94")
    assert m.refusal().reason == Reason.UNKNOWN_ORDER
    m.cancel(ALICE, order)
    assert m.only_closed(order).reason == Reason.CANCELLED_BY_OWNER


def test_they_count_among_the_open_orders() -> None:
    m = market(max_open_orders=2)
    m.trigger(ALICE, SELL, "1", "95")
    m.buy(ALICE, "1", "90")
    m.trigger(ALICE, SELL, "1", "94")
    assert m.refusal().reason == Reason.TOO_MANY_OPEN_ORDERS
    m.buy(ALICE, "1", "91")
    assert m.refusal().reason == Reason.TOO_MANY_OPEN_ORDERS
    m.buy(CAROL, "5", "94")
    trade_at(m, "95")
    assert m.lots(ALICE) == size("9")


def test_modes_wait_until_they_are_gone() -> None:
    m = Market()
    m.open(ALICE, deposit="1000")
    m.index("100")
    order = m.trigger(ALICE, BUY, "1", "105", trigger_by=c.BY_INDEX)
    m.isolate(ALICE)
    assert m.refusal().reason == Reason.POSITION_OR_ORDERS_OPEN
    m.hedge(ALICE)
    assert m.refusal().reason == Reason.POSITION_OR_ORDERS_OPEN
    m.cancel(ALICE, order)
    m.isolate(ALICE)
    m.hedge(ALICE)
    assert m.report(ALICE).hedge


BAD = [
    ({"trigger": 3}, Reason.INVALID_FIELD, "trigger 3; allowed: 0 stop, 1 take profit, 2 trailing"),
    ({"trigger_by": 3}, Reason.INVALID_FIELD, "trigger_by 3; allowed: 0 last, 1 mark, 2 index"),
    ({"trigger_price": "0"}, Reason.PRICE_NOT_POSITIVE, "trigger_ticks 0"),
    ({"trail_ticks": 5}, Reason.INVALID_FIELD, "trail_ticks and trail_ppb are of trigger 2 only"),
    ({"trigger": 2}, Reason.INVALID_FIELD, "allowed: one of them"),
    ({"trigger": 2, "trail_ticks": 5, "trail_ppb": 5}, Reason.INVALID_FIELD, "one of them"),
    ({"trigger": 2, "trail_ppb": 10**9}, Reason.INVALID_FIELD, "below 1000000000 ppb"),
    ({"trigger": 2, "trail_ticks": -1}, Reason.INVALID_FIELD, "one of them"),
    ({"trigger_price": "100"}, Reason.WOULD_TRIGGER_AT_ONCE, "price is 10000 ticks, the trigger"),
    ({"trigger_price": "101"}, Reason.WOULD_TRIGGER_AT_ONCE, "the trigger 10100"),
    ({"trigger": 1, "trigger_price": "99"}, Reason.WOULD_TRIGGER_AT_ONCE, "the trigger 9900"),
    (
        {"trigger": 2, "trail_ticks": 5, "trigger_price": "99"},
        Reason.WOULD_TRIGGER_AT_ONCE,
        "the trigger 9900",
    ),
    ({"qty": "", "price": "95"}, Reason.INVALID_FIELD, "close_position needs order_type 1"),
    ({"qty": "5000"}, Reason.QTY_ABOVE_MAXIMUM, ""),
    ({"qty": "0.01"}, Reason.QTY_BELOW_MINIMUM, ""),
    ({"price": "0"}, Reason.PRICE_NOT_POSITIVE, "price_ticks 0"),
    ({"stp": 5}, Reason.INVALID_FIELD, "stp 5; allowed: 0 to 4"),
    ({"leg": 1}, Reason.WRONG_LEG, ""),
    ({"post_only": True}, Reason.INVALID_FIELD, "post_only needs a limit order"),
    ({"expire_ns": -1}, Reason.INVALID_FIELD, "expire_ns -1; allowed: after 0"),
    ({"side": 2}, Reason.INVALID_FIELD, "side 2"),
    ({"trader": 999}, Reason.UNKNOWN_ACCOUNT, ""),
    ({"trader": FEES}, Reason.HOUSE_ACCOUNT, ""),
]


@pytest.mark.parametrize(("change", "reason", "detail"), BAD)
def test_a_refused_one_has_one_answer_and_no_effect(
    change: dict[str, Any], reason: int, detail: str
) -> None:
    m = market(min_qty="0.10", max_qty="1000")
    before = m.exchange.state_hash()
    fields = {"trader": ALICE, "side": SELL, "qty": "1", "trigger_price": "95"} | change
    m.trigger(**fields)
    (refusal,) = m.events
    assert m.refusal().reason == reason
    assert detail in refusal.detail
    assert m.exchange.state_hash() == before


def test_an_id_is_taken_by_an_order_or_a_trigger() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "1", "95")
    m.send(c.SubmitOrder(0, BOB, 0, order, BUY, size("1"), px("90")))
    assert m.refusal().reason == Reason.DUPLICATE_ID
    resting = m.buy(BOB, "1", "90")
    m.send(c.SubmitTrigger(0, ALICE, 0, resting, SELL, size("1"), c.STOP, px("95")))
    assert m.refusal().reason == Reason.DUPLICATE_ID


# good till date


def test_orders_end_at_the_first_tick_after_their_time() -> None:
    m = market()
    end_ns = 10 * SECOND_NS
    resting = m.buy(ALICE, "1", "90", expire_ns=end_ns)
    waiting = m.trigger(ALICE, SELL, "1", "95", expire_ns=end_ns)
    forever = m.buy(ALICE, "1", "89")
    assert [row.expire_ns for row in orders(m, ALICE).orders] == [end_ns, 0]
    m.wait("9.999")
    assert len(orders(m, ALICE).orders) == 2
    m.wait("0.001")
    assert m.only_closed(resting).reason == Reason.EXPIRED
    assert m.only_closed(waiting).reason == Reason.EXPIRED
    assert [row.order_id for row in orders(m, ALICE).orders] == [forever]
    assert m.exchange.risk.core.expiries.count == 0


def test_a_fired_limit_order_keeps_its_end() -> None:
    m = market()
    order = m.trigger(ALICE, SELL, "1", "95", "99", expire_ns=10 * SECOND_NS)
    trade_at(m, "95")
    assert orders(m, ALICE).orders[0].expire_ns == 10 * SECOND_NS
    m.wait("11")
    assert m.only_closed(order).reason == Reason.EXPIRED


def test_an_order_that_is_over_has_no_end_left() -> None:
    m = market()
    m.cancel(ALICE, m.buy(ALICE, "1", "90", expire_ns=10 * SECOND_NS))
    m.buy(CAROL, "1", "100", expire_ns=10 * SECOND_NS)
    m.sell(DAVE, "1", "100")
    assert m.exchange.risk.core.expiries.count == 0


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"tif": c.IOC}, "expire_ns needs a limit order with tif GTC"),
        ({"price": None}, "expire_ns needs a limit order with tif GTC"),
        ({"expire_ns": -5}, "expire_ns -5; allowed: after 0"),
    ],
)
def test_only_what_rests_may_have_an_end(fields: dict[str, Any], detail: str) -> None:
    m = market()
    m.buy(ALICE, "1", **({"price": "90", "expire_ns": 5} | fields))
    assert detail in m.refusal().detail


# restarts


def test_a_restored_engine_fires_the_same() -> None:
    """Fixed levels, trails at two best prices, one not active yet, and ends."""
    m = market()
    for level in ("95", "95", "90"):
        m.trigger(ALICE, SELL, "1", level, trigger_by=c.BY_MARK)
    trail = {"trigger": c.TRAILING, "trigger_by": c.BY_INDEX}
    m.trigger(ALICE, SELL, "1", "0", trail_ticks=px("4"), **trail)
    m.trigger(BOB, BUY, "1", "0", trail_ppb=100_000_000, **trail)
    m.index("104")
    m.trigger(ALICE, SELL, "1", "0", trail_ppb=30_000_000, **trail)
    m.trigger(ALICE, SELL, "1", "108", trail_ticks=px("1"), **trail)
    m.trigger(ALICE, SELL, "1", "80", expire_ns=5 * SECOND_NS)
    m.buy(ALICE, "1", "90", expire_ns=5 * SECOND_NS)
    engine = m.exchange.risk
    twin = restore_risk(risk_state(engine))
    assert risk_state(twin) == risk_state(engine)
    said: list[list[Any]] = [[], []]
    for number, price in enumerate(("106", "109", "107", "103", "99", "94", "89"), start=1):
        now_ns = number * SECOND_NS
        for each, out in zip((engine, twin), said, strict=True):
            each.handle(c.IndexPrice(now_ns, 0, 1, px(price)), out)
            each.handle(c.AdvanceTime(now_ns), out)
            each.handle(BookTop(now_ns, 0, 0, 0), out)
    assert said[0] == said[1]
    assert sum(isinstance(message, FireTrigger) for message in said[0]) == 6
    assert risk_state(twin) == risk_state(engine)


# self-trades


def test_without_prevention_an_account_trades_with_itself_and_pays_both_fees() -> None:
    """0.05 % twice of 100 each: 0.10. Position, equity and entry stay what the trade left."""
    m = Market(rules(fees=FeeRule(500_000, 500_000, 0)))
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    before_q = m.equity(ALICE)
    m.sell(ALICE, "1", "100")
    m.buy(ALICE, "1", "100", stp=c.STP_NONE)
    assert m.lots(ALICE) == 0
    assert before_q - m.equity(ALICE) == usd("0.10")
    assert m.wallet(FEES) == usd("0.10")


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("held", [0, 1, -1])
def test_a_trade_with_oneself_moves_no_equity(held: int, isolated: bool) -> None:
    """At 105 against a mark of 100: what one side gains the other loses."""
    m = Market()
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    if isolated:
        m.isolate(ALICE)
    if held:
        buyer, seller = (ALICE, BOB) if held > 0 else (BOB, ALICE)
        m.trade(buyer, seller, "5", "100")
    before_q = _all_of(m, ALICE)
    for lots in ("2", "5", "8"):
        m.sell(ALICE, lots, "105")
        m.buy(ALICE, lots, "105", stp=c.STP_NONE)
        assert m.lots(ALICE) == held * size("5")
        assert _all_of(m, ALICE) == before_q


def _all_of(m: Market, trader: int) -> int:
    """Equity of a trader's cross account and pots together, in quanta."""
    return sum(
        account.equity_q
        for account in m.exchange.risk.core.ledger.accounts.values()
        if account.trader.account_id == trader
    )


def test_legs_of_a_hedge_may_trade_with_each_other() -> None:
    m = Market()
    m.open(ALICE, deposit="1000")
    m.index("100")
    m.hedge(ALICE)
    m.sell(ALICE, "3", "100", leg=c.LEG_SHORT)
    m.buy(ALICE, "3", "100", leg=c.LEG_LONG, stp=c.STP_NONE)
    assert (m.lots(ALICE, leg=c.LEG_LONG), m.lots(ALICE, leg=c.LEG_SHORT)) == (
        size("3"),
        -size("3"),
    )


# settings before a position, and margin by what asks for it


def test_leverage_and_mode_hold_before_there_is_a_position() -> None:
    """20 lots at 100 with leverage 4 need 500, with the usual 10 only 200."""
    m = Market(listed=False)
    m.add("PERP", margin=flat(leverage=10))
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    assert m.report(ALICE).settings == []
    m.leverage(ALICE, 4)
    m.isolate(ALICE)
    (setting,) = m.report(ALICE).settings
    assert (setting.instrument_id, setting.leverage, setting.isolated) == (0, 4, True)
    m.trade(ALICE, BOB, "20", "100")
    assert m.held(ALICE).initial_q == usd("500")
    assert m.held(BOB).initial_q == usd("200")
    m.leverage(BOB, 11)
    assert m.refusal().reason == Reason.LEVERAGE_ABOVE_MAXIMUM


def test_margin_of_orders_is_told_apart() -> None:
    """Long 10 at 100 needs 100; 5 more at 95 add 50, and 30 to sell make 20 short at most."""
    m = market()
    pot = m.pot(ALICE)
    assert (pot.initial_q, pot.position_initial_q, pot.order_initial_q) == (
        usd("100"),
        usd("100"),
        0,
    )
    m.buy(ALICE, "5", "95")
    m.sell(ALICE, "30", "120")
    pot, held = m.pot(ALICE), m.held(ALICE)
    assert (pot.position_initial_q, pot.order_initial_q) == (usd("100"), usd("100"))
    assert (held.initial_q, held.position_initial_q) == (usd("200"), usd("100"))
