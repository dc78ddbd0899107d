"""Auto-deleveraging: who is closed, at what price, in which order, and who can see it coming.

Alice is long 10 at 100 with 100 of her own: bankrupt at 90. There is no fund and nobody bids.
"""

import pytest

from engine.events import (
    BadDebtBooked,
    Deleveraged,
    LiquidationEnded,
    LiquidationStage,
    OrderClosed,
    OrderFilled,
)
from engine.reasons import Reason
from risk.accounts import BAD_DEBT
from risk.rulebook import AdlRule, FeeRule
from tests.market import Market, ppb, px, rules, size, usd

ALICE, BOB, CAROL, DAVE, ERIN = 100, 101, 102, 103, 104


def market(**settings: object) -> Market:
    m = Market(rules(**settings))
    m.open(ALICE, deposit="100")
    m.index("100")
    return m


def shorts(m: Market, *sizes_and_deposits: tuple[int, str, str]) -> None:
    """Alice buys from each ``(trader, size, deposit)`` in turn at 100."""
    for trader, qty, deposit in sizes_and_deposits:
        m.open(trader, deposit=deposit)
        m.trade(ALICE, trader, qty, "100")


def hits(m: Market) -> list[tuple[int, int, int]]:
    """(account, lots, rank) of every deleveraging."""
    return [(e.margin_account_id, e.qty_lots, e.rank) for e in m.all(Deleveraged)]


def test_counterparty_is_closed_at_the_bankruptcy_price() -> None:
    """At 88 Alice is 20 under water: Bob's short closes at 90 where the mark is 88."""
    m = market()
    shorts(m, (BOB, "10", "1000"))
    m.index("88")
    hit = m.only(Deleveraged)
    assert (hit.value_q, hit.gain_q) == (usd("900"), -usd("20"))
    assert m.wallet(BOB) == usd("1100")
    assert (m.wallet(ALICE), m.lots(ALICE), m.lots(BOB)) == (0, 0, 0)
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.adl_q) == ("deleveraged", usd("20"))
    debt = m.only(BadDebtBooked)
    assert (debt.amount_q, debt.stage) == (usd("20"), "adl")


def test_counterparty_of_a_solvent_account_gains() -> None:
    """At 94 there are 40 left: closing at 90 against a mark of 94 gives them to Bob."""
    m = market()
    shorts(m, (BOB, "10", "1000"))
    m.index("94")
    assert m.only(Deleveraged).gain_q == usd("40")
    assert m.wallet(BOB) == usd("1100")
    assert not m.all(BadDebtBooked)


def test_counterparty_may_be_closed_at_the_mark_instead() -> None:
    """At 94: Bob gets 6 per contract, Alice keeps 40."""
    m = market(adl=AdlRule(price="mark"))
    shorts(m, (BOB, "10", "1000"))
    m.index("94")
    hit = m.only(Deleveraged)
    assert (hit.value_q, hit.gain_q) == (usd("940"), 0)
    assert (m.wallet(ALICE), m.wallet(BOB)) == (usd("40"), usd("1060"))


def test_at_the_mark_a_deficit_stays_and_is_socialised() -> None:
    """At 88: closed at mark, 20 are missing and Carol, another winner in PERP, bears them."""
    m = market(adl=AdlRule(price="mark"))
    m.open(DAVE, CAROL, deposit="1000")
    m.trade(DAVE, CAROL, "10", "100")
    shorts(m, (BOB, "10", "1000"))
    m.index("88")
    assert m.wallet(ALICE) == 0
    assert sum(e.amount_q for e in m.all(BadDebtBooked)) == usd("20")
    assert m.equity(BOB) + m.equity(CAROL) == usd("2220")


def test_adl_costs_no_fee() -> None:
    m = market(fees=FeeRule(maker_ppb=1_000_000, taker_ppb=1_000_000, liquidation_ppb=10_000_000))
    m.deposit(ALICE, "1")
    shorts(m, (BOB, "10", "1000"))
    paid = [e.fee_q for e in m.all(OrderFilled)]
    m.index("88")
    assert [e.fee_q for e in m.all(OrderFilled)] == paid


