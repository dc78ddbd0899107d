"""A day of binance-futures-connector at a door, given its port, a key and a secret."""

import json
import sys
import threading
from typing import Any

from binance.error import ClientError
from binance.um_futures import UMFutures
from binance.websocket.um_futures.websocket_client import UMFuturesWebsocketClient

SYMBOL = "BTCUSDT"


def refused(code: int, function: Any, **parameters: Any) -> None:
    try:
        function(**parameters)
    except ClientError as error:
        assert error.error_code == code, error
    else:
        raise AssertionError(f"{code} was expected")


def day(client: UMFutures) -> None:
    assert client.ping() == {} and client.time()["serverTime"] > 0
    assert client.depth(symbol=SYMBOL)["bids"]
    assert client.mark_price(symbol=SYMBOL)["markPrice"]
    assert client.account()["assets"][0]["asset"] == "USDT"
    client.change_leverage(symbol=SYMBOL, leverage=10)
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order = client.new_order(**terms, quantity=0.01, price=58_000)
    target = {"symbol": SYMBOL, "orderId": order["orderId"]}
    assert client.query_order(**target)["status"] == "NEW"
    client.modify_order(**target, side="BUY", quantity=0.02, price=58_100)
    assert client.get_orders(symbol=SYMBOL)[0]["origQty"] == "0.020"
    client.cancel_order(**target)
    refused(-2011, client.cancel_order, **target)
    client.new_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity=0.01)
    assert client.get_position_risk(symbol=SYMBOL)[0]["positionAmt"] == "0.010"
    assert client.get_account_trades(symbol=SYMBOL) and client.get_income_history()


def streams(client: UMFutures, socket: str) -> None:
    kinds: set[str] = set()
    wanted = {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "bookTicker", "markPriceUpdate"}
    heard = threading.Event()

    def hear(_: Any, text: str) -> None:
        kinds.add(json.loads(text).get("e", ""))
        if wanted <= kinds:
            heard.set()

    stream = UMFuturesWebsocketClient(stream_url=socket, on_message=hear)
    stream.user_data(listen_key=client.new_listen_key()["listenKey"], id=1)
    stream.book_ticker(symbol=SYMBOL, id=2)
    stream.mark_price(symbol=SYMBOL, speed=1, id=3)
    for _ in range(40):
        client.new_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity=0.01)
        if heard.wait(0.5):
            break
    stream.stop()
    assert wanted <= kinds, kinds


def main(port: int, key: str, secret: str) -> None:
    client = UMFutures(key=key, secret=secret, base_url=f"http://127.0.0.1:{port}")
    day(client)
    streams(client, f"ws://127.0.0.1:{port}")
    print("done")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
