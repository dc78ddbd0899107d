"""The check before the book: initial margin, the worse side, open loss, leverage, bands, sizes.

Everywhere: mark 100, 10x, so a position of 10 is worth 1,000 and needs 100.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import LEG_NET
from engine.events import OrderAmended, OrderFilled
from engine.reasons import Reason
from engine.units import Rate
from risk.check.pretrade import _cost_q, worst_paid_ticks
from risk.rulebook import FeeRule
from tests.market import Market, flat, ppb, px, rules, size, tiers, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(deposit: str, *, contract: dict[str, Any] | None = None, **settings: Any) -> Market:
    """Alice has ``deposit``, the others plenty."""
    m = Market(rules(**settings), listed=False)
    m.add("PERP", **(contract or {}))
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="1000000")
    m.index("100")
    return m


def initial(m: Market) -> int:
    return m.pot(ALICE).initial_q


def test_equity_equal_to_initial_margin_is_enough() -> None:
    m = market("100")
    assert m.accepted(m.buy(ALICE, "10", "100"))
    assert (initial(m), m.pot(ALICE).free_q) == (usd("100"), 0)


def test_one_lot_more_is_refused_with_the_figures() -> None:
    """10.01 x 100 / 10 = 100.10 against 100."""
    m = market("100")
    m.buy(ALICE, "10.01", "100")
    refusal = m.refusal()
    assert refusal.reason == Reason.INSUFFICIENT_MARGIN
    assert (refusal.required_q, refusal.free_q) == (usd("100.10"), usd("100"))
    assert initial(m) == 0


def test_the_taker_fee_is_part_of_the_requirement() -> None:
    """100 of margin + 0.05 % of 1,000 = 100.50."""
    fees = FeeRule(maker_ppb=0, taker_ppb=ppb("0.0005"))
    m = market("100.499999", fees=fees)
    m.buy(ALICE, "10", "100")
    assert m.refusal().required_q == usd("100.50")
    m.deposit(ALICE, "0.000001")
    assert m.accepted(m.buy(ALICE, "10", "100"))


def test_orders_on_both_sides_reserve_the_worse_one() -> None:
    """Buys 10, sells 10: max(10, 10) -> 100. Sells 15: 150. One lot more: 150.10."""
    m = market("150")
    m.buy(ALICE, "10", "100")
    assert m.accepted(m.sell(ALICE, "10", "101"))
    assert initial(m) == usd("100")
    assert m.accepted(m.sell(ALICE, "5", "102"))
    assert initial(m) == usd("150")
    m.sell(ALICE, "0.01", "102")
    assert m.refusal().required_q == usd("150.10")


@pytest.mark.parametrize(
    ("held", "buys", "sells", "worse"),
    [
        ("10", "0", "0", "10"),
        ("10", "5", "0", "15"),
        ("10", "0", "20", "10"),
        ("10", "0", "25", "15"),
        ("10", "3", "24", "14"),
        ("10", "0", "10", "10"),
    ],
)
def test_worse_side_of_a_position_with_orders(held: str, buys: str, sells: str, worse: str) -> None:
    """``max(|pos + buys|, |pos - sells|)``, and never less than the position itself."""
    m = market("10000")
    m.trade(ALICE, BOB, held, "100")
    if buys != "0":
        m.buy(ALICE, buys, "99")
    if sells != "0":
        m.sell(ALICE, sells, "101")
    assert initial(m) == usd(worse) * 10


def test_margin_is_free_again_when_the_order_is_cancelled() -> None:
    m = market("100")
    order = m.buy(ALICE, "10", "99")
    m.buy(ALICE, "0.01", "99")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    m.cancel(ALICE, order)
    assert initial(m) == 0
    assert m.accepted(m.buy(ALICE, "10", "99"))


def test_an_order_through_the_mark_also_needs_its_open_loss() -> None:
    """Buy 10 at 102, mark 100: 100 of margin + 10 x 2 of loss = 120. At 98 there is no loss."""
    m = market("119.99")
    m.buy(ALICE, "10", "102")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("120"), usd("119.99"))
    m.deposit(ALICE, "0.01")
    order = m.buy(ALICE, "10", "102")
    assert m.accepted(order)
    assert initial(m) == usd("120")
    m.cancel(ALICE, order)
    m.buy(ALICE, "10", "98")
    assert initial(m) == usd("100")


def test_a_sell_below_the_mark_needs_its_open_loss() -> None:
    """Sell 10 at 97, mark 100: 100 + 10 x 3 = 130."""
    m = market("130")
    m.sell(ALICE, "10", "97")
    assert initial(m) == usd("130")


def test_market_order_is_margined_at_the_mark_worsened_by_the_slippage() -> None:
    """1 % slippage: 9.9 are assumed to cost 101: 99 of margin + 9.9 x 1 of loss = 108.90."""
    m = market("108.89", market_slippage_ppb=ppb("0.01"))
    m.sell(BOB, "20", "100")
    m.buy(ALICE, "9.9")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("108.90"), usd("108.89"))
    m.deposit(ALICE, "0.01")
    m.buy(ALICE, "9.9")
    assert m.last(OrderFilled).qty_lots == size("9.9")
    assert m.lots(ALICE) == size("9.9")


def test_market_order_never_rests() -> None:
    m = market("1000")
    m.sell(BOB, "3", "100")
    order = m.buy(ALICE, "5")
    assert m.lots(ALICE) == size("3")
    assert order not in m.report(ALICE).open_order_ids
    assert initial(m) == usd("30")


TWO_TIERS = tiers(("1000", "0.05", 10, "0"), ("1000000", "0.10", 5, "50"))


def test_leverage_must_be_allowed_at_the_notional_the_order_leads_to() -> None:
    """10x up to (not including) 1,000; from there 5x. 9.99 x 100 = 999, 10 x 100 = 1,000."""
    m = market("10000", contract={"margin": TWO_TIERS})
    assert m.accepted(m.buy(ALICE, "9.99", "100"))
    m.buy(ALICE, "0.01", "100")
    assert m.refusal().reason == Reason.LEVERAGE_ABOVE_MAXIMUM
    assert m.refusal().detail == "leverage 10; at most 5 at this notional"
    m.leverage(ALICE, 5)
    assert m.accepted(m.buy(ALICE, "0.01", "100"))
    # 1,000 / 5
    assert initial(m) == usd("200")


def test_chosen_leverage_decides_initial_margin() -> None:
    m = market("500")
    m.leverage(ALICE, 2)
    m.buy(ALICE, "10", "100")
    assert initial(m) == usd("500")


def test_leverage_is_lowered_only_as_far_as_the_margin_reaches() -> None:
    """A position of 1,000 with 300 of equity: 4x needs 250, 3x needs 333.333334 (rounded up)."""
    m = market("300")
    m.trade(ALICE, BOB, "10", "100")
    m.leverage(ALICE, 4)
    assert (initial(m), m.held(ALICE).leverage) == (usd("250"), 4)
    m.leverage(ALICE, 3)
    refusal = m.refusal()
    assert refusal.reason == Reason.INSUFFICIENT_MARGIN
    assert (refusal.required_q, refusal.free_q) == (usd("333.333334"), usd("300"))
    assert (initial(m), m.held(ALICE).leverage) == (usd("250"), 4)


def test_leverage_above_the_table_is_refused() -> None:
    m = market("300")
    m.leverage(ALICE, 11)
    assert m.refusal().detail == "leverage 11; allowed: 1 to 10"


@pytest.mark.parametrize(
    ("side", "price", "allowed"),
    [
        (1, "105.00", True),
        (1, "105.01", False),
        (-1, "95.00", True),
        (-1, "94.99", False),
        (1, "1.00", True),
        (-1, "900.00", True),
    ],
)
def test_price_band_stops_what_would_cross_far_from_the_mark(
    side: int, price: str, allowed: bool
) -> None:
    """5 % around 100: buys up to 105, sells down to 95; the passive direction is free."""
    m = market("100000", contract={"band_ppb": ppb("0.05")})
    order = m.order(ALICE, side, "1", price)
    assert m.accepted(order) is allowed
    if not allowed:
        assert m.refusal().reason == Reason.PRICE_OUTSIDE_BAND
        assert m.refusal().detail == f"price {px(price)}; allowed: 9500 to 10500 ticks"


def test_band_limits_are_rounded_to_the_inside() -> None:
    """1 % of 33.33: 32.9967 and 33.6633 -> 33.00 and 33.66."""
    m = market("100000", contract={"band_ppb": ppb("0.01")})
    m.index("33.33")
    m.buy(ALICE, "1", "33.67")
    assert m.refusal().detail == "price 3367; allowed: 3300 to 3366 ticks"


def test_market_order_stops_at_the_band() -> None:
    """5 %: of asks at 104 and 106 only the first is taken."""
    m = market("100000", contract={"band_ppb": ppb("0.05")})
    m.sell(BOB, "1", "104")
    m.sell(BOB, "1", "106")
    m.buy(ALICE, "2")
    assert m.lots(ALICE) == size("1")
    assert m.exchange.book(0).best_ask_ticks() == px("106")


def test_unrealised_profit_margins_new_orders_where_the_rules_say_so() -> None:
    """Long 10 at 100, mark 110: equity 200 of which 100 is profit; 11 need 10 % of 1,210 = 121."""
    for profit_counts, allowed in ((True, True), (False, False)):
        m = market("100", profit_margins_orders=profit_counts)
        m.trade(ALICE, BOB, "10", "100")
        m.index("110")
        order = m.buy(ALICE, "1", "110")
        assert m.accepted(order) is allowed
        if not allowed:
            assert (m.refusal().required_q, m.refusal().free_q) == (usd("121"), usd("100"))


def test_a_loss_always_counts_against_new_orders() -> None:
    """Mark 98: equity 80; position and order of 1 need 10 % of 1,078 = 107.80."""
    m = market("100", profit_margins_orders=False)
    m.trade(ALICE, BOB, "10", "100")
    m.index("98")
    m.buy(ALICE, "1", "98")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("107.80"), usd("80"))


@pytest.mark.parametrize("price", ["97", "95", None])
def test_an_order_that_only_closes_is_never_refused_for_margin(price: str | None) -> None:
    """Equity 80 is below the 98 the position needs, and selling below the mark makes it less."""
    m = market("100", market_slippage_ppb=ppb("0.01"), fees=FeeRule(taker_ppb=ppb("0.001")))
    m.deposit(ALICE, "1")
    m.trade(ALICE, BOB, "10", "100")
    m.index("98")
    assert m.pot(ALICE).free_q < 0
    m.buy(CAROL, "20", "97")
    assert m.accepted(m.sell(ALICE, "10", price))
    assert m.lots(ALICE) == 0


def test_closing_beyond_the_position_needs_margin_for_the_rest() -> None:
    """Long 10, equity 80 at 98: a larger sell would open, which nothing is left for."""
    m = market("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("98")
    m.sell(ALICE, "10.01", "99")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN


def test_what_margin_does_not_carry_as_an_opening_order_may_close() -> None:
    """An order already closes all of it: the next is accepted, and the first is cut so that both
    together close and never open."""
    m = market("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("98")
    first = m.sell(ALICE, "10", "99")
    second = m.sell(ALICE, "4", "99")
    assert m.accepted(first) and m.accepted(second)
    cut = m.only(OrderAmended)
    assert (cut.order_id, cut.remaining_lots) == (first, size("6"))
    m.buy(BOB, "14", "99")
    assert m.lots(ALICE) == 0


def test_two_contracts_share_the_cross_account() -> None:
    """Margin 10 % of 500 in each: 100 of 100 used, nothing left for either."""
    m = market("100")
    m.add("OTHER", margin=flat("0.01", 10))
    m.index("50", "OTHER")
    m.buy(ALICE, "5", "100")
    assert m.accepted(m.buy(ALICE, "10", "50", symbol="OTHER"))
    m.buy(ALICE, "0.01", "100")
    assert (m.refusal().required_q, m.refusal().free_q) == (usd("100.10"), usd("100"))


@given(
    inverse=st.booleans(),
    held=st.integers(-50, 50),
    side=st.sampled_from([1, -1]),
    lots=st.integers(1, 100),
    reach=st.integers(0, 20_000),
    means_q=st.integers(-(10**6), 10**10),
    rate=st.sampled_from(["0", "0.0004", "-0.0001", "0.05"]),
)
def test_the_worst_price_paid_for_is_the_last_of_all(
    inverse: bool, held: int, side: int, lots: int, reach: int, means_q: int, rate: str
) -> None:
    m = Market(rules(), listed=False)
    asset = {"asset": "BTC", "inverse": True, "multiplier": "100"} if inverse else {}
    m.add("PERP", tick="0.01", lot="1", **asset)
    m.open(ALICE, BOB, deposit="1000000", asset="BTC" if inverse else "USD")
    m.index("300")
    if held:
        buyer, seller = (ALICE, BOB) if held > 0 else (BOB, ALICE)
        m.trade(buyer, seller, str(abs(held)), "300")
    risk = m.exchange.risk
    position = risk.orders.position(
        risk.core.ledger.traders[BOB], risk.core.listings[m.ids["PERP"]], LEG_NET
    )
    fee = Rate(ppb(rate))
    edge = max(1, 30_000 + side * reach)

    def paid_for(ticks: int) -> bool:
        return _cost_q(position, side, lots, ticks, fee) <= means_q

    worst = worst_paid_ticks(position, side, lots, edge, means_q, fee)
    assert worst == edge or not paid_for(worst + side)
    assert worst == 30_000 or paid_for(worst)
