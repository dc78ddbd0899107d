"""The rule of docs/margin_check.md: whichever orders fill, in whatever order, margin has paid.

Everywhere: mark 100, 10x (initial margin 10 %), 5 % maintenance, no fees unless said.
"""

from typing import Any

import pytest

from engine.commands import IOC
from engine.events import (
    BadDebtBooked,
    BalanceChanged,
    CommandRejected,
    LiquidationStarted,
    OrderAmended,
)
from engine.reasons import Reason
from engine.routing.bus import Latency
from risk.accounts import FUND
from risk.rulebook import FeeRule, WithdrawalRule
from tests.market import Market, flat, liquidation, ppb, px, rules, size, usd

ALICE, FRIEND, OTHER = 100, 101, 102
FEES = FeeRule(maker_ppb=ppb("0.0002"), taker_ppb=ppb("0.001"))


def market(deposit: str, *, isolated: bool = False, band: str = "0.1", **settings: Any) -> Market:
    """Alice has ``deposit``; her friend, somebody else and the fund have plenty."""
    m = Market(rules(**settings), listed=False)
    m.add("PERP", band_ppb=ppb(band), margin=flat("0.05", 10))
    m.open(ALICE, deposit=deposit)
    m.open(FRIEND, OTHER, deposit="100000")
    m.deposit(FUND, "100000")
    m.index("100")
    if isolated:
        m.isolate(ALICE)
    return m


def together(m: Market) -> int:
    """What Alice and her friend hold, in quanta."""
    return sum(pot.equity_q for who in (ALICE, FRIEND) for pot in m.report(who).margin_accounts)


def nobody_pays(m: Market) -> None:
    m.tick()
    assert m.equity(FUND) >= usd("100000")
    assert m.equity(OTHER) == usd("100000")
    assert not m.all(BadDebtBooked)


both_modes = pytest.mark.parametrize("isolated", [False, True], ids=["cross", "isolated"])


# market orders


def test_a_market_order_goes_as_far_as_margin_carries_it() -> None:
    """10 at 100 need 100; of 130 are 30 left for a loss: 3 a unit. An offer at 103 is taken, one
    at 103.01 is not."""
    for price, lots in (("103", "10"), ("103.01", "0")):
        m = market("130")
        m.sell(FRIEND, "10", price)
        m.buy(ALICE, "10")
        assert m.lots(ALICE) == size(lots)
        nobody_pays(m)


def test_a_market_order_of_a_rich_account_reaches_the_edge_of_the_band() -> None:
    m = market("1000")
    m.sell(FRIEND, "10", "110")
    m.buy(ALICE, "10")
    assert m.lots(ALICE) == size("10")


def test_a_market_order_that_cannot_pay_for_the_assumed_slippage_is_refused() -> None:
    """1 % of 1,000 is 10: 110 are asked for."""
    m = market("109.99", market_slippage_ppb=ppb("0.01"))
    m.buy(ALICE, "10")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert m.refusal().required_q == usd("110")


# closing


@both_modes
@pytest.mark.parametrize(("price", "allowed"), [("90", True), ("89.99", False)])
def test_a_closing_order_goes_down_to_bankruptcy_and_no_further(
    isolated: bool, price: str, allowed: bool
) -> None:
    """Long 10 with 100: at 90 all of it is lost."""
    m = market("100", isolated=isolated, band="0.5")
    m.trade(ALICE, FRIEND, "10", "100")
    m.buy(FRIEND, "10", price)
    order = m.sell(ALICE, "10", price)
    assert m.accepted(order) == allowed
    if not allowed:
        assert m.refusal().reason == Reason.CLOSES_PAST_BANKRUPTCY
        assert m.refusal().detail == "price 8999; bankrupt beyond 9000 ticks"
    assert m.lots(ALICE) == (0 if allowed else size("10"))
    nobody_pays(m)


@both_modes
def test_the_fee_of_a_closing_order_counts_and_makes_no_debt(isolated: bool) -> None:
    """Long 10 with 100: sold at 90.09 it loses 99.10 and pays 0.9009; at 90.08 it is bankrupt."""
    m = market("101", isolated=isolated, fees=FEES)
    m.trade(ALICE, FRIEND, "10", "100")
    pot = m.pot(ALICE, "PERP" if isolated else "")
    m.sell(ALICE, "10", "90.07")
    assert m.refusal().reason == Reason.CLOSES_PAST_BANKRUPTCY
    assert m.refusal().free_q == pot.equity_q
    m.buy(FRIEND, "10", "90.10")
    m.sell(ALICE, "10", None)
    assert m.lots(ALICE) == 0
    assert m.equity(ALICE) >= 0
    nobody_pays(m)


