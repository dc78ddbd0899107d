"""When every source of an index is silent, trading, liquidation and funding do what the rules say.

Sources are stale after 60 s. Long 10 at 100 with 105: equity 10 p - 895, maintenance 0.5 p.
"""

import pytest

from engine import commands as c
from engine.events import (
    BadDebtBooked,
    FundingSettled,
    HouseInsolvent,
    IndexStale,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    OrderFilled,
)
from engine.reasons import Reason
from engine.settings import SettingFault
from risk.rulebook import CallRule, FundingRule, FundRule, IndexRule, MarkRule
from risk.rules.rulebook_check import check_rulebook
from risk.state import restore_risk, risk_state
from tests.market import FUND, Market, levels, liquidation, ppb, rules, size, usd

LONG, SHORT, OTHER = 100, 101, 102
RULES = ("go_on", "reduce_only", "halt_liquidations")
MINUTE_NS = 60 * 10**9


def market(when_stale: str, symbols: tuple[str, ...] = (), **settings: object) -> Market:
    """The mark follows the last trade, so that it moves while the index stands."""
    chosen: dict[str, object] = {
        "index": IndexRule(stale_ns=MINUTE_NS, when_stale=when_stale),
        "mark": MarkRule(method="last"),
    }
    m = Market(rules(**(chosen | settings)))
    for symbol in symbols:
        m.add(symbol)
    m.open(LONG, deposit="105")
    m.open(SHORT, OTHER, deposit="1000")
    for symbol in ("PERP", *symbols):
        m.index("100", symbol)
    m.trade(LONG, SHORT, "10", "100")
    m.tick()
    m.forget()
    return m


def silence(m: Market) -> None:
    """61 s without a price."""
    m.wait("61")


def stale_told(m: Market) -> list[bool]:
    return [e.stale for e in m.all(IndexStale)]


@pytest.mark.parametrize("rule", RULES)
def test_it_is_told_once_each_way(rule: str) -> None:
    m = market(rule)
    m.wait("60")
    assert stale_told(m) == []
    for _ in range(3):
        m.wait("1")
    assert stale_told(m) == [True]
    m.send(c.IndexPrice(m.now_ns, 0, 1, 10_000))
    assert stale_told(m) == [True]
    m.tick()
    assert stale_told(m) == [True, False]


def test_one_fresh_source_is_enough() -> None:
    m = market("halt_liquidations")
    m.wait("40")
    m.send(c.IndexPrice(m.now_ns, 0, 2, 10_000))
    m.wait("40")
    assert not m.all(IndexStale)


# trading


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("isolated", [False, True])
def test_orders_that_open_are_refused_and_those_that_reduce_are_not(
    rule: str, isolated: bool
) -> None:
    m = market(rule)
    if isolated:
        m.isolate(OTHER)
    rested = m.sell(OTHER, "1", "101")
    silence(m)
    opening = m.buy(OTHER, "1", "99")
    assert m.accepted(opening) == (rule == "go_on")
    if rule != "go_on":
        assert m.refusal().reason == Reason.INDEX_STALE
        m.sell(LONG, "10.01", "101")
        assert m.refusal().reason == Reason.INDEX_STALE
        m.amend(OTHER, rested, "2", "101")
        assert m.refusal().reason == Reason.INDEX_STALE
    # The short closes against what rested before.
    closing = m.buy(SHORT, "1", "101")
    assert m.accepted(closing)
    assert m.lots(SHORT) == -size("9")
    m.index("100")
    assert m.accepted(m.buy(OTHER, "1", "99"))


def test_a_contract_with_a_fresh_index_trades_on() -> None:
    m = market("reduce_only", ("OTHER",))
    m.wait("40")
    m.index("100", "OTHER")
    m.wait("40")
    assert m.accepted(m.buy(OTHER, "1", "99", symbol="OTHER"))
    m.buy(OTHER, "1", "99")
    assert m.refusal().reason == Reason.INDEX_STALE


# liquidation


def fall(m: Market, price: str = "94") -> None:
    """One trade under the liquidation price of 94.21, at which the mark follows."""
    m.buy(SHORT, "0.01", price)
    m.sell(OTHER, "0.01", price)
    m.tick()


@pytest.mark.parametrize("rule", RULES)
def test_nobody_is_liquidated_at_a_stale_index_where_the_rules_halt_that(rule: str) -> None:
    m = market(rule)
    m.sell(OTHER, "0.01", "94")
    silence(m)
    m.buy(SHORT, "0.01", "94")
    m.wait("1")
    assert m.mark() == "94"
    halted = rule == "halt_liquidations"
    assert bool(m.all(LiquidationStarted)) is not halted
    assert m.pot(LONG).level == (1 if halted else 0)


@pytest.mark.parametrize("price", ["100", "94"])
def test_who_is_below_when_the_index_is_back_is_liquidated_then(price: str) -> None:
    """At the renewed mark, not at the one before: at 100 nobody falls."""
    m = market("halt_liquidations", mark=MarkRule(method="index"))
    m.index("94.30")
    silence(m)
    m.send(c.IndexPrice(m.now_ns, 0, 1, 100 * int(price)))
    assert not m.all(LiquidationStarted)
    m.tick()
    assert bool(m.all(LiquidationStarted)) is (price == "94")


def test_one_stale_contract_halts_the_whole_account() -> None:
    m = market("halt_liquidations", ("OTHER",), mark=MarkRule(method="index"))
    m.deposit(LONG, "20")
    m.trade(LONG, SHORT, "1", "100", "OTHER")
    m.wait("40")
    m.index("100", "OTHER")
    m.wait("40")
    m.index("60", "OTHER")
    m.index("60", "OTHER")
    assert m.equity(LONG) == usd("85")
    m.index("30", "OTHER")
    assert m.equity(LONG) == usd("55")
    m.index("9", "OTHER")
    assert m.equity(LONG) < m.pot(LONG).maintenance_q
    assert not m.all(LiquidationStarted)
    m.index("100")
    assert m.all(LiquidationStarted)


