"""Alerts and margin calls: how much, until when, and the three ways a call ends.

Long 10 at 100 with 150: equity is ``10 p - 850``, maintenance ``0.5 p``.

| level     | factor | entered below       |
| alert     | 2      | 9 p < 850: 94.4444  |
| call      | 1.5    | 9.25 p < 850: 91.89 |
| liquidate | 1      | 9.5 p < 850: 89.47  |

At 91: equity 60, maintenance 45.50, call level 68.25.
"""

import pytest

from engine.events import (
    Deleveraged,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
)
from engine.instruments import MarginSpec
from engine.reasons import Reason
from engine.units import SECOND_NS
from risk.rulebook import CallRule
from risk.state import restore_risk, risk_state
from tests.market import (
    ALL_STAGES,
    Market,
    collateral,
    levels,
    liquidation,
    ppb,
    rules,
    size,
    usd,
)

ALICE, BOB, CAROL = 100, 101, 102
LEVELS = levels(alert="2", call="1.5", liquidate="1")


def call_rule(restore_to: str = "maintenance", buffer: str = "1", **settings: object) -> CallRule:
    return CallRule(restore_to=restore_to, buffer_ppb=ppb(buffer), **settings)


GRACE = call_rule(grace_ns=60 * SECOND_NS, on_expiry="liquidate")


def long_ten(call: CallRule = GRACE, **settings: object) -> Market:
    m = Market(rules(levels=LEVELS, call=call, **settings))
    m.open(ALICE, deposit="150")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    return m


def names(m: Market) -> list[str]:
    return [e.level_name for e in m.all(MarginLevelChanged)]


def test_each_level_is_announced_at_its_price_and_not_one_tick_before() -> None:
    m = long_ten()
    for price, known in (
        ("94.45", []),
        ("94.44", ["alert"]),
        ("91.90", ["alert"]),
        ("91.89", ["alert", "call"]),
        ("89.48", ["alert", "call"]),
        # taken over, and so without a position
        ("89.47", ["alert", "call", "liquidate", "healthy"]),
    ):
        m.index(price)
        assert names(m) == known, price


def test_levels_are_announced_on_the_way_back() -> None:
    """Back above the alert at 94.45: 94.50 >= 94.45."""
    m = long_ten()
    for price in ("92", "94.44", "94.45", "91", "95"):
        m.index(price)
    assert names(m) == ["alert", "healthy", "call", "healthy"]


def test_a_gap_skips_levels() -> None:
    m = long_ten()
    m.index("91")
    changed = m.only(MarginLevelChanged)
    assert (changed.level_before, changed.level) == (0, 2)
    assert (changed.equity_q, changed.maintenance_q) == (usd("60"), usd("45.50"))


@pytest.mark.parametrize(
    ("restore_to", "buffer", "amount"),
    [
        # 45.50 x 2 = 91.00 - 60
        ("maintenance", "1", "31"),
        # 45.50 x 1.6 = 72.80 - 60
        ("maintenance", "0.6", "12.80"),
        # initial 91.00 x 1.2 = 109.20 - 60
        ("initial", "0.2", "49.20"),
        ("initial", "0", "31"),
    ],
)
def test_the_amount_restores_the_account(restore_to: str, buffer: str, amount: str) -> None:
    m = long_ten(call_rule(restore_to, buffer))
    m.index("91")
    issued = m.only(MarginCallIssued)
    assert issued.amount_q == usd(amount)
    assert (issued.equity_q, issued.maintenance_q) == (usd("60"), usd("45.50"))
    m.deposit(ALICE, amount)
    assert m.only(MarginCallEnded).outcome == "cured"


def test_a_call_is_cured_as_soon_as_the_account_is_above_the_call_level() -> None:
    """68.25 is the call level: 8.25 are missing, one millionth less is not enough."""
    m = long_ten()
    m.index("91")
    m.deposit(ALICE, "8.249999")
    assert not m.all(MarginCallEnded)
    m.wait("7.5")
    m.deposit(ALICE, "0.000001")
    ended = m.only(MarginCallEnded)
    assert (ended.outcome, ended.open_ns) == ("cured", 7_500_000_000)


