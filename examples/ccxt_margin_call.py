"""A bot on ccxt is called, answers, is called again, and is liquidated.

Start an exchange in which the price is about to fall in one terminal, this in another:

    seawall up --config examples/doors_fall.toml --scenario examples/slow_fall.toml
    python examples/ccxt_margin_call.py

It needs ccxt (pip install ccxt). Everything it calls is the venue's API; only the URLs are ours.
ccxt itself passes over margin calls, so the bot reads the user stream with ccxt's HTTP library.
"""

import argparse
import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import ccxt.pro as ccxt

LEVERAGE = 20
SHARE = 0.75
"""How much of its money the bot puts at risk."""


def connect(url: str) -> Any:
    """ccxt with the door's URLs in the place of the venue's."""
    keys = {"apiKey": "demo", "secret": "demo-secret", "enableRateLimit": False}
    exchange = ccxt.binanceusdm(keys)
    api = exchange.urls["api"]
    for version in ("", "V2", "V3"):
        path = f"{url}/fapi/{version.lower() or 'v1'}"
        api[f"fapiPublic{version}"] = api[f"fapiPrivate{version}"] = path
    api["sapi"] = f"{url}/sapi/v1"
    return exchange


async def buy(exchange: Any) -> str:
    """Buy the first contract there is with most of the account's money; returns its symbol."""
    symbol = next(iter(await exchange.load_markets()))
    await exchange.set_leverage(LEVERAGE, symbol)
    money = (await exchange.fetch_balance())["USDT"]["free"]
    price = (await exchange.fetch_ticker(symbol))["last"]
    amount = exchange.amount_to_precision(symbol, money * SHARE * LEVERAGE / price)
    order = await exchange.create_order(symbol, "market", "buy", float(amount))
    print(f"bought {order['filled']} {symbol} at {order['average']} with {money} USDT")
    return symbol


async def answer(exchange: Any, symbol: str, call: Any, calls: int) -> None:
    """Sell half at the first call; later ones are not answered."""
    if calls > 2:
        return
    until = datetime.fromtimestamp(call["deadline"] / 1000, UTC) if call["deadline"] > 0 else "-"
    print(f"margin call {calls}: bring {call['amount']} USDT until {until:%H:%M:%S}")
    if calls == 2:
        print("no answer this time")
        return
    half = float(call["p"][0]["pa"]) / 2
    amount = float(exchange.amount_to_precision(symbol, half))
    only_close = {"reduceOnly": True}
    order = await exchange.create_order(symbol, "market", "sell", amount, None, only_close)
    print(f"answered: sold {order['filled']} at {order['average']}")


async def main(url: str) -> None:
    """Trade until the position is gone."""
    exchange = connect(url)
    try:
        symbol = await buy(exchange)
        key = (await exchange.fapiPrivatePostListenKey())["listenKey"]
        calls = fills = 0
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url}/private/ws?listenKey={key}") as stream,
        ):
            async for message in stream:
                event = message.json()
                if event["e"] == "MARGIN_CALL":
                    calls += 1
                    await answer(exchange, symbol, event, calls)
                elif event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["c"].startswith("autoclose"):
                    order = event["o"]
                    if float(order["l"]):
                        fills += 1
                        if fills == 1:
                            print(f"liquidation: {order['S']} {order['l']} at {order['L']}")
                elif event["e"] == "ACCOUNT_UPDATE" and _is_flat(event):
                    left = event["a"]["B"][0]["wb"]
                    print(f"the position is gone after {fills} fills; left: {left} USDT")
                    return
    finally:
        await exchange.close()


def _is_flat(event: Any) -> bool:
    positions = event["a"]["P"]
    return bool(positions) and all(float(one["pa"]) == 0 for one in positions)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the door is")
    asyncio.run(main(parser.parse_args().url))
