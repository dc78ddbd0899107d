"""Latency on the links: the same commands, another outcome, and the same one every time."""

import pytest

from engine import commands as c
from engine.events import (
    BadDebtBooked,
    LiquidationEnded,
    LiquidationStarted,
    OrderFilled,
    TakenOver,
)
from engine.routing.bus import Latency
from tests.market import FUND, Market, px, rules, usd

ALICE, BOB, CAROL = 100, 101, 102
SECOND_NS = 10**9
MS_NS = 10**6


def listed_market(latency: Latency | None) -> Market:
    """The contract is there before anyone uses it, however slow the links."""
    m = Market(rules(), latency, listed=False)
    m.add("PERP")
    m.wait("1")
    return m


def crash(latency: Latency | None = None) -> Market:
    """Alice's long of 10 (liquidated below 94.74, bankrupt at 90) meets an index falling by 1 a
    second; Carol's bids follow one under the index, a second behind."""
    m = listed_market(latency)
    m.deposit(FUND, "10000")
    m.open(ALICE, deposit="100")
    m.open(BOB, CAROL, deposit="100000")
    m.index("100")
    m.wait("10")
    m.sell(BOB, "10", "100")
    m.wait("10")
    m.buy(ALICE, "10", "100")
    m.wait("10")
    for price in range(99, 79, -1):
        m.now_ns += SECOND_NS
        for order in m.exchange.book(0).orders():
            m.cancel(CAROL, order.order_id)
        m.buy(CAROL, "20", str(price - 1))
        m.index(str(price))
    m.wait("100")
    m.exchange.run_until(m.now_ns + 100 * SECOND_NS)
    m.exchange.check_invariants()
    return m


def bad_debt(m: Market) -> int:
    return sum(e.amount_q for e in m.all(BadDebtBooked))


def slow(milliseconds: int) -> Latency:
    return Latency(risk_to_liquidation_ns=milliseconds * MS_NS)


def test_at_once_the_account_is_sold_into_the_book() -> None:
    """Mark 94 at the sixth second: 10 sold at 93, 30 left of 40."""
    m = crash()
    sold = [e for e in m.all(OrderFilled) if e.liquidation]
    assert [e.price_ticks for e in sold] == [px("93")]
    assert m.wallet(ALICE) == usd("30")
    assert bad_debt(m) == 0


def test_a_slow_liquidation_engine_sells_later_and_lower() -> None:
    """Two and a half seconds to the liquidation engine: asked at 94, it sells at the bid of 91."""
    m = crash(slow(2500))
    (sold,) = [e for e in m.all(OrderFilled) if e.liquidation]
    assert sold.time_ns - m.only(LiquidationStarted).time_ns == 2500 * MS_NS
    assert sold.price_ticks == px("91")
    assert m.wallet(ALICE) == usd("10")


@pytest.mark.parametrize(
    ("milliseconds", "debt"), [(0, "0"), (2500, "0"), (3500, "0"), (4500, "90"), (5500, "100")]
)
def test_a_slower_one_makes_bad_debt(milliseconds: int, debt: str) -> None:
    """Started at second 6 (mark 94). Each decision takes ``s`` seconds to be made:

    | s   | reduce at (mark, bid)   | close at | takeover at (mark) | debt           |
    | 3.5 | 9.5 (91, 90): sold      |          |                    | 0              |
    | 4.5 | 10.5 (90, 89): no buyer | 15: none | 19.5 (81)          | 10 x (90 - 81) |
    | 5.5 | 11.5 (89, 88): no buyer | 17: none | 22.5 (80)          | 10 x (90 - 80) |
    """
    assert bad_debt(crash(slow(milliseconds))) == usd(debt)


def test_the_loss_is_the_distance_to_the_bankruptcy_price() -> None:
    """The limit of the order is 90, so nothing sells; the fund takes over at the mark of then."""
    m = crash(slow(4500))
    taken = m.only(TakenOver)
    assert taken.value_q == usd("900")
    assert -taken.gain_q == bad_debt(m) == usd("900") - taken.mark_ticks * usd("0.10")


def test_attribution_shows_the_price_that_moved_meanwhile() -> None:
    """Equity was 40 when it started and minus the debt when it was taken over."""
    m = crash(slow(4500))
    ended = m.only(LiquidationEnded)
    assert ended.price_q == -usd("40") - bad_debt(m)
    assert ended.surrender_q == bad_debt(m)


EVERYWHERE = Latency(
    gateway_to_risk_ns=3 * MS_NS,
    oracle_to_risk_ns=20 * MS_NS,
    risk_to_matching_ns=MS_NS,
    matching_to_risk_ns=2 * MS_NS,
    risk_to_liquidation_ns=500 * MS_NS,
    liquidation_to_risk_ns=500 * MS_NS,
)


@pytest.mark.parametrize("latency", [None, slow(2500), EVERYWHERE], ids=["instant", "slow", "all"])
def test_the_same_stream_gives_the_same_state(latency: Latency | None) -> None:
    first, second = crash(latency), crash(latency)
    assert first.commands == second.commands
    assert first.events == second.events
    assert first.exchange.state_hash() == second.exchange.state_hash()


def test_latency_is_what_makes_the_difference() -> None:
    assert crash(slow(2500)).exchange.state_hash() != crash(slow(4500)).exchange.state_hash()


def test_zero_latencies_are_the_instant_bus() -> None:
    instant, zero = crash(), crash(Latency())
    assert instant.events == zero.events
    assert instant.exchange.state_hash() == zero.exchange.state_hash()


def test_a_command_arrives_after_its_delay() -> None:
    """Three milliseconds from the gateway to risk."""
    m = listed_market(EVERYWHERE)
    m.send(c.OpenAccount(m.now_ns, ALICE))
    assert ALICE not in m.exchange.risk.core.ledger.traders
    m.exchange.run_until(m.now_ns + 3 * MS_NS - 1)
    assert ALICE not in m.exchange.risk.core.ledger.traders
    m.exchange.run_until(m.now_ns + 3 * MS_NS)
    assert ALICE in m.exchange.risk.core.ledger.traders
    assert m.events[-1].time_ns == m.now_ns + 3 * MS_NS


def test_a_cancel_can_come_too_late() -> None:
    """The fill is on its way when the owner cancels: the answer is 'unknown order', once."""
    m = Market(latency=Latency(risk_to_matching_ns=5 * MS_NS, matching_to_risk_ns=5 * MS_NS))
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.wait("1")
    order = m.buy(ALICE, "1", "100")
    m.wait("1")
    m.sell(BOB, "1", "100")
    m.now_ns += MS_NS
    m.cancel(ALICE, order)
    m.wait("1")
    assert m.lots(ALICE) == 100
    refusals = [e for e in m.events if type(e).__name__ == "CommandRejected"]
    assert [(e.order_id, e.reason) for e in refusals] == [(order, 103)]