def test_the_amount_always_ends_the_call() -> None:
    """A call level of 2.5 x maintenance lies above initial margin: at 97 equity is 120, initial
    97, the level 2.5 x 48.50 = 121.25. What is asked for is 1.25."""
    m = Market(rules(levels=levels(call="2.5", liquidate="1"), call=call_rule("initial", "0")))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("97")
    assert m.only(MarginCallIssued).amount_q == usd("1.25")
    m.deposit(ALICE, "1.25")
    assert m.only(MarginCallEnded).outcome == "cured"


def test_a_call_is_cured_by_a_better_price() -> None:
    m = long_ten()
    m.index("91")
    m.index("91.90")
    assert m.only(MarginCallEnded).outcome == "cured"


def test_a_call_is_cured_by_reducing_the_position() -> None:
    """Selling 2 at 91 leaves equity 60 and maintenance 36.40: 60 >= 54.60."""
    m = long_ten()
    m.index("91")
    m.trade(BOB, ALICE, "2", "91")
    assert m.only(MarginCallEnded).outcome == "cured"


def test_every_fall_below_the_level_is_a_call_of_its_own() -> None:
    m = long_ten()
    for price in ("91", "92", "91"):
        m.index(price)
    assert [e.call_id for e in m.all(MarginCallIssued)] == [1, 2]


def test_a_call_falls_due_at_its_deadline() -> None:
    m = long_ten()
    m.wait("10")
    m.index("91")
    assert m.only(MarginCallIssued).deadline_ns == 70 * SECOND_NS
    m.wait("59.999999999")
    assert not m.all(MarginCallEnded)
    m.wait("0.000000001")
    ended = m.only(MarginCallEnded)
    assert (ended.outcome, ended.open_ns) == ("expired", 60 * SECOND_NS)
    assert m.only(LiquidationStarted).call_expired


def test_an_expired_call_reduces_the_position_to_the_call_level() -> None:
    """60 must be 1.5 x maintenance: maintenance 40 = 0.05 x 91 x 8.7912..., so 8.79 stay.

    8.79 x 4.55 x 1.5 = 59.99, 8.80 x 4.55 x 1.5 = 60.06.
    """
    m = long_ten(liquidation=liquidation(partial="restore"))
    m.buy(CAROL, "10", "91")
    m.index("91")
    m.wait("60")
    assert m.lots(ALICE) == size("8.79")
    ended = m.only(LiquidationEnded)
    assert (ended.outcome, ended.partial) == ("restored", True)


def test_an_expired_call_does_not_take_a_solvent_account_over() -> None:
    """Above maintenance the book is all there is: without bids the position stays."""
    m = long_ten(liquidation=liquidation(ALL_STAGES))
    m.deposit(1, "100000")
    m.index("91")
    m.wait("60")
    assert m.lots(ALICE) == size("10")
    assert m.wallet(ALICE) == usd("150")
    m.buy(CAROL, "10", "91")
    m.wait("1")
    assert m.lots(ALICE) == 0
    assert m.wallet(ALICE) == usd("60")


def test_an_expired_call_may_only_be_a_notice() -> None:
    m = long_ten(call_rule(grace_ns=SECOND_NS, on_expiry="notify"))
    m.index("91")
    m.wait("1")
    assert m.only(MarginCallEnded).outcome == "expired"
    assert not m.all(LiquidationStarted)
    assert m.lots(ALICE) == size("10")


def test_a_call_without_deadline_never_expires() -> None:
    m = long_ten(call_rule())
    m.index("91")
    m.wait("100000")
    assert m.only(MarginCallIssued).deadline_ns == -1
    assert not m.all(MarginCallEnded)


def test_a_call_without_grace_expires_at_the_next_tick() -> None:
    m = long_ten(call_rule(grace_ns=0, on_expiry="liquidate"))
    m.index("91")
    m.tick()
    assert (m.only(MarginCallEnded).outcome, m.only(MarginCallEnded).open_ns) == ("expired", 0)


