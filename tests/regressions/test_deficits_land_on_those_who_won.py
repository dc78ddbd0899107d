"""Deficits were charged to whoever held what was left, to nobody, or to a house that had nothing.

Long 10 at 100 with 100: bankrupt at 90. More in `tests/risk/test_adl.py`, `test_socialisation.py`,
`test_house_waterfall.py` and `test_liquidation_limits.py`.
"""

from engine.events import BadDebtBooked, Deleveraged, HouseInsolvent
from risk.accounts import BAD_DEBT
from tests.market import FUND, Market, liquidation, ppb, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(*deposits: str, **settings: object) -> Market:
    """Alice, Bob and Carol with these deposits."""
    m = Market(rules(**settings))
    for trader, deposit in zip((ALICE, BOB, CAROL), deposits, strict=False):
        m.open(trader, deposit=deposit)
    m.index("100")
    return m


def test_a_deficit_of_one_contract_is_not_charged_through_the_price_of_another() -> None:
    """Alice loses 90 more than she has on PERP; her long of 1 OTHER, at 100, closes within 5 %."""
    m = market("110", "1000", "1000")
    m.add("OTHER")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(ALICE, CAROL, "1", "100", "OTHER")
    m.index("80")
    (hit,) = (e for e in m.all(Deleveraged) if e.instrument_id == 1)
    assert usd("100") <= hit.value_q <= usd("105")
    assert m.equity(BOB) + m.equity(CAROL) == usd("2200") - usd("90")


def test_a_deficit_is_not_charged_to_nobody_while_somebody_has_won() -> None:
    """Bob took his gain of 200 a minute before Alice's gap is seen; he bears the 100."""
    m = market("100", "1000", "1000", liquidation=liquidation(["close", "socialise"]))
    m.trade(ALICE, BOB, "10", "100")
    m.trade(BOB, CAROL, "10", "80")
    m.wait("60")
    m.index("80")
    assert m.equity(ALICE) == 0
    assert m.equity(BOB) == usd("1100")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def test_a_fund_does_not_sink_below_zero_in_silence() -> None:
    """The fund of 50 takes Alice's short over at 106; at 130 it would owe 150."""
    m = market("110", "1000")
    m.deposit(FUND, "50")
    m.trade(BOB, ALICE, "10", "100")
    m.index("106")
    assert m.lots(FUND) == -size("10")
    m.index("130")
    assert m.only(HouseInsolvent).account_id == FUND
    assert m.equity(FUND) == 0
    assert sum(e.amount_q for e in m.all(BadDebtBooked)) == usd("140")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


def test_a_liquidation_order_does_not_trade_past_bankruptcy() -> None:
    """94 leave 4 a contract: a bid of 85, within the slippage of 10 %, gets nothing."""
    rule = liquidation(order_price="slippage", slippage_ppb=ppb("0.1"))
    m = market("100", "1000", "1000", liquidation=rule)
    m.deposit(FUND, "1000")
    m.trade(ALICE, BOB, "10", "100")
    m.buy(CAROL, "10", "85")
    m.index("94")
    assert m.lots(CAROL) == 0
    assert m.equity(FUND) == usd("1040")