def test_highest_profit_times_leverage_goes_first() -> None:
    """Shorts of 4 from 100, mark 88: all gained 12 %, so leverage decides: 352 / equity.

    | trader | deposit | equity | leverage |
    | Bob    | 1000    | 1048   | 0.336    |
    | Carol  | 50      | 98     | 3.592    |
    | Dave   | 200     | 248    | 1.419    |

    Alice's 10: Carol 4, Dave 4, Bob 2.
    """
    m = market()
    shorts(m, (BOB, "4", "1000"), (CAROL, "4", "50"), (DAVE, "2", "200"))
    m.open(ERIN, deposit="1000")
    m.trade(ERIN, DAVE, "2", "100")
    m.index("88")
    assert hits(m) == [(CAROL, size("4"), 1), (DAVE, size("4"), 2), (BOB, size("2"), 3)]
    assert m.lots(BOB) == -size("2")


def test_profit_counts_as_well_as_leverage() -> None:
    """Carol sold at 100, Bob at 95, with much the same equity: at 88 she gained 12 %, he 7.4 %."""
    m = market()
    m.open(BOB, CAROL, deposit="1000")
    m.open(ERIN, deposit="1000")
    m.trade(ALICE, CAROL, "10", "100")
    m.index("95")
    m.trade(ERIN, BOB, "10", "95")
    m.index("88")
    assert hits(m) == [(CAROL, size("10"), 1)]


def test_a_loser_is_asked_after_all_winners() -> None:
    """Bob sold at 85 and is losing 3 at 88: only what Carol cannot take reaches him."""
    m = market()
    m.open(BOB, CAROL, ERIN, deposit="1000")
    m.trade(ALICE, CAROL, "4", "100")
    m.trade(ALICE, ERIN, "6", "100")
    m.trade(ERIN, BOB, "6", "85")
    m.index("88")
    assert hits(m) == [(CAROL, size("4"), 1), (BOB, size("6"), 2)]


def test_adl_waits_for_negative_equity_where_the_rules_say_so() -> None:
    """At 94 there are 40 left and nobody buys: nothing happens until 89.99."""
    m = market(adl=AdlRule(negative_equity_only=True))
    shorts(m, (BOB, "10", "1000"))
    for price in ("94", "92", "90"):
        m.index(price)
        m.wait("1")
    assert not m.all(Deleveraged)
    assert m.lots(ALICE) == size("10")
    m.index("89.99")
    m.wait("1")
    assert m.only(Deleveraged).gain_q == -usd("0.10")


def test_pro_rata_shares_by_size() -> None:
    """10 over sizes 12, 6, 2 (score order does not matter to the shares): 6, 3, 1."""
    m = market(adl=AdlRule(ranking="pro_rata"))
    m.open(ERIN, deposit="100000")
    for trader, qty in ((BOB, "6"), (CAROL, "3"), (DAVE, "1")):
        m.open(trader, deposit="1000")
        m.trade(ALICE, trader, qty, "100")
        m.trade(ERIN, trader, qty, "100")
    m.index("88")
    shares = {e.margin_account_id: e.qty_lots for e in m.all(Deleveraged)}
    assert shares == {BOB: size("6"), CAROL: size("3"), DAVE: size("1")}
    assert sum(e.gain_q for e in m.all(Deleveraged)) == -usd("20")


def test_parts_of_the_value_add_up_to_the_quantum() -> None:
    """Three counterparties of 3.33, 3.33 and 3.34: whatever the parts, Alice ends at zero."""
    m = market()
    m.deposit(ALICE, "0.000001")
    shorts(m, (BOB, "3.33", "1000"), (CAROL, "3.33", "1000"), (DAVE, "3.34", "1000"))
    m.index("87.77")
    assert len(m.all(Deleveraged)) == 3
    assert m.wallet(ALICE) == 0
    assert sum(e.value_q for e in m.all(Deleveraged)) == usd("899.999999")


def ranks(m: Market) -> list[int]:
    return [m.held(trader).adl_rank for trader in (BOB, CAROL, DAVE, ERIN, 105)]


