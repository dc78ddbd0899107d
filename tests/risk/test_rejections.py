"""Every numbered reason a command can be refused for, and every reason an order can end with.

One command, one answer: a refused command changes nothing and is answered by exactly one event.
"""

from collections.abc import Callable
from typing import Any

import pytest

from engine import commands as c
from engine.events import CommandRejected, OrderClosed
from engine.reasons import Reason
from risk.accounts import MAX_ACCOUNT_ID
from tests.market import FUND, USD, Market, liquidation, rules, size, usd

ALICE, BOB, CAROL, HEDGER, LONER = 100, 101, 102, 103, 104
NOBODY = 999


@pytest.fixture
def m() -> Market:
    """Mark 100. Alice is long 1 with a resting bid (order id 3); Hedger trades in legs."""
    m = Market(listed=False)
    m.add(
        "PERP",
        min_qty="0.10",
        max_qty="1000",
        min_notional="5",
        max_notional="50000",
        band_ppb=100_000_000,
        max_open_orders=3,
    )
    m.add("DARK")
    m.open(ALICE, BOB, HEDGER, LONER, deposit="1000")
    m.index("100")
    m.hedge(HEDGER)
    m.isolate(LONER)
    m.trade(ALICE, BOB, "1", "100")
    assert m.buy(ALICE, "1", "95") == 3
    m.trade(LONER, BOB, "1", "100")
    return m


def submit(**changes: Any) -> Callable[[Market], c.Command]:
    """Alice's buy of 1 at 100 with some fields replaced."""
    fields: dict[str, Any] = {
        "account_id": ALICE,
        "instrument_id": 0,
        "order_id": 50,
        "side": c.BUY,
        "qty_lots": size("1"),
        "price_ticks": 9_900,
    }
    return lambda m: c.SubmitOrder(m.now_ns, **(fields | changes))


def command(kind: type, *fields: Any) -> Callable[[Market], c.Command]:
    return lambda m: kind(m.now_ns, *fields)


