"""Funding as money: who pays whom, once per interval, and what rounding leaves behind.

Interest 0.1 % with a clamp as wide: without a premium in the book the rate is 0.1 %.
"""

import pytest

from engine.commands import LEG_LONG, LEG_SHORT
from engine.events import (
    BadDebtBooked,
    FundingPaid,
    FundingSettled,
    LiquidationStarted,
    MarginLevelChanged,
)
from risk.accounts import BAD_DEBT
from risk.rulebook import FundingRule
from tests.market import FUND, RESIDUE, Market, btc, levels, ppb, rules, usd

ALICE, BOB, CAROL = 100, 101, 102
HOUR_NS = 3_600 * 10**9


def funding(rate: str = "0.001", **settings: object) -> FundingRule:
    interest_ppb = ppb(rate)
    clamp_ppb = abs(interest_ppb)
    return FundingRule(HOUR_NS, interest_ppb, clamp_ppb, **settings)


def market(rule: FundingRule, **settings: object) -> Market:
    m = Market(rules(funding=rule, **settings))
    m.open(ALICE, BOB, CAROL, deposit="1000")
    m.index("100")
    return m


def paid(m: Market) -> dict[int, int]:
    return {e.margin_account_id: e.amount_q for e in m.all(FundingPaid)}


def test_longs_pay_shorts_on_the_value_at_mark() -> None:
    """0.1 % of 10 x 110 = 1.10, whatever was paid for the position."""
    m = market(funding())
    m.trade(ALICE, BOB, "10", "100")
    m.index("110")
    m.wait("3600")
    assert paid(m) == {ALICE: -usd("1.10"), BOB: usd("1.10")}
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("998.90"), usd("1001.10"))
    settled = m.only(FundingSettled)
    assert (settled.rate_ppb, settled.residue_q) == (ppb("0.001"), 0)


def test_a_negative_rate_lets_shorts_pay() -> None:
    m = market(funding("-0.001"))
    m.trade(ALICE, BOB, "10", "100")
    m.wait("3600")
    assert paid(m) == {ALICE: usd("1"), BOB: -usd("1")}


def test_residue_of_rounding_is_kept_and_never_negative() -> None:
    """Rate 333,333 ppb on one lot at 100.01 (1,000,100 quanta): 333.366... The long pays 334, the
    shorts of one lot get 333; two lots against two of one: 667 paid, 2 x 333 received."""
    m = market(funding("0.000333333"))
    m.trade(ALICE, BOB, "0.01", "100")
    m.trade(ALICE, CAROL, "0.01", "100")
    m.index("100.01")
    m.wait("3600")
    assert paid(m) == {ALICE: -667, BOB: 333, CAROL: 333}
    settled = m.only(FundingSettled)
    assert (settled.paid_q, settled.received_q, settled.residue_q) == (667, 666, 1)
    assert m.wallet(RESIDUE) == 1


def test_it_falls_due_on_the_clock_and_once_per_interval() -> None:
    """The first tick is at zero, so the hours are 1, 2 and 3 o'clock."""
    m = market(funding())
    m.trade(ALICE, BOB, "10", "100")
    m.wait("3599.999999999")
    assert not m.all(FundingSettled)
    m.wait("0.000000001")
    m.tick()
    assert len(m.all(FundingSettled)) == 1
    m.wait("3600")
    assert [e.intervals for e in m.all(FundingSettled)] == [1, 1]


@pytest.mark.parametrize(("sleep", "hours"), [("3600", 1), ("7199", 1), ("9000", 2), ("86400", 24)])
def test_a_step_of_the_clock_pays_for_every_interval_it_missed(sleep: str, hours: int) -> None:
    """1.00 an hour, whether the clock ticks every hour or once; the next hour is its own."""
    m = market(funding())
    m.trade(ALICE, BOB, "10", "100")
    m.wait(sleep)
    settled = m.only(FundingSettled)
    assert (settled.intervals, settled.rate_ppb) == (hours, ppb("0.001"))
    assert m.wallet(ALICE) == usd("1000") - hours * usd("1")
    assert m.wallet(BOB) == usd("1000") + hours * usd("1")
    m.wait("3600")
    assert m.wallet(ALICE) == usd("1000") - (hours + 1) * usd("1")


def test_many_missed_intervals_round_like_as_many_settlements() -> None:
    """One lot at 100.01 and 0.0333333 %: the long pays 334 an hour, the short gets 333."""
    m = market(funding("0.000333333"))
    m.trade(ALICE, BOB, "0.01", "100")
    m.index("100.01")
    m.wait("36000")
    assert paid(m) == {ALICE: -3_340, BOB: 3_330}
    assert m.wallet(RESIDUE) == 10


