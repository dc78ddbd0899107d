"""Amending: price and size of a resting order, its margin and its place in the queue."""

import pytest

from engine import commands as c
from engine.events import CommandRejected, OrderAmended, OrderClosed, OrderFilled
from engine.reasons import Reason
from tests.market import Market, ppb, px, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(deposit: str = "100", **contract: object) -> Market:
    m = Market(listed=False)
    m.add("PERP", **contract)
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    return m


def first_filled(m: Market) -> int:
    """Who sells to the next buyer of one lot."""
    m.buy(CAROL, "0.01", "105")
    return m.all(OrderFilled)[-1].account_id


@pytest.mark.parametrize(
    ("qty", "price", "keeps"),
    [
        ("0.50", "101", True),
        ("1", "101", True),
        ("1.01", "101", False),
        ("1", "101.01", False),
        ("0.50", "101.01", False),
    ],
)
def test_place_in_the_queue_survives_only_a_pure_reduction(
    qty: str, price: str, keeps: bool
) -> None:
    """Alice offered first at 101, Bob second; a better price would go first again."""
    m = market("1000")
    order = m.sell(ALICE, "1", "101")
    m.sell(BOB, "1", "101")
    m.amend(ALICE, order, qty, price)
    assert m.last(OrderAmended).remaining_lots == size(qty)
    assert first_filled(m) == (ALICE if keeps else BOB)


@pytest.mark.parametrize(
    ("known", "asked", "left"),
    [("0", "10", "6"), ("0", "12", "8"), ("1", "10", "7"), ("4", "10", "10")],
)
def test_what_filled_since_its_sender_looked_counts(known: str, asked: str, left: str) -> None:
    """Of 10 there are 4 filled: who knew of none and asks for 10 wants 10 in all."""
    m = market("1000")
    order = m.buy(ALICE, "10", "99")
    m.sell(BOB, "4", "99")
    m.send(c.AmendOrder(m.now_ns, ALICE, order, px("98"), size(asked), size(known)))
    assert m.last(OrderAmended).remaining_lots == size(left)


def test_a_change_on_its_way_is_no_fill() -> None:
    m = market("1000")
    order = m.buy(ALICE, "10", "99")
    for asked in ("3", "5", "12"):
        m.send(c.AmendOrder(m.now_ns, ALICE, order, px("98"), size(asked), 0))
        assert m.last(OrderAmended).remaining_lots == size(asked)


@pytest.mark.parametrize("asked", ["4", "3"])
def test_an_order_that_filled_more_than_is_wanted_now_ends(asked: str) -> None:
    m = market("1000")
    order = m.buy(ALICE, "10", "99")
    m.sell(BOB, "4", "99")
    m.send(c.AmendOrder(m.now_ns, ALICE, order, px("98"), size(asked), 0))
    assert m.last(OrderClosed).reason == Reason.CANCELLED_BY_OWNER
    assert m.lots(ALICE) == size("4") and m.pot(ALICE).initial_q == usd("40")


def test_more_than_has_filled_is_refused() -> None:
    m = market("1000")
    order = m.buy(ALICE, "10", "99")
    m.send(c.AmendOrder(m.now_ns, ALICE, order, px("98"), size("10"), 1))
    assert m.last(CommandRejected).reason == Reason.INVALID_FIELD


def test_margin_follows_the_new_size() -> None:
    """10 % at the mark: 10 -> 100, 4 -> 40, 7 -> 70."""
    m = market()
    order = m.buy(ALICE, "10", "99")
    for qty, initial in (("4", "40"), ("7", "70"), ("10", "100")):
        m.amend(ALICE, order, qty, "99")
        assert m.pot(ALICE).initial_q == usd(initial)
    m.cancel(ALICE, order)
    assert m.pot(ALICE).initial_q == 0


def test_a_larger_size_must_be_margined_and_refusal_leaves_everything() -> None:
    """12 would need 120 of 100."""
    m = market()
    order = m.buy(ALICE, "8", "99")
    m.amend(ALICE, order, "12", "99")
    refusal = m.refusal()
    assert refusal.reason == Reason.INSUFFICIENT_MARGIN
    assert (refusal.required_q, refusal.free_q) == (usd("120"), usd("100"))
    assert m.pot(ALICE).initial_q == usd("80")
    assert m.exchange.book(0).level_lots(1, px("99")) == size("8")


