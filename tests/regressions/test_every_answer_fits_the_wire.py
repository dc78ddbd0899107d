"""Figures beyond 64 bits could not be encoded: one hostile command stopped a service."""

from decimal import Decimal

import pytest

from engine.commands import (
    MAX_AMOUNT_Q,
    MAX_LOTS,
    MAX_TICKS,
    MAX_WIRE,
    SELL,
    IndexPrice,
    QueryAccount,
    SubmitOrder,
)
from engine.messages import decode_message, encode
from engine.reasons import Reason
from tests.market import Market, flat


def opened() -> Market:
    market = Market()
    market.open(100, 101, deposit="100000")
    market.index("100")
    return market


@pytest.mark.parametrize(("lots", "ticks"), [(MAX_LOTS, MAX_TICKS), (MAX_LOTS, 10_000)])
def test_a_refusal_with_figures_beyond_the_wire_shows_its_largest(lots: int, ticks: int) -> None:
    market = opened()
    market.send(SubmitOrder(0, 100, 0, 1, SELL, lots, ticks))
    refusal = market.refusal()
    assert decode_message(encode(refusal)) == refusal
    assert refusal.required_q <= MAX_WIRE


def test_no_index_price_is_refused_for_the_open_interest() -> None:
    """The highest price a contract may have is 1,000 times its first: 100,000. There 10**12 units
    of the cent-sized lots are worth 2**61 quanta, the largest amount, so 23,058,430.09 may be open.
    """
    market = Market(listed=False)
    market.add("PERP", margin=flat("0.0000001", 1_000_000))
    market.open(100, 101, deposit="1000000000")
    market.index("100")
    limit = MAX_AMOUNT_Q // (100 * 10_000_000)
    market.sell(100, str(Decimal(limit) / 100), "100")
    market.buy(101, str(Decimal(limit + 1) / 100), "100")
    refusal = market.refusal()
    assert (refusal.reason, refusal.free_q) == (Reason.NUMBER_TOO_LARGE, limit)
    market.buy(101, str(Decimal(limit) / 100), "100")
    assert market.lots(101) == limit
    market.send(IndexPrice(0, 0, 1, 10_000_001))
    assert market.refusal().detail == "index price 10000001; allowed: 1 to 10000000 ticks"
    market.send(IndexPrice(0, 0, 1, 10_000_000))
    market.tick()
    assert market.mark() == "100000"
    for trader in (100, 101):
        market.send(QueryAccount(0, trader))
    assert all(decode_message(encode(event)) == event for event in market.events)
