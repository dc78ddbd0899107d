"""Socialisation: a deficit nobody else could bear is shared by the winners, by what they won.

Alice's long of 10 at 100 (deposit 100) is bankrupt at 90: at 80, 100 are missing. No fund.
"""

import pytest

from engine.events import BadDebtBooked, Deleveraged, LiquidationEnded, LossSocialised
from risk.accounts import BAD_DEBT
from risk.losses.socialisation import Socialisation
from risk.rulebook import FundRule, SocialisationRule, WithdrawalRule
from risk.state import restore_risk, risk_state
from tests.market import FUND, Market, liquidation, ppb, rules, size, usd

ALICE, BOB, CAROL, DAVE, ERIN = 100, 101, 102, 103, 104
RULE = liquidation(["close", "fund", "socialise"])


HELD = liquidation(["close", "socialise"])
"""No stage draws on the fund, so it has means to hold the position with and nobody is closed."""


def market(*sellers: tuple[int, str]) -> Market:
    """Alice buys from each ``(trader, size)`` at 100; Erin bids for it all at 80."""
    m = Market(rules(liquidation=RULE))
    m.open(ALICE, deposit="100")
    m.open(ERIN, deposit="100000")
    m.index("100")
    for trader, qty in sellers:
        m.open(trader, deposit="1000")
        m.trade(ALICE, trader, qty, "100")
    m.buy(ERIN, "100", "80")
    return m


def shares(m: Market) -> dict[int, int]:
    return {e.margin_account_id: e.amount_q for e in m.all(LossSocialised)}


def test_winners_share_by_their_gains() -> None:
    """Gains at 80: Bob 5 x 20 = 100, Carol 3 x 20 = 60, Dave 2 x 20 = 40; half of each goes."""
    m = market((BOB, "5"), (CAROL, "3"), (DAVE, "2"))
    m.index("80")
    assert shares(m) == {BOB: usd("50"), CAROL: usd("30"), DAVE: usd("20")}
    assert m.wallet(ALICE) == 0
    assert m.equity(BOB) == usd("1050")
    debt = m.only(BadDebtBooked)
    assert (debt.amount_q, debt.stage) == (usd("100"), "socialise")
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.haircut_q) == ("socialised", usd("100"))


def test_shares_that_do_not_divide_still_add_up() -> None:
    """9 at 80 lack 80: over three equal gains 26.666666, 26.666667 and 26.666667."""
    m = market((BOB, "3"), (CAROL, "3"), (DAVE, "3"))
    m.index("80")
    assert list(shares(m).values()) == [usd("26.666666"), usd("26.666667"), usd("26.666667")]


def test_the_fund_pays_before_any_winner() -> None:
    m = market((BOB, "10"))
    m.deposit(FUND, "99.999999")
    m.index("80")
    assert m.wallet(FUND) == 0
    assert shares(m) == {BOB: 1}


def test_losers_and_bystanders_pay_nothing() -> None:
    """Dave is long from 90 and loses, Erin holds nothing when it happens."""
    m = market((BOB, "10"))
    m.open(DAVE, deposit="1000")
    m.trade(DAVE, BOB, "1", "90")
    m.index("80")
    assert list(shares(m)) == [BOB]
    assert m.equity(DAVE) == usd("990")


def test_winners_in_other_contracts_pay_like_those_in_this_one() -> None:
    """Bob won 200 on PERP (10 x 20), Carol 250 on OTHER: of 100 they bear 4 : 5."""
    m = market((BOB, "10"))
    m.add("OTHER")
    m.open(DAVE, CAROL, deposit="1000")
    m.index("100", "OTHER")
    m.trade(DAVE, CAROL, "5", "100", "OTHER")
    m.index("50", "OTHER")
    m.index("80")
    assert shares(m) == {BOB: usd("44.444444"), CAROL: usd("55.555556")}
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def closed_at_80(m: Market) -> None:
    """Bob buys his 10 back at 80, so his gain of 200 lies in his wallet."""
    m.cancel(ERIN, m.report(ERIN).open_order_ids[0])
    m.trade(BOB, ERIN, "10", "80")
    assert m.wallet(BOB) == usd("1200")


