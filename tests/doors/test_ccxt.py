"""Unmodified ccxt trades through the door: only its URLs are changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.doors.ccxt_urls import SYMBOL, point_at
from tests.doors.world import DoorWorld, door_world

ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed (extra clients)")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("ccxt")) as world:
        yield world


def exchange_of(world: DoorWorld, account: int, secret: str = "") -> Any:
    """ccxt pointed at the door."""
    keys = {"apiKey": f"key-{account}", "secret": secret or f"secret-{account}"}
    exchange = ccxt.binanceusdm({**keys, "enableRateLimit": False})
    point_at(exchange, world)
    return exchange


@pytest.fixture
def exchange(world: DoorWorld) -> Any:
    found = exchange_of(world, world.account())
    found.load_markets()
    return found


def test_markets_and_market_data(exchange: Any) -> None:
    market = exchange.market(SYMBOL)
    assert market["swap"] and market["linear"] and market["active"]
    assert market["precision"] == {**market["precision"], "price": 0.1, "amount": 0.001}
    book = exchange.fetch_order_book(SYMBOL, 20)
    assert book["bids"][0] == [59999.0, 5.0] and book["asks"][0] == [60001.0, 5.0]
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    assert exchange.fetch_trades(SYMBOL)[-1]["price"] == 60001.0
    assert exchange.fetch_ticker(SYMBOL)["last"] == 60001.0
    assert exchange.fetch_ohlcv(SYMBOL, "1m", limit=10)[-1][4] == 60001.0
    marks = exchange.fetch_mark_ohlcv(SYMBOL, "1m", limit=10)
    assert marks[-1][4] == pytest.approx(60_000, rel=0.01)
    assert exchange.fetch_funding_rate(SYMBOL)["fundingRate"] is not None
    assert exchange.fetch_open_interest(SYMBOL)["openInterestAmount"] >= 0
    assert exchange.fetch_time() > 1_700_000_000_000
    assert exchange.fetch_leverage_tiers([SYMBOL])[SYMBOL][0]["maxLeverage"] == 150
    assert exchange.fetch_mark_prices([SYMBOL])[SYMBOL]["markPrice"] > 0
    assert exchange.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] == 59999.0


def test_a_day_with_a_limit_order(exchange: Any) -> None:
    assert exchange.fetch_balance()["USDT"]["total"] == 100_000
    order = exchange.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    assert (order["status"], order["filled"]) == ("open", 0)
    again = exchange.fetch_order(order["id"], SYMBOL)
    assert again["clientOrderId"] == order["clientOrderId"]
    changed = exchange.edit_order(order["id"], SYMBOL, "limit", "buy", 0.02, 58_900)
    assert (changed["price"], changed["amount"]) == (58_900, 0.02)
    [found] = exchange.fetch_open_orders(SYMBOL)
    assert found["id"] == order["id"]
    assert exchange.fetch_balance()["USDT"]["used"] > 0
    assert exchange.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
    assert exchange.fetch_open_orders(SYMBOL) == []
    assert exchange.fetch_orders(SYMBOL)[-1]["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        exchange.cancel_order(order["id"], SYMBOL)


def test_a_position_from_opening_to_closing(exchange: Any) -> None:
    assert exchange.set_leverage(10, SYMBOL)["leverage"] == 10
    order = exchange.create_order(SYMBOL, "market", "buy", 0.01)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.01, 60001.0)
    [position] = exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["entryPrice"]) == (
        *("long", 0.01),
        60001.0,
    )
    assert exchange.fetch_leverage(SYMBOL)["longLeverage"] == 10
    exchange.create_order(SYMBOL, "market", "sell", 0.01, params={"reduceOnly": True})
    assert exchange.fetch_positions([SYMBOL]) == []
    trades = exchange.fetch_my_trades(SYMBOL)
    assert [trade["side"] for trade in trades] == ["buy", "sell"]
    kinds = {row["info"]["incomeType"] for row in exchange.fetch_ledger("USDT")}
    assert {"TRANSFER", "COMMISSION", "REALIZED_PNL"} <= kinds
    assert exchange.fetch_trading_fee(SYMBOL)["taker"] == 0.0005


def test_modes_change_only_while_nothing_is_open(exchange: Any) -> None:
    exchange.set_margin_mode("isolated", SYMBOL)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        exchange.set_margin_mode("isolated", SYMBOL)
    exchange.create_order(SYMBOL, "market", "buy", 0.01)
    [position] = exchange.fetch_positions([SYMBOL])
    assert position["marginMode"] == "isolated"
    before = position["collateral"]
    exchange.add_margin(SYMBOL, 50)
    assert exchange.fetch_positions([SYMBOL])[0]["info"]["isolatedWallet"] > str(before)[:3]
    with pytest.raises(ccxt.OperationRejected):
        exchange.set_position_mode(True)
    exchange.create_order(SYMBOL, "market", "sell", 0.01, params={"reduceOnly": True})
    exchange.set_position_mode(True)
    exchange.create_order(SYMBOL, "market", "sell", 0.01, params={"positionSide": "SHORT"})
    [position] = exchange.fetch_positions([SYMBOL])
    assert (position["side"], position["hedged"]) == ("short", True)


def test_refusals_are_the_classes_a_bot_catches(world: DoorWorld, exchange: Any) -> None:
    exchange.exceptions["exact"] |= exchange.exceptions["linear"]["exact"]
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order(SYMBOL, "limit", "buy", 100, 59_000)
    with pytest.raises(ccxt.OrderNotFillable):
        exchange.create_order(SYMBOL, "limit", "buy", 0.01, 60_500, {"postOnly": True})
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        exchange.create_order(SYMBOL, "market", "sell", 0.01, params={"reduceOnly": True})
    wrong = exchange_of(world, 100, "another-secret")
    with pytest.raises(ccxt.AuthenticationError):
        wrong.fetch_balance()


def test_several_orders_at_once(exchange: Any) -> None:
    row = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01, "price": 58_000}
    orders = exchange.create_orders([row, {**row, "price": 1}])
    assert sorted(order["status"] for order in orders) == ["open", "rejected"]
    [placed] = [order for order in orders if order["status"] == "open"]
    exchange.cancel_orders([placed["id"]], SYMBOL)
    exchange.create_orders([row, row])
    exchange.cancel_all_orders(SYMBOL)
    assert exchange.fetch_open_orders(SYMBOL) == []


def test_stops_of_every_kind(exchange: Any) -> None:
    exchange.create_order(SYMBOL, "market", "buy", 0.02)
    stop = exchange.create_order(
        SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": 59_000, "reduceOnly": True}
    )
    exchange.create_order(SYMBOL, "limit", "sell", 0.01, 61_900, {"takeProfitPrice": 62_000})
    trailing = {"trailingPercent": 1.5, "reduceOnly": True}
    exchange.create_order(SYMBOL, "market", "sell", 0.01, None, trailing)
    found = exchange.fetch_open_orders(SYMBOL, params={"trigger": True})
    assert sorted(order["type"] for order in found) == ["limit", "market", "market"]
    again = exchange.fetch_order(stop["id"], SYMBOL, {"trigger": True})
    assert again["stopPrice"] == 59_000 or again["triggerPrice"] == 59_000
    exchange.cancel_order(stop["id"], SYMBOL, {"trigger": True})
    exchange.cancel_all_orders(SYMBOL, {"trigger": True})
    assert exchange.fetch_open_orders(SYMBOL, params={"trigger": True}) == []


def test_too_many_requests_are_a_class_of_their_own(tmp_path_factory: Any) -> None:
    with door_world(tmp_path_factory.mktemp("weight"), weight=100) as world:
        exchange = exchange_of(world, 100)
        exchange.load_markets()
        with pytest.raises(ccxt.DDoSProtection):
            for _ in range(100):
                exchange.fetch_order_book(SYMBOL)
