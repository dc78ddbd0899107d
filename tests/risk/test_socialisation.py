"""Socialisation: a deficit nobody else could bear is shared by the winners, by what they won.

Alice's long of 10 at 100 (deposit 100) is bankrupt at 90: at 80, 100 are missing. No fund.
"""

import pytest

from engine.events import BadDebtBooked, LiquidationEnded, LossSocialised
from risk.accounts import BAD_DEBT
from tests.market import FUND, Market, liquidation, rules, size, usd

ALICE, BOB, CAROL, DAVE, ERIN = 100, 101, 102, 103, 104
RULE = liquidation(["close", "fund", "socialise"])


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


def test_winners_in_other_contracts_pay_nothing_while_the_position_is_there() -> None:
    """Nobody buys and Bob has closed: the position goes to the fund's books at mark, and only
    who won in PERP is asked."""
    m = market((BOB, "10"))
    m.add("OTHER")
    m.open(DAVE, CAROL, deposit="1000")
    m.index("100", "OTHER")
    m.trade(DAVE, CAROL, "5", "100", "OTHER")
    m.index("50", "OTHER")
    m.rule(rules(liquidation=liquidation(["socialise"])))
    m.index("80")
    assert shares(m) == {BOB: usd("100")}
    assert m.lots(FUND) == size("10")
    assert m.equity(CAROL) == usd("1250")


def test_what_no_winner_can_bear_stays_as_bad_debt_of_the_house() -> None:
    """Bob closed at 80 and took his gain: nobody has an open gain, 100 stay uncovered."""
    m = market((BOB, "10"))
    m.rule(rules(liquidation=liquidation(["socialise"])))
    m.cancel(ERIN, m.report(ERIN).open_order_ids[0])
    m.trade(BOB, ERIN, "10", "80")
    assert m.wallet(BOB) == usd("1200")
    m.index("80")
    assert not m.all(LossSocialised)
    assert m.wallet(ALICE) == 0
    assert m.exchange.margin_figures(BAD_DEBT)[0] == -usd("100")
    assert m.exchange.residues_q() == {"USD": 0, "BTC": 0}


@pytest.mark.parametrize("price", ["89", "70", "50"])
def test_the_deficit_is_booked_once(price: str) -> None:
    m = market((BOB, "4"), (CAROL, "6"))
    m.rule(rules(liquidation=liquidation(["socialise"])))
    m.index(price)
    deficit_q = usd("900") - 10 * usd(price)
    assert sum(e.amount_q for e in m.all(BadDebtBooked)) == deficit_q
    assert sum(shares(m).values()) == deficit_q