def test_a_gain_that_was_realised_before_counts() -> None:
    m = market((BOB, "10"))
    closed_at_80(m)
    m.index("80")
    assert shares(m) == {BOB: usd("100")}
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


@pytest.mark.parametrize(
    ("hours", "counts"),
    [
        # Realised at noon of the first day: it counts to the end of the second.
        (12, True),
        (35, True),
        (36, False),
    ],
)
def test_a_realised_gain_counts_to_the_end_of_the_next_window(hours: int, counts: bool) -> None:
    m = market((BOB, "10"))
    m.wait("43200")
    closed_at_80(m)
    m.wait(str(hours * 3_600))
    m.index("80")
    assert bool(shares(m)) is counts
    assert m.exchange.margin_figures(BAD_DEBT)[0] == (0 if counts else -usd("100"))


def test_without_a_window_only_open_gains_count() -> None:
    m = market((BOB, "10"))
    m.rule(rules(liquidation=RULE, socialisation=SocialisationRule(window_ns=0)))
    closed_at_80(m)
    m.index("80")
    assert shares(m) == {}


def test_a_realised_loss_is_taken_off_an_open_gain() -> None:
    """Carol won 60 on her open short of 3, but lost 40 before: 20 against Bob's 140."""
    m = market((BOB, "7"), (CAROL, "3"))
    m.open(DAVE, deposit="1000")
    m.trade(CAROL, DAVE, "4", "100")
    m.trade(DAVE, CAROL, "4", "90")
    m.cancel(ERIN, m.report(ERIN).open_order_ids[0])
    m.index("80")
    # Dave won the 40 that Carol lost.
    assert shares(m) == {BOB: usd("70"), CAROL: usd("10"), DAVE: usd("20")}


def test_a_realised_gain_of_an_isolated_position_counts_where_the_money_is() -> None:
    m = market()
    m.open(BOB, deposit="1000")
    m.isolate(BOB)
    m.trade(ALICE, BOB, "10", "100")
    closed_at_80(m)
    m.index("80")
    assert shares(m) == {BOB: usd("100")}


def test_an_open_gain_is_paid_by_the_pot_that_has_it() -> None:
    """Bob's cross wallet of 5 is asked first, his isolated pot of 100 and a gain of 200 has the
    rest; the pot keeps what its requirement asks for."""
    m = market()
    m.rule(rules(liquidation=HELD))
    m.deposit(FUND, "1")
    m.open(BOB, deposit="105")
    m.isolate(BOB)
    m.trade(ALICE, BOB, "10", "100")
    m.index("80")
    assert [e.amount_q for e in m.all(LossSocialised)] == [usd("5"), usd("95")]
    assert m.pot(BOB, "PERP").equity_q == usd("205")


def test_nobody_is_liquidated_for_it_while_free_equity_is_there() -> None:
    """Bob and Carol won 100 each. Bob left 28 and needs 40 of his 128 for margin; Carol has plenty:
    his free 88 and her 100 bear 100."""
    m = market((BOB, "5"), (CAROL, "5"))
    m.rule(rules(liquidation=HELD, withdrawal=WithdrawalRule(unrealised_profit=True)))
    m.deposit(FUND, "1")
    m.index("96")
    m.withdraw(BOB, "972")
    m.index("80")
    assert shares(m) == {BOB: usd("46.808510"), CAROL: usd("53.191490")}


def test_a_position_nobody_has_means_to_hold_closes_at_the_mark() -> None:
    """An empty fund would take the market's risk on what it has not got: Bob's short closes."""
    m = market((BOB, "10"))
    m.index("80")
    hit = m.only(Deleveraged)
    assert (hit.margin_account_id, hit.gain_q) == (BOB, 0)
    assert m.lots(FUND) == m.lots(BOB) == m.lots(ALICE) == 0
    assert m.wallet(BOB) == usd("1100")


