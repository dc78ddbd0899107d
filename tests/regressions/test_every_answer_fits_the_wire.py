"""Figures beyond 64 bits could not be encoded: one hostile command stopped a service."""

import pytest

from engine.commands import MAX_LOTS, MAX_TICKS, MAX_WIRE, SELL, IndexPrice, SubmitOrder
from engine.messages import decode_message, encode
from engine.reasons import Reason
from tests.market import Market


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


def test_an_index_price_the_open_interest_cannot_be_valued_at_is_refused() -> None:
    market = opened()
    market.trade(100, 101, "1000", "100")
    market.send(IndexPrice(0, 0, 1, MAX_TICKS))
    assert market.refusal().reason == Reason.NUMBER_TOO_LARGE
    market.tick()
    assert market.mark() == "100"
    assert all(decode_message(encode(event)) == event for event in market.events)
