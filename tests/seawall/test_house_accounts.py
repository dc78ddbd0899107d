"""The accounts of the fund and the backstop add up, line by line, to the last quantum.

Long 10 at 100 with 100: bankrupt at 90. At 93 equity is 30, maintenance 46.50.
"""

from typing import Any

import pytest

from engine.events import FundChanged, OrderFilled, TakenOver
from engine.units import SECOND_NS
from risk.accounts import BACKSTOP, FUND, HOUSE_NAMES
from risk.rulebook import AdlRule, BackstopRule, FeeRule, FundingRule, FundRule
from seawall.records.house_accounts import END, START, HouseAccounts, Lines
from tests.market import Market, collateral, liquidation, ppb, rules, usd

ALICE, BOB, CAROL = 100, 101, 102


class Kept:
    """A market whose house accounts are kept from the moment everybody has paid in."""

    def __init__(self, m: Market, skip: type | None = None) -> None:
        specs = [listing.instrument.spec for listing in m.exchange.risk.core.listings.values()]
        self.m = m
        self.accounts = HouseAccounts(specs)
        self.accounts.begin(m.exchange)
        m.exchange.subscribe(lambda event: None if type(event) is skip else self.accounts(event))

    def lines(self, house: int = FUND, asset_id: int = 0) -> Lines:
        """The account, without its lines of nothing; what adds up is asserted on the way."""
        lines = self.accounts.accounts(self.m.exchange, house)[asset_id]
        assert sum(q for line, q in lines.items() if line != END) == lines[END]
        return {line: q for line, q in lines.items() if q}


def long_ten(skip: type | None = None, paid: str = "1000", **settings: Any) -> Kept:
    m = Market(rules(**settings))
    if paid != "0":
        m.deposit(FUND, paid)
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    kept = Kept(m, skip)
    m.trade(ALICE, BOB, "10", "100")
    return kept


def test_nothing_happened() -> None:
    assert long_ten().lines() == {START: usd("1000"), END: usd("1000")}
    assert long_ten().lines(BACKSTOP) == {}


def test_deposits_and_fees() -> None:
    kept = long_ten(fees=FeeRule(liquidation_ppb=ppb("0.01")))
    kept.m.deposit(FUND, "5")
    kept.m.buy(CAROL, "10", "94")
    kept.m.index("94")
    lines = kept.lines()
    assert (lines["deposits"], lines["liquidation_fees"]) == (usd("5"), usd("9.40"))
    assert lines[END] == usd("1014.40")


def test_a_takeover_that_is_still_held() -> None:
    """Taken at 90 when the mark is 93: 30 gained; at 91 it has lost 20 since."""
    kept = long_ten()
    kept.m.index("93")
    assert kept.lines()["takeovers"] == usd("30")
    kept.m.index("91")
    assert kept.lines() == {
        START: usd("1000"),
        "takeovers": usd("30"),
        "unrealised": usd("-20"),
        END: usd("1010"),
    }


def test_a_takeover_that_was_sold_in_part() -> None:
    """Of 10 lots taken at a mark of 93, 4 are sold at 91.50 (6 lost); 6 are worth 90 (18 lost). No
    gain is counted twice: the fund has 1,000 + 30 - 24."""
    fund = FundRule(
        disposal_fraction_ppb=ppb("0.4"),
        disposal_interval_ns=SECOND_NS,
        disposal_slippage_ppb=ppb("0.1"),
    )
    kept = long_ten(fund=fund)
    kept.m.index("93")
    kept.m.buy(CAROL, "10", "91.50")
    kept.m.wait("1")
    assert kept.m.lots(FUND) == 600
    kept.m.index("90")
    assert kept.lines() == {
        START: usd("1000"),
        "takeovers": usd("30"),
        "disposal": usd("-6"),
        "unrealised": usd("-18"),
        END: usd("1006"),
    }


def test_a_takeover_below_bankruptcy_is_a_loss_at_takeover() -> None:
    kept = long_ten()
    kept.m.index("85")
    assert kept.lines() == {START: usd("1000"), "takeovers": usd("-50"), END: usd("950")}


def test_takeovers_on_both_sides_close_each_other() -> None:
    """A short of 4 comes to a long of 10: what it closes is disposal, what is left is held."""
    kept = long_ten()
    kept.m.index("93")
    kept.m.open(103, deposit="100")
    kept.m.trade(BOB, 103, "4", "93")
    kept.m.index("120")
    assert kept.m.lots(FUND) == 600
    lines = kept.lines()
    taken = kept.m.all(TakenOver)
    assert lines["takeovers"] == sum(event.gain_q for event in taken)
    # From 93 to 120: 27 for each of the 4 closed and of the 6 still held.
    assert (lines["disposal"], lines["unrealised"]) == (usd("108"), usd("162"))