@both_modes
def test_a_closing_market_order_stops_at_bankruptcy(isolated: bool) -> None:
    m = market("100", isolated=isolated, band="0.5")
    m.trade(ALICE, FRIEND, "10", "100")
    m.buy(FRIEND, "10", "80")
    order = m.sell(ALICE, "10")
    assert m.only_closed(order).remaining_lots == size("10")
    assert m.lots(ALICE) == size("10")


def test_what_a_resting_close_would_lose_cannot_be_withdrawn() -> None:
    """An offer at 95 rests where nobody bids: 50 of 150 are held for it, 100 for the position."""
    m = market("150", band="0")
    m.trade(ALICE, FRIEND, "10", "100")
    m.sell(ALICE, "10", "95")
    assert (m.pot(ALICE).initial_q, m.pot(ALICE).free_q) == (usd("150"), 0)
    m.withdraw(ALICE, "0.000001")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    m.buy(FRIEND, "10", "95")
    assert m.equity(ALICE) == usd("100")
    nobody_pays(m)


@both_modes
def test_a_flip_is_paid_for_on_both_of_its_parts(isolated: bool) -> None:
    """Long 10 with 100: a sell of 20 at 95 loses 50 on the long and 50 at the start of the short,
    which needs 100: 200 are asked for."""
    for deposit, allowed in (("200", True), ("199.99", False)):
        m = market(deposit, isolated=isolated)
        m.trade(ALICE, FRIEND, "10", "100")
        m.buy(FRIEND, "20", "95")
        assert m.accepted(m.sell(ALICE, "20", "95")) == allowed
        if allowed:
            assert m.lots(ALICE) == -size("10")
            pot = m.pot(ALICE, "PERP" if isolated else "")
            assert pot.equity_q == usd("100")
        nobody_pays(m)


@both_modes
def test_a_close_behind_a_resting_order_leaves_no_pot_below_zero(isolated: bool) -> None:
    """An offer of 20 far away counts as opening; the next of 10 fills first and closes."""
    m = market("1500", isolated=isolated)
    m.trade(ALICE, FRIEND, "10", "100")
    m.sell(ALICE, "20", "109.90")
    m.buy(FRIEND, "10", "90")
    m.sell(ALICE, "10", "90")
    assert together(m) == usd("101500")
    nobody_pays(m)


# what is held


@both_modes
def test_every_order_pays_for_its_own_loss(isolated: bool) -> None:
    """Buys of 5 at 104 and of 5 at 90: the second one's gain pays nothing. 100 and 20."""
    m = market("1000", isolated=isolated)
    m.buy(ALICE, "5", "104")
    m.buy(ALICE, "5", "90")
    assert m.pot(ALICE).initial_q == usd("120")


@both_modes
def test_quotes_on_both_sides_need_the_larger_side(isolated: bool) -> None:
    m = market("100", isolated=isolated)
    assert m.accepted(m.buy(ALICE, "10", "99"))
    assert m.accepted(m.sell(ALICE, "10", "101"))
    assert m.pot(ALICE).initial_q == usd("100")


@both_modes
def test_nothing_is_held_when_nothing_is_open(isolated: bool) -> None:
    m = market("1000", isolated=isolated, fees=FEES)
    order = m.buy(ALICE, "10", "99")
    # 10 % of 1,000 and 0.1 % of 990.
    assert m.pot(ALICE).initial_q == usd("100.99")
    m.cancel(ALICE, order)
    assert (m.pot(ALICE).initial_q, m.pot(ALICE).free_q) == (0, usd("1000"))


def test_an_isolated_fill_brings_its_loss_into_the_pot() -> None:
    """Bought 9 % above the mark: the pot has the margin of the position at the mark."""
    m = market("1000", isolated=True)
    m.sell(OTHER, "10", "109")
    m.buy(ALICE, "10", "109")
    pot = m.pot(ALICE, "PERP")
    assert (pot.wallet_q, pot.equity_q) == (usd("190"), usd("100"))
    assert not m.all(LiquidationStarted)