def test_a_step_over_years_takes_no_more_than_the_position_is_worth() -> None:
    """0.1 % an hour for ten years would be 87 times its value: 1,000 hours are all of it."""
    m = market(funding())
    m.open(ALICE, deposit="100000")
    m.trade(ALICE, BOB, "10", "100")
    m.wait("315360000")
    assert m.only(FundingSettled).intervals == 1_000
    assert paid(m) == {ALICE: -usd("1000"), BOB: usd("1000")}


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("fund", ["0", "1000"])
def test_what_a_payer_has_not_got_is_missing_to_those_who_receive(
    isolated: bool, fund: str
) -> None:
    """24 hours at 1 % are 240 of 1,000; Alice has 110 in all, or 100 in her pot. The rest is her
    deficit: Bob and Carol get 240 less that, 7 : 3, and the house pays nothing."""
    m = market(funding("0.01"))
    if fund != "0":
        m.deposit(FUND, fund)
    m.withdraw(ALICE, "890")
    if isolated:
        m.isolate(ALICE)
    m.trade(ALICE, BOB, "7", "100")
    m.trade(ALICE, CAROL, "3", "100")
    m.wait("86400")
    has = usd("100") if isolated else usd("110")
    debt = m.only(BadDebtBooked)
    assert (debt.amount_q, debt.stage) == (usd("240") - has, "funding")
    assert paid(m) | {BOB: 0, CAROL: 0} == {
        debt.margin_account_id: -has,
        BOB: 0,
        CAROL: 0,
    }
    assert (paid(m)[BOB], paid(m)[CAROL]) == (has * 7 // 10, has * 3 // 10)
    assert m.all(LiquidationStarted)
    assert m.equity(ALICE) == (usd("10") if isolated else 0)
    assert m.equity(BOB) + m.equity(CAROL) == usd("2000") + has
    assert m.equity(FUND) == usd(fund)
    assert m.wallet(RESIDUE) == 0
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def test_two_accounts_of_one_owner_make_nothing_of_a_dear_hour() -> None:
    """A bid of next to nothing at three times the index makes the rate as high as it goes; the long
    pays what it has and falls, the short gets no more, and the house's money stays where it is."""
    m = market(FundingRule(HOUR_NS, cap_ppb=ppb("0.2")))
    m.deposit(FUND, "5000")
    m.withdraw(ALICE, "890")
    brought = m.equity(ALICE) + m.equity(BOB)
    m.trade(ALICE, BOB, "10", "100")
    m.buy(BOB, "0.01", "299")
    m.tick()
    m.wait("5")
    m.wait("3595")
    assert m.only(FundingSettled).rate_ppb == ppb("0.2")
    for _ in range(3):
        m.wait("1")
    assert m.equity(ALICE) + m.equity(BOB) <= brought
    assert m.equity(FUND) >= usd("5000")


def test_a_hedge_pays_only_what_is_left_of_it() -> None:
    """6 long and 4 short are 2 that pay: 24 of the 10 that there are; the other leg gets its 48."""
    m = market(funding("0.01"))
    m.hedge(ALICE)
    m.sell(BOB, "6", "100")
    m.buy(ALICE, "6", "100", leg=LEG_LONG)
    m.buy(BOB, "4", "100")
    m.sell(ALICE, "4", "100", leg=LEG_SHORT)
    m.withdraw(ALICE, "900")
    m.index("55")
    assert m.equity(ALICE) == usd("10")
    m.rule(rules(funding=funding("0.1")))
    m.wait("7200")
    assert m.only(BadDebtBooked).amount_q == 2 * usd("11") - usd("10")
    assert m.equity(ALICE) == 0


def test_a_fund_that_pays_funding_pays_what_it_has() -> None:
    """It is a payer like any other: 10 short from 106 at 205 owe 20.50 and the fund has 10."""
    m = market(funding("-0.01"))
    m.deposit(FUND, "1000")
    m.withdraw(ALICE, "900")
    m.trade(BOB, ALICE, "10", "100")
    m.index("109.50")
    assert m.lots(FUND) == -1_000
    m.index("209")
    has = m.equity(FUND)
    assert 0 < has < usd("20.90")
    m.wait("3600")
    assert m.last(FundingSettled).paid_q == m.last(FundingSettled).received_q == has
    assert m.equity(FUND) == 0


def test_inverse_contracts_are_cut_to_means_too() -> None:
    m = Market(rules(funding=funding("0.01")), listed=False)
    m.add("COIN", asset="BTC", inverse=True, lot="1", multiplier="100")
    m.open(ALICE, deposit="0.11", asset="BTC")
    m.open(BOB, CAROL, deposit="10", asset="BTC")
    m.index("100", "COIN")
    m.trade(ALICE, BOB, "1", "100", "COIN")
    m.wait("86400")
    assert m.equity(ALICE, "BTC") == 0
    assert m.equity(BOB, "BTC") == btc("10.11")
    assert m.wallet(RESIDUE, "BTC") >= 0


def test_funding_is_on_the_position_at_the_tick() -> None:
    """Half was closed a moment before: 0.50 and not 1; what was held the hour before is no matter.

    Closing the rest afterwards realises its price difference only.
    """
    m = market(funding())
    m.trade(ALICE, BOB, "10", "100")
    m.trade(BOB, ALICE, "5", "100")
    m.wait("3600")
    assert paid(m) == {ALICE: -usd("0.50"), BOB: usd("0.50")}
    m.trade(BOB, ALICE, "5", "100")
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("999.50"), usd("1000.50"))


