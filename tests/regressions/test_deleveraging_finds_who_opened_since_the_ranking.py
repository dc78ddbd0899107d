"""A position opened after the queue was ranked could not be deleveraged until the next mark."""

from engine.events import Deleveraged, LiquidationEnded
from tests.market import Market, levels, liquidation, rules, usd


def test_who_opened_at_the_mark_of_the_last_ranking_is_in_the_queue() -> None:
    stages = liquidation(["adl", "socialise"])
    market = Market(rules(liquidation=stages))
    market.open(100, 103, deposit="100000")
    market.open(101, 102, deposit="110")
    market.index("100")
    market.trade(101, 100, "10", "100")
    # The first deleveraging at this mark ranks the shorts: 100 alone, and closes it.
    market.index("89")
    assert market.only(LiquidationEnded).margin_account_id == 101
    market.forget()
    # 103 is the only short there is when stricter rules liquidate 102 at the same mark.
    market.trade(102, 103, "10", "89")
    market.rule(rules(levels=levels(liquidate="3"), liquidation=stages))
    closed = market.only(Deleveraged)
    assert (closed.margin_account_id, closed.bankrupt_account_id) == (103, 102)
    assert market.only(LiquidationEnded).outcome == "deleveraged"
    assert market.lots(102) == market.lots(103) == 0
    # The price of a deleveraging keeps within 5 % of the mark.
    assert market.equity(103) == usd("100044.50")
    assert market.equity(102) == usd("65.50")
