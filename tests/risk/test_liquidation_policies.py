"""Partial liquidation: how much of which position is closed, and when it is enough.

Long 10 at 100 with 100: at 94 equity is 40 and maintenance 47, so the account is in liquidation.
"""

import pytest

from engine.events import LiquidationEnded, LiquidationStage, LiquidationStarted, OrderFilled
from risk.rulebook import FeeRule, LiquidationRule
from tests.market import FUND, Market, flat, liquidation, ppb, rules, size, tiers, usd

ALICE, BOB, CAROL = 100, 101, 102
SECOND_NS = 10**9


def long_ten(
    rule: LiquidationRule,
    deposit: str = "100",
    fee: str = "0",
    leverage: int = 10,
    **contract: object,
) -> Market:
    """Alice buys 10 at 100 from Bob; Carol is there to bid."""
    m = Market(rules(liquidation=rule, fees=FeeRule(liquidation_ppb=ppb(fee))), listed=False)
    m.add("PERP", **contract)
    m.open(ALICE, deposit=deposit)
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.leverage(ALICE, leverage)
    m.leverage(BOB, leverage)
    m.leverage(CAROL, leverage)
    m.trade(ALICE, BOB, "10", "100")
    return m


def bid(m: Market, price: str) -> None:
    m.buy(CAROL, "100", price)


def closed(m: Market) -> list[int]:
    """Lots of each liquidation fill."""
    return [e.qty_lots for e in m.all(OrderFilled) if e.liquidation]


# just enough


def test_restore_closes_the_fewest_lots_that_restore() -> None:
    """40 >= (10 - x) x 4.7 needs x >= 1.4894: 1.49 leaves 39.997, 1.48 would leave 40.044."""
    m = long_ten(liquidation(partial="restore"))
    bid(m, "94")
    m.index("94")
    assert closed(m) == [size("1.49")]
    pot = m.pot(ALICE)
    assert (pot.equity_q, pot.maintenance_q) == (usd("40"), usd("39.997"))
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.partial) == ("restored", True)


def test_restore_counts_the_buffer_and_the_fee_to_come() -> None:
    """Buffer 5 %, fee 0.5 %: 40 - 0.47 x >= 1.05 x 4.7 (10 - x) needs x >= 2.094.

    At 2.09: 39.0177 < 39.03585; at 2.10: 39.013 >= 38.9865.
    """
    m = long_ten(liquidation(partial="restore", restore_buffer_ppb=ppb("0.05")), fee="0.005")
    bid(m, "94")
    m.index("94")
    assert closed(m) == [size("2.10")]
    assert m.equity(ALICE) == usd("39.013")
    assert m.wallet(FUND) == usd("0.987")


@pytest.mark.parametrize(("fee", "lots"), [("0.04", "7.45"), ("0.055", "10")])
def test_restore_is_no_limit_where_the_fee_exceeds_the_maintenance_rate(
    fee: str, lots: str
) -> None:
    """Maintenance is 5 %. With a fee of 4 %: 40 - 3.76 x >= 4.7 (10 - x) needs x >= 7.447. With
    5.5 % each lot closed costs more than it frees, and nothing is left to hold."""
    m = long_ten(liquidation(partial="restore"), fee=fee)
    bid(m, "94")
    m.index("94")
    assert closed(m) == [size(lots)]
    assert m.only(LiquidationEnded).partial is (lots != "10")


@pytest.mark.parametrize("price", ["94.73", "94.50", "94.00", "93.00", "92.00", "91.00"])
def test_one_lot_less_would_not_restore(price: str) -> None:
    m = long_ten(liquidation(partial="restore"))
    bid(m, price)
    m.index(price)
    pot = m.pot(ALICE)
    assert pot.equity_q >= pot.maintenance_q
    # One lot more would be held: its maintenance is 5 % of 0.01 x price.
    one_lot_q = usd(price) // 100 * 5 // 100
    assert pot.equity_q < pot.maintenance_q + one_lot_q


def test_restore_goes_on_when_the_fill_was_worse_than_the_mark() -> None:
    """Mark 94, best bid 93: 1.49 sold one dollar under lose 1.49; 38.51 no longer carry 8.51."""
    m = long_ten(liquidation(partial="restore"))
    bid(m, "93")
    m.index("94")
    assert len(closed(m)) > 1
    assert m.only(LiquidationEnded).outcome == "restored"
    pot = m.pot(ALICE)
    assert pot.equity_q >= pot.maintenance_q


