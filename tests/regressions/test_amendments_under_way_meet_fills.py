"""With latencies an amendment and a fill can cross on the way."""

from engine.events import OrderClosed
from engine.reasons import Reason
from engine.routing.bus import Latency
from tests.market import Market, size, usd

SECOND = 10**9


def slow() -> Market:
    market = Market(latency=Latency(risk_to_matching_ns=SECOND), listed=False)
    market.add("PERP")
    rest(market)
    market.open(100, 101, deposit="10000")
    market.index("100")
    rest(market)
    return market


def rest(market: Market) -> None:
    """Let everything arrive."""
    while not market.exchange.bus.idle:
        market.now_ns += SECOND
        market.exchange.run_until(market.now_ns)
    market.now_ns = market.exchange.bus.now_ns


def test_an_order_filled_before_its_enlargement_arrives_is_over() -> None:
    """It kept the reservation of the added size, and the limit on open orders counted it."""
    market = slow()
    order = market.sell(100, "1", "100")
    rest(market)
    market.buy(101, "1", "100")
    market.amend(100, order, "3", "100")
    rest(market)
    market.exchange.check_invariants()
    assert market.report(100).open_order_ids == []
    closed = [event for event in market.all(OrderClosed) if event.order_id == order]
    assert [(event.remaining_lots, event.reason) for event in closed] == [(0, Reason.FILLED)]


def test_a_reduce_only_order_amended_during_a_fill_is_trimmed_to_the_position() -> None:
    """8 of 10 seen; 4 fill meanwhile and count against the 8: as many as the position allows."""
    market = slow()
    market.sell(101, "10", "100")
    market.buy(100, "10", "100")
    rest(market)
    order = market.sell(100, "10", "101", reduce_only=True)
    rest(market)
    market.buy(101, "4", "101")
    market.amend(100, order, "8", "102")
    rest(market)
    assert market.lots(100) == size("6")
    left = market.exchange.book(0).order(order)
    assert left is not None and left.remaining_lots == size("4")
    market.exchange.check_invariants()


def test_an_order_amended_during_a_fill_sells_no_more_than_was_margined() -> None:
    """2 of 3 fill while an amendment keeps the size of 3: it brought the 2 back, unpaid for."""
    market = slow()
    order = market.sell(100, "3", "101")
    rest(market)
    market.buy(101, "2", "101")
    market.amend(100, order, "3", "100.5")
    rest(market)
    market.buy(101, "5", "101")
    rest(market)
    assert market.lots(100) == -size("3")
    market.exchange.check_invariants()


def test_an_order_amended_to_less_than_has_filled_is_over() -> None:
    market = slow()
    order = market.sell(100, "3", "101")
    rest(market)
    market.buy(101, "2", "101")
    market.amend(100, order, "1", "101")
    rest(market)
    assert market.report(100).open_order_ids == []
    assert market.only_closed(order).reason == Reason.CANCELLED_BY_OWNER


def test_the_worst_of_two_amendments_under_way_stays_margined() -> None:
    """To 105 and back to 100 before the book has heard of either: the loss at 105 is held until
    the second is confirmed."""
    market = slow()
    order = market.buy(100, "10", "99")
    rest(market)
    market.amend(100, order, "10", "105")
    market.amend(100, order, "10", "98")
    assert market.pot(100).initial_q == usd("150")
    rest(market)
    assert market.pot(100).initial_q == usd("100")
    market.exchange.check_invariants()
