"""Unmodified ccxt.pro listens and trades through the door's sockets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.doors.ccxt_urls import SYMBOL, point_at
from tests.doors.world import DoorWorld, door_world

pro = pytest.importorskip("ccxt.pro", reason="ccxt is not installed (extra clients)")

PATIENCE_S = 30


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("pro")) as world:
        yield world


def with_exchange(world: DoorWorld, test: Callable[[Any], Awaitable[None]]) -> None:
    """Run a test with an exchange object of an account that nobody used."""

    async def run() -> None:
        account = world.account()
        keys = {"apiKey": f"key-{account}", "secret": f"secret-{account}"}
        exchange = pro.binanceusdm({**keys, "enableRateLimit": False, "newUpdates": True})
        point_at(exchange, world)
        try:
            await exchange.load_markets()
            await asyncio.wait_for(test(exchange), PATIENCE_S)
        finally:
            await exchange.close()

    asyncio.run(run())


def test_market_data(world: DoorWorld) -> None:
    async def test(exchange: Any) -> None:
        book = await exchange.watch_order_book(SYMBOL)
        assert book["bids"] and book["asks"]
        before = book["nonce"]
        for mid in range(600_000, 600_100, 10):
            await asyncio.to_thread(world.quote, 1, mid)
            book = await exchange.watch_order_book(SYMBOL)
        assert book["nonce"] > before
        assert book["bids"][0][0] == pytest.approx(60_008, abs=60)
        watching = asyncio.gather(
            exchange.watch_trades(SYMBOL),
            exchange.watch_ohlcv(SYMBOL, "1m"),
            exchange.watch_ticker(SYMBOL),
            exchange.watch_mark_price(SYMBOL),
            exchange.watch_bids_asks([SYMBOL]),
        )
        for step in range(20):
            await asyncio.sleep(0.2)
            await asyncio.to_thread(world.quote, 1, 600_100 + step)
            await exchange.create_order(SYMBOL, "market", "buy", 0.01)
            if watching.done():
                break
        trades, candles, ticker, mark, best = await watching
        assert trades[-1]["amount"] == 0.01 and candles[-1][5] > 0
        assert ticker["last"] > 0 and mark["markPrice"] > 0 and best[SYMBOL]["bid"] > 0

    with_exchange(world, test)


def test_the_user_stream(world: DoorWorld) -> None:
    async def test(exchange: Any) -> None:
        orders = asyncio.ensure_future(exchange.watch_orders(SYMBOL))
        balance = asyncio.ensure_future(exchange.watch_balance())
        mine = asyncio.ensure_future(exchange.watch_my_trades(SYMBOL))
        await exchange.watch_positions([SYMBOL])  # what there is to begin with: nothing
        positions = asyncio.ensure_future(exchange.watch_positions([SYMBOL]))
        await asyncio.sleep(0.5)
        placed = await exchange.create_order(SYMBOL, "market", "buy", 0.01)
        [found, *_] = await orders
        assert found["id"] == placed["id"]
        assert (await balance)["USDT"]["total"] < 100_000
        assert (await positions)[0]["contracts"] == 0.01
        assert (await mine)[-1]["order"] == placed["id"]

    with_exchange(world, test)


def test_orders_over_the_socket(world: DoorWorld) -> None:
    async def test(exchange: Any) -> None:
        placed = await exchange.create_order_ws(SYMBOL, "limit", "buy", 0.01, 58_200)
        assert placed["status"] == "open"
        changed = await exchange.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 0.02, 58_000)
        assert changed["amount"] == 0.02
        assert (await exchange.fetch_order_ws(placed["id"], SYMBOL))["price"] == 58_000
        cancelled = await exchange.cancel_order_ws(placed["id"], SYMBOL)
        assert cancelled["status"] == "canceled"
        assert (await exchange.fetch_balance_ws())["USDT"]["total"] == 100_000
        assert await exchange.fetch_positions_ws([SYMBOL]) == []
        book = await exchange.fetch_order_book_ws(SYMBOL)
        assert book["bids"]
        stop = {"stopLossPrice": 54_000, "reduceOnly": True}
        await exchange.create_order_ws(SYMBOL, "market", "sell", 0.01, None, stop)
        with pytest.raises(Exception, match="-2019"):
            await exchange.create_order_ws(SYMBOL, "limit", "buy", 900, 58_200)

    with_exchange(world, test)