def test_ranks_are_visible_before_anything_happens() -> None:
    """Five shorts in one queue, in fifths; highest leverage is 1, losing or flat is 0."""
    m = market()
    m.deposit(ALICE, "10000")
    shorts(
        m,
        (BOB, "1", "10"),
        (CAROL, "1", "20"),
        (DAVE, "1", "30"),
        (ERIN, "1", "40"),
        (105, "1", "50"),
    )
    assert ranks(m) == [0, 0, 0, 0, 0]
    m.index("99")
    assert ranks(m) == [1, 2, 3, 4, 5]
    assert m.held(ALICE).adl_rank == 0
    m.index("101")
    assert ranks(m) == [0, 0, 0, 0, 0]
    assert m.held(ALICE).adl_rank == 1


def test_looking_at_ranks_changes_nothing() -> None:
    m = market()
    shorts(m, (BOB, "5", "1000"), (CAROL, "5", "1000"))
    m.index("99")
    before = m.exchange.state_hash()
    for trader in (ALICE, BOB, CAROL):
        m.report(trader)
    assert m.exchange.state_hash() == before


def test_who_came_after_the_ranks_were_looked_at_is_in_the_queue_all_the_same() -> None:
    """Bob's report is read at 94.74; then Carol takes his place at the same mark."""
    m = market()
    shorts(m, (BOB, "10", "1000"))
    m.index("94.74")
    m.report(BOB)
    m.open(CAROL, deposit="1000")
    m.trade(BOB, CAROL, "10", "94.74")
    # A last trade that moves no mark, then Alice loses 1 by a fill: equity below maintenance.
    m.buy(CAROL, "0.10", "84.74")
    m.sell(ALICE, "0.10", "84.74")
    assert hits(m) == [(CAROL, size("9.90"), 1)]
    assert m.lots(ALICE) == 0


def test_reduce_only_orders_of_who_was_deleveraged_go() -> None:
    m = market()
    shorts(m, (BOB, "10", "1000"))
    order = m.buy(BOB, "10", "50", reduce_only=True)
    m.index("88")
    closed = m.last(OrderClosed)
    assert (closed.order_id, closed.reason) == (order, Reason.REDUCE_ONLY_TRIMMED)


def test_only_the_bankrupt_contract_is_deleveraged() -> None:
    """Carol's huge profit in OTHER does not put her in PERP's queue."""
    m = market()
    m.add("OTHER")
    m.open(CAROL, ERIN, deposit="1000")
    m.index("100", "OTHER")
    m.trade(ERIN, CAROL, "10", "100", "OTHER")
    m.index("60", "OTHER")
    shorts(m, (BOB, "10", "1000"))
    m.index("88")
    assert hits(m) == [(BOB, size("10"), 1)]
    assert m.lots(CAROL, "OTHER") == -size("10")


def losers_of_perp(m: Market) -> None:
    """Alice has lost on PERP what she owed; all that is left of her is a long of 1 OTHER."""
    m.add("OTHER")
    m.open(BOB, CAROL, DAVE, deposit="1000")
    m.index("100", "OTHER")
    m.deposit(ALICE, "10")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(ALICE, CAROL, "1", "100", "OTHER")


@pytest.mark.parametrize("distance", ["0", "0.05", "0.2"])
def test_no_price_lies_beyond_the_bound_of_the_contract_closed(distance: str) -> None:
    """PERP at 80: 90 are missing. PERP closes up to the bound from 80, OTHER from its own 100; the
    winners bear the rest, Bob 200 and Dave nothing."""
    m = market(adl=AdlRule(max_distance_ppb=ppb(distance)))
    losers_of_perp(m)
    m.index("80")
    assert {e.instrument_id for e in m.all(Deleveraged)} == {0, 1}
    for hit in m.all(Deleveraged):
        at_mark_q = hit.qty_lots * hit.mark_ticks * 100
        assert abs(hit.value_q - at_mark_q) * 10**9 <= ppb(distance) * at_mark_q
    assert (m.wallet(ALICE), m.lots(ALICE), m.lots(ALICE, "OTHER")) == (0, 0, 0)
    assert sum(e.amount_q for e in m.all(BadDebtBooked)) == usd("90")
    borne = usd("2200") - m.equity(BOB) - m.equity(CAROL)
    assert borne == usd("90")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


