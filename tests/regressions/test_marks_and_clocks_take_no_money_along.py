"""Two accounts of one owner carried the mark away; a step of the clock paid one hour of many.

More in `tests/risk/test_mark.py` and `test_funding_settlement.py`.
"""

from risk.rulebook import FundingRule, MarkRule
from tests.market import Market, ppb, rules, usd

ALICE, BOB, CAROL = 100, 101, 102
HOUR_NS = 3_600 * 10**9


def market(*deposits: str, **settings: object) -> Market:
    """Alice, Bob and Carol with these deposits."""
    m = Market(rules(**settings))
    for trader, deposit in zip((ALICE, BOB, CAROL), deposits, strict=False):
        m.open(trader, deposit=deposit)
    m.index("100")
    return m


def test_a_mark_is_not_carried_away_from_its_index() -> None:
    """Two trades at 150 and quotes around it; the mark goes to 110 at most."""
    m = market("1000", "10000", "10000", mark=MarkRule(basis_samples=1))
    m.trade(BOB, CAROL, "0.01", "150")
    m.buy(BOB, "0.01", "149")
    m.sell(CAROL, "0.01", "151")
    m.wait("5")
    assert m.mark() == "110"


def test_a_clock_that_jumps_over_funding_pays_for_every_hour() -> None:
    rule = FundingRule(HOUR_NS, interest_ppb=ppb("0.001"), clamp_ppb=ppb("0.001"))
    m = market("1000", "1000", funding=rule)
    m.trade(ALICE, BOB, "10", "100")
    m.wait(str(5 * 3_600))
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("995"), usd("1005"))
