"""No liquidation order trades past the price at which its account's equity is used up.

Poor falls below maintenance by a fill while index and mark stand still; its partner Friend bids (or
offers) far away for what the engine then sells. Whatever rules and pots: no deficit, and nobody but
the two pays for anything.
"""

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine import commands as c
from engine.events import (
    BadDebtBooked,
    LiquidationStarted,
    LossSocialised,
    OrderAccepted,
    OrderFilled,
    TakenOver,
)
from engine.routing.bus import Latency
from risk.accounts import BAD_DEBT
from risk.rulebook import FeeRule, FundRule
from seawall import Market as Desk
from tests.market import BACKSTOP, FUND, Market, liquidation, ppb, px, rules, size, usd

POOR, FRIEND, HONEST = 100, 101, 102
SECOND_NS = 10**9
BOOK = ["cancel", "reduce", "close"]
LIMITS = {
    "bankruptcy": {"order_price": "bankruptcy"},
    "slippage": {"order_price": "slippage", "slippage_ppb": ppb("0.7")},
}
POLICIES: dict[str, dict[str, object]] = {
    "all": {},
    "restore": {"partial": "restore"},
    "fraction": {"partial": "fraction", "fraction_ppb": ppb("0.3")},
    "fifo": {"partial": "fifo"},
}


def market(latency: Latency | None = None, **rule: object) -> Market:
    m = Market(
        rules(
            liquidation=liquidation([*BOOK, "fund", "adl", "socialise"], **rule),
            fees=FeeRule(liquidation_ppb=ppb("0.001")),
        ),
        latency=latency,
    )
    m.deposit(FUND, "10000")
    m.open(FRIEND, HONEST, deposit="100000")
    m.open(POOR, deposit="105")
    m.index("100")
    return m


def lose(m: Market, qty: str, price: str, **fields: object) -> None:
    """Poor closes a part under the mark, at the price Friend bids."""
    m.buy(FRIEND, qty, price)
    m.sell(POOR, qty, price, **fields)


def cross(m: Market) -> None:
    m.buy(FRIEND, "9", "39")
    m.trade(POOR, FRIEND, "10", "100")
    lose(m, "1", "39.90")


def short(m: Market) -> None:
    m.sell(FRIEND, "9", "161")
    m.trade(FRIEND, POOR, "10", "100")
    m.sell(FRIEND, "1", "160.10")
    m.buy(POOR, "1", "160.10")


def two_positions(m: Market) -> None:
    m.add("OTHER")
    m.index("100", "OTHER")
    m.buy(FRIEND, "4", "39")
    m.buy(FRIEND, "5", "39", symbol="OTHER")
    m.trade(POOR, FRIEND, "5", "100")
    m.trade(POOR, FRIEND, "5", "100", "OTHER")
    lose(m, "1", "39.90")


def isolated(m: Market) -> None:
    m.isolate(POOR)
    m.buy(FRIEND, "10", "60")
    m.trade(POOR, FRIEND, "10", "100")
    m.index("94.70")


def hedge(m: Market) -> None:
    m.hedge(POOR)
    m.buy(FRIEND, "5", "39")
    m.sell(FRIEND, "5", "161")
    m.sell(FRIEND, "6", "100")
    m.buy(POOR, "6", "100", leg=c.LEG_LONG)
    m.buy(FRIEND, "4", "100")
    m.sell(POOR, "4", "100", leg=c.LEG_SHORT)
    m.buy(FRIEND, "1", "39.90")
    m.sell(POOR, "1", "39.90", leg=c.LEG_LONG)