def test_a_premium_in_the_book_raises_the_rate() -> None:
    """Bid 101 over an index of 100: premium 1 %; no interest, no clamp: rate 1 %."""
    m = market(FundingRule(HOUR_NS))
    m.trade(ALICE, BOB, "10", "100")
    m.buy(CAROL, "1", "101")
    m.wait("3600")
    # The rate settled is of the samples before this tick: one at 0:00 before the bid was there.
    assert m.last(FundingSettled).rate_ppb == 0
    m.wait("3600")
    assert m.last(FundingSettled).rate_ppb == ppb("0.01")
    assert m.wallet(ALICE) == usd("990")


def test_the_rate_is_capped() -> None:
    """A premium of 1 %, a cap of 0.2 %."""
    m = market(FundingRule(HOUR_NS, cap_ppb=ppb("0.002")))
    m.trade(ALICE, BOB, "10", "100")
    m.buy(CAROL, "1", "101")
    m.tick()
    m.wait("3600")
    m.wait("3600")
    assert m.last(FundingSettled).rate_ppb == ppb("0.002")


def test_inverse_contracts_pay_in_coins() -> None:
    """0.1 % of 10,000 / 50,000 = 0.2 coins is 0.0002."""
    m = market(funding())
    m.add("COIN", asset="BTC", inverse=True, tick="0.5", lot="1", multiplier="100")
    m.open(ALICE, BOB, deposit="1", asset="BTC")
    m.index("50000", "COIN")
    m.trade(ALICE, BOB, "100", "50000", "COIN")
    m.wait("3600")
    assert m.wallet(ALICE, "BTC") == btc("0.9998")
    assert m.wallet(BOB, "BTC") == btc("1.0002")
    assert m.wallet(ALICE) == usd("1000")


def test_isolated_positions_pay_from_their_pot() -> None:
    m = market(funding())
    m.isolate(ALICE)
    m.trade(ALICE, BOB, "10", "100")
    m.wait("3600")
    assert m.pot(ALICE, "PERP").wallet_q == usd("99")
    assert m.wallet(ALICE) == usd("900")


def test_funding_can_bring_an_account_down() -> None:
    """Deposit 153 for 10 at 100: at 94.45 equity is 97.50 over an alert level of 94.45; funding of
    1 % (9.445) takes it to 88.055, below the alert; 6 hours later it is in liquidation."""
    rule = funding("0.01")
    m = market(rule, levels=levels(alert="2", liquidate="1"))
    m.open(103, deposit="153")
    m.trade(103, BOB, "10", "100")
    m.index("94.45")
    assert not m.all(MarginLevelChanged)
    m.wait("3600")
    changed = m.only(MarginLevelChanged)
    assert (changed.level_name, changed.equity_q) == ("alert", usd("88.055"))
    # 88.055 - 9.445 n < 47.225 first at n = 5
    for _ in range(4):
        m.wait("3600")
    assert not m.all(LiquidationStarted)
    m.wait("3600")
    assert m.only(LiquidationStarted).equity_q == usd("40.83")


def test_nobody_pays_without_a_position() -> None:
    m = market(funding())
    m.wait("3600")
    settled = m.only(FundingSettled)
    assert (settled.paid_q, settled.received_q) == (0, 0)
    assert not m.all(FundingPaid)


def test_every_contract_settles_for_itself() -> None:
    m = market(funding())
    m.add("OTHER")
    m.index("20", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(BOB, ALICE, "10", "20", "OTHER")
    m.wait("3600")
    # PERP: Alice pays 1.00; OTHER: she receives 0.20.
    assert m.wallet(ALICE) == usd("999.20")
    assert len(m.all(FundingSettled)) == 2