@pytest.mark.parametrize(("cap", "takes"), [("0", True), ("1", True), ("0.9", False)])
def test_the_fund_holds_no_more_than_its_cap_there_either(cap: str, takes: bool) -> None:
    """10 at 80 are 800 of its 800."""
    m = market((BOB, "10"))
    m.rule(rules(liquidation=HELD, fund=FundRule(notional_cap_ppb=ppb(cap))))
    m.deposit(FUND, "800")
    m.index("80")
    assert m.lots(FUND) == (size("10") if takes else 0)


def test_equity_that_is_not_free_is_asked_before_the_debt_is_nobodys() -> None:
    """Bob won 200 in OTHER and took them out, and 20 here; of his 25.60 he needs 8 for margin."""
    m = market((BOB, "1"))
    m.add("OTHER")
    m.open(DAVE, CAROL, deposit="1000")
    m.trade(ALICE, CAROL, "9", "100")
    m.rule(rules(liquidation=RULE, withdrawal=WithdrawalRule(unrealised_profit=True)))
    m.index("100", "OTHER")
    m.trade(BOB, DAVE, "10", "100", "OTHER")
    m.index("120", "OTHER")
    m.trade(DAVE, BOB, "10", "120", "OTHER")
    m.cancel(ERIN, m.report(ERIN).open_order_ids[0])
    m.index("96")
    m.withdraw(BOB, "1194.40")
    m.trade(CAROL, ERIN, "9", "96")
    m.withdraw(CAROL, "1036")
    m.trade(ERIN, DAVE, "9", "96")
    m.index("80")
    borne = dict.fromkeys((BOB, DAVE), 0)
    for event in m.all(LossSocialised):
        borne[event.margin_account_id] += event.amount_q
    # Dave lost 200 in OTHER and won 144 since.
    assert borne == {BOB: usd("25.60"), DAVE: 0}
    assert m.exchange.margin_figures(BAD_DEBT)[0] == -usd("74.40")


def test_a_gain_pays_once() -> None:
    """Bob's 200 bear a deficit of 150, and of another one the 50 that are left of them."""
    m = market((BOB, "10"))
    m.deposit(ALICE, "1000")
    m.index("80")
    risk = m.exchange.risk
    ledger = risk.core.ledger
    risk.core.out = []
    for _ in range(2):
        Socialisation(risk.core, risk.watch).cover(ledger.accounts[ERIN], usd("150"))
    assert m.wallet(BOB) == usd("800")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == -usd("100")


def test_only_who_took_the_gain_out_bears_nothing() -> None:
    """What was withdrawn before cannot be had: 100 stay uncovered, and say so."""
    m = market((BOB, "10"))
    closed_at_80(m)
    m.withdraw(BOB, "1200")
    m.index("80")
    assert not m.all(LossSocialised)
    assert m.wallet(ALICE) == 0
    assert m.exchange.margin_figures(BAD_DEBT)[0] == -usd("100")
    assert m.exchange.residues_q() == {"USD": 0, "BTC": 0}


def test_two_accounts_of_one_owner_do_not_hide_a_gain() -> None:
    """Bob loses on purpose to Dave what he is about to win; then it is Dave who has won it."""
    m = market((BOB, "10"))
    m.open(DAVE, deposit="1000")
    m.trade(BOB, DAVE, "10", "120")
    m.index("80")
    assert shares(m) == {DAVE: usd("100")}
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def test_gains_survive_a_snapshot() -> None:
    m = market((BOB, "10"))
    closed_at_80(m)
    before = risk_state(m.exchange.risk)
    assert risk_state(restore_risk(before)) == before


@pytest.mark.parametrize("price", ["89", "70", "50"])
def test_the_deficit_is_booked_once(price: str) -> None:
    m = market((BOB, "4"), (CAROL, "6"))
    m.rule(rules(liquidation=liquidation(["socialise"])))
    m.index(price)
    deficit_q = usd("900") - 10 * usd(price)
    assert sum(e.amount_q for e in m.all(BadDebtBooked)) == deficit_q
    assert sum(shares(m).values()) == deficit_q
