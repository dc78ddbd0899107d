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
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    MarginLevelChanged,
)
from engine.units import SECOND_NS
from risk.rulebook import CallRule
from tests.market import ALL_STAGES, Market, levels, liquidation, ppb, rules, size, usd

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
