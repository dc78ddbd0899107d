"""The waterfall: stage after stage, with a look at the account after each.

Long 10 at 100 with 100: equity ``10 p - 900``, maintenance ``0.5 p``. At 94: 40 against 47; at 90
equity is zero.
"""

from engine.events import (
    BadDebtBooked,
    Deleveraged,
    LiquidationEnded,
    LiquidationStage,
    LiquidationStarted,
    LossSocialised,
    OrderFilled,
    TakenOver,
)
from risk.rulebook import BackstopRule, FeeRule, FundRule
from tests.market import BACKSTOP, FUND, Market, liquidation, ppb, rules, size, usd

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103


def long_ten(fund: str = "1000", **settings: object) -> Market:
    m = Market(rules(**settings))
    if fund != "0":
        m.deposit(FUND, fund)
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.forget()
    return m


def stages(m: Market) -> list[str]:
    return [e.stage for e in m.all(LiquidationStage)]


def test_takeover_at_bankruptcy_value_leaves_exactly_zero() -> None:
    """At 94 the position is worth 940 and goes for 900, the value that uses the 40 up."""
    m = long_ten()
    m.index("94")
    taken = m.only(TakenOver)
    assert (taken.qty_lots, taken.value_q, taken.gain_q) == (size("10"), usd("900"), usd("40"))
    assert (m.wallet(ALICE), m.position(ALICE)) == (0, None)
    assert (m.wallet(FUND), m.equity(FUND)) == (usd("1000"), usd("1040"))
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.surrender_q) == ("taken over", -usd("40"))
    assert not m.all(BadDebtBooked)


def test_takeover_of_a_bankrupt_account_costs_the_fund() -> None:
    """At 89 equity is -10: the fund pays 900 for what is worth 890, and the debt is booked once."""
    m = long_ten()
    m.index("89")
    taken = m.only(TakenOver)
    assert (taken.value_q, taken.gain_q) == (usd("900"), -usd("10"))
    assert m.wallet(ALICE) == 0
    assert m.equity(FUND) == usd("990")
    debt = m.only(BadDebtBooked)
    assert (debt.amount_q, debt.stage) == (usd("10"), "fund")


def test_residual_margin_may_be_left_to_the_account() -> None:
    """At 94 the fund pays the mark, 940, and Alice keeps her 40; a deficit is the fund's anyway."""
    m = long_ten(liquidation=liquidation(residual="account"))
    m.index("94")
    assert m.only(TakenOver).value_q == usd("940")
    assert m.wallet(ALICE) == usd("40")
    assert m.equity(FUND) == usd("1000")
    m = long_ten(liquidation=liquidation(residual="account"))
    m.index("89")
    assert (m.wallet(ALICE), m.equity(FUND)) == (0, usd("990"))


def test_two_positions_share_the_equity_by_their_requirements() -> None:
    """PERP at 94 needs 47, OTHER (5 at 20) needs 5; equity 110 - 60 = 50 is
    shared 47 : 5.

    50 x 47 / 52 = 45.192307 (floor), OTHER gets the remaining 4.807693.
    """
    m = long_ten()
    m.add("OTHER")
    m.index("20", "OTHER")
    m.deposit(ALICE, "10")
    m.trade(ALICE, BOB, "5", "20", "OTHER")
    m.index("94")
    assert [e.gain_q for e in m.all(TakenOver)] == [usd("45.192307"), usd("4.807693")]
    assert m.wallet(ALICE) == 0


def test_stages_follow_the_order_of_the_rulebook() -> None:
    """Nobody bids and the fund is empty, so Bob is deleveraged; or at once, if the rules say so."""
    m = long_ten(fund="0")
    m.index("94")
    assert stages(m) == ["reduce", "close", "adl"]
    m = long_ten(fund="0", liquidation=liquidation(["adl", "socialise"]))
    m.index("94")
    assert stages(m) == ["adl"]


def test_open_orders_are_cancelled_before_anything_is_sold() -> None:
    m = Market()
    m.deposit(FUND, "1000")
    m.open(ALICE, deposit="200")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.buy(ALICE, "10", "50")
    # 200 + 10 (p - 100) < 0.5 p below 84.21
    m.index("84")
    assert stages(m) == ["cancel", "reduce", "close", "fund"]
    assert m.report(ALICE).open_order_ids == []


def test_a_stage_that_restores_is_the_last() -> None:
    m = long_ten(liquidation=liquidation(partial="restore"))
    m.buy(CAROL, "100", "94")
    m.index("94")
    assert stages(m) == ["reduce"]
    assert m.only(LiquidationEnded).outcome == "restored"


def test_what_the_book_does_not_take_goes_on() -> None:
    """At 91 equity is 10. Bids for 4; the other 6 (27.30) go to the fund with all of the 10."""
    m = long_ten()
    m.buy(CAROL, "4", "91")
    m.index("91")
    assert stages(m) == ["reduce", "close", "fund"]
    assert [e.qty_lots for e in m.all(OrderFilled) if e.liquidation] == [size("4")]
    taken = m.only(TakenOver)
    assert (taken.qty_lots, taken.gain_q) == (size("6"), usd("10"))


