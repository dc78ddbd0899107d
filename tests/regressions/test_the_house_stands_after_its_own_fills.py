"""A house account was looked at when prices moved, and not when an order of its own had traded. A
late fill of an order whose position had gone to auto-deleveraging opened the other side, at a price
far from the mark, and what the fund owed then stayed with it until the next tick.

Long 10 at 100 with 100, taken over at 93 for 90 by a fund that has 1 left at a mark of 80. It sells
4 at 80 and hears of it 5 seconds later: at 79 it was below zero and lost its position, so that at
110 it is short 4 and lacks 30 for each.
"""

from engine.events import BadDebtBooked, Deleveraged, OrderFilled
from engine.routing.latency import Latency
from engine.units import SECOND_NS
from risk.accounts import FUND
from risk.rulebook import FundRule
from tests.market import Market, liquidation, ppb, rules

ALICE, BOB, CAROL = 100, 101, 102
LATE_NS = 5 * SECOND_NS


def test_what_the_fund_loses_by_its_own_late_fill_is_covered_at_once() -> None:
    fund = FundRule(
        disposal_fraction_ppb=ppb("0.4"),
        disposal_interval_ns=SECOND_NS,
        disposal_slippage_ppb=ppb("0.3"),
    )
    stages = liquidation(["fund", "adl", "socialise"])
    m = Market(rules(fund=fund, liquidation=stages), latency=Latency(matching_to_risk_ns=LATE_NS))
    m.deposit(FUND, "101")
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.sell(BOB, "10", "100")
    m.buy(ALICE, "10", "100")
    m.wait("6")
    m.index("93")
    m.wait("6")
    m.buy(CAROL, "4", "80")
    m.index("80")
    for _ in range(6):
        m.wait("1")
    for price in ("79", "110"):
        m.wait("1")
        m.index(price)
    m.exchange.run_until(m.now_ns + 2 * SECOND_NS)
    assert any(e.qty_lots > 0 for e in m.all(Deleveraged)), "it lost what it was selling"
    assert any(e.account_id == FUND for e in m.all(OrderFilled)), "and its order has filled"
    assert m.all(BadDebtBooked)
    assert m.equity(FUND) == 0 == m.lots(FUND)