def test_restore_takes_the_position_with_the_largest_requirement() -> None:
    """At 93.30 PERP needs 46.65 and OTHER 10 (5 % of 200); equity is 120 - 67 = 53.

    53 >= 10 + (10 - x) x 4.665 needs x >= 0.7824.
    """
    m = long_ten(liquidation(partial="restore"), deposit="120")
    m.add("OTHER")
    m.index("20", "OTHER")
    m.trade(ALICE, BOB, "10", "20", "OTHER")
    bid(m, "93.30")
    m.index("93.30")
    assert m.lots(ALICE, "OTHER") == size("10")
    assert closed(m) == [size("0.79")]


# tier step


def test_tier_step_goes_to_the_next_lower_tier() -> None:
    """5 % up to 500, then 10 % with 25 deducted; 5x above. 200 in the account.

    At 86: equity 60, maintenance 86 - 25 = 61. 5.81 x 86 = 499.66 is the most below 500: sell 4.19.
    """
    table = tiers(("500", "0.05", 10, "0"), ("1000000", "0.10", 5, "25"))
    m = long_ten(liquidation(partial="tier_step"), "200", leverage=5, margin=table)
    bid(m, "86")
    m.index("86")
    assert closed(m) == [size("4.19")]
    pot = m.pot(ALICE)
    assert (pot.equity_q, pot.maintenance_q) == (usd("60"), usd("24.983"))
    assert m.only(LiquidationEnded).outcome == "restored"


def test_tier_step_closes_everything_in_the_lowest_tier() -> None:
    m = long_ten(liquidation(partial="tier_step"))
    bid(m, "94")
    m.index("94")
    assert closed(m) == [size("10")]
    assert m.wallet(ALICE) == usd("40")


# a fraction at a time


def fraction(after: str) -> LiquidationRule:
    """A fifth at a time down to a notional of 500, half a minute apart."""
    return liquidation(
        ["cancel", "reduce", "fund", "adl", "socialise"],
        partial="fraction",
        fraction_ppb=ppb("0.2"),
        fraction_min_notional=500,
        cooldown_ns=30 * SECOND_NS,
        after_fraction=after,
    )


def test_fraction_is_released_when_one_step_was_enough() -> None:
    """A fifth of 10 at 94: 8 x 4.7 = 37.60 <= 40."""
    m = long_ten(fraction("wait"))
    bid(m, "94")
    m.index("94")
    assert closed(m) == [size("2")]
    assert m.only(LiquidationEnded).outcome == "restored"


def test_fraction_waits_out_the_cooldown_between_steps() -> None:
    """At 92: equity 20, so 4.34 could stay.

    | t    | notional | sold | left | maintenance        |
    | 0 s  | 920      | 2    | 8    | 36.80              |
    | 30 s | 736      | 1.6  | 6.4  | 29.44              |
    | 60 s | 588.80   | 1.28 | 5.12 | 23.552             |
    | 90 s | 471.04   | 5.12 | 0    | below 500: all     |
    """
    m = long_ten(fraction("wait"))
    bid(m, "92")
    m.index("92")
    assert closed(m) == [size("2")]
    m.wait("29.999999999")
    assert closed(m) == [size("2")]
    m.wait("0.000000001")
    assert closed(m) == [size("2"), size("1.6")]
    m.wait("30")
    assert m.lots(ALICE) == size("5.12")
    assert not m.all(LiquidationEnded)
    m.wait("30")
    assert closed(m) == [size("2"), size("1.6"), size("1.28"), size("5.12")]
    assert m.only(LiquidationEnded).outcome == "closed"
    assert m.wallet(ALICE) == usd("20")


def test_fraction_then_whole_closes_the_rest_within_the_cooldown() -> None:
    m = long_ten(fraction("whole"))
    bid(m, "92")
    m.index("92")
    assert closed(m) == [size("2"), size("8")]
    assert m.wallet(ALICE) == usd("20")


@pytest.mark.parametrize(("pause", "second"), [("29.9", "8"), ("30", "1.6")])
def test_the_cooldown_is_remembered_after_a_release(pause: str, second: str) -> None:
    """At 94 a fifth restores. At 93: equity 40 - 8 = 32 < 37.20; in the cooldown all 8 go, after
    it 1.6 (6.4 x 4.65 = 29.76 <= 32)."""
    m = long_ten(fraction("whole"))
    bid(m, "94")
    m.index("94")
    m.cancel(CAROL, m.report(CAROL).open_order_ids[0])
    bid(m, "93")
    m.wait(pause)
    m.index("93")
    assert closed(m) == [size("2"), size(second)]


# oldest first, all at once


