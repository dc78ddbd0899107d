"""What an account is told about itself, held against what really happens.

Long 10 at 100 with 150: equity ``10 p - 850``, maintenance ``0.5 p``.
"""

import pytest

from engine import commands as c
from engine.events import AccountReport, LiquidationStarted
from tests.market import Market, levels, ppb, px, rules, size, tiers, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(deposit: str = "150", **contract: object) -> Market:
    m = Market(rules(levels=levels(alert="2", liquidate="1")), listed=False)
    m.add("PERP", **contract)
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="1000000")
    m.index("100")
    return m


def test_figures_of_a_position() -> None:
    """At 95: equity 100, initial 95, maintenance 47.50.

    liquidation 850 / 9.5 = 89.47, 5.53 below 95: 5.821 %; bankruptcy 85.
    """
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    m.index("95")
    pot = m.pot(ALICE)
    assert (pot.wallet_q, pot.equity_q) == (usd("150"), usd("100"))
    assert (pot.initial_q, pot.maintenance_q) == (usd("95"), usd("47.50"))
    assert (pot.free_q, pot.withdrawable_q) == (usd("5"), usd("5"))
    # 100 / 950 = 0.105263157...
    assert pot.margin_ratio_ppb == 105_263_157
    assert (pot.level, pot.level_name) == (0, "healthy")
    held = m.held(ALICE)
    assert (held.qty_lots, held.entry_value_q) == (size("10"), usd("1000"))
    assert (held.mark_ticks, held.unrealised_q) == (px("95"), -usd("50"))
    assert (held.liquidation_ticks, held.bankruptcy_ticks) == (px("89.47"), px("85"))
    assert held.distance_ppb == 5_530_000_000_000_000 // 95_000_000
    m.index("94")
    # 90 < 94
    assert m.pot(ALICE).level_name == "alert"


def test_figures_of_a_short() -> None:
    """1150 - 10 p < 0.5 p above 109.5238; bankruptcy 115."""
    m = market()
    m.trade(BOB, ALICE, "10", "100")
    held = m.held(ALICE)
    assert (held.liquidation_ticks, held.bankruptcy_ticks) == (px("109.53"), px("115"))
    m.index("109.52")
    assert not m.all(LiquidationStarted)
    m.index("109.53")
    assert m.all(LiquidationStarted)


def test_an_idle_account_has_no_ratio() -> None:
    m = market()
    pot = m.pot(ALICE)
    assert (pot.margin_ratio_ppb, pot.positions, pot.free_q) == (-1, [], usd("150"))


def test_a_position_that_cannot_be_liquidated_says_so() -> None:
    """1,000 behind a long of 1,000: at one tick there is still 0.10 left of 0.005."""
    m = market("1000")
    m.trade(ALICE, BOB, "10", "100")
    held = m.held(ALICE)
    assert (held.liquidation_ticks, held.bankruptcy_ticks, held.distance_ppb) == (-1, -1, -1)
    m.index("0.01")
    assert not m.all(LiquidationStarted)


def test_open_orders_are_listed_until_they_end() -> None:
    m = market()
    first = m.buy(ALICE, "1", "90")
    second = m.buy(ALICE, "1", "91")
    assert m.report(ALICE).open_order_ids == [first, second]
    m.cancel(ALICE, first)
    assert m.report(ALICE).open_order_ids == [second]


def test_the_report_is_the_answer_to_a_query_and_changes_nothing() -> None:
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    before = m.exchange.state_hash()
    (answer,) = m.send(c.QueryAccount(m.now_ns, ALICE))
    assert isinstance(answer, AccountReport)
    assert answer == m.report(ALICE)
    assert m.exchange.state_hash() == before


def test_the_tier_at_the_liquidation_price_decides() -> None:
    """5 % up to 900, then 10 % with 45 deducted. Long 10 at 100, 5x, 200 in the account.

    Today's tier: 10 p - 800 < p - 45 below 83.89, but there 838.90 is in the lower tier:
    10 p - 800 < 0.5 p below 84.2105.
    """
    table = tiers(("900", "0.05", 10, "0"), ("1000000", "0.10", 5, "45"))
    m = market("200", margin=table)
    for trader in (ALICE, BOB):
        m.leverage(trader, 5)
    m.trade(ALICE, BOB, "10", "100")
    assert m.held(ALICE).liquidation_ticks == px("84.21")
    m.index("84.22")
    assert not m.all(LiquidationStarted)
    m.index("84.21")
    assert m.all(LiquidationStarted)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("half", ["0.01", "1.67", "5.99"])
@pytest.mark.parametrize("deposit", ["150", "151.234567", "700"])
@pytest.mark.parametrize("second", ["97.03", "100", "101.77"])
def test_the_liquidation_price_is_where_it_happens(
    side: int, half: str, deposit: str, second: str
) -> None:
    """After averaging in: not at the last tick before the price, but at the price."""
    m = market(deposit, margin=tiers(("500", "0.05", 10, "0"), ("1000000", "0.06", 10, "5")))
    for price in ("100", second):
        m.open(BOB, deposit="1")
        buyer, seller = (ALICE, BOB) if side > 0 else (BOB, ALICE)
        m.trade(buyer, seller, half, price)
    fatal = m.held(ALICE).liquidation_ticks
    if fatal < 0:
        m.index("0.01" if side > 0 else "1000000")
        assert not m.all(LiquidationStarted)
        return
    m.index(f"{(fatal + side) // 100}.{(fatal + side) % 100:02d}")
    assert [e for e in m.all(LiquidationStarted) if e.margin_account_id == ALICE] == []
    m.index(f"{fatal // 100}.{fatal % 100:02d}")
    assert [e for e in m.all(LiquidationStarted) if e.margin_account_id == ALICE]


def test_the_cross_price_holds_other_marks_still() -> None:
    """OTHER (5 at 20, lost 10) lowers equity by 10 and adds 4.50 at 18... so PERP falls earlier.

    At OTHER 18: 10 p - 860 < 0.5 p + 4.50 below 91.0
    """
    m = market()
    m.add("OTHER")
    m.index("20", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(ALICE, BOB, "5", "20", "OTHER")
    m.index("18", "OTHER")
    # 9.5 p < 864.50: 91.00 itself is safe (equity 50 = 45.50 + 4.50)
    assert m.held(ALICE).liquidation_ticks == px("90.99")
    m.index("91")
    assert not m.all(LiquidationStarted)
    m.index("90.99")
    assert m.all(LiquidationStarted)


def test_free_collateral_may_be_below_zero() -> None:
    """At 92: equity 70, initial 92."""
    m = market()
    m.trade(ALICE, BOB, "10", "100")
    m.index("92")
    assert (m.pot(ALICE).free_q, m.pot(ALICE).withdrawable_q) == (-usd("22"), 0)
    assert ppb("0.076086956") == m.pot(ALICE).margin_ratio_ppb
