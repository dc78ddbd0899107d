"""With latencies an amendment and a fill can cross on the way."""

from engine.bus import Latency
from engine.events import OrderClosed
from engine.reasons import Reason
from tests.market import Market, size

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
    """The amended size is taken for the remaining one: it was larger than what is left to close."""
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
    assert left is not None and left.remaining_lots == size("6")
    market.exchange.check_invariants()