def test_an_isolated_short_sold_below_the_mark_has_its_margin_at_the_mark() -> None:
    m = market("1000", isolated=True)
    m.buy(OTHER, "10", "91")
    m.sell(ALICE, "10", "91")
    assert m.pot(ALICE, "PERP").equity_q == usd("100")


def test_a_better_price_takes_no_more_than_was_held() -> None:
    m = market("190", isolated=True)
    m.sell(OTHER, "10", "95")
    m.buy(ALICE, "10", "109")
    assert (m.wallet(ALICE), m.pot(ALICE, "PERP").equity_q) == (usd("90"), usd("150"))


# marks and positions that go


@both_modes
def test_an_order_the_mark_has_passed_beyond_its_margin_is_cancelled(isolated: bool) -> None:
    """A bid of 10 at 100 with 130: at 96.67 it asks for 96.67 of margin and a loss of 33.30, which
    is 129.97; at 96.66 for 130.06."""
    m = market("130", isolated=isolated)
    order = m.buy(ALICE, "10", "100")
    m.index("96.67")
    assert m.exchange.book(0).best_bid_ticks() == px("100")
    m.index("96.66")
    gone = m.only_closed(order)
    assert (gone.reason, gone.remaining_lots) == (Reason.MARGIN_LOST, size("10"))
    nobody_pays(m)


@both_modes
def test_whichever_way_the_mark_goes_a_pair_of_quotes_costs_nobody(isolated: bool) -> None:
    for price in ("80", "125"):
        m = market("120", isolated=isolated)
        m.buy(ALICE, "10", "100")
        m.sell(ALICE, "10", "101")
        m.index(price)
        m.sell(FRIEND, "10", price, tif=IOC)
        m.buy(FRIEND, "10", price, tif=IOC)
        assert m.lots(ALICE) == 0
        nobody_pays(m)


def test_an_order_whose_position_was_deleveraged_is_covered_again_or_goes() -> None:
    """Alice's offer of 10 closes her long of 10. At 110.50 the short is bankrupt and her long is
    closed at 110: she has 200. The offer would open now and asks for 110.50 beside the 90 of her
    other position: it goes."""
    m = market("100", liquidation=liquidation(["cancel", "adl", "socialise"]))
    m.add("SECOND")
    m.index("100", "SECOND")
    m.open(103, deposit="100")
    m.trade(ALICE, 103, "10", "100")
    order = m.sell(ALICE, "10", "110")
    m.cancel(ALICE, order)
    m.index("110")
    order = m.sell(ALICE, "10", "120")
    m.trade(ALICE, FRIEND, "9", "100", "SECOND")
    m.index("110.50")
    assert (m.lots(ALICE), m.equity(ALICE)) == (0, usd("200"))
    assert m.only_closed(order).reason == Reason.MARGIN_LOST


def test_a_resting_close_is_cut_so_that_two_closes_never_open() -> None:
    """Equity below initial: an offer of 10 rests, a close of 4 is accepted, the offer keeps 6."""
    m = market("100")
    m.trade(ALICE, FRIEND, "10", "100")
    m.index("98")
    first = m.sell(ALICE, "10", "105")
    second = m.sell(ALICE, "4", "104", reduce_only=True)
    assert m.accepted(second)
    assert m.last(OrderAmended).order_id == first
    m.buy(FRIEND, "20", "106")
    assert m.lots(ALICE) == 0


@pytest.mark.parametrize("reduce_only", [False, True])
def test_a_close_beside_a_take_profit_is_accepted(reduce_only: bool) -> None:
    m = market("100")
    m.trade(ALICE, FRIEND, "10", "100")
    m.sell(ALICE, "10", "110", reduce_only=True)
    m.index("97")
    m.buy(FRIEND, "20", "96.90")
    m.sell(ALICE, "10", None, reduce_only=reduce_only)
    assert m.lots(ALICE) == 0
    assert m.report(ALICE).open_order_ids == []


# isolated pots: leverage and profit


def test_a_higher_leverage_frees_margin_of_an_open_pot() -> None:
    m = market("1000", isolated=True)
    m.leverage(ALICE, 5)
    m.trade(ALICE, FRIEND, "10", "100")
    assert m.pot(ALICE, "PERP").wallet_q == usd("200")
    m.leverage(ALICE, 10)
    assert (m.wallet(ALICE), m.pot(ALICE, "PERP").wallet_q) == (usd("900"), usd("100"))
    assert [event.cause for event in m.all(BalanceChanged)[-2:]] == ["leverage", "leverage"]