def test_a_call_is_overtaken_by_liquidation_and_the_window_is_measured() -> None:
    m = long_ten()
    m.index("91")
    m.wait("12.25")
    m.index("89")
    ended = m.only(MarginCallEnded)
    assert (ended.outcome, ended.open_ns) == ("overtaken", 12_250_000_000)
    assert not m.only(LiquidationStarted).call_expired


def test_an_account_that_gaps_through_gets_no_call() -> None:
    m = long_ten()
    m.index("89")
    assert not m.all(MarginCallIssued)
    assert m.all(LiquidationStarted)


def test_a_bad_fill_can_bring_the_account_down_as_a_price_can() -> None:
    """Selling 1 far below the mark loses 1 x 60: equity 90 against 1.5 x 45 = 67.5; twice: 30."""
    m = long_ten()
    m.buy(CAROL, "2", "40")
    m.sell(ALICE, "1", "40")
    assert not m.all(MarginCallIssued)
    m.sell(ALICE, "1", "40")
    # 150 - 120 = 30 against maintenance 40: below all levels at once.
    assert m.all(LiquidationStarted)


def test_an_isolated_position_is_called_for_itself() -> None:
    """w = 100: 10 p - 900 < 0.75 p below 97.297."""
    m = Market(rules(levels=LEVELS, call=call_rule()))
    m.open(ALICE, BOB, deposit="1000")
    m.isolate(ALICE)
    m.index("110")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("97.30")
    assert not m.all(MarginCallIssued)
    m.index("97.29")
    # equity 72.90, maintenance 48.645 x 2 = 97.29
    assert m.only(MarginCallIssued).amount_q == usd("24.39")
    m.adjust(ALICE, "24.39")
    assert m.only(MarginCallEnded).outcome == "cured"


# what cured it


def cure(m: Market) -> tuple[str, str]:
    ended = m.only(MarginCallEnded)
    return ended.outcome, ended.cured_by


def called(call: CallRule = GRACE, **settings: object) -> Market:
    """Called at 91: equity 60, call level 68.25, asked to bring 31."""
    m = long_ten(call, **settings)
    m.index("91")
    return m


def test_a_price_that_came_back_is_no_answer() -> None:
    m = called()
    m.index("95")
    assert cure(m) == ("cured", "price")
    assert (m.only(MarginCallEnded).paid_q, m.only(MarginCallEnded).reduced_q) == (0, 0)


def test_cured_by_deposit() -> None:
    m = called()
    m.deposit(ALICE, "20")
    assert cure(m) == ("cured", "deposit")
    assert m.only(MarginCallEnded).paid_q == usd("20")


def test_cured_by_reduction() -> None:
    """Each lot of 1 sold at the mark lowers what is asked for by 2 x 4.55; two of them by 18.20."""
    m = called()
    m.trade(BOB, ALICE, "2", "91")
    assert cure(m) == ("cured", "reduction")
    assert m.only(MarginCallEnded).reduced_q == usd("18.20")


def test_cured_by_both() -> None:
    """5 are too few, and so is 1 sold: 65 against 1.5 x 40.95 = 61.43 together."""
    m = called()
    m.deposit(ALICE, "5")
    assert not m.all(MarginCallEnded)
    m.trade(BOB, ALICE, "1", "91")
    assert cure(m) == ("cured", "both")


def test_a_deposit_that_was_too_small_and_a_better_price_are_a_deposit() -> None:
    """Price alone means that the owner did nothing."""
    m = called()
    m.deposit(ALICE, "1")
    m.index("91.85")
    assert cure(m) == ("cured", "deposit")
    assert m.only(MarginCallEnded).paid_q == usd("1")


