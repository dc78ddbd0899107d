"""A day of python-binance at a door, given its port, a key and a secret; asserts as it goes."""

import asyncio
import sys
from typing import Any

from binance import AsyncClient, BinanceSocketManager, Client
from binance.exceptions import BinanceAPIException

SYMBOL = "BTCUSDT"


def refused(code: int, function: Any, **parameters: Any) -> None:
    try:
        function(**parameters)
    except BinanceAPIException as error:
        assert error.code == code, error
    else:
        raise AssertionError(f"{code} was expected")


def day(client: Client) -> None:
    assert client.futures_time()["serverTime"] > 0
    assert client.futures_exchange_info()["symbols"][0]["symbol"] == SYMBOL
    assert client.futures_order_book(symbol=SYMBOL)["bids"]
    assert client.futures_klines(symbol=SYMBOL, interval="1m") is not None
    assert client.futures_mark_price(symbol=SYMBOL)["markPrice"]
    assert client.futures_leverage_bracket(symbol=SYMBOL)[0]["brackets"]
    assert client.futures_account()["assets"][0]["asset"] == "USDT"
    assert client.futures_account_balance()[0]["balance"].startswith("100000")
    assert client.futures_change_leverage(symbol=SYMBOL, leverage=10)["leverage"] == 10
    client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED")
    refused(-4046, client.futures_change_margin_type, symbol=SYMBOL, marginType="ISOLATED")
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order = client.futures_create_order(**terms, quantity=0.01, price=58_000)
    target = {"symbol": SYMBOL, "orderId": order["orderId"]}
    assert client.futures_get_order(**target)["status"] == "NEW"
    client.futures_modify_order(**target, side="BUY", quantity=0.02, price=58_100)
    assert client.futures_get_open_orders(symbol=SYMBOL)[0]["origQty"] == "0.020"
    assert client.futures_cancel_order(**target)["status"] == "CANCELED"
    refused(-2011, client.futures_cancel_order, **target)
    refused(-2013, client.futures_get_order, symbol=SYMBOL, orderId=999_999_999)
    row = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    rows = [{**row, "quantity": "0.01", "price": "58000"}, {**row, "quantity": "0", "price": "1"}]
    placed = client.futures_place_batch_order(batchOrders=rows)
    assert placed[0]["status"] == "NEW" and placed[1]["code"] < 0
    client.futures_cancel_all_open_orders(symbol=SYMBOL)
    market = {"symbol": SYMBOL, "type": "MARKET", "quantity": 0.01}
    client.futures_create_order(**market, side="BUY", newOrderRespType="RESULT")
    [position] = [
        one for one in client.futures_position_information(symbol=SYMBOL) if one["positionAmt"]
    ]
    assert position["positionAmt"] == "0.010"
    client.futures_create_order(**market, side="SELL", reduceOnly="true")
    refused(-2022, client.futures_create_order, **market, side="SELL", reduceOnly="true")
    assert len(client.futures_account_trades(symbol=SYMBOL)) == 2
    assert client.futures_income_history()
    client.futures_change_position_mode(dualSidePosition="true")
    client.futures_create_order(**market, side="BUY", positionSide="LONG")


async def streams(port: int, key: str, secret: str) -> None:
    client = await AsyncClient.create(key, secret)
    manager = BinanceSocketManager(client)
    try:
        async with manager.futures_user_socket() as user:
            await asyncio.sleep(0.5)
            terms = {"symbol": SYMBOL, "type": "MARKET", "quantity": 0.01}
            await client.futures_create_order(**terms, side="SELL", positionSide="LONG")
            kinds: set[str] = set()
            while not {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"} <= kinds:
                kinds.add((await asyncio.wait_for(user.recv(), 20))["e"])
        async with manager.symbol_mark_price_socket(SYMBOL) as marks:
            found = await asyncio.wait_for(marks.recv(), 20)
            assert found["data"]["e"] == "markPriceUpdate"
        placed = await client.ws_futures_create_order(
            **{"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"},
            **{"quantity": "0.01", "price": "58000", "positionSide": "LONG"},
        )
        assert placed["status"] == "NEW", placed
    finally:
        await client.close_connection()


def main(port: int, key: str, secret: str) -> None:
    url, socket = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    for kind in (Client, AsyncClient):
        kind.FUTURES_URL = f"{url}/fapi"
        kind.API_URL = f"{url}/api"
    AsyncClient.WS_FUTURES_URL = f"{socket}/ws-fapi/v1"
    BinanceSocketManager.FSTREAM_URL = f"{socket}/"
    day(Client(key, secret))
    asyncio.run(streams(port, key, secret))
    print("done")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
