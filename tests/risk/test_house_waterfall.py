"""The fund and the backstop have a waterfall of their own: nobody owes in silence.

Short is short 10 at 100 with 60 of its own; the fund of 1,000 takes the short over at 106, where
nothing is left of them, and the price goes on rising.
"""

import pytest

from engine.events import (
    BadDebtBooked,
    CommandRejected,
    Deleveraged,
    FundChanged,
    HouseInsolvent,
    LossSocialised,
    TakenOver,
)
from engine.routing.bus import Latency
from risk.accounts import BAD_DEBT
from risk.rulebook import AdlRule, BackstopRule, FundRule
from tests.market import BACKSTOP, FUND, Market, flat, liquidation, ppb, rules, size, usd

SHORT, LONG, OTHER, BYSTANDER = 100, 101, 102, 103
STAGES = ["fund", "adl", "socialise"]


def open_market(**rule: object) -> Market:
    m = Market(rules(**rule), listed=False)
    m.add("PERP", margin=flat("0.04", 20))
    return m


def long_ten(stages: list[str] = STAGES, fund: str = "1000", **rule: object) -> Market:
    m = open_market(liquidation=liquidation(stages), **rule)
    if fund != "0":
        m.deposit(FUND, fund)
    m.open(SHORT, deposit="60")
    m.leverage(SHORT, 20)
    m.open(LONG, BYSTANDER, deposit="1000")
    m.index("100")
    m.trade(LONG, SHORT, "10", "100")
    m.index("106")
    assert m.lots(FUND) == -size("10"), m.all(TakenOver)
    return m


def test_within_its_means_the_fund_keeps_its_position() -> None:
    """At 206 it has lost exactly its 1,000."""
    m = long_ten()
    m.index("206")
    assert m.equity(FUND) == 0
    assert not m.all(HouseInsolvent)
    assert m.lots(FUND) == -size("10")


def test_a_fund_below_zero_is_deleveraged_and_says_so() -> None:
    """At 210 it owes 40: the long closes at 206, within 5 % of the mark."""
    m = long_ten()
    m.index("210")
    told = m.only(HouseInsolvent)
    assert (told.account_id, told.equity_q, told.limit_q) == (FUND, -usd("40"), 0)
    assert told.notional_q == usd("2100")
    hit = m.only(Deleveraged)
    assert (hit.margin_account_id, hit.value_q, hit.gain_q) == (LONG, -usd("2060"), -usd("40"))
    assert (m.lots(FUND), m.equity(FUND), m.lots(LONG)) == (0, 0, 0)
    debt = m.only(BadDebtBooked)
    assert (debt.amount_q, debt.stage) == (usd("40"), "adl")
    assert m.wallet(LONG) == usd("2060")


def test_what_does_not_fit_under_the_bound_is_socialised() -> None:
    """At 500 it owes 2,940. 5 % of 5,000 are 250 by the price; 2,690 are the winner's to bear."""
    m = long_ten()
    m.index("500")
    assert m.only(Deleveraged).gain_q == -usd("250")
    assert [(e.amount_q, e.stage) for e in m.all(BadDebtBooked)] == [
        (usd("250"), "adl"),
        (usd("2690"), "socialise"),
    ]
    assert m.only(LossSocialised).amount_q == usd("2690")
    assert m.equity(FUND) == 0
    assert m.wallet(LONG) == usd("2060")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def test_without_deleveraging_what_it_owes_is_socialised_and_the_position_stays() -> None:
    m = long_ten(["fund", "socialise"])
    for price in ("210", "220"):
        m.index(price)
        assert m.equity(FUND) == 0
    assert m.lots(FUND) == -size("10")
    assert [e.amount_q for e in m.all(LossSocialised)] == [usd("40"), usd("100")]
    assert len(m.all(HouseInsolvent)) == 2


def test_a_limit_above_zero_acts_while_there_is_money() -> None:
    """10 % of 1,960: at 196 it has 100 and needs 196. It closes at the mark, nobody loses."""
    m = long_ten()
    m.rule(rules(liquidation=liquidation(STAGES), fund=FundRule(solvency_ppb=ppb("0.1"))))
    m.index("150")
    assert not m.all(HouseInsolvent)
    m.index("196")
    told = m.only(HouseInsolvent)
    assert (told.equity_q, told.limit_q) == (usd("100"), usd("196"))
    assert m.only(Deleveraged).gain_q == 0
    assert m.equity(FUND) == m.wallet(FUND) == usd("100")
    assert not m.all(BadDebtBooked)


