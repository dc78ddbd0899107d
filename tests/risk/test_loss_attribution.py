"""Where the equity of a liquidated account went: the parts add up to the quantum, whatever happens.

Long 10 at 100 with 100.
"""

import pytest

from engine.events import LiquidationEnded
from risk.rulebook import AdlRule, FeeRule, FundingRule, MarkRule
from tests.market import FUND, Market, checked_parts, liquidation, ppb, rules, usd

ALICE, BOB, CAROL = 100, 101, 102
HOUR_NS = 3_600 * 10**9


def long_ten(fund: str = "0", **settings: object) -> Market:
    m = Market(rules(**settings))
    if fund != "0":
        m.deposit(FUND, fund)
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    return m


def test_slippage_and_fee_of_the_book_stage() -> None:
    """10 at 92 against a mark of 94: -20; fee 1 % of 920: -9.20."""
    m = long_ten(fees=FeeRule(liquidation_ppb=ppb("0.01")))
    m.buy(CAROL, "10", "92")
    m.index("94")
    assert checked_parts(m.only(LiquidationEnded)) == {
        "slippage_q": -usd("20"),
        "fee_q": -usd("9.20"),
    }


def test_a_fill_above_the_mark_is_a_gain() -> None:
    """10 at 95 against 94: +10."""
    m = long_ten()
    m.buy(CAROL, "10", "95")
    m.index("94")
    ended = m.only(LiquidationEnded)
    assert checked_parts(ended) == {"slippage_q": usd("10")}
    assert (ended.equity_before_q, ended.equity_after_q) == (usd("40"), usd("50"))


def test_surrender_at_takeover() -> None:
    m = long_ten("1000")
    m.index("94")
    assert checked_parts(m.only(LiquidationEnded)) == {"surrender_q": -usd("40")}


def test_deficit_passed_to_the_fund() -> None:
    m = long_ten("1000")
    m.index("89")
    assert checked_parts(m.only(LiquidationEnded)) == {"surrender_q": usd("10")}


def test_deficit_passed_to_counterparties() -> None:
    m = long_ten()
    m.index("89")
    assert checked_parts(m.only(LiquidationEnded)) == {"adl_q": usd("10")}


def test_slippage_then_fee() -> None:
    """Sold at 92 when the mark is 94 (equity 40): 20 of slippage, 1 % of 920 for the fee."""
    rule = liquidation(["close", "socialise"], order_price="slippage", slippage_ppb=ppb("0.1"))
    m = long_ten(liquidation=rule, fees=FeeRule(liquidation_ppb=ppb("0.01")))
    m.buy(CAROL, "10", "92")
    m.index("94")
    assert checked_parts(m.only(LiquidationEnded)) == {
        "slippage_q": -usd("20"),
        "fee_q": -usd("9.20"),
    }


def test_haircut_after_a_gap() -> None:
    """Bids at 80 are under the bankruptcy price of 90: at 85 the winners bear the 50."""
    rule = liquidation(["close", "socialise"], order_price="slippage", slippage_ppb=ppb("0.1"))
    m = long_ten(liquidation=rule)
    m.buy(CAROL, "10", "80")
    m.index("85")
    assert checked_parts(m.only(LiquidationEnded)) == {"haircut_q": usd("50")}


BOOK_ONLY = liquidation(["cancel", "close", "socialise"])


def test_price_moves_and_deposits_while_it_lasts() -> None:
    """Nobody bids. 94 -> 93 costs 10, 5 are deposited, then 10 are sold at 92: -10."""
    m = long_ten(liquidation=BOOK_ONLY)
    m.index("94")
    m.wait("1")
    m.index("93")
    m.deposit(ALICE, "5")
    m.buy(CAROL, "10", "92")
    m.wait("1")
    ended = m.only(LiquidationEnded)
    assert checked_parts(ended) == {
        "price_q": -usd("10"),
        "transfer_q": usd("5"),
        "slippage_q": -usd("10"),
    }
    assert (ended.equity_before_q, ended.equity_after_q) == (usd("40"), usd("25"))


def test_funding_while_it_lasts() -> None:
    """0.1 % of 10 x 94 = 0.94 to Bob."""
    funding = FundingRule(interval_ns=HOUR_NS, interest_ppb=ppb("0.001"), clamp_ppb=ppb("0.001"))
    m = long_ten(liquidation=BOOK_ONLY, funding=funding)
    m.index("94")
    m.wait("3600")
    m.buy(CAROL, "10", "94")
    m.wait("1")
    assert checked_parts(m.only(LiquidationEnded)) == {"funding_q": -usd("0.94")}


@pytest.mark.parametrize("price", ["94.73", "93.21", "90", "87.65", "80.01", "60"])
@pytest.mark.parametrize("ranking", ["profit_leverage", "pro_rata"])
@pytest.mark.parametrize("at", ["bankruptcy", "mark"])
def test_a_mixture_adds_up_too(price: str, ranking: str, at: str) -> None:
    """A thin book, odd sizes, a fee, a small fund and a mark that follows the last trade."""
    m = Market(
        rules(
            fees=FeeRule(liquidation_ppb=ppb("0.0033333")),
            mark=MarkRule(method="last"),
            adl=AdlRule(ranking=ranking, price=at),
        )
    )
    m.deposit(FUND, "3.333333")
    m.open(ALICE, deposit="100.000001")
    m.open(BOB, CAROL, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "3.33", "100")
    m.trade(ALICE, CAROL, "6.67", "100")
    m.buy(BOB, "0.77", price)
    m.sell(CAROL, "0.07", price)
    m.tick()
    for _ in range(3):
        m.wait("1")
    for ended in m.all(LiquidationEnded):
        checked_parts(ended)
    assert m.all(LiquidationEnded)
    assert m.exchange.residues_q() == {"USD": 0, "BTC": 0}
