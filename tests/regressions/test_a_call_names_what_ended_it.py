"""Three quarters of the "cured" calls of a crash were the price ticking back within a second, and
were read as answers; an account that a liquidation left in the call band had no call at all.

Long 10 at 100 with 150, called below 91.90 (1.5 x maintenance), asked to come to 2 x maintenance.
"""

import pytest

from engine.events import LiquidationEnded, MarginCallEnded, MarginCallIssued
from engine.units import SECOND_NS
from risk.rulebook import CallRule
from tests.market import Market, levels, liquidation, ppb, rules

ALICE, BOB, CAROL = 100, 101, 102


def market(ends: str = "level") -> Market:
    m = Market(
        rules(
            levels=levels(call="1.5", liquidate="1"),
            call=CallRule(
                buffer_ppb=ppb("1"), grace_ns=60 * SECOND_NS, on_expiry="liquidate", ends=ends
            ),
            liquidation=liquidation(partial="restore", restore_buffer_ppb=ppb("0.25")),
        )
    )
    m.open(ALICE, deposit="150")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    return m


def test_a_price_that_ticks_back_is_told_from_an_answer() -> None:
    m = market()
    m.index("91.80")
    m.wait("1")
    m.index("91.95")
    m.index("91.80")
    m.wait("1")
    m.deposit(ALICE, "5")
    assert [e.cured_by for e in m.all(MarginCallEnded)] == ["price", "deposit"]


@pytest.mark.parametrize(("ends", "calls"), [("level", 5), ("met", 1)])
def test_a_price_around_the_level_renews_no_deadline_where_calls_have_to_be_met(
    ends: str, calls: int
) -> None:
    m = market(ends)
    for _ in range(5):
        m.index("91.80")
        m.wait("10")
        m.index("91.95")
    assert len(m.all(MarginCallIssued)) == calls
    m.index("91.80")
    m.wait("10")
    assert ("expired" in [e.outcome for e in m.all(MarginCallEnded)]) == (ends == "met")


def test_whoever_a_liquidation_leaves_in_the_call_band_has_a_call() -> None:
    m = market()
    m.buy(CAROL, "10", "89.30")
    m.index("89.30")
    assert m.only(LiquidationEnded).outcome == "restored"
    call = m.only(MarginCallIssued)
    assert (call.margin_account_id, call.deadline_ns) == (ALICE, m.now_ns + 60 * SECOND_NS)