CASES: list[tuple[str, Reason, Callable[[Market], c.Command], tuple[int, int], str]] = [
    # what, reason, command, (required, free), part of the detail
    ("contract", Reason.UNKNOWN_INSTRUMENT, submit(instrument_id=7), (0, 0), ""),
    ("account", Reason.UNKNOWN_ACCOUNT, submit(account_id=NOBODY), (0, 0), ""),
    ("house", Reason.HOUSE_ACCOUNT, submit(account_id=FUND), (0, 0), ""),
    ("twice", Reason.DUPLICATE_ID, submit(order_id=3), (0, 0), ""),
    ("no size", Reason.QTY_NOT_POSITIVE, submit(qty_lots=0), (0, 0), "qty_lots 0"),
    ("minus", Reason.QTY_NOT_POSITIVE, submit(qty_lots=-1), (0, 0), "qty_lots -1"),
    ("price 0", Reason.PRICE_NOT_POSITIVE, submit(price_ticks=0), (0, 0), "price_ticks 0"),
    ("price -1", Reason.PRICE_NOT_POSITIVE, submit(price_ticks=-1), (0, 0), "price_ticks -1"),
    ("small", Reason.QTY_BELOW_MINIMUM, submit(qty_lots=9), (10, 9), ""),
    (
        "large",
        Reason.QTY_ABOVE_MAXIMUM,
        submit(qty_lots=100_001, price_ticks=4_000),
        (100_000, 100_001),
        "",
    ),
    # 0.10 x 49.99 = 4.999
    (
        "tiny value",
        Reason.NOTIONAL_BELOW_MINIMUM,
        submit(qty_lots=10, price_ticks=4_999),
        (usd("5"), usd("4.999")),
        "",
    ),
    # 600 x 99 = 59,400
    (
        "huge value",
        Reason.NOTIONAL_ABOVE_MAXIMUM,
        submit(qty_lots=60_000),
        (usd("50000"), usd("59400")),
        "",
    ),
    ("band", Reason.PRICE_OUTSIDE_BAND, submit(price_ticks=11_001), (0, 0), "9000 to 11000"),
    ("side", Reason.INVALID_FIELD, submit(side=2), (0, 0), "side 2; allowed: 1 buy, -1 sell"),
    ("type", Reason.INVALID_FIELD, submit(order_type=9), (0, 0), "order_type 9"),
    ("tif", Reason.INVALID_FIELD, submit(tif=3), (0, 0), "tif 3"),
    ("stp", Reason.INVALID_FIELD, submit(stp=5), (0, 0), "stp 5"),
    ("leg 3", Reason.INVALID_FIELD, submit(leg=3), (0, 0), "leg 3"),
    ("post", Reason.INVALID_FIELD, submit(post_only=True, tif=c.IOC), (0, 0), "post_only"),
    (
        "lots",
        Reason.NUMBER_TOO_LARGE,
        submit(qty_lots=c.MAX_LOTS + 1),
        (0, 0),
        "qty_lots 1000000000001",
    ),
    ("ticks", Reason.NUMBER_TOO_LARGE, submit(price_ticks=c.MAX_TICKS + 1), (0, 0), "price_ticks"),
    # Long 1 and bids for 1 at mark 100 need 20; 100 more at 99: 10 % of 102 x 100 = 1,020.
    (
        "margin",
        Reason.INSUFFICIENT_MARGIN,
        submit(qty_lots=size("100")),
        (usd("1020"), usd("1000")),
        "",
    ),
    (
        "free",
        Reason.INSUFFICIENT_FREE_COLLATERAL,
        command(c.Withdraw, ALICE, 0, usd("980.01")),
        (usd("980.01"), usd("980")),
        "",
    ),
    ("x11", Reason.LEVERAGE_ABOVE_MAXIMUM, command(c.SetLeverage, ALICE, 0, 11), (0, 0), "1 to 10"),
    (
        "x0",
        Reason.LEVERAGE_ABOVE_MAXIMUM,
        command(c.SetLeverage, ALICE, 0, 0),
        (0, 0),
        "leverage 0",
    ),
    ("reduce", Reason.NOTHING_TO_REDUCE, submit(reduce_only=True), (0, 0), ""),
    (
        "mode",
        Reason.POSITION_OR_ORDERS_OPEN,
        command(c.SetMarginMode, ALICE, 0, True),
        (0, 0),
        "",
    ),
    ("hedge", Reason.POSITION_OR_ORDERS_OPEN, command(c.SetPositionMode, ALICE, True), (0, 0), ""),
    ("cross", Reason.NOT_ISOLATED, command(c.AdjustIsolatedMargin, ALICE, 0, 0, 1), (0, 0), ""),
    ("dark", Reason.NO_MARK_PRICE, submit(instrument_id=1), (0, 0), ""),
    ("theirs", Reason.UNKNOWN_ORDER, command(c.CancelOrder, BOB, 3), (0, 0), ""),
    ("amend", Reason.UNKNOWN_ORDER, command(c.AmendOrder, BOB, 3, 9_500, 1), (0, 0), ""),
    ("no order", Reason.UNKNOWN_ORDER, command(c.CancelOrder, ALICE, 77), (0, 0), ""),
    ("amend 77", Reason.UNKNOWN_ORDER, command(c.AmendOrder, ALICE, 77, 1, 1), (0, 0), ""),
    ("leg", Reason.WRONG_LEG, submit(leg=c.LEG_LONG), (0, 0), "one-way mode: leg 0"),
    ("net", Reason.WRONG_LEG, submit(account_id=HEDGER), (0, 0), "hedge mode: leg 1 or 2"),
    ("asset", Reason.UNKNOWN_ASSET, command(c.Deposit, ALICE, 5, 1), (0, 0), "asset_id 5"),
    ("zero", Reason.AMOUNT_NOT_POSITIVE, command(c.Deposit, ALICE, 0, 0), (0, 0), "amount_q 0"),
    ("minus 1", Reason.AMOUNT_NOT_POSITIVE, command(c.Withdraw, ALICE, 0, -1), (0, 0), "-1"),
    (
        "nothing",
        Reason.AMOUNT_NOT_POSITIVE,
        command(c.AdjustIsolatedMargin, LONER, 0, 0, 0),
        (0, 0),
        "",
    ),
    (
        "too much",
        Reason.NUMBER_TOO_LARGE,
        command(c.Deposit, ALICE, 0, c.MAX_AMOUNT_Q + 1),
        (0, 0),
        "",
    ),
    ("sum", Reason.NUMBER_TOO_LARGE, command(c.Deposit, ALICE, 0, c.MAX_AMOUNT_Q), (0, 0), ""),
    ("reopened", Reason.DUPLICATE_ID, command(c.OpenAccount, ALICE), (0, 0), ""),
    ("reserved", Reason.HOUSE_ACCOUNT, command(c.OpenAccount, FUND), (0, 0), ""),
    ("id 99", Reason.INVALID_FIELD, command(c.OpenAccount, 99), (0, 0), "account_id 99"),
    ("id max", Reason.INVALID_FIELD, command(c.OpenAccount, MAX_ACCOUNT_ID + 1), (0, 0), "100 to"),
    ("gone", Reason.UNKNOWN_ACCOUNT, command(c.QueryAccount, NOBODY), (0, 0), ""),
    ("asset 0", Reason.DUPLICATE_ID, command(c.AddAsset, USD), (0, 0), "asset_id 0"),
    ("rules", Reason.INVALID_FIELD, command(c.SetRulebook, "{}"), (0, 0), "name"),
    ("not json", Reason.INVALID_FIELD, command(c.SetRulebook, "]"), (0, 0), "not a rulebook"),
    ("index 0", Reason.PRICE_NOT_POSITIVE, command(c.IndexPrice, 0, 1, 0), (0, 0), "index price 0"),
    ("index of", Reason.UNKNOWN_INSTRUMENT, command(c.IndexPrice, 9, 1, 1), (0, 0), ""),
    ("all of", Reason.UNKNOWN_ACCOUNT, command(c.CancelAll, NOBODY, 0), (0, 0), ""),
    ("all in", Reason.UNKNOWN_INSTRUMENT, command(c.CancelAll, ALICE, 9), (0, 0), ""),
    ("house money", Reason.HOUSE_ACCOUNT, command(c.Withdraw, FUND, 0, 1), (0, 0), ""),
]


