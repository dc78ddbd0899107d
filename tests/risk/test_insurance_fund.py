"""The insurance fund: what fills it, what it may take, how it sells what it took.

Long 10 at 100 with 100; bankrupt at 90.
"""

import pytest

from engine.events import Deleveraged, FundChanged, OrderAccepted, OrderFilled, TakenOver
from engine.reasons import Reason
from risk.rulebook import FeeRule, FundRule
from tests.market import FUND, Market, ppb, px, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102
SECOND_NS = 10**9


def long_ten(fund: str, rule: FundRule | None = None, **settings: object) -> Market:
    m = Market(rules(fund=rule or FundRule(), **settings))
    if fund != "0":
        m.deposit(FUND, fund)
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    return m


def fund_took_it(m: Market) -> bool:
    return [e.taker_account_id for e in m.all(TakenOver)] == [FUND]


def test_liquidation_fees_fill_it() -> None:
    m = long_ten("0", fees=FeeRule(liquidation_ppb=ppb("0.01")))
    m.buy(CAROL, "10", "94")
    m.index("94")
    changed = m.only(FundChanged)
    assert (changed.amount_q, changed.wallet_q) == (usd("9.40"), usd("9.40"))
    assert changed.cause == "liquidation fee"


@pytest.mark.parametrize(
    ("fund", "taken"),
    [
        # 10 x 93 = 930 may not exceed 1 x the fund
        ("929.99", False),
        ("930", True),
    ],
)
def test_notional_cap(fund: str, taken: bool) -> None:
    m = long_ten(fund, FundRule(notional_cap_ppb=ppb("1")))
    m.index("93")
    assert fund_took_it(m) is taken
    assert bool(m.all(Deleveraged)) is not taken


def test_notional_cap_counts_what_the_fund_holds_already() -> None:
    """Cap 2 x 1,000 = 2,000: one position of 930 fits, two (1,860) fit, three do not."""
    m = long_ten("1000", FundRule(notional_cap_ppb=ppb("2")))
    m.open(103, 104, deposit="100")
    m.trade(103, BOB, "10", "100")
    m.trade(104, BOB, "10", "100")
    m.index("93")
    # Each takeover also brings 30: 2 x 1,060 = 2,120 are still less than 3 x 930 = 2,790.
    assert len(m.all(TakenOver)) == 2
    assert m.lots(FUND) == size("20")
    assert [e.qty_lots for e in m.all(Deleveraged)] == [size("10")]


@pytest.mark.parametrize(
    ("price", "taken"),
    [
        # deficit 50 = 5 % of 1,000
        ("85", True),
        ("84.99", False),
    ],
)
def test_loss_cap(price: str, taken: bool) -> None:
    m = long_ten("1000", FundRule(loss_cap_ppb=ppb("0.05")))
    m.index(price)
    assert fund_took_it(m) is taken


@pytest.mark.parametrize(("fund", "taken"), [("50", True), ("49.999999", False)])
def test_a_deficit_larger_than_the_fund_is_not_taken(fund: str, taken: bool) -> None:
    """At 85 the deficit is 50."""
    m = long_ten(fund)
    m.index("85")
    assert fund_took_it(m) is taken
    if taken:
        assert m.equity(FUND) == 0


def test_an_empty_fund_takes_nothing() -> None:
    m = long_ten("0")
    m.index("94")
    assert not m.all(TakenOver)


DISPOSAL = FundRule(
    disposal_fraction_ppb=ppb("0.25"),
    disposal_interval_ns=10 * SECOND_NS,
    disposal_slippage_ppb=ppb("0.01"),
)


def test_it_sells_a_slice_per_interval_within_its_slippage() -> None:
    """A quarter of 10 = 2.5, then of 7.5 = 1.875 -> 1.88 (rounded up); not under 93.06."""
    m = long_ten("1000", DISPOSAL)
    m.index("94")
    assert m.lots(FUND) == size("10")
    m.buy(CAROL, "100", "93.06")
    m.wait("1")
    assert m.lots(FUND) == size("7.5")
    m.wait("9.999999999")
    assert m.lots(FUND) == size("7.5")
    m.wait("0.000000001")
    assert m.lots(FUND) == size("5.62")
    sold = [e for e in m.all(OrderFilled) if e.account_id == FUND]
    assert [e.price_ticks for e in sold] == [px("93.06"), px("93.06")]
    assert [e.fee_q for e in sold] == [0, 0]


def test_it_does_not_sell_below_its_limit() -> None:
    """1 % under 94 is 93.06, and it gave 90."""
    m = long_ten("1000", DISPOSAL)
    m.index("94")
    m.buy(CAROL, "100", "93.05")
    m.wait("20")
    assert m.lots(FUND) == size("10")
    assert m.last(OrderAccepted).price_ticks == px("93.06")


def test_profit_and_loss_of_its_positions_are_its_own() -> None:
    """Took 10 at 90 (mark 94); at 80 it has lost 100, sold at 80 the wallet says so."""
    m = long_ten("1000", DISPOSAL)
    m.index("94")
    m.index("80")
    assert m.equity(FUND) == usd("900")
    m.buy(CAROL, "100", "80")
    for _ in range(40):
        m.wait("10")
    assert m.lots(FUND) == 0
    assert m.wallet(FUND) == usd("900")


def test_nobody_withdraws_from_it() -> None:
    m = long_ten("1000")
    m.withdraw(FUND, "1")
    assert m.refusal().reason == Reason.HOUSE_ACCOUNT


def test_its_events_account_for_every_quantum_of_its_wallet() -> None:
    """Takes over 10 at 90, sells at the mark of 85: 50 lost to the disposal, told as such."""
    rule = FundRule(
        disposal_fraction_ppb=ppb("1"),
        disposal_interval_ns=SECOND_NS,
        disposal_slippage_ppb=ppb("0.1"),
    )
    m = long_ten("1000", rule)
    m.index("86")
    assert fund_took_it(m)
    m.index("85")
    m.buy(CAROL, "10", "85")
    m.wait("1")
    told = m.all(FundChanged)
    assert [(e.cause, e.amount_q) for e in told][-1] == ("disposal", usd("-50"))
    assert sum(e.amount_q for e in told) == m.wallet(FUND) == usd("950")
