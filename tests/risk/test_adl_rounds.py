"""Shares of a round: what waits at one mark is split once, and everyone's total is as promised."""

from copy import copy

import pytest

from engine.events import Deleveraged, LossSocialised
from engine.routing.bus import Latency
from engine.units import PPB, SECOND_NS
from risk.liquidation.ranking import ADL_RANKINGS
from risk.rulebook import AdlRule
from tests.market import Market, rules, size, usd

LONGS = tuple(range(100, 110))
SHORTS = tuple(range(200, 212))


def crash(ranking: str, params: list[tuple[str, int]] | None = None) -> Market:
    """Ten longs of 6 (100 each) from twelve shorts of 5: all bankrupt at 80."""
    market = Market(rules(adl=AdlRule(ranking, params=params or [], max_distance_ppb=PPB // 2)))
    for account in (*LONGS, *SHORTS):
        market.open(account, deposit="100" if account in LONGS else "1000")
    market.index("100")
    for long, short in zip((long for long in LONGS for _ in range(6)), SHORTS * 5, strict=True):
        market.trade(long, short, "1", "100")
    market.index("80")
    return market


def test_all_that_waits_is_split_over_the_counterparties_once() -> None:
    """Ten positions over twelve counterparties: each split on its own would be 120 fills."""
    market = crash("pro_rata")
    fills = market.all(Deleveraged)
    assert len(fills) <= len(LONGS) + len(SHORTS)
    given = dict.fromkeys(SHORTS, 0)
    for fill in fills:
        given[fill.margin_account_id] += fill.qty_lots
    assert set(given.values()) == {size("5")}
    assert all(market.wallet(account) == 0 for account in LONGS)
    assert sum(fill.gain_q for fill in fills) == -10 * usd("20")


def test_shares_follow_the_sizes_although_positions_come_one_by_one() -> None:
    """Two longs of 6 go under first; twelve shorts of 5 give 1 each."""
    market = Market(rules(adl=AdlRule("pro_rata", max_distance_ppb=PPB // 2)))
    for account in (*LONGS, *SHORTS):
        rich = account in LONGS[2:]
        market.open(account, deposit="10000" if rich else "1000" if account in SHORTS else "100")
    market.index("100")
    for long, short in zip((long for long in LONGS for _ in range(6)), SHORTS * 5, strict=True):
        market.trade(long, short, "1", "100")
    market.index("80")
    given = dict.fromkeys(SHORTS, 0)
    for fill in market.all(Deleveraged):
        given[fill.margin_account_id] += fill.qty_lots
    assert set(given.values()) == {size("1")}


@pytest.mark.parametrize("ranking", ADL_RANKINGS.names())
def test_no_ranking_loses_or_makes_money(ranking: str) -> None:
    """Invariants run after every command; and every long ends flat with nothing owed."""
    market = crash(ranking, [("equity_cap_ppb", PPB // 2)] if ranking == "capped_pro_rata" else [])
    assert all(market.lots(account) == 0 and market.wallet(account) == 0 for account in LONGS)


def test_what_the_caps_leave_is_socialised() -> None:
    market = crash("capped_pro_rata", [("equity_cap_ppb", PPB // 1000)])
    assert market.all(Deleveraged)
    assert market.all(LossSocialised)


def test_new_rules_void_the_shares_of_old_ones() -> None:
    market = half_done("pro_rata")
    rounds = market.exchange.risk.rounds
    assert [len(row) for row in rounds.state()] == [5, 1]
    market.rule(rules(adl=AdlRule("water_filling")))
    assert rounds.state() == []


def half_done(ranking: str) -> Market:
    """All longs are bankrupt, the link from the liquidation engine takes a second, and two of them
    have had their turn."""
    market = Market(
        rules(adl=AdlRule(ranking, max_distance_ppb=PPB // 2)),
        Latency(liquidation_to_risk_ns=SECOND_NS),
    )
    market.wait("10")
    for account in (*LONGS, *SHORTS):
        market.open(account, deposit="100" if account in LONGS else "1000")
    market.index("100")
    for long, short in zip((long for long in LONGS for _ in range(6)), SHORTS * 5, strict=True):
        market.trade(long, short, "1", "100")
    market.wait("1")
    market.index("80")
    while len({fill.bankrupt_account_id for fill in market.all(Deleveraged)}) < 2:
        market.now_ns += SECOND_NS
        market.exchange.run_until(market.now_ns)
    return market


def test_who_comes_too_late_waits_no_longer() -> None:
    """The index comes back while eight wait: none of them is closed, and none is counted later."""
    market = half_done("pro_rata")
    market.index("100")
    for _ in range(60):
        market.now_ns += SECOND_NS
        market.exchange.run_until(market.now_ns)
    assert len({fill.bankrupt_account_id for fill in market.all(Deleveraged)}) <= 3
    assert [row for row in market.exchange.risk.rounds.state() if len(row) == 1] == []


def test_a_round_goes_on_from_a_snapshot() -> None:
    """With a slow link from the liquidation engine the round is half used for a while."""
    market = Market(
        rules(adl=AdlRule("water_filling", max_distance_ppb=PPB // 2)),
        Latency(liquidation_to_risk_ns=SECOND_NS),
    )
    market.wait("10")
    for account in (*LONGS, *SHORTS):
        market.open(account, deposit="100" if account in LONGS else "1000")
    market.index("100")
    for long, short in zip((long for long in LONGS for _ in range(6)), SHORTS * 5, strict=True):
        market.trade(long, short, "1", "100")
    market.wait("1")
    market.index("80")
    exchange = market.exchange
    half_used = 0
    hashes: list[str] = []
    for _ in range(60):
        market.now_ns += SECOND_NS
        exchange.run_until(market.now_ns)
        again = copy(exchange)
        half_used += bool(exchange.risk.rounds.state())
        assert again.state_hash() == exchange.state_hash()
        if again.risk.rounds.state():
            again.run_until(market.now_ns + 100 * SECOND_NS)
            hashes.append(again.state_hash())
    assert half_used > 5
    assert set(hashes) == {exchange.state_hash()}