@pytest.mark.parametrize(
    ("reason", "make", "figures", "detail"),
    [case[1:] for case in CASES],
    ids=[f"{case[1].value} {case[0]}" for case in CASES],
)
def test_a_refused_command_has_one_numbered_answer_and_no_effect(
    m: Market,
    reason: Reason,
    make: Callable[[Market], c.Command],
    figures: tuple[int, int],
    detail: str,
) -> None:
    before = m.exchange.state_hash()
    answers = m.send(make(m))
    assert len(answers) == 1
    refusal = m.refusal()
    assert Reason(refusal.reason) == reason
    assert (refusal.required_q, refusal.free_q) == figures
    assert detail in refusal.detail
    assert m.exchange.state_hash() == before


def test_203_reduce_only_in_the_direction_of_the_position(m: Market) -> None:
    m.sell(BOB, "1", "100", reduce_only=True)
    assert m.refusal().reason == Reason.NOTHING_TO_REDUCE


def test_204_open_orders_are_counted(m: Market) -> None:
    """Three are allowed; Alice has one."""
    m.buy(ALICE, "1", "94")
    m.buy(ALICE, "1", "93")
    m.buy(ALICE, "1", "92")
    assert (m.refusal().reason, m.refusal().detail) == (Reason.TOO_MANY_OPEN_ORDERS, "at most 3")


def test_207_an_account_in_liquidation_is_locked() -> None:
    """Nobody buys and neither fund nor counterparty is asked: Carol stays in liquidation."""
    m = Market(rules(liquidation=liquidation(["cancel", "close", "socialise"])))
    m.open(ALICE, BOB, deposit="1000")
    m.open(CAROL, deposit="100")
    m.index("100")
    m.trade(CAROL, BOB, "10", "100")
    m.index("94")
    refused = [
        c.SubmitOrder(m.now_ns, CAROL, 0, 60, c.SELL, 1, 9_400),
        c.SubmitOrder(m.now_ns, CAROL, 0, 61, c.SELL, 1, 9_400, reduce_only=True),
        c.Withdraw(m.now_ns, CAROL, 0, 1),
    ]
    for command_ in refused:
        m.send(command_)
        assert m.refusal().reason == Reason.ACCOUNT_IN_LIQUIDATION