SHAPES: dict[str, Callable[[Market], None]] = {
    "cross": cross,
    "short": short,
    "two positions": two_positions,
    "isolated": isolated,
    "hedge": hedge,
}


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_far_bid_of_a_partner_gets_nothing(shape: str, policy: str, limit: str) -> None:
    m = market(**POLICIES[policy], **LIMITS[limit])
    SHAPES[shape](m)
    for _ in range(4):
        m.wait("31")
    assert m.all(LiquidationStarted)
    assert not m.all(BadDebtBooked)
    assert not m.all(LossSocialised)
    assert m.equity(POOR) >= 0
    assert m.equity(FUND) >= usd("10000")
    assert m.equity(HONEST) == usd("100000")


@pytest.mark.parametrize("side", ["long", "short"])
def test_in_lots_of_one_an_inverse_account_does_not_end_below_zero_either(side: str) -> None:
    """100 USD a lot; the counterparty takes lot by lot, and every fill rounds to a satoshi."""
    m = Market(
        rules(liquidation=liquidation([*BOOK, "fund", "socialise"], **LIMITS["slippage"])),
        listed=False,
    )
    m.add("COIN", asset="BTC", inverse=True, lot="1", tick="0.01", multiplier="100")
    m.deposit(FUND, "1", "BTC")
    m.open(FRIEND, deposit="100", asset="BTC")
    m.open(POOR, deposit="0.00102", asset="BTC")
    m.index("70000.01", "COIN")
    sign = 1 if side == "long" else -1
    m.order(FRIEND, -sign, "7", "70000.01", "COIN")
    m.order(POOR, sign, "7", "70000.01", "COIN")
    for step in range(400):
        price = f"{70000 - sign * 20 * step}.01"
        for _ in range(7):
            m.order(FRIEND, sign, "1", price, "COIN", tif=c.GTC, post_only=True)
    bad = "63900.07" if side == "long" else "77400.07"
    m.index(bad, "COIN")
    m.wait("1")
    assert m.all(LiquidationStarted)
    assert [e for e in m.all(OrderFilled) if e.liquidation]
    assert not m.all(BadDebtBooked)
    assert m.equity(POOR, "BTC") >= 0
    assert m.equity(FUND, "BTC") >= 10**8


def test_the_slippage_is_a_second_limit() -> None:
    """At 94 equity is 40 of 10: used up at 90. 2 % under the mark are 92.12, 10 %: 84.60."""
    for slippage, expected in (("0.02", "92.12"), ("0.1", "90")):
        m = Market(
            rules(liquidation=liquidation(order_price="slippage", slippage_ppb=ppb(slippage)))
        )
        m.open(POOR, deposit="100")
        m.open(HONEST, deposit="100000")
        m.index("100")
        m.trade(POOR, HONEST, "10", "100")
        m.index("94")
        accepted = [e for e in m.all(OrderAccepted) if e.account_id == POOR]
        assert accepted[-1].price_ticks == px(expected)


def test_the_limit_is_that_of_the_moment_the_order_is_sent() -> None:
    """5 PERP and 5 OTHER at 100 with 105. PERP at 88: 45 left, of which OTHER has 45 x 25 / 47 and
    may lose 4.79 a contract. When the order arrives PERP is at 82: 15 x 25 / 45.50, so 1.65.
    """
    m = market(latency=Latency(liquidation_to_risk_ns=5 * SECOND_NS), **LIMITS["slippage"])
    m.add("OTHER")
    m.index("100", "OTHER")
    m.trade(POOR, HONEST, "5", "100")
    m.trade(POOR, HONEST, "5", "100", "OTHER")
    m.forget()
    m.index("88")
    m.now_ns += SECOND_NS
    m.index("82")
    m.wait("9")
    sent = [e for e in m.all(OrderAccepted) if e.account_id == POOR and e.instrument_id == 1]
    assert sent[0].price_ticks == px("98.36")


OFFERS = FundRule(
    disposal_fraction_ppb=ppb("1"),
    disposal_interval_ns=SECOND_NS,
    disposal_slippage_ppb=ppb("0.2"),
)