def test_a_loss_taken_counts_against_the_reduction() -> None:
    """Selling 1 at 82 lowers the demand by 9.10 and the equity by 9: 0.10 was won. At 81 the owner
    only made it worse, so what ends the call is the price."""
    for price, reduced, by in (("82", "0.10", "reduction"), ("81", "-0.90", "price")):
        m = called()
        m.buy(CAROL, "1", price)
        m.sell(ALICE, "1", price)
        assert not m.all(MarginCallEnded)
        m.index("95")
        assert cure(m) == ("cured", by)
        assert m.only(MarginCallEnded).reduced_q == usd(reduced)


def test_a_deposit_taken_out_again_through_an_isolated_pot_is_none() -> None:
    """What is paid in and moved on does not stand in the pot that was called."""
    m = Market(rules(levels=levels(call="1.5", liquidate="1"), call=call_rule()))
    m.add("OTHER")
    m.open(ALICE, deposit="1000")
    m.open(BOB, deposit="100000")
    m.isolate(ALICE, "OTHER")
    m.index("100")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100", "OTHER")
    m.adjust(ALICE, "800", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.index("96.69")
    # Equity 100 - 33.10, level 72.52.
    assert m.only(MarginCallIssued).margin_account_id == ALICE
    m.deposit(ALICE, "5")
    m.adjust(ALICE, "-400", "OTHER")
    assert cure(m) == ("cured", "deposit")
    assert m.only(MarginCallEnded).paid_q == usd("405")


def test_collateral_in_another_asset_is_a_deposit_of_what_it_counts_for() -> None:
    """0.001 BTC at 50,000 less 10 % counts for 45."""
    m = Market(rules(levels=LEVELS, call=GRACE, collateral=collateral(BTC="0.1")))
    m.asset_price("50000")
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("91")
    m.deposit(ALICE, "0.001", "BTC")
    assert cure(m) == ("cured", "deposit")
    assert m.only(MarginCallEnded).paid_q == usd("45")


def isolated_called(**settings: object) -> Market:
    """An isolated long of 10 with 100, at 97.29: equity 72.90, maintenance 48.645, level 72.9675,
    asked to bring 24.39."""
    m = Market(rules(levels=LEVELS, call=call_rule(**settings)))
    m.open(ALICE, BOB, deposit="1000")
    m.isolate(ALICE)
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("97.29")
    assert m.only(MarginCallIssued).amount_q == usd("24.39")
    return m


def test_margin_moved_to_an_isolated_position_is_a_deposit_in_its_pot() -> None:
    m = isolated_called()
    m.adjust(ALICE, "1")
    assert cure(m) == ("cured", "deposit")


def test_a_deposit_beside_an_isolated_pot_is_no_answer() -> None:
    m = isolated_called()
    m.deposit(ALICE, "500")
    assert not m.all(MarginCallEnded)
    m.index("99")
    assert cure(m) == ("cured", "price")


def test_margin_freed_by_a_reduction_does_not_undo_a_deposit() -> None:
    """Half of the pot leaves with half of the position: the deposit was made nevertheless. Half of
    the missing 24.38 is won."""
    m = isolated_called()
    m.adjust(ALICE, "0.01")
    m.trade(BOB, ALICE, "5", "97.29")
    assert not m.all(MarginCallEnded)
    m.index("99")
    assert cure(m) == ("cured", "both")
    ended = m.only(MarginCallEnded)
    assert (ended.paid_q, ended.reduced_q) == (usd("0.01"), usd("12.19"))


def test_enlarging_an_isolated_position_brings_margin_and_reduces_nothing() -> None:
    """5 more at 97.29: the pot of 72.90 gets what it lacks of 145.935, a tenth of the whole. They
    add 48.645 of maintenance to what is asked for."""
    m = isolated_called()
    m.trade(ALICE, BOB, "5", "97.29")
    assert cure(m) == ("cured", "deposit")
    assert m.only(MarginCallEnded).paid_q == usd("73.035")
    assert m.only(MarginCallEnded).reduced_q == usd("-48.645")


def test_a_higher_leverage_lowers_what_is_asked_for_where_margin_follows_it() -> None:
    """Used margin: 1,000 / 5 = 200, maintenance 80; at 10x 100 and 40. Equity 110 < 1.5 x 80."""
    m = Market(rules(levels=levels(call="1.5", liquidate="1"), call=call_rule()), listed=False)
    params = [("maintenance_of_used_ppb", ppb("0.4")), ("max_leverage", 10)]
    m.add("PERP", margin=MarginSpec("used_margin", params=params))
    m.open(ALICE, deposit="210")
    m.open(BOB, deposit="100000")
    m.leverage(ALICE, 5)
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("90")
    assert m.only(MarginCallIssued).amount_q == usd("50")
    m.leverage(ALICE, 10)
    assert cure(m) == ("cured", "reduction")
    assert m.only(MarginCallEnded).reduced_q == usd("80")


def test_being_deleveraged_is_not_the_owners_doing() -> None:
    """Bob is short 10 and long 20 of another contract, now at 92: at 94.75 he has 192.50 against
    1.5 x 139.375. Alice, long 10 with 100, falls to liquidation at 94.73, and his winner is closed
    against her."""
    m = Market(rules(levels=levels(call="1.5", liquidate="1"), call=call_rule()))
    m.add("OTHER")
    m.open(ALICE, deposit="100")
    m.open(BOB, deposit="300")
    m.open(CAROL, deposit="100000")
    m.index("100")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(BOB, CAROL, "20", "100", "OTHER")
    m.index("94.75")
    m.index("92", "OTHER")
    assert m.last(MarginCallIssued).margin_account_id == BOB
    m.index("94.73")
    assert m.only(Deleveraged).margin_account_id == BOB
    ended = [e for e in m.all(MarginCallEnded) if e.margin_account_id == BOB]
    assert [(e.outcome, e.cured_by, e.reduced_q) for e in ended] == [("cured", "price", 0)]


def test_what_was_done_about_a_call_that_failed_is_told_too() -> None:
    m = called()
    m.deposit(ALICE, "2")
    m.wait("60")
    ended = m.only(MarginCallEnded)
    assert (ended.outcome, ended.cured_by, ended.paid_q) == ("expired", "", usd("2"))


# a rulebook whose calls end when they are met

MET = call_rule(grace_ns=60 * SECOND_NS, on_expiry="liquidate", ends="met")


def test_a_price_above_the_level_does_not_meet_a_call() -> None:
    """Asked to come to 2 x maintenance: 94.45 is the first price at which the account stands there,
    whatever it was called at."""
    m = called(MET)
    m.index("91.90")
    m.index("94.44")
    assert not m.all(MarginCallEnded)
    m.index("94.45")
    assert cure(m) == ("cured", "price")


def test_a_healthy_account_is_watched_at_what_its_call_asks_for() -> None:
    """Without an alert no level ends where the call does: 94.45 is inside the healthy range."""
    m = Market(rules(levels=levels(call="1.5", liquidate="1"), call=MET))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    for price in ("91", "92", "94.44"):
        m.index(price)
        assert not m.all(MarginCallEnded), price
    m.index("94.45")
    assert cure(m) == ("cured", "price")


def test_a_call_that_was_not_met_keeps_its_deadline_through_better_prices() -> None:
    """No second call, no second deadline; at the deadline the account is brought to where the call
    wanted it: 62.50 / (2 x 4.625 per lot at 92.50) = 8.1 lots stay of 10."""
    m = called(MET, liquidation=liquidation(partial="restore"))
    m.buy(CAROL, "10", "92.50")
    m.wait("30")
    for price in ("92.50", "91", "92.50"):
        m.index(price)
    m.wait("30")
    assert m.only(MarginCallIssued)
    assert m.only(MarginCallEnded).outcome == "expired"
    assert m.only(LiquidationEnded).outcome == "restored"
    assert m.lots(ALICE) == size("8.10")
    pot = m.pot(ALICE)
    assert pot.equity_q >= 2 * pot.maintenance_q


def test_a_part_of_the_amount_does_not_meet_a_call() -> None:
    m = called(MET)
    m.deposit(ALICE, "30.999999")
    assert not m.all(MarginCallEnded)
    m.deposit(ALICE, "0.000001")
    assert cure(m) == ("cured", "deposit")


def test_whoever_paid_what_was_asked_has_met_the_call_and_may_get_another() -> None:
    """At 90 equity is 50; 31 paid make 81 against 2 x 45. Nobody is liquidated for a price that
    went on falling: that call is over. Whoever is in the band then has another."""
    m = called(MET)
    m.index("90")
    m.deposit(ALICE, "31")
    assert cure(m) == ("cured", "deposit")
    assert m.only(MarginCallIssued)

    m = called(MET)
    m.deposit(ALICE, "10")
    m.index("88.50")
    m.wait("20")
    # Equity 45 + 21 = 66 < 1.5 x 44.25: paid in full and still in the band.
    m.deposit(ALICE, "21")
    assert cure(m) == ("cured", "deposit")
    first, second = m.all(MarginCallIssued)
    assert second.deadline_ns == first.deadline_ns + 20 * SECOND_NS
    assert second.amount_q == usd("22.50")


def test_a_deposit_and_a_reduction_meet_a_call_together() -> None:
    """31 asked for: 12.80 paid, 2 lots sold."""
    m = called(MET)
    m.deposit(ALICE, "12.80")
    m.trade(BOB, ALICE, "1.99", "91")
    assert not m.all(MarginCallEnded)
    m.trade(BOB, ALICE, "0.01", "91")
    assert cure(m) == ("cured", "both")


def test_a_call_asking_for_initial_margin_is_met_there() -> None:
    """Initial margin is 91 at 91; a price meets it where 10 p - 850 >= p: 94.45."""
    rule = call_rule("initial", "0", ends="met")
    m = called(rule)
    m.index("94.44")
    assert not m.all(MarginCallEnded)
    m.index("94.45")
    assert cure(m) == ("cured", "price")


def test_a_short_is_watched_at_what_its_call_asks_for() -> None:
    """Short 10 at 100 with 150: 1150 - 10 p >= 2 x 0.5 p at 104.545."""
    m = Market(rules(levels=LEVELS, call=MET))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(BOB, ALICE, "10", "100")
    m.index("108")
    m.index("104.55")
    assert not m.all(MarginCallEnded)
    m.index("104.54")
    assert cure(m) == ("cured", "price")


def test_collateral_that_rises_meets_a_call() -> None:
    """1 BTC less 10 %: 90 of equity at 100, and 60 in cash; the fall to 70 takes 27. It is met when
    63 + c + 60 - 0 >= 2 x 50."""
    m = Market(rules(levels=LEVELS, call=MET, collateral=collateral(BTC="0.1")))
    m.asset_price("100")
    m.open(ALICE, deposit="20")
    m.deposit(ALICE, "1", "BTC")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.asset_price("60")
    # 20 + 54 = 74 against 75.
    assert m.only(MarginCallIssued).amount_q == usd("26")
    m.asset_price("88.88")
    assert not m.all(MarginCallEnded)
    m.asset_price("88.89")
    assert cure(m) == ("cured", "price")


def test_liquidation_overtakes_a_call_that_has_to_be_met() -> None:
    m = called(MET)
    m.index("93")
    m.index("89")
    assert m.only(MarginCallEnded).outcome == "overtaken"


def test_closing_everything_meets_a_call() -> None:
    m = called(MET)
    m.trade(BOB, ALICE, "10", "91")
    assert cure(m) == ("cured", "reduction")


# nobody gains by answering for a moment


HIGH = levels(call="2.5", liquidate="1")
"""A call level above initial margin: at 97 maintenance is 48.50, initial 97, the level 121.25."""


@pytest.mark.parametrize("ends", ["level", "met"])
def test_a_deposit_that_cures_a_call_cannot_leave_at_once(ends: str) -> None:
    """Else a call would be put off for ever: pay, be cured, take out, be called anew."""
    m = Market(rules(levels=HIGH, call=call_rule("initial", "0", ends=ends, grace_ns=SECOND_NS)))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("97")
    m.withdraw(ALICE, "0.000001")
    assert m.refusal().free_q == 0
    m.deposit(ALICE, "1.25")
    assert cure(m) == ("cured", "deposit")
    m.withdraw(ALICE, "0.000001")
    assert m.refusal().free_q == 0
    m.deposit(ALICE, "1")
    m.withdraw(ALICE, "1")
    assert len(m.all(MarginCallIssued)) == 1


def test_margin_cannot_leave_a_called_isolated_pot() -> None:
    m = Market(rules(levels=HIGH, call=call_rule("initial", "0")))
    m.open(ALICE, BOB, deposit="1000")
    m.isolate(ALICE)
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.adjust(ALICE, "50")
    m.forget()
    m.index("97")
    m.adjust(ALICE, "-1")
    assert m.refusal().free_q == 0
    m.adjust(ALICE, "1.25")
    m.adjust(ALICE, "-0.000001")
    assert m.refusal().free_q == 0
    assert len(m.all(MarginCallIssued)) == 1


def test_a_called_pot_gives_nothing_to_an_isolated_one() -> None:
    m = Market(rules(levels=HIGH, call=call_rule("initial", "0")))
    m.add("OTHER")
    m.open(ALICE, deposit="250")
    m.open(BOB, deposit="100000")
    m.isolate(ALICE, "OTHER")
    m.index("100")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100", "OTHER")
    m.trade(ALICE, BOB, "10", "100")
    m.index("97")
    m.adjust(ALICE, "1", "OTHER")
    assert m.refusal().free_q == 0


def test_a_partner_who_takes_the_other_side_for_a_moment_gains_no_time() -> None:
    """Where calls have to be met, selling to a friend and buying back leaves the call as it was."""
    m = called(MET)
    m.trade(BOB, ALICE, "2", "91")
    assert not m.all(MarginCallEnded)
    m.sell(BOB, "0.01", "91")
    m.buy(ALICE, "0.01", "91")
    assert m.refusal().reason == Reason.INSUFFICIENT_MARGIN
    m.wait("60")
    assert m.only(MarginCallEnded).outcome == "expired"
    assert len(m.all(MarginCallIssued)) == 1


# out of a liquidation


def test_a_liquidation_that_ends_in_the_call_band_is_followed_by_a_call() -> None:
    """Restored to 1.25 x maintenance, under the level of 1.5: a call with a deadline of its own."""
    m = long_ten(liquidation=liquidation(partial="restore", restore_buffer_ppb=ppb("0.25")))
    m.buy(CAROL, "10", "89")
    m.index("91")
    m.wait("10")
    m.index("89")
    assert m.only(LiquidationEnded).outcome == "restored"
    assert m.only(MarginCallEnded).outcome == "overtaken"
    second = m.last(MarginCallIssued)
    assert (second.call_id, second.deadline_ns) == (2, 70 * SECOND_NS)
    pot = m.pot(ALICE)
    assert pot.level_name == "call"
    assert second.amount_q == 2 * pot.maintenance_q - pot.equity_q
    m.wait("60")
    assert [e.outcome for e in m.all(MarginCallEnded)] == ["overtaken", "expired"]
    assert m.last(LiquidationStarted).call_expired


def test_the_level_after_a_liquidation_is_told() -> None:
    m = long_ten(liquidation=liquidation(partial="restore", restore_buffer_ppb=ppb("0.25")))
    m.buy(CAROL, "10", "89")
    m.index("89")
    assert names(m) == ["liquidate", "call"]
    last = m.last(MarginLevelChanged)
    assert (last.level_before, last.level) == (3, 2)


def test_a_liquidation_that_ends_above_the_call_level_is_followed_by_none() -> None:
    m = long_ten(liquidation=liquidation(partial="restore", restore_buffer_ppb=ppb("0.75")))
    m.buy(CAROL, "10", "89")
    m.index("89")
    assert m.only(LiquidationEnded).outcome == "restored"
    assert not m.all(MarginCallIssued)


def test_a_notice_that_expired_is_not_repeated() -> None:
    m = long_ten(call_rule(grace_ns=SECOND_NS, on_expiry="notify"))
    m.index("91")
    m.wait("1")
    for price in ("90.90", "91.10", "91"):
        m.index(price)
    m.wait("10")
    assert m.only(MarginCallIssued)


def test_rules_that_begin_to_call_call_whoever_is_below_already() -> None:
    """The same number of levels: the alert of before is the call of now."""
    m = Market(rules(levels=levels(alert="1.5", liquidate="1")))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("91")
    m.rule(rules(levels=levels(call="1.5", liquidate="1"), call=GRACE))
    assert m.only(MarginCallIssued).amount_q == usd("31")
    # Rules that call nobody end it.
    m.rule(rules(levels=levels(alert="1.5", liquidate="1")))
    assert m.only(MarginCallEnded).outcome == "cured"


def test_rules_with_fewer_levels_liquidate_whoever_is_below_them() -> None:
    """Level 1 was the alert, and is the liquidation now."""
    m = Market(rules(levels=levels(alert="2", liquidate="1")))
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("94")
    m.rule(rules(levels=levels(liquidate="2")))
    assert m.only(LiquidationStarted).margin_account_id == ALICE


@pytest.mark.parametrize("ends", ["level", "met"])
def test_a_snapshot_keeps_what_was_done_about_a_call(ends: str) -> None:
    m = called(call_rule(grace_ns=60 * SECOND_NS, on_expiry="liquidate", ends=ends))
    m.deposit(ALICE, "3")
    m.trade(BOB, ALICE, "0.5", "91")
    state = risk_state(m.exchange.risk)
    restored = restore_risk(state)
    assert risk_state(restored) == state
    call = restored.core.ledger.accounts[ALICE].call
    assert call is not None
    assert (call.paid_q, call.reduced_q) == (usd("3"), usd("4.55"))


def test_a_lower_leverage_of_an_isolated_position_brings_a_deposit() -> None:
    """From 10x to 5x: 72.90 are filled up to 194.58, and the call asks for what it did."""
    m = isolated_called()
    m.leverage(ALICE, 5)
    assert cure(m) == ("cured", "deposit")
    ended = m.only(MarginCallEnded)
    assert (ended.paid_q, ended.reduced_q) == (usd("121.68"), 0)


def test_a_higher_leverage_frees_nothing_of_a_called_isolated_pot() -> None:
    m = Market(rules(levels=HIGH, call=call_rule("initial", "0")))
    m.open(ALICE, BOB, deposit="1000")
    m.isolate(ALICE)
    m.leverage(ALICE, 5)
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.index("91.4")
    # Equity 114 of 2.5 x 45.70; at 10x the initial margin is 91.40.
    call = m.only(MarginCallIssued)
    before_q = m.pot(ALICE, "PERP").wallet_q
    m.leverage(ALICE, 10)
    assert m.pot(ALICE, "PERP").wallet_q == before_q
    assert call.margin_account_id != ALICE


def test_a_lower_leverage_takes_nothing_from_a_called_cross_account() -> None:
    m = Market(rules(levels=HIGH, call=call_rule("initial", "0")))
    m.add("OTHER")
    m.open(ALICE, deposit="300")
    m.open(BOB, deposit="100000")
    m.isolate(ALICE, "OTHER")
    m.index("100")
    m.index("100", "OTHER")
    m.trade(ALICE, BOB, "10", "100", "OTHER")
    m.trade(ALICE, BOB, "12", "100")
    m.index("95")
    # Equity 140 of 2.5 x 57; initial margin is 114, and 11.12 would go.
    called = m.exchange.risk.core.ledger.accounts[ALICE]
    assert called.call is not None
    m.leverage(ALICE, 9, "OTHER")
    assert (m.refusal().reason, m.refusal().free_q) == (Reason.INSUFFICIENT_FREE_COLLATERAL, 0)