def test_a_liquidation_under_way_waits_too() -> None:
    """Nobody bids; when somebody does, the marks are stale, and the order waits for the index."""
    book = liquidation(["cancel", "close", "socialise"])
    m = market("halt_liquidations", liquidation=book, mark=MarkRule(method="index"))
    m.index("94")
    assert m.all(LiquidationStarted)
    silence(m)
    m.buy(SHORT, "10", "94")
    for _ in range(3):
        m.wait("1")
    assert not [e for e in m.all(OrderFilled) if e.liquidation]
    m.index("94")
    m.wait("1")
    assert [e.qty_lots for e in m.all(OrderFilled) if e.liquidation] == [size("10")]
    assert m.all(LiquidationEnded)


def test_a_call_that_would_liquidate_expires_when_the_index_is_back() -> None:
    settings: dict[str, object] = {
        "levels": levels(call="1.5", liquidate="1"),
        "call": CallRule(buffer_ppb=ppb("0.5"), grace_ns=30 * 10**9, on_expiry="liquidate"),
        "mark": MarkRule(method="index"),
    }
    m = market("halt_liquidations", **settings)
    m.wait("35")
    m.index("96")
    m.wait("25")
    assert not m.all(MarginCallEnded)
    m.now_ns += 36 * 10**9
    m.tick()
    assert stale_told(m) == [True]
    assert not m.all(MarginCallEnded)
    m.index("96")
    m.wait("1")
    assert [e.outcome for e in m.all(MarginCallEnded)] == ["expired"]
    assert m.only(LiquidationStarted).call_expired


@pytest.mark.parametrize("rule", RULES)
def test_the_house_does_not_sell_at_a_stale_mark(rule: str) -> None:
    """A partner who knows where prices went would be the buyer."""
    fund = FundRule(
        disposal_fraction_ppb=ppb("1"), disposal_interval_ns=10**9, disposal_slippage_ppb=ppb("0.2")
    )
    m = market(rule, fund=fund, mark=MarkRule(method="index"))
    m.deposit(FUND, "1000")
    m.index("94")
    assert m.lots(FUND) == size("10")
    silence(m)
    m.buy(SHORT, "10", "94")
    m.wait("2")
    assert m.lots(FUND) == (0 if rule == "go_on" else size("10"))
    m.index("94")
    m.wait("2")
    assert m.lots(FUND) == 0


def test_the_waterfall_of_the_house_waits_as_well() -> None:
    """It gave 89.50; the mark follows a trade at 80 down to 84.60, its bound: 49 lost of 20."""
    m = market("halt_liquidations")
    m.deposit(FUND, "20")
    m.index("94")
    m.trade(OTHER, SHORT, "0.01", "94")
    m.tick()
    assert m.lots(FUND) == size("10")
    silence(m)
    m.buy(SHORT, "0.01", "80")
    m.sell(OTHER, "0.01", "80")
    m.wait("1")
    assert m.equity(FUND) < 0
    assert not m.all(HouseInsolvent)
    m.index("80")
    assert m.all(HouseInsolvent)
    assert m.equity(FUND) >= 0


# funding


@pytest.mark.parametrize("rule", RULES)
def test_funding_waits_and_is_paid_for_every_interval(rule: str) -> None:
    funding = FundingRule(3_600 * 10**9, interest_ppb=ppb("0.001"), clamp_ppb=ppb("0.001"))
    m = market(rule, funding=funding, mark=MarkRule(method="index"))
    for _ in range(3):
        m.wait("3600")
    waits = rule == "halt_liquidations"
    assert len(m.all(FundingSettled)) == (0 if waits else 3)
    m.index("100")
    m.wait("1")
    assert sum(e.intervals for e in m.all(FundingSettled)) == 3
    assert m.wallet(LONG) == usd("102")


@pytest.mark.parametrize("rule", RULES)
def test_no_premium_is_measured_against_a_stale_index(rule: str) -> None:
    m = market(rule, funding=FundingRule(3_600 * 10**9))
    silence(m)
    m.buy(SHORT, "1", "104")
    m.wait("10")
    measured = m.exchange.listing(0).premium.mean_ppb()
    assert bool(measured) is (rule == "go_on")


# the rule


def test_a_rule_about_stale_sources_needs_an_age() -> None:
    for rule in RULES[1:]:
        with pytest.raises(SettingFault, match=r"index\.when_stale: .*give index\.stale_s"):
            check_rulebook(rules(index=IndexRule(when_stale=rule)))
    with pytest.raises(SettingFault, match="'stop' is unknown; allowed are go_on, reduce_only"):
        check_rulebook(rules(index=IndexRule(stale_ns=1, when_stale="stop")))


def test_a_snapshot_remembers_that_the_index_is_stale() -> None:
    m = market("halt_liquidations")
    silence(m)
    before = risk_state(m.exchange.risk)
    assert risk_state(restore_risk(before)) == before


def test_deficits_after_the_halt_are_borne_as_ever() -> None:
    """Silent from 100 to 80: the gap is there at once, and the winner bears it."""
    m = market("halt_liquidations", mark=MarkRule(method="index"))
    silence(m)
    m.index("80")
    m.wait("1")
    assert sum(e.amount_q for e in m.all(BadDebtBooked)) == usd("95")
    assert m.equity(LONG) == 0
    assert m.equity(SHORT) == usd("1105")