def test_a_price_through_the_mark_must_have_its_open_loss_margined() -> None:
    """8 at 102: 80 + 16 of loss = 96; at 103: 80 + 24 = 104 of 100."""
    m = market()
    order = m.buy(ALICE, "8", "99")
    m.amend(ALICE, order, "8", "103")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("104"), usd("100"))
    m.amend(ALICE, order, "8", "102")
    assert m.pot(ALICE).initial_q == usd("96")


def test_an_amended_price_can_trade_at_once() -> None:
    m = market()
    m.sell(BOB, "3", "101")
    order = m.buy(ALICE, "5", "99")
    m.amend(ALICE, order, "5", "101")
    assert m.lots(ALICE) == size("3")
    assert m.exchange.book(0).best_bid_ticks() == px("101")
    assert m.pot(ALICE).initial_q == usd("50") + usd("2")


def test_a_post_only_order_is_dropped_when_the_amendment_would_cross() -> None:
    m = market()
    m.sell(BOB, "3", "101")
    order = m.buy(ALICE, "5", "99", post_only=True)
    m.amend(ALICE, order, "5", "101")
    closed = m.last(OrderClosed)
    assert (closed.order_id, closed.reason) == (order, Reason.POST_ONLY_WOULD_CROSS)
    assert (m.lots(ALICE), m.pot(ALICE).initial_q) == (0, 0)


@pytest.mark.parametrize(
    ("qty", "price", "reason"),
    [
        ("0", "99", Reason.QTY_NOT_POSITIVE),
        ("-1", "99", Reason.QTY_NOT_POSITIVE),
        ("5", "0", Reason.PRICE_NOT_POSITIVE),
        ("5", "-1", Reason.PRICE_NOT_POSITIVE),
        ("5", "110.01", Reason.PRICE_OUTSIDE_BAND),
        ("0.09", "99", Reason.QTY_BELOW_MINIMUM),
        ("100.01", "1", Reason.QTY_ABOVE_MAXIMUM),
    ],
)
def test_the_amended_order_obeys_the_same_limits(qty: str, price: str, reason: Reason) -> None:
    m = market(band_ppb=ppb("0.1"), min_qty="0.10", max_qty="100")
    order = m.buy(ALICE, "5", "99")
    before = m.exchange.state_hash()
    m.amend(ALICE, order, qty, price)
    assert m.refusal().reason == reason
    assert m.exchange.state_hash() == before


def test_a_reduce_only_order_can_only_shrink() -> None:
    m = market("1000")
    m.trade(ALICE, BOB, "10", "100")
    order = m.sell(ALICE, "5", "101", reduce_only=True)
    m.amend(ALICE, order, "6", "101")
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE
    m.amend(ALICE, order, "4", "102")
    assert m.exchange.book(0).level_lots(-1, px("102")) == size("4")


def test_closing_orders_can_be_repriced_without_margin() -> None:
    """Equity 50 of 95 at 95; the offer follows the market down."""
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    order = m.sell(ALICE, "10", "101")
    m.index("95")
    m.amend(ALICE, order, "10", "95")
    assert m.exchange.book(0).best_ask_ticks() == px("95")


def test_the_hold_of_an_isolated_order_follows_its_size() -> None:
    """10 at 99 hold 100, 10 % at the mark; 5 hold 50; 8 at 100 hold 80."""
    m = market()
    m.isolate(ALICE)
    order = m.buy(ALICE, "10", "99")
    assert m.pot(ALICE).initial_q == usd("100")
    m.amend(ALICE, order, "5", "99")
    assert m.pot(ALICE).initial_q == usd("50")
    m.amend(ALICE, order, "8", "100")
    assert m.pot(ALICE).initial_q == usd("80")
    m.cancel(ALICE, order)
    assert m.pot(ALICE).initial_q == 0


def test_the_hold_of_an_isolated_order_falls_with_its_price() -> None:
    """5 at 103 hold 50 and a loss of 15; 5 at 99 hold 50."""
    m = market()
    m.isolate(ALICE)
    order = m.buy(ALICE, "5", "103")
    assert m.pot(ALICE).initial_q == usd("65")
    m.amend(ALICE, order, "5", "99")
    assert m.pot(ALICE).initial_q == usd("50")
