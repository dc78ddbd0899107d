"""Rebates: a maker gets no more than the other side of the fill paid.

The contract of `tests.market`, with a rebate as high as the taker's fee: 0.05 %.
"""

import pytest

from engine.events import LiquidationEnded, OrderFilled
from risk.accounts import FEES, FUND
from risk.rulebook import FeeRule
from tests.market import Market, rules, usd

LONG, SHORT = 100, 101
RATE_PPB = 500_000


def market(liquidation_ppb: int = 0) -> Market:
    m = Market(rules(fees=FeeRule(-RATE_PPB, RATE_PPB, liquidation_ppb)))
    m.open(LONG, SHORT, deposit="1000")
    m.index("100")
    return m


def fee_of_last(m: Market, trader: int) -> int:
    return next(e.fee_q for e in reversed(m.all(OrderFilled)) if e.account_id == trader)


def house_q(m: Market) -> int:
    return m.wallet(FEES) + m.wallet(FUND)


def test_what_the_taker_pays_the_maker_gets() -> None:
    m = market()
    m.buy(SHORT, "10", "100")
    m.sell(LONG, "10", "100")
    assert (fee_of_last(m, LONG), fee_of_last(m, SHORT)) == (usd("0.50"), -usd("0.50"))
    assert house_q(m) == 0


@pytest.mark.parametrize(
    ("liquidation_ppb", "bid", "rebate"),
    [
        (0, "88.5", "0"),
        (0, "87.5", "0"),
        (100_000, "88.5", "0.708"),  # 0.01 % of 80 * 88.5
        (12_500_000, "88.5", "3.54"),  # the whole rebate, 0.05 %
        (12_500_000, "87.5", "0"),  # nothing left that could pay a fee
    ],
)
def test_a_liquidation_pays_for_the_rebate_of_its_own_fill(
    liquidation_ppb: int, bid: str, rebate: str
) -> None:
    """One owner is long and short 80 at 100 and bids for the long side's liquidation: 1,000 of
    equity are gone at 87.50. What the owner loses on one side it gains on the other."""
    m = market(liquidation_ppb)
    m.deposit(SHORT, "9000")
    m.deposit(LONG, "4")  # the fee of its opening
    m.sell(SHORT, "80", "100")
    m.buy(LONG, "80", "100")
    assert house_q(m) == 0
    m.buy(SHORT, "80", bid)
    m.index(bid)
    assert m.all(LiquidationEnded) and m.lots(LONG) == m.lots(SHORT) == 0
    assert fee_of_last(m, SHORT) == -usd(rebate)
    assert house_q(m) >= 0
    assert m.equity(LONG) + m.equity(SHORT) <= usd("11004")