def two_positions(partial: str) -> Market:
    """OLD, opened first, is winning; NEW is losing so much that the account falls.

    OLD: 5 at 20, now 24: +20, maintenance 6. NEW: 10 at 100, now 92: -80, maintenance 46.
    Equity 110 - 60 = 50 against 52.
    """
    m = Market(rules(liquidation=liquidation(partial=partial)), listed=False)
    m.add("NEW")
    m.add("OLD")
    m.open(ALICE, deposit="110")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100", "NEW")
    m.index("20", "OLD")
    m.trade(ALICE, BOB, "5", "20", "OLD")
    m.wait("1")
    m.trade(ALICE, BOB, "10", "100", "NEW")
    m.buy(CAROL, "100", "24", symbol="OLD")
    m.buy(CAROL, "100", "92", symbol="NEW")
    m.index("24", "OLD")
    m.index("92", "NEW")
    return m


def test_fifo_reaches_the_profitable_position_that_was_opened_first() -> None:
    """Closing OLD frees 6: 50 >= 46, and NEW, the cause of it all, stays."""
    m = two_positions("fifo")
    assert m.lots(ALICE, "OLD") == 0
    assert m.lots(ALICE, "NEW") == size("10")
    sold = [e for e in m.all(OrderFilled) if e.liquidation]
    assert [e.realised_q for e in sold] == [usd("20")]
    assert m.only(LiquidationEnded).outcome == "restored"


def test_the_other_policies_close_what_needs_most() -> None:
    m = two_positions("restore")
    assert m.lots(ALICE, "OLD") == size("5")
    # 50 >= 6 + (10 - x) x 4.6 needs x >= 0.4348
    assert m.lots(ALICE, "NEW") == size("9.56")


def test_all_closes_the_whole_position_at_once() -> None:
    m = long_ten(liquidation(partial="all"))
    bid(m, "94")
    m.index("94")
    assert closed(m) == [size("10")]
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.partial, ended.equity_after_q) == ("closed", False, usd("40"))


# what orders may cost


def test_orders_do_not_pass_the_bankruptcy_price() -> None:
    """Bankrupt at 90: of bids 5 at 90 and 5 at 89.99 only the first trade."""
    m = long_ten(liquidation(partial="all"))
    m.deposit(FUND, "1000")
    m.buy(CAROL, "5", "90")
    m.buy(CAROL, "5", "89.99")
    m.index("94")
    assert closed(m) == [size("5")]
    # The fund takes the other 5 with what equity is left: 40 - 5 x 4 = 20.
    assert m.lots(FUND) == size("5")
    assert m.equity(FUND) == usd("1020")


def test_orders_may_be_limited_by_slippage_instead() -> None:
    """2 % under the mark of 94 is 92.12: so a bid a tick lower is left alone."""
    m = long_ten(liquidation(partial="all", order_price="slippage", slippage_ppb=ppb("0.02")))
    m.deposit(FUND, "1000")
    m.buy(CAROL, "5", "92.12")
    m.buy(CAROL, "5", "92.11")
    m.index("94")
    assert closed(m) == [size("5")]


def test_liquidation_fee_never_takes_more_than_the_equity() -> None:
    """At 91: equity 10; 2 % of 910 would be 18.20."""
    m = long_ten(liquidation(partial="all"), fee="0.02")
    bid(m, "91")
    m.index("91")
    assert [e.fee_q for e in m.all(OrderFilled) if e.liquidation] == [usd("10")]
    assert m.wallet(ALICE) == 0
    assert m.wallet(FUND) == usd("10")
    assert m.only(LiquidationEnded).fee_q == -usd("10")


def test_liquidation_fee_replaces_the_taker_fee_and_the_maker_pays_as_usual() -> None:
    """2 % of 940 = 18.80 leave 21.20 of 40; the maker pays 0.1 % of 940 = 0.94."""
    m = long_ten(liquidation(partial="all"))
    fees = FeeRule(maker_ppb=ppb("0.001"), taker_ppb=ppb("0.002"), liquidation_ppb=ppb("0.02"))
    m.rule(rules(liquidation=liquidation(partial="all"), fees=fees))
    bid(m, "94")
    m.index("94")
    assert m.wallet(ALICE) == usd("21.20")
    assert m.wallet(CAROL) == usd("99999.06")


def test_open_orders_go_first() -> None:
    """Stages are told in the order they are entered."""
    m = long_ten(liquidation(partial="restore"))
    m.sell(ALICE, "1", "120", reduce_only=True)
    bid(m, "94")
    m.index("94")
    assert [e.stage for e in m.all(LiquidationStage)] == ["cancel", "reduce"]


def test_inclusive_rules_liquidate_at_equality() -> None:
    """2 % maintenance, 98.40 deposited: at 92 equity is 18.40, and so is 0.02 x 920."""
    for inclusive, expected in ((False, 0), (True, 1)):
        m = long_ten(
            liquidation(partial="all", inclusive=inclusive),
            "98.40",
            margin=flat("0.02", 20),
            leverage=20,
        )
        m.index("92")
        assert len(m.all(LiquidationStarted)) == expected