def test_a_lower_leverage_takes_what_is_missing_from_the_cross_account() -> None:
    m = market("250", isolated=True)
    m.trade(ALICE, FRIEND, "10", "100")
    m.leverage(ALICE, 4)
    assert (m.wallet(ALICE), m.pot(ALICE, "PERP").wallet_q) == (0, usd("250"))
    m.leverage(ALICE, 3)
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    assert m.held(ALICE).leverage == 4


def test_the_same_leverage_moves_nothing() -> None:
    m = market("1000", isolated=True)
    m.trade(ALICE, FRIEND, "10", "100")
    m.index("97")
    m.leverage(ALICE, 10)
    assert (m.wallet(ALICE), m.pot(ALICE, "PERP").wallet_q) == (usd("900"), usd("100"))


@pytest.mark.parametrize("leaves", [False, True])
def test_profit_leaves_a_pot_where_the_rulebook_says_so(leaves: bool) -> None:
    """Equity 300 at 120, initial margin 120."""
    m = market("1000", isolated=True, withdrawal=WithdrawalRule(unrealised_profit=leaves))
    m.trade(ALICE, FRIEND, "10", "100")
    m.index("120")
    m.adjust(ALICE, "-180.01")
    assert m.refusal().reason == Reason.INSUFFICIENT_FREE_COLLATERAL
    assert m.refusal().free_q == (usd("180") if leaves else -usd("20"))
    m.adjust(ALICE, "-180")
    assert m.pot(ALICE, "PERP").equity_q == (usd("120") if leaves else usd("300"))


# under way


def test_a_withdrawal_between_an_order_and_its_fill_leaves_what_the_fill_takes() -> None:
    """10 at 105 above a mark of 100: a margin of 100 and a loss of 50 are kept of 300."""
    second = 10**9
    m = Market(rules(), Latency(risk_to_matching_ns=second), listed=False)
    m.add("PERP")
    m.exchange.run_until(second)
    for who, deposit in ((ALICE, "300"), (FRIEND, "100000")):
        m.open(who, deposit=deposit)
    m.isolate(ALICE)
    m.index("100")
    m.now_ns = 2 * second
    m.exchange.run_until(m.now_ns)
    m.buy(ALICE, "10", "105")
    m.withdraw(ALICE, "150.000001")
    assert m.last(CommandRejected).free_q == usd("150")
    m.withdraw(ALICE, "150")
    m.sell(FRIEND, "10", "105")
    m.exchange.run_until(10 * second)
    assert m.pot(ALICE, "PERP").equity_q == usd("100")
    m.exchange.check_invariants()


# many fills, many closes


@both_modes
def test_fees_of_many_fills_round_up_to_no_more_than_was_held(isolated: bool) -> None:
    """20 fills of a lot, each with its fee rounded up, and 100 lots rest."""
    m = market("0", isolated=isolated, fees=FEES)
    m.index("100.01")
    for _ in range(20):
        m.sell(OTHER, "0.01", "100.01")
    m.buy(ALICE, "1.20", "100.01")
    needed_q = m.refusal().required_q
    m.deposit(ALICE, str(needed_q / 1_000_000))
    m.buy(ALICE, "1.20", "100.01")
    assert m.lots(ALICE) == size("0.20")
    assert m.pot(ALICE).free_q >= 0


@both_modes
def test_what_a_market_order_opens_moves_the_cover_of_the_bids_that_rest(isolated: bool) -> None:
    m = market("250", isolated=isolated)
    m.sell(OTHER, "10", "100")
    bid = m.buy(ALICE, "10", "99")
    m.buy(ALICE, "10")
    for price in ("98", "97", "96", "94"):
        m.index(price)
    assert m.only_closed(bid).reason == Reason.MARGIN_LOST


@both_modes
def test_reduce_only_orders_lose_no_more_together_than_on_the_position(isolated: bool) -> None:
    """Four offers of 10 at 95 on a long of 10: 50 can be lost, and the fifth at 90 makes it 100."""
    m = market("300", isolated=isolated, band="0.5")
    m.trade(ALICE, OTHER, "10", "100")
    for _ in range(4):
        assert m.accepted(m.sell(ALICE, "10", "95", reduce_only=True))
    if not isolated:
        assert m.pot(ALICE).initial_q == usd("150")
    assert m.accepted(m.sell(ALICE, "10", "90", reduce_only=True))