def endings(m: Market) -> list[tuple[int, int, Reason]]:
    return [(e.order_id, e.remaining_lots, Reason(e.reason)) for e in m.all(OrderClosed)]


@pytest.fixture
def b() -> Market:
    """A plain book: Bob offers 3 at 101."""
    m = Market()
    m.open(ALICE, BOB, deposit="1000")
    m.index("100")
    m.sell(BOB, "3", "101")
    m.forget()
    return m


def test_300_filled(b: Market) -> None:
    order = b.buy(ALICE, "3", "101")
    assert endings(b) == [(order, 0, Reason.FILLED), (1, 0, Reason.FILLED)]


def test_301_cancelled_by_owner(b: Market) -> None:
    b.cancel(BOB, 1)
    assert endings(b) == [(1, 300, Reason.CANCELLED_BY_OWNER)]


def test_302_remainder_of_an_ioc(b: Market) -> None:
    b.sell(BOB, "1", "105")
    order = b.buy(ALICE, "5", "101", tif=c.IOC)
    assert endings(b)[-1] == (order, 200, Reason.IOC_REMAINDER)


def test_303_fok_that_cannot_fill_trades_nothing(b: Market) -> None:
    order = b.buy(ALICE, "5", "101", tif=c.FOK)
    assert endings(b) == [(order, 500, Reason.FOK_NOT_FILLABLE)]
    assert b.lots(ALICE) == 0


def test_304_post_only_that_would_cross(b: Market) -> None:
    order = b.buy(ALICE, "1", "101", post_only=True)
    assert endings(b) == [(order, 100, Reason.POST_ONLY_WOULD_CROSS)]


@pytest.mark.parametrize(
    ("stp", "expected", "resting"),
    [
        (c.STP_CANCEL_NEWEST, [(2, 200, Reason.SELF_TRADE)], 300),
        (c.STP_CANCEL_OLDEST, [(1, 300, Reason.SELF_TRADE)], 200),
        (c.STP_CANCEL_BOTH, [(1, 300, Reason.SELF_TRADE), (2, 200, Reason.SELF_TRADE)], 0),
        (c.STP_DECREMENT, [(2, 200, Reason.SELF_TRADE)], 100),
    ],
)
def test_305_self_trade_prevention(
    b: Market, stp: int, expected: list[tuple[int, int, Reason]], resting: int
) -> None:
    """Bob buys 2 into his own offer of 3: no trade in any mode, and margin follows what rests."""
    order = b.buy(BOB, "2", "101", stp=stp)
    assert order == 2
    assert [ending[::2] for ending in endings(b)] == [ending[::2] for ending in expected]
    assert b.lots(BOB) == 0
    # 10 % at the mark of 100: one dollar per ten lots... resting lots x 0.01 x 100 x 10 %
    open_loss_q = usd("2") if stp == c.STP_CANCEL_OLDEST else 0
    assert b.pot(BOB).initial_q == resting * usd("0.1") + open_loss_q


def test_306_reduce_only_trimmed_away_when_the_position_is_gone(b: Market) -> None:
    b.buy(ALICE, "3", "101")
    order = b.sell(ALICE, "3", "110", reduce_only=True)
    b.buy(BOB, "3", "100")
    b.sell(ALICE, "3", "100")
    assert (order, 300, Reason.REDUCE_ONLY_TRIMMED) in endings(b)


def test_307_market_order_into_an_empty_side(b: Market) -> None:
    order = b.sell(ALICE, "1")
    assert endings(b) == [(order, 100, Reason.NO_LIQUIDITY)]


def test_400_cancelled_by_liquidation() -> None:
    m = Market()
    m.open(ALICE, deposit="100")
    m.open(BOB, deposit="1000")
    m.index("100")
    m.trade(ALICE, BOB, "9", "100")
    order = m.sell(ALICE, "4", "120")
    # Equity 100 - 9 x 7 = 37 < 5 % of 837 = 41.85
    m.index("93")
    assert (order, 400, Reason.CANCELLED_BY_LIQUIDATION) in endings(m)
    assert not m.all(CommandRejected)
