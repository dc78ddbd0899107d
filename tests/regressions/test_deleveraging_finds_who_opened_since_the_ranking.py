"""A position opened after the queue was ranked could not be deleveraged until the next mark."""

from engine.events import Deleveraged, LiquidationEnded
from tests.market import Market, liquidation, rules, usd


def test_the_other_side_of_the_trade_that_bankrupts_an_account_is_in_the_queue() -> None:
    market = Market(rules(liquidation=liquidation(["adl", "socialise"])))
    market.open(100, 103, deposit="100000")
    market.open(101, 102, deposit="110")
    market.index("100")
    market.trade(101, 100, "10", "100")
    market.buy(102, "10", "100")
    # The first deleveraging at this mark ranks the shorts: 100 alone, and closes it.
    market.index("89")
    assert market.only(LiquidationEnded).margin_account_id == 101
    market.forget()
    # 102 buys at 100 what is worth 89: its equity is gone, and 103 is the only short there is.
    market.sell(103, "10", "100")
    closed = market.only(Deleveraged)
    assert (closed.margin_account_id, closed.bankrupt_account_id) == (103, 102)
    assert market.only(LiquidationEnded).outcome == "deleveraged"
    assert market.lots(102) == market.lots(103) == 0
    assert market.equity(103) == usd("100110")
