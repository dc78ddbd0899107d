"""The answers to the two queries of a watching client: what is listed, and who is near.

Long 10 at 100 with 150: equity ``10 p - 850``, maintenance ``0.5 p``.
"""

import pytest

from engine import commands as c
from engine.commands import MAX_ROWS, MAX_WIRE
from engine.events import AccountRisk, MarginCallIssued, MarketReport, RiskReport
from engine.messages import decode_message, encode
from engine.reasons import Reason
from engine.routing.bus import Latency
from engine.units import PPB, SECOND_NS
from risk.accounts import FUND, cross_account_id, isolated_account_id, pot_of
from risk.rulebook import CallRule, FundingRule
from tests.market import Market, levels, px, rules, size, usd

ALICE, BOB, CAROL, DAVE = 100, 101, 102, 103


def market(latency: Latency | None = None) -> Market:
    call = CallRule(restore_to="maintenance", buffer_ppb=PPB, grace_ns=60 * SECOND_NS)
    m = Market(rules(levels=levels(alert="2", call="1.5", liquidate="1"), call=call), latency)
    m.open(ALICE, deposit="150")
    m.open(BOB, deposit="1000000")
    m.open(CAROL, deposit="200")
    m.open(DAVE, deposit="100000")
    m.index("100")
    m.trade(ALICE, BOB, "10", "100")
    m.trade(CAROL, BOB, "10", "100")
    return m


def nearest(m: Market, *account_ids: int, count: int = 10) -> RiskReport:
    (report,) = m.send(c.QueryRisk(m.now_ns, list(account_ids), count))
    assert isinstance(report, RiskReport)
    return report


def row(m: Market, trader: int) -> AccountRisk:
    (found,) = nearest(m, trader).rows
    return found


