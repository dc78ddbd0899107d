"""Isolated margin: a position with a pot of its own, fed from and returning to the cross account.

Long 10 at 100 with 10x: 100 of isolated margin. With ``w`` in the pot equity is
``w + 10 (p - 100)`` and maintenance ``0.5 p``.
"""

import pytest

from engine.commands import LEG_LONG
from engine.events import BalanceChanged, LiquidationEnded, LiquidationStarted
from engine.reasons import Reason
from risk.accounts import isolated_account_id
from risk.rulebook import FeeRule
from tests.market import FEES, FUND, Market, ppb, px, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(deposit: str = "300", **settings: object) -> Market:
    m = Market(rules(**settings))
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.isolate(ALICE)
    return m


def long_ten(deposit: str = "300", **settings: object) -> Market:
    m = market(deposit, **settings)
    m.trade(ALICE, BOB, "10", "100")
    return m


def pots(m: Market) -> tuple[int, int]:
    """Cross and isolated wallet."""
    return m.wallet(ALICE), m.pot(ALICE, "PERP").wallet_q


def test_opening_moves_initial_margin_into_the_pot() -> None:
    m = long_ten()
    assert pots(m) == (usd("200"), usd("100"))
    assert m.held(ALICE).isolated
    assert m.pot(ALICE).positions == []


def test_an_open_order_holds_its_margin_in_the_cross_account() -> None:
    """Buy 10 at 99: 10 % of 1,000 at the mark = 100 held; 200 left. Half filled: the pot gains 5 by
    the price and has the margin of its position; what more the rest needs is 50 less those 5."""
    m = market()
    order = m.buy(ALICE, "10", "99")
    assert (m.pot(ALICE).initial_q, m.pot(ALICE).free_q) == (usd("100"), usd("200"))
    m.sell(BOB, "5", "99")
    assert pots(m) == (usd("250"), usd("50"))
    assert m.pot(ALICE, "PERP").equity_q == usd("55")
    assert m.pot(ALICE).initial_q == usd("50")
    m.cancel(ALICE, order)
    assert m.pot(ALICE).initial_q == 0


def test_more_than_the_cross_account_has_free_is_refused() -> None:
    m = market("99.99")
    m.buy(ALICE, "10", "100")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("100"), usd("99.99"))


def test_the_hold_includes_fee_and_open_loss() -> None:
    """Buy 10 at 102: margin 100 at the mark + loss 20 + 0.1 % of 1,020 = 1.02 -> 121.02."""
    m = market("121.01", fees=FeeRule(taker_ppb=ppb("0.001")))
    m.buy(ALICE, "10", "102")
    assert m.refusal().required_q == usd("121.02")


def test_fees_are_paid_by_the_cross_account() -> None:
    """0.1 % of 1,000 = 1."""
    m = long_ten(fees=FeeRule(taker_ppb=ppb("0.001")))
    assert pots(m) == (usd("199"), usd("100"))
    assert m.wallet(FEES) == usd("1")


def test_partial_close_returns_its_share_of_the_pot() -> None:
    """At 110 equity is 200; closing 4 of 10 frees 80. What is left: 6 with 120 of equity."""
    m = long_ten()
    m.index("110")
    m.trade(BOB, ALICE, "4", "110")
    assert m.wallet(ALICE) == usd("280")
    assert m.pot(ALICE, "PERP").equity_q == usd("120")
    assert m.lots(ALICE) == size("6")


@pytest.mark.parametrize(("price", "back"), [("110", "400"), ("95", "250"), ("100", "300")])
def test_full_close_returns_everything(price: str, back: str) -> None:
    m = long_ten()
    m.index(price)
    m.trade(BOB, ALICE, "10", price)
    assert pots(m) == (usd(back), 0)


def test_flipping_closes_one_pot_and_fills_the_next() -> None:
    """At 110: the long returns 200 (cross 400), short 5 at 110 takes 55."""
    m = long_ten()
    m.index("110")
    m.trade(BOB, ALICE, "15", "110")
    assert pots(m) == (usd("345"), usd("55"))
    assert m.lots(ALICE) == -size("5")


def test_liquidation_stops_at_the_pot() -> None:
    """w = 100: 10 p - 900 < 0.5 p below 94.7368. At 94.73 equity is 47.30 and the fund takes it."""
    m = long_ten()
    m.deposit(FUND, "1000")
    m.index("94.74")
    assert not m.all(LiquidationStarted)
    m.index("94.73")
    started = m.only(LiquidationStarted)
    assert started.margin_account_id == isolated_account_id(ALICE, 0, 0)
    assert (started.equity_q, started.maintenance_q) == (usd("47.30"), usd("47.365"))
    assert pots(m) == (usd("200"), 0)
    assert m.equity(FUND) == usd("1047.30")
    assert m.only(LiquidationEnded).surrender_q == -usd("47.30")


