"""A closing order priced far through the mark was refused for the loss it would start with."""

from engine.events import OrderAccepted
from tests.market import Market, usd


def test_an_aggressive_limit_that_closes_a_position_needs_no_margin() -> None:
    market = Market()
    market.open(100, 101, deposit="600")
    market.index("100")
    market.trade(100, 101, "50", "100")
    # Selling 50 at 90 starts 500 under the mark; 600 less 500 of initial margin would not do.
    order = market.sell(100, "50", "90")
    assert market.accepted(order)
    assert market.equity(100) == usd("600")


def test_reversing_with_the_same_price_is_still_checked() -> None:
    market = Market()
    market.open(100, 101, deposit="600")
    market.index("100")
    market.trade(100, 101, "50", "100")
    before = len(market.all(OrderAccepted))
    market.sell(100, "120", "90")
    assert market.refusal().required_q > market.refusal().free_q
    assert len(market.all(OrderAccepted)) == before