def test_a_bounce_of_the_mark_ends_the_liquidation() -> None:
    """Nothing but the book may close it and the book is empty; at 95: 50 >= 47.50."""
    m = long_ten(liquidation=liquidation(["cancel", "close", "socialise"]))
    m.index("94")
    assert not m.all(LiquidationEnded)
    m.wait("1")
    m.index("95")
    m.wait("1")
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.partial) == ("restored", True)
    assert (ended.equity_before_q, ended.price_q) == (usd("40"), usd("10"))
    assert m.lots(ALICE) == size("10")


def backstop_rules(**settings: object) -> dict[str, object]:
    return {
        "liquidation": liquidation(["close", "backstop", "fund", "adl", "socialise"]),
        "backstop": BackstopRule(trigger_ppb=ppb("0.666666667"), **settings),
    }


def test_backstop_waits_for_its_trigger() -> None:
    """Two thirds of maintenance: at 94 31.33 < 40, at 93.30 (33 > 31.10) too, at 93 (30 < 31)
    the backstop takes the account before the fund does."""
    for price, taker in (("94", FUND), ("93.30", FUND), ("93", BACKSTOP)):
        m = long_ten(**backstop_rules())
        m.deposit(BACKSTOP, "500")
        m.index(price)
        assert m.only(TakenOver).taker_account_id == taker, price
    assert m.equity(BACKSTOP) == usd("530")


def test_backstop_capped_by_its_equity() -> None:
    """Cap 1 x 900: a position of 930 is too much."""
    m = long_ten(**backstop_rules(notional_cap_ppb=ppb("1")))
    m.deposit(BACKSTOP, "900")
    m.index("93")
    assert m.only(TakenOver).taker_account_id == FUND


def test_backstop_without_money_takes_nothing() -> None:
    m = long_ten(**backstop_rules())
    m.index("93")
    assert m.only(TakenOver).taker_account_id == FUND


def test_a_deficit_beyond_the_fund_goes_to_the_fund_then_to_the_winners() -> None:
    """Nobody bids 90 or more, and 100 are more than the fund's 30; Bob, the only winner, bears 70.

    A bid of 80 is past bankruptcy, so it gets nothing of what the winners and the fund pay for.
    """
    rule = liquidation(["close", "fund", "socialise"], order_price="slippage")
    m = long_ten(fund="30", liquidation=rule)
    m.buy(CAROL, "10", "80")
    m.index("80")
    assert m.lots(CAROL) == 0
    assert m.wallet(ALICE) == 0
    assert [(e.amount_q, e.stage) for e in m.all(BadDebtBooked)] == [
        (usd("30"), "fund"),
        (usd("70"), "socialise"),
    ]
    assert m.only(LossSocialised).margin_account_id == BOB
    assert m.wallet(FUND) == 0


def test_all_liquidations_then_all_takeovers_then_all_deleveraging() -> None:
    """Three accounts fall in one tick; the fund (1,000, cap 1x) can take 930 once.

    Orders of all three come first, then the one takeover, then both deleveragings.
    """
    m = Market(rules(fund=FundRule(notional_cap_ppb=ppb("1"))))
    m.deposit(FUND, "1000")
    m.open(ALICE, CAROL, DAVE, deposit="100")
    m.open(BOB, deposit="100000")
    m.index("100")
    for trader in (ALICE, CAROL, DAVE):
        m.trade(trader, BOB, "10", "100")
    m.forget()
    m.index("93")
    order = [e.stage for e in m.all(LiquidationStage)]
    first = {stage: order.index(stage) for stage in ("reduce", "close", "fund", "adl")}
    last = {stage: len(order) - 1 - order[::-1].index(stage) for stage in first}
    assert last["close"] < first["fund"]
    assert last["fund"] < first["adl"]
    assert order.count("fund") == 1
    assert order.count("adl") == 2
    assert len(m.all(TakenOver)) == 1
    assert len(m.all(Deleveraged)) == 2


def test_liquidation_started_says_what_is_at_stake() -> None:
    m = long_ten()
    m.index("94")
    started = m.only(LiquidationStarted)
    assert (started.equity_q, started.maintenance_q) == (usd("40"), usd("47"))
    assert started.notional_q == usd("940")


def test_fees_of_the_book_stage_and_takeover_add_up() -> None:
    """At 91 equity is 10. Half sold with a fee of 1 % (4.55), the rest taken over with 5.45."""
    m = long_ten(fees=FeeRule(liquidation_ppb=ppb("0.01")))
    m.buy(CAROL, "5", "91")
    m.index("91")
    ended = m.only(LiquidationEnded)
    assert (ended.fee_q, ended.surrender_q) == (-usd("4.55"), -usd("5.45"))
    assert m.equity(FUND) == usd("1010")