def test_bankruptcy_of_the_pot_does_not_touch_the_cross_account() -> None:
    """The index gaps to 80: the pot is at -100, the trader keeps 200."""
    m = long_ten()
    m.deposit(FUND, "1000")
    m.index("80")
    assert pots(m) == (usd("200"), 0)
    assert m.equity(FUND) == usd("900")


def test_added_margin_moves_the_liquidation_price_away() -> None:
    """w = 150: 10 p - 850 < 0.5 p below 89.4737."""
    m = long_ten()
    assert m.held(ALICE).liquidation_ticks == px("94.73")
    m.adjust(ALICE, "50")
    assert pots(m) == (usd("150"), usd("150"))
    assert [e.amount_q for e in m.all(BalanceChanged)[-2:]] == [-usd("50"), usd("50")]
    assert m.held(ALICE).liquidation_ticks == px("89.47")
    m.index("89.48")
    assert not m.all(LiquidationStarted)
    m.index("89.47")
    assert m.all(LiquidationStarted)


def test_no_more_can_be_added_than_the_cross_account_has_free() -> None:
    m = long_ten()
    m.adjust(ALICE, "200.000001")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("200.000001"), usd("200"))


def test_margin_above_initial_can_be_taken_back() -> None:
    """Mark 99: initial 99, equity 150 - 10 = 140, so 41 may go and not a millionth more."""
    m = long_ten()
    m.adjust(ALICE, "50")
    m.index("99")
    m.adjust(ALICE, "-41.000001")
    assert m.refusal().free_q == usd("41")
    m.adjust(ALICE, "-41")
    assert pots(m) == (usd("191"), usd("109"))


def test_unrealised_profit_cannot_be_taken_out_of_the_pot() -> None:
    """At 120 equity is 300, of which 200 is unrealised; the 100 left do not reach initial 120."""
    m = long_ten()
    m.index("120")
    m.adjust(ALICE, "-1")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    assert m.refusal().free_q == -usd("20")


def test_unrealised_profit_of_the_cross_account_cannot_fill_a_pot() -> None:
    """Cross long of OTHER gains 500 on a wallet of 100: only the wallet's free part may move.

    | equity 600 | initial of OTHER 150 | equity without profit 100 | free to move: none |
    """
    m = Market()
    m.add("OTHER")
    m.open(ALICE, deposit="100")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100", "OTHER")
    m.index("150", "OTHER")
    assert (m.equity(ALICE), m.pot(ALICE).initial_q) == (usd("600"), usd("150"))
    m.isolate(ALICE)
    m.buy(ALICE, "20", "100")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("200"), -usd("50"))


def test_a_pot_is_never_opened_with_less_than_its_initial_margin() -> None:
    """Whatever was accepted is funded in full when it fills, or cancelled before.

    50 and 50 of 100. OTHER at 101 asks for 50.50, and its profit of 5 cannot move.
    """
    m = market("100")
    m.add("OTHER")
    m.index("100", "OTHER")
    order = m.buy(ALICE, "5", "100")
    m.trade(ALICE, BOB, "5", "100", "OTHER")
    m.index("101", "OTHER")
    gone = m.only_closed(order)
    assert (gone.reason, gone.remaining_lots) == (Reason.MARGIN_LOST, size("5"))
    m.sell(BOB, "5", "100")
    assert m.lots(ALICE) == 0


def test_modes_cannot_change_with_a_position() -> None:
    m = long_ten()
    m.isolate(ALICE, isolated=False)
    assert m.refusal().reason == Reason.POSITION_OR_ORDERS_OPEN
    m.trade(BOB, ALICE, "10", "100")
    m.isolate(ALICE, isolated=False)
    m.trade(ALICE, BOB, "10", "100")
    assert not m.held(ALICE).isolated


def test_a_leg_of_zero_is_refused_in_hedge_mode() -> None:
    m = market()
    m.hedge(ALICE)
    m.buy(ALICE, "1", "100", leg=LEG_LONG)
    m.sell(BOB, "1", "100")
    m.adjust(ALICE, "1")
    assert m.refusal().reason == Reason.WRONG_LEG
    m.adjust(ALICE, "1", leg=LEG_LONG)
    assert m.pot(ALICE, "PERP", LEG_LONG).wallet_q == usd("11")