def house_holds(price: str, cost_of: str = "100") -> Market:
    """The fund took 10 over at 90 (deposit 100, long from 100), mark ``price``."""
    m = Market(rules(fund=OFFERS))
    m.deposit(FUND, "1000")
    m.open(POOR, deposit=cost_of)
    m.open(FRIEND, HONEST, deposit="100000")
    m.index("100")
    m.trade(POOR, HONEST, "10", "100")
    m.index(price)
    assert m.lots(FUND) == size("10"), m.all(TakenOver)
    return m


@pytest.mark.parametrize(
    ("mark", "limit"),
    [
        # It gave 90: so much it may take while the mark is above.
        ("94", "90"),
        ("91", "90"),
        # It bore a deficit: under the mark it would lose once more.
        ("88", "88"),
    ],
)
def test_the_house_sells_for_what_it_gave_or_at_the_mark(mark: str, limit: str) -> None:
    m = house_holds(mark)
    m.buy(FRIEND, "10", str(float(limit) - 0.01))
    m.wait("1")
    assert m.lots(FUND) == size("10")
    m.buy(FRIEND, "10", limit)
    m.wait("1")
    assert m.lots(FUND) == 0


def test_the_house_stays_within_its_slippage_of_the_mark() -> None:
    """It gave 90; the mark went to 130, and 20 % under that is 104."""
    m = house_holds("94")
    m.index("130")
    m.buy(FRIEND, "10", "103.99")
    m.wait("1")
    assert m.lots(FUND) == size("10")
    m.buy(FRIEND, "1", "104")
    m.wait("1")
    assert m.lots(FUND) == size("9")


def test_nobody_buys_a_position_back_from_the_house_for_less_than_went_in() -> None:
    """Poor gives itself up with next to nothing left, Friend waits at the house's far limit."""
    m = market()
    m.rule(rules(fund=OFFERS, liquidation=liquidation(["fund", "socialise"])))
    brought = m.equity(POOR) + m.equity(FRIEND)
    m.buy(FRIEND, "9", "39")
    m.trade(POOR, FRIEND, "10", "100")
    lose(m, "1", "39.90")
    assert m.lots(FUND) == size("9")
    for _ in range(5):
        m.wait("2")
    assert m.equity(POOR) + m.equity(FRIEND) <= brought
    assert m.equity(FUND) >= usd("10000")
    assert m.exchange.margin_figures(BAD_DEBT)[0] == 0


@pytest.mark.parametrize(
    ("rulebook", "symbol", "deposit", "leverage", "qty", "loss"),
    [
        ("hyperliquid", "BTC", "2600", 40, 1000, "96.1"),
        ("deribit-linear", "BTC_USDC", "1070", 50, 300, "94.4"),
    ],
)
def test_shipped_rules_with_slippage_keep_to_the_bankruptcy_price(
    rulebook: str, symbol: str, deposit: str, leverage: int, qty: int, loss: str
) -> None:
    """The price a partner bids lies within the slippage, and nobody else is in the book."""
    desk = Desk(rulebook=rulebook, symbol=symbol, price="100", fund="100000", backstop="100000")
    poor = desk.open_account(deposit, leverage=leverage)
    friend = desk.open_account("100000", leverage=5)
    desk.sell(friend, str(qty), price="100")
    desk.buy(poor, str(qty), price="100")
    desk.buy(friend, str(qty // 2), price=loss)
    desk.sell(poor, str(qty // 2), price=loss)
    assert any(isinstance(event, LiquidationStarted) for event in desk.events)
    desk.buy(friend, str(qty // 2), price="95")
    for _ in range(3):
        desk.tick(31)
    total = Decimal(desk.account(friend).equity) + Decimal(desk.account(poor).equity)
    assert total <= 100_000 + Decimal(deposit)
    for house in (FUND, BACKSTOP, BAD_DEBT):
        for pot in desk.exchange.account_report(house).margin_accounts:
            assert pot.equity_q >= (0 if house == BAD_DEBT else usd("100000"))