@pytest.mark.parametrize("side", ["long", "short"])
def test_the_bound_holds_for_inverse_contracts_too(side: str) -> None:
    """10,000 USD a contract; the coin moves by 30 % against 10x leverage."""
    m = Market(rules(adl=AdlRule(max_distance_ppb=ppb("0.02"))), listed=False)
    m.add("COIN", asset="BTC", inverse=True, lot="1", multiplier="100")
    m.open(ALICE, deposit="0.12", asset="BTC")
    m.open(BOB, deposit="10", asset="BTC")
    m.index("100", "COIN")
    sides = (ALICE, BOB) if side == "long" else (BOB, ALICE)
    m.trade(*sides, "1", "100", "COIN")
    m.index("70" if side == "long" else "150", "COIN")
    hit = m.only(Deleveraged)
    at_mark_q = abs(-100 * 10**10 // hit.mark_ticks)
    assert abs(abs(hit.value_q) - at_mark_q) <= at_mark_q * 2 // 100 + 1
    assert m.wallet(ALICE, "BTC") == 0
    assert m.exchange.margin_figures(BAD_DEBT + (1 << 40))[0] == 0


def test_a_gain_of_the_counterparty_is_bounded_as_well() -> None:
    """At 94 Alice has 40 of 10: closing at 90 would give Bob 4.3 %; at most 2 % are 18.80."""
    m = market(adl=AdlRule(max_distance_ppb=ppb("0.02")))
    shorts(m, (BOB, "10", "1000"))
    m.index("94")
    assert m.only(Deleveraged).gain_q == usd("18.80")
    assert m.wallet(ALICE) == usd("21.20")


def test_two_accounts_of_one_owner_gain_nothing_by_being_deleveraged() -> None:
    """Alice and Bob are one owner's, Carol holds the same short as Bob: what Alice's account lacks
    is missing to those who close against it, and nobody is paid more than she gave up."""
    for deposit in ("100", "60", "10"):
        m = market()
        m.deposit(ALICE, deposit)
        shorts(m, (BOB, "5", "1000"), (CAROL, "5", "1000"))
        before = m.equity(ALICE) + m.equity(BOB) + m.equity(CAROL)
        m.index("86")
        m.wait("1")
        assert m.equity(ALICE) + m.equity(BOB) + m.equity(CAROL) == before
        assert m.equity(CAROL) >= usd("1000")


def test_a_part_of_an_isolated_position_frees_its_part_of_the_pot() -> None:
    """Bob's isolated short of 10 from 100 (pot 100): Alice's 4 close at 90, where the pot is worth
    200, and 80 of them go back, as they would in a trade."""
    m = market()
    m.open(BOB, ERIN, deposit="1000")
    m.isolate(BOB)
    m.trade(ERIN, BOB, "6", "100")
    m.withdraw(ALICE, "60")
    m.trade(ALICE, BOB, "4", "100")
    m.index("89")
    assert [e.qty_lots for e in m.all(Deleveraged)] == [size("4")]
    pot = m.pot(BOB, "PERP")
    assert (m.lots(BOB), pot.wallet_q) == (-size("6"), usd("60"))
    assert m.wallet(BOB) == usd("980")
    assert m.wallet(BOB) + pot.wallet_q == usd("1040")


def test_an_isolated_winner_gets_its_pot_back() -> None:
    """Bob's isolated short of 10 (pot 100) closes at 90: 100 + 100 return to his 900."""
    m = market()
    m.open(BOB, deposit="1000")
    m.isolate(BOB)
    m.trade(ALICE, BOB, "10", "100")
    m.index("88")
    assert m.wallet(BOB) == usd("1100")
    assert m.pot(BOB, "PERP").wallet_q == 0


def test_the_stage_is_told_once() -> None:
    m = market()
    shorts(m, (BOB, "10", "1000"))
    m.index("88")
    assert [e.stage for e in m.all(LiquidationStage)].count("adl") == 1
    assert m.exchange.last_ticks(0) == px("100")


@pytest.mark.parametrize("price", ["94", "90", "89.99", "85", "50", "1"])
def test_whatever_the_gap_nobody_ends_below_zero(price: str) -> None:
    m = market()
    shorts(m, (BOB, "5", "60"), (CAROL, "5", "1000"))
    m.index(price)
    m.wait("1")
    assert (m.wallet(ALICE), m.lots(ALICE)) == (0, 0)
    assert m.equity(BOB) >= 0
    assert m.equity(CAROL) >= 0