def test_the_market_report_tells_what_is_listed_and_at_what_levels() -> None:
    m = market()
    m.deposit(FUND, "77")
    m.index("99")
    (report,) = m.send(c.QueryMarket(m.now_ns))
    assert isinstance(report, MarketReport)
    assert report.rulebook == "test"
    assert report.levels == [("alert", 2 * PPB), ("call", 3 * PPB // 2), ("liquidate", PPB)]
    assert [row.spec.symbol for row in report.assets] == ["USD", "BTC"]
    assert [row.fund_q for row in report.assets] == [usd("77"), 0]
    (contract,) = report.instruments
    assert contract.spec == m.exchange.listing(0).instrument.spec
    assert (contract.mark_ticks, contract.index_ticks) == (px("99"), px("99"))
    assert (contract.last_ticks, contract.open_interest_lots) == (px("100"), size("20"))


def test_the_market_report_shows_the_rate_that_would_settle_now() -> None:
    funding = FundingRule(interval_ns=3_600 * SECOND_NS, interest_ppb=0, clamp_ppb=0)
    m = Market(rules(funding=funding))
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.buy(ALICE, "1", "101")
    m.sell(BOB, "1", "102")
    m.wait("60")
    (report,) = m.send(c.QueryMarket(m.now_ns))
    (contract,) = report.instruments
    assert contract.funding_ns == 3_600 * SECOND_NS
    # The best bid stands one above an index of 100.
    assert contract.funding_ppb == PPB // 100


def test_accounts_come_by_ratio_and_no_more_than_asked_for() -> None:
    m = market()
    m.index("95")
    report = nearest(m)
    assert [row.margin_account_id for row in report.rows] == [
        cross_account_id(trader, 0) for trader in (ALICE, CAROL, BOB)
    ]
    assert report.accounts == 3  # Dave has no position
    assert nearest(m, count=1).rows == report.rows[:1]
    assert nearest(m, count=1).accounts == 3


def test_the_figures_are_those_of_the_account_report() -> None:
    m = market()
    m.index("95")
    found, pot, held = row(m, ALICE), m.pot(ALICE), m.held(ALICE)
    assert (found.equity_q, found.maintenance_q) == (usd("100"), usd("47.50"))
    # 100 / 47.5 = 2.105263157...
    assert found.ratio_ppb == 2_105_263_157
    assert (found.level, found.level_name) == (pot.level, pot.level_name) == (0, "healthy")
    assert (found.instrument_id, found.qty_lots) == (0, size("10"))
    assert found.liquidation_ticks == held.liquidation_ticks == px("89.47")
    assert found.distance_ppb == held.distance_ppb
    assert (found.call_id, found.call_amount_q, found.deadline_ns) == (0, 0, -1)
    assert (found.liquidation_id, found.stage) == (0, "")


def test_an_open_call_is_shown_with_what_it_asks_for() -> None:
    m = market()
    m.index("91.5")
    call = m.only(MarginCallIssued)
    found = row(m, ALICE)
    assert found.level_name == "call"
    assert (found.call_id, found.call_amount_q) == (call.call_id, call.amount_q)
    assert found.deadline_ns == call.deadline_ns


def test_accounts_in_liquidation_come_first() -> None:
    """The liquidation engine has not heard of it yet: Alice is locked and in no stage."""
    m = market(Latency(risk_to_liquidation_ns=SECOND_NS))
    m.index("89")
    first, second, _ = nearest(m).rows
    assert first.margin_account_id == cross_account_id(ALICE, 0)
    assert (first.liquidation_id, first.level_name, first.stage) == (1, "liquidate", "")
    assert second.margin_account_id == cross_account_id(CAROL, 0)
    assert second.liquidation_id == 0
    assert second.ratio_ppb > first.ratio_ppb


def test_named_traders_only_and_unknown_ones_are_left_out() -> None:
    m = market()
    report = nearest(m, CAROL, 999, CAROL, DAVE, FUND)
    assert [row.margin_account_id for row in report.rows] == [cross_account_id(CAROL, 0)]
    assert (report.account_ids, report.accounts) == ([CAROL, 999, CAROL, DAVE, FUND], 1)


def test_cross_and_isolated_accounts_of_a_trader_are_rows_of_their_own() -> None:
    m = market()
    m.add("SIDE")
    m.index("100", "SIDE")
    m.isolate(ALICE, "SIDE")
    m.deposit(ALICE, "100")
    m.trade(ALICE, DAVE, "5", "100", "SIDE")
    rows = nearest(m, ALICE).rows
    assert sorted((row.isolated, row.instrument_id) for row in rows) == [(False, 0), (True, 1)]


def test_the_prices_are_those_of_the_largest_position() -> None:
    m = market()
    m.add("SIDE")
    m.index("100", "SIDE")
    m.trade(DAVE, BOB, "5", "100")
    m.trade(DAVE, BOB, "6", "100", "SIDE")
    found = row(m, DAVE)
    assert (found.instrument_id, found.qty_lots) == (1, size("6"))
    assert found.liquidation_ticks == m.held(DAVE, "SIDE").liquidation_ticks


def test_a_ratio_the_wire_cannot_carry_is_its_largest() -> None:
    """A dust position of a thousandth against all the money there can be."""
    m = market()
    m.add("DUST", tick="0.001", lot="0.001")
    m.index("0.001", "DUST")
    m.deposit(DAVE, "1000000000000")
    m.trade(DAVE, BOB, "0.001", "0.001", "DUST")
    found = row(m, DAVE)
    assert found.ratio_ppb == MAX_WIRE
    assert decode_message(encode(found_report := nearest(m, DAVE))) == found_report


@pytest.mark.parametrize(
    ("named", "count"), [([], 0), ([], -1), ([], MAX_ROWS + 1), ([1] * (MAX_ROWS + 1), 5)]
)
def test_a_query_has_limits(named: list[int], count: int) -> None:
    m = market()
    m.send(c.QueryRisk(m.now_ns, named, count))
    refusal = m.refusal()
    assert refusal.reason == Reason.INVALID_FIELD
    assert str(MAX_ROWS) in refusal.detail


def test_queries_change_nothing() -> None:
    m = market()
    m.index("91.5")
    before = m.exchange.state_hash()
    m.send(c.QueryMarket(m.now_ns))
    m.send(c.QueryRisk(m.now_ns, [], 10))
    assert m.exchange.state_hash() == before


def test_a_margin_account_id_tells_its_pot() -> None:
    assert pot_of(cross_account_id(123, 7)) == (7, -1)
    for leg in range(3):
        assert pot_of(isolated_account_id(123, 42, leg)) == (-1, 42)