def test_a_position_that_turns_carries_only_the_gain_of_what_is_left() -> None:
    kept = long_ten()
    kept.m.index("93")
    kept.m.open(103, deposit="160")
    kept.m.trade(BOB, 103, "16", "93")
    kept.m.index("105")
    assert kept.m.lots(FUND) == -600
    lines = kept.lines()
    assert lines["disposal"] == usd("120")
    assert "unrealised" not in lines
    kept.m.index("106")
    assert kept.lines()["unrealised"] == usd("-6")


def test_deficits_paid_in_cash() -> None:
    """At 80 Alice is 100 short, more than the 5 % a takeover may cost: the fund pays 50 of it."""
    kept = long_ten(fund=FundRule(loss_cap_ppb=ppb("0.05")), adl=AdlRule(price="mark"))
    kept.m.index("80")
    assert kept.lines() == {START: usd("1000"), "deficits": usd("-50"), END: usd("950")}


def test_the_fund_is_a_counterparty_of_deleveraging() -> None:
    """The fund is long 10 at the mark of 93; a bankrupt short is closed against it."""
    fund = FundRule(loss_cap_ppb=ppb("0.000001"))
    kept = long_ten(fund=fund)
    kept.m.index("93")
    kept.m.open(103, deposit="100")
    kept.m.trade(BOB, 103, "5", "93")
    kept.m.index("125")
    lines = kept.lines()
    assert kept.m.lots(FUND) < 1000
    assert lines["disposal"] > 0


def test_funding_is_a_line() -> None:
    funding = FundingRule(
        interval_ns=SECOND_NS,
        sample_interval_ns=SECOND_NS,
        interest_ppb=ppb("0.001"),
        clamp_ppb=ppb("0.01"),
    )
    kept = long_ten(funding=funding)
    kept.m.index("93")
    kept.m.wait("1")
    kept.m.wait("1")
    assert kept.lines()["funding"] < 0


def test_the_backstop_has_an_account_of_its_own() -> None:
    kept = long_ten(
        paid="0",
        liquidation=liquidation(["cancel", "backstop", "socialise"]),
        backstop=BackstopRule(trigger_ppb=ppb("1")),
    )
    kept.m.deposit(BACKSTOP, "500")
    kept.m.index("93")
    kept.m.index("92")
    assert kept.lines(BACKSTOP) == {
        "deposits": usd("500"),
        "takeovers": usd("30"),
        "unrealised": usd("-10"),
        END: usd("520"),
    }
    assert kept.lines() == {}


def test_collateral_stands_in_both_accounts_at_its_amount() -> None:
    """0.002 BTC at 50,000 less 10 % stand for 90; a loss of 50 is paid with as many coins."""
    m = Market(rules(collateral=collateral(BTC="0.1")))
    m.asset_price("50000")
    m.deposit(FUND, "1000")
    m.open(ALICE, deposit="20")
    m.deposit(ALICE, "0.002", "BTC")
    m.open(BOB, deposit="100000")
    m.index("100")
    kept = Kept(m)
    m.trade(ALICE, BOB, "10", "100")
    m.index("93")
    dollars, coins = kept.lines(), kept.lines(FUND, 1)
    assert dollars["collateral_exchanged"] < 0
    assert coins == {"collateral_exchanged": coins[END], END: m.wallet(FUND, "BTC")}


def test_an_account_in_use_begins_with_what_it_holds() -> None:
    kept = long_ten()
    kept.m.index("93")
    kept.accounts.begin(kept.m.exchange)
    assert kept.lines() == {START: usd("1030"), END: usd("1030")}
    kept.m.index("95")
    assert kept.lines() == {START: usd("1030"), "unrealised": usd("20"), END: usd("1050")}


@pytest.mark.parametrize("skip", [FundChanged, TakenOver, OrderFilled])
def test_a_change_that_no_event_told_of_is_found(skip: type) -> None:
    fund = FundRule(
        disposal_fraction_ppb=ppb("0.4"),
        disposal_interval_ns=SECOND_NS,
        disposal_slippage_ppb=ppb("0.1"),
    )
    kept = long_ten(skip, fund=fund)
    kept.m.index("93")
    kept.m.buy(CAROL, "10", "91.50")
    kept.m.wait("1")
    with pytest.raises(AssertionError, match=HOUSE_NAMES[FUND]):
        kept.lines()


def test_a_deficit_of_the_house_that_winners_paid_is_a_line() -> None:
    """The fund has 10 and takes a long of 10 at 93 for 90; at 80 it is short of 60 after its 40."""
    kept = long_ten(paid="10", fund=FundRule(solvency_ppb=1))
    kept.m.index("93")
    assert kept.m.lots(FUND) == 1000
    kept.m.index("80")
    lines = kept.lines()
    assert lines["socialised"] > 0
    assert kept.m.lots(FUND) == 0
