"""Hedge mode: a long and a short leg of one contract in one margin account.

Both legs pay initial and maintenance margin; gains of one cover the losses of the other.
"""

from engine.commands import LEG_LONG, LEG_SHORT
from engine.events import Deleveraged, LiquidationEnded, LiquidationStarted, OrderClosed
from engine.reasons import Reason
from risk.accounts import isolated_account_id
from tests.market import FUND, Market, px, rules, size, usd

ALICE, BOB, CAROL = 100, 101, 102


def market(deposit: str = "1000") -> Market:
    m = Market(rules())
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.hedge(ALICE)
    return m


def hedged(deposit: str, longs: str, shorts: str) -> Market:
    m = market(deposit)
    m.sell(BOB, longs, "100")
    m.buy(ALICE, longs, "100", leg=LEG_LONG)
    m.buy(BOB, shorts, "100")
    m.sell(ALICE, shorts, "100", leg=LEG_SHORT)
    return m


def test_legs_do_not_net() -> None:
    """10 long and 4 short: initial 100 + 40, maintenance 50 + 20."""
    m = hedged("1000", "10", "4")
    assert m.lots(ALICE, leg=LEG_LONG) == size("10")
    assert m.lots(ALICE, leg=LEG_SHORT) == -size("4")
    pot = m.pot(ALICE)
    assert (pot.initial_q, pot.maintenance_q) == (usd("140"), usd("70"))


def test_profit_of_one_leg_covers_the_other() -> None:
    """At 90: -100 + 40 = -60."""
    m = hedged("1000", "10", "4")
    m.index("90")
    assert m.equity(ALICE) == usd("940")
    assert m.held(ALICE, leg=LEG_LONG).unrealised_q == -usd("100")
    assert m.held(ALICE, leg=LEG_SHORT).unrealised_q == usd("40")


def test_an_order_against_a_leg_can_only_reduce_it() -> None:
    """Selling 15 on a long leg of 10 sells 10; buying on an empty short leg is refused."""
    m = hedged("1000", "10", "4")
    m.buy(BOB, "20", "100")
    m.sell(ALICE, "15", "100", leg=LEG_LONG)
    assert m.lots(ALICE, leg=LEG_LONG) == 0
    assert m.lots(ALICE, leg=LEG_SHORT) == -size("4")
    m.sell(ALICE, "1", "100", leg=LEG_LONG)
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE


def test_closing_a_leg_needs_no_margin() -> None:
    """Equity 140 is all used; at 95 equity is 110 of 133 and either leg may still be closed."""
    m = hedged("140", "10", "4")
    m.index("95")
    assert m.pot(ALICE).free_q == usd("110") - usd("133")
    m.sell(BOB, "4", "95")
    m.buy(ALICE, "4", "95", leg=LEG_SHORT)
    assert m.lots(ALICE, leg=LEG_SHORT) == 0


def test_both_legs_show_the_one_price_the_account_falls_at() -> None:
    """Equity 140 + 6 (p - 100); maintenance of both legs 0.05 x 14 p = 0.7 p.

    6 p - 460 < 0.7 p below 86.7925: at 86.79 it is 140 - 6 x 13.21 = 60.74 against 60.753.
    """
    m = hedged("140", "10", "4")
    for leg in (LEG_LONG, LEG_SHORT):
        assert m.held(ALICE, leg=leg).liquidation_ticks == px("86.79")
    m.index("86.80")
    assert not m.all(LiquidationStarted)
    m.index("86.79")
    started = m.only(LiquidationStarted)
    assert (started.equity_q, started.maintenance_q) == (usd("60.74"), usd("60.753"))


def test_equal_legs_fall_upwards_where_their_margin_grows() -> None:
    """10 and 10 with 200: equity stays 200 at every price; maintenance p passes it above 200."""
    m = hedged("200", "10", "10")
    assert m.held(ALICE, leg=LEG_LONG).liquidation_ticks == px("200.01")
    assert m.held(ALICE, leg=LEG_SHORT).liquidation_ticks == px("200.01")
    m.index("200")
    assert not m.all(LiquidationStarted)
    m.index("200.01")
    assert m.all(LiquidationStarted)


def test_the_fund_takes_both_legs_and_holds_the_net() -> None:
    m = hedged("140", "10", "4")
    m.deposit(FUND, "1000")
    m.sell(ALICE, "2", "120", leg=LEG_LONG)
    m.index("86.79")
    assert (m.lots(ALICE, leg=LEG_LONG), m.lots(ALICE, leg=LEG_SHORT)) == (0, 0)
    assert m.lots(FUND) == size("6")
    # Handed over at a value that leaves nothing: the 60.74 are the fund's.
    assert m.equity(FUND) == usd("1060.74")
    assert m.wallet(ALICE) == 0
    assert Reason.CANCELLED_BY_LIQUIDATION in [e.reason for e in m.all(OrderClosed)]


def test_legs_close_against_each_other_before_anyone_is_deleveraged() -> None:
    """Without a fund: 4 long meet 4 short at mark, the 6 left need 0.3 p = 26.037 < 60.74."""
    m = hedged("140", "10", "4")
    m.index("86.79")
    netted = m.only(Deleveraged)
    assert netted.margin_account_id == netted.bankrupt_account_id == ALICE
    assert (netted.qty_lots, netted.rank, netted.gain_q) == (size("4"), 0, 0)
    assert (m.lots(ALICE, leg=LEG_LONG), m.lots(ALICE, leg=LEG_SHORT)) == (size("6"), 0)
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.equity_after_q, ended.adl_q) == ("restored", usd("60.74"), 0)


def test_isolated_legs_are_liquidated_alone() -> None:
    """Each leg has a pot of its own: 100 for the long 10, 40 for the short 4.

    The long falls at 94.73 with 47.30 left. Bob, short 6 net, and Alice's own short close it and
    share what is left, 4.73 per contract: Bob 28.38, Alice's short 18.92.
    """
    m = market()
    m.isolate(ALICE)
    m.sell(BOB, "10", "100")
    m.buy(ALICE, "10", "100", leg=LEG_LONG)
    m.buy(BOB, "4", "100")
    m.sell(ALICE, "4", "100", leg=LEG_SHORT)
    assert m.pot(ALICE, "PERP", LEG_LONG).wallet_q == usd("100")
    assert m.pot(ALICE, "PERP", LEG_SHORT).wallet_q == usd("40")
    m.index("94.73")
    assert m.lots(ALICE, leg=LEG_LONG) == 0
    assert m.lots(ALICE, leg=LEG_SHORT) == 0
    # 860 + pot of the short 40 + its gain 4 x 5.27 = 21.08 + 18.92
    assert m.wallet(ALICE) == usd("940")
    short_pot = isolated_account_id(ALICE, 0, LEG_SHORT)
    assert {e.margin_account_id: e.gain_q for e in m.all(Deleveraged)} == {
        BOB: usd("28.38"),
        short_pot: usd("18.92"),
    }


def test_mode_changes_only_when_nothing_is_open() -> None:
    m = hedged("1000", "10", "4")
    m.hedge(ALICE, False)
    assert m.refusal().reason == Reason.POSITION_OR_ORDERS_OPEN