def test_passing_the_limit_is_told_once() -> None:
    m = long_ten(["fund", "socialise"])
    m.rule(
        rules(
            liquidation=liquidation(["fund", "socialise"]), fund=FundRule(solvency_ppb=ppb("0.5"))
        )
    )
    for price in ("160", "165", "170"):
        m.index(price)
    assert len(m.all(HouseInsolvent)) == 1


def test_the_backstop_too() -> None:
    stages = ["backstop", "adl", "socialise"]
    m = open_market(liquidation=liquidation(stages), backstop=BackstopRule())
    m.deposit(BACKSTOP, "1000")
    m.open(SHORT, deposit="60")
    m.leverage(SHORT, 20)
    m.open(LONG, deposit="1000")
    m.index("100")
    m.trade(LONG, SHORT, "10", "100")
    m.index("106")
    assert m.lots(BACKSTOP) == -size("10")
    m.index("500")
    assert m.only(HouseInsolvent).account_id == BACKSTOP
    assert m.equity(BACKSTOP) == 0
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def test_the_fund_s_events_account_for_its_wallet() -> None:
    m = long_ten()
    m.index("500")
    assert sum(e.amount_q for e in m.all(FundChanged)) == m.wallet(FUND) == 0


def test_who_would_be_bankrupted_is_left_out_the_fund_as_well() -> None:
    """The fund is long and has 5: as a counterparty it would lose 20 at the bankruptcy price."""
    m = Market(rules(liquidation=liquidation(["adl", "socialise"])))
    m.deposit(FUND, "5")
    m.open(SHORT, OTHER, deposit="100")
    m.open(LONG, deposit="1000")
    m.index("100")
    m.trade(LONG, SHORT, "10", "100")
    m.index("112")
    assert all(e.margin_account_id != FUND for e in m.all(Deleveraged))
    assert m.equity(FUND) >= 0


def test_with_latencies_a_takeover_meets_the_fund_as_it_is_by_then() -> None:
    """Decided at 111, where 50 are missing of a fund of 60; when it arrives 80 are."""
    m = Market(
        rules(liquidation=liquidation(["fund", "socialise"])),
        latency=Latency(liquidation_to_risk_ns=5 * 10**9),
    )
    m.deposit(FUND, "60")
    m.open(SHORT, deposit="110")
    m.open(LONG, deposit="1000")
    m.index("100")
    m.trade(LONG, SHORT, "10", "100")
    m.index("116")
    m.now_ns += 10**9
    m.index("119")
    for _ in range(8):
        m.wait("5")
    assert m.lots(SHORT) == 0
    assert m.equity(FUND) >= 0
    assert m.equity(LONG) + m.equity(FUND) == usd("1170")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("at", ["bankruptcy", "mark"])
@pytest.mark.parametrize(
    "stages", [STAGES, ["fund", "socialise"], ["backstop", "adl", "socialise"]]
)
@pytest.mark.parametrize("isolated", [False, True])
def test_after_a_march_of_prices_the_house_owes_nothing(
    inverse: bool, at: str, stages: list[str], isolated: bool
) -> None:
    """Whatever is in between, the books balance (checked after every command) and the winner, who
    bears it, keeps what it brought."""
    asset = "BTC" if inverse else "USD"
    brought = "10" if inverse else "1000"
    m = Market(rules(liquidation=liquidation(stages), adl=AdlRule(price=at)), listed=False)
    m.add(
        "PERP",
        asset=asset,
        inverse=inverse,
        multiplier="10000" if inverse else "1",
        margin=flat("0.04", 20),
    )
    for house in (FUND, BACKSTOP):
        m.deposit(house, "1" if inverse else "100", asset)
    m.open(LONG, deposit=brought, asset=asset)
    m.open(SHORT, deposit="60", asset=asset)
    m.index("100")
    if isolated:
        m.isolate(SHORT)
        m.isolate(LONG)
    m.trade(LONG, SHORT, "0.5" if inverse else "10", "100")
    for price in ("104", "106", "130", "90", "250", "500", "80", "700"):
        m.index(price)
        m.wait("1")
        assert not any(isinstance(e, CommandRejected) for e in m.events)
        for house in (FUND, BACKSTOP):
            assert m.equity(house, asset) >= 0
    assert m.exchange.margin_figures(BAD_DEBT + (1 << 40 if inverse else 0))[0] == 0
