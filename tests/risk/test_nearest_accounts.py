"""The accounts nearest to liquidation: found in order, and the same as by looking at everybody.

Whatever happens between two questions (fills, marks, prices of collateral, transfers, calls,
liquidations), the answer is that of the plain way: evaluate every account that bears risk and sort.
"""

import contextlib
from heapq import nsmallest
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import worlds
from engine import commands as c
from engine.instruments import MarginSpec
from engine.units import PPB, SECOND_NS
from risk.accounts import FIRST_TRADER, MarginAccount
from risk.health import evaluate
from risk.nearest import NearestAccounts, bears_risk, rank
from risk.rulebook import CallRule, Rulebook
from seawall.exchange import Exchange
from tests.exchange_world import RULEBOOKS, TRADERS, World
from tests.market import Market, collateral, levels, liquidation, rules, tiers

ALICE, BOB, CAROL = 100, 101, 102


def everybody(exchange: Exchange, count: int) -> tuple[int, list[MarginAccount]]:
    """The answer by looking at everybody."""
    bearing = [each for each in exchange.risk.core.ledger.accounts.values() if bears_risk(each)]
    return len(bearing), nsmallest(count, bearing, key=rank)


def random_command(rng: Random, world: World, number: int) -> c.Command:
    """Orders for the most part, each with something to meet; prices; collateral in and out."""
    exchange = world.exchange
    trader = rng.choice(TRADERS)
    instrument = rng.randrange(3)
    mark = exchange.mark_ticks(instrument)
    amount_q = rng.choice((1_000, 200_000, 2_000_000))
    match rng.randrange(12):
        case 0 | 1:
            price = max(1, mark * rng.randint(80, 120) // 100)
            return c.IndexPrice(number, instrument, 1, price)
        case 2:
            return c.AdvanceTime(number * 10**9)
        case 3:
            return c.Withdraw(number, trader, rng.randrange(4), amount_q)
        case 4:
            return c.Deposit(number, trader, rng.randrange(4), amount_q)
        case 5:
            return c.AssetPrice(number, 2, 1, rng.randint(5, 15) * 10**9)
        case 6:
            return c.SetLeverage(number, trader, instrument, rng.randint(1, 25))
        case _:
            side = rng.choice((c.BUY, c.SELL))
            hedge = exchange.risk.core.ledger.traders[trader].hedge
            leg = rng.choice((1, 2)) if hedge else 0
            lots = rng.choice((2, 20, 300, 2_000))
            price = max(1, mark * rng.randint(97, 103) // 100)
            return c.SubmitOrder(number, trader, instrument, number, side, lots, price, leg=leg)


@pytest.mark.parametrize("rules", sorted(RULEBOOKS))
@given(seed=st.integers(0, 2**32))
@settings(max_examples=3, deadline=None)
def test_the_nearest_are_those_that_a_look_at_everybody_finds(rules: str, seed: int) -> None:
    rng = Random(seed)
    world = World(rules)
    exchange = world.exchange
    find = exchange.risk.core.nearest.find
    for number in range(1, 150):
        exchange.send(random_command(rng, world, number))
        if rng.random() < 0.5:
            count = rng.choice((1, 3, 20))
            assert find(count) == everybody(exchange, count)


def crowd(accounts: int, instruments: int) -> Exchange:
    """Accounts of one to three positions whose equity is anything from hardly enough."""
    exchange = worlds.new_exchange(instruments)
    worlds.populate(exchange, accounts, instruments, lambda number: 50 + number * 7919 % 1_000)
    return exchange


def looked_at(exchange: Exchange, count: int) -> int:
    """How many accounts a question evaluates."""
    accounts = exchange.risk.core.ledger.accounts.values()
    for account in accounts:
        account.equity_q = -(2**60)
    exchange.risk.core.nearest.find(count)
    return sum(account.equity_q != -(2**60) for account in accounts)


@pytest.mark.parametrize("instruments", [1, 4])
def test_a_question_looks_at_few_of_many(instruments: int) -> None:
    exchange = crowd(2_000, instruments)
    find = exchange.risk.core.nearest.find
    assert looked_at(exchange, 10) >= 2_000
    looks = 0
    for step in range(1, 20):
        for instrument in range(instruments):
            move = (11, -7, 3, -9)[instrument] * step
            worlds.mark_tick(exchange, instrument, step * 10**9, worlds.START_TICKS + move)
        looks += looked_at(exchange, 10)
        assert find(10) == everybody(exchange, 10)
    # A look at everybody would be 38,000.
    assert 19 * 10 <= looks < 19 * 2_000 // 10, looks


def two_shorts(settings: Rulebook, margin: MarginSpec | None = None) -> Market:
    """Alice and Bob short PERP and SLOW at 100, Alice better margined; somebody asked once."""
    m = Market(settings, listed=False)
    m.add("PERP", margin=margin)
    m.add("SLOW")
    m.open(ALICE, deposit="900")
    m.open(BOB, deposit="300")
    m.open(CAROL, deposit="100000")
    for symbol in ("PERP", "SLOW"):
        m.index("100", symbol)
    m.trade(CAROL, ALICE, "10", "100", "PERP")
    m.trade(CAROL, BOB, "10", "100", "SLOW")
    assert nearest_of(m) == BOB
    return m


def nearest_of(m: Market) -> int:
    """The trader who is nearest; the answer is that of a look at everybody. The others are not
    looked at if need not be, for that would renew what is known of them."""
    found = m.exchange.risk.core.nearest.find(1)
    assert found == everybody(m.exchange, 1)
    return found[1][0].trader.account_id


def test_a_rate_that_rises_with_the_price_brings_an_account_nearer() -> None:
    """Alice at 130: equity 600 over 1,300 x 0.45 - 480 = 105. Bob: 300 over 50."""
    steep = tiers(("1200", "0.05", 10, "0"), ("100000", "0.45", 2, "480"))
    m = two_shorts(rules(), margin=steep)
    for price, nearest in (("119", BOB), ("130", ALICE), ("119", BOB), ("135", ALICE)):
        m.index(price, "PERP")
        assert nearest_of(m) == nearest, price


def test_collateral_that_loses_its_price_brings_an_account_nearer() -> None:
    """Alice's coin counts for 540 at 600, over 50; Bob has 600 over 50. Her price bands were placed
    at 1,000 and still hold."""
    m = Market(rules(collateral=collateral(BTC="0.1")), listed=False)
    m.add("PERP")
    m.asset_price("1000")
    m.open(ALICE, deposit="1", asset="BTC")
    m.open(BOB, deposit="600")
    m.open(CAROL, deposit="100000")
    m.index("100")
    for trader in (ALICE, BOB):
        m.trade(CAROL, trader, "10", "100")
    for price, nearest in (("4000", BOB), ("600", ALICE), ("700", BOB)):
        m.asset_price(price)
        assert nearest_of(m) == nearest, price


def test_an_account_whose_call_expired_comes_first_while_it_is_closed_out() -> None:
    """Bob at 115 has 150 over 57.50, Alice at 124 has 160 over 62: both called, Bob's call expires
    first, and nobody sells to him."""
    call = CallRule("maintenance", 2 * PPB, SECOND_NS, "liquidate")
    ladder = levels(call="3", liquidate="1")
    m = two_shorts(rules(levels=ladder, call=call, liquidation=liquidation(["close", "socialise"])))
    m.withdraw(ALICE, "500")
    m.index("115", "SLOW")
    m.wait("0.5")
    m.index("124", "PERP")
    assert nearest_of(m) == ALICE
    m.wait("0.7")
    assert nearest_of(m) == BOB


def test_nothing_is_kept_before_the_first_question() -> None:
    exchange = crowd(50, 1)
    found: NearestAccounts = exchange.risk.core.nearest
    assert not any(account.noted for account in exchange.risk.core.ledger.accounts.values())
    assert found.find(3) == everybody(exchange, 3)
    exchange.send(c.Deposit(0, FIRST_TRADER, 0, 1))
    assert exchange.risk.core.ledger.traders[FIRST_TRADER].accounts[0].noted


def test_a_question_that_failed_half_way_spoils_no_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange = crowd(50, 1)
    find = exchange.risk.core.nearest.find
    find(3)
    accounts = list(exchange.risk.core.ledger.accounts.values())[-20:]
    for account in accounts:
        exchange.send(c.Deposit(0, account.trader.account_id, 0, 10**9))

    def fails_at_the_third(account: MarginAccount) -> None:
        if account is accounts[2]:
            raise RuntimeError("a defect")
        evaluate(account)

    with monkeypatch.context() as patched:
        patched.setattr("risk.nearest.evaluate", fails_at_the_third)
        with contextlib.suppress(RuntimeError):  # compiled, nobody calls the replacement
            find(3)
    for count in (3, 50):
        assert find(count) == everybody(exchange, count)
