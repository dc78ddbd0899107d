"""Streams of the door: market data without a gap, and the events of an account."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from engine.commands import BUY, CancelAll, Deposit, SubmitOrder
from tests.doors.socket_client import PATIENCE_S, Listener, kind_of
from tests.doors.world import MAKER, DoorWorld, door_world

BTC = 1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("streams")) as world:
        yield world


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def aside(function: Any, *arguments: Any, **named: Any) -> Any:
    """Something that blocks, while the sockets go on."""
    return await asyncio.to_thread(function, *arguments, **named)


@pytest.mark.parametrize(
    ("path", "wrapped"),
    [
        ("/ws/btcusdt@bookTicker", False),
        ("/public/ws/0/btcusdt@bookTicker", False),
        ("/stream?streams=btcusdt@bookTicker/ethusdt@bookTicker", True),
        ("/market/stream?streams=btcusdt@bookTicker", True),
    ],
)
def test_every_address_of_a_stream(world: DoorWorld, path: str, wrapped: bool) -> None:
    async def listen() -> None:
        async with Listener(world.port, path) as listener:
            assert await listener.ask("LIST_SUBSCRIPTIONS", []) != {}
            await aside(world.quote, BTC, 600_000 + len(path))
            found = await listener.event("bookTicker")
            assert ("stream" in found) == wrapped
            event = found["data"] if wrapped else found
            assert set(event) >= {"u", "s", "b", "B", "a", "A", "T", "E"}

    run(listen())


def test_requests_are_answered_with_their_numbers(world: DoorWorld) -> None:
    async def listen() -> None:
        async with Listener(world.port, "/ws") as listener:
            names = ["btcusdt@trade", "nonsense@nothing"]
            assert await listener.ask("SUBSCRIBE", names, "x-1") == {"result": None, "id": "x-1"}
            assert (await listener.ask("LIST_SUBSCRIPTIONS", [], 2))["result"] == ["btcusdt@trade"]
            await listener.ask("UNSUBSCRIBE", ["btcusdt@trade"], 3)
            assert (await listener.ask("LIST_SUBSCRIPTIONS", [], 4))["result"] == []
            for bad in ("{", "[]", '{"id": 5}', '{"method": "SUBSCRIBE", "params": 1, "id": 6}'):
                await listener.say(bad)
                assert "error" in await listener.until(lambda one: "error" in one)

    run(listen())


def apply(levels: dict[str, dict[str, str]], event: Any) -> None:
    for side in ("b", "a"):
        for price, size in event[side]:
            levels[side][price] = size
            if float(size) == 0:
                del levels[side][price]


@pytest.mark.parametrize("speed", ["", "@100ms", "@0ms"])
def test_a_book_kept_from_differences_is_the_book(world: DoorWorld, speed: str) -> None:
    plain = world.client(100)

    async def listen() -> None:
        async with Listener(world.port, f"/ws/btcusdt@depth{speed}") as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            await aside(world.quote, BTC, 600_000)
            await listener.event("depthUpdate")
            snapshot = await aside(plain.public, "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
            levels = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
            before = snapshot["lastUpdateId"]
            for mid in (600_020, 599_950, 600_100):
                await aside(world.quote, BTC, mid, 4, 3_000)
            await asyncio.sleep(0.4)
            final = await aside(plain.public, "/fapi/v1/depth", symbol="BTCUSDT", limit=1000)
            last = before
            previous = None
            while last < final["lastUpdateId"]:
                event = await listener.event("depthUpdate")
                assert event["U"] == event["pu"] + 1 <= event["u"]
                assert previous is None or event["pu"] == previous["u"]
                if event["u"] > before:
                    apply(levels, event)
                previous, last = event, event["u"]
            assert levels == {"b": dict(final["bids"]), "a": dict(final["asks"])}

    run(listen())


def test_market_data_of_every_kind(world: DoorWorld) -> None:
    names = [
        *("aggTrade", "trade", "depth5@100ms", "bookTicker", "markPrice@1s", "kline_1m"),
        *("ticker", "miniTicker"),
    ]
    expected = {
        *("aggTrade", "trade", "depthUpdate", "bookTicker", "markPriceUpdate", "kline"),
        *("24hrTicker", "24hrMiniTicker"),
    }

    async def listen() -> None:
        streams = "/".join(f"ethusdt@{name}" for name in names)
        address = (
            f"/stream?streams={streams}/!markPrice@arr@1s/ethusdt_perpetual@continuousKline_1m"
        )
        async with Listener(world.port, address) as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            order = SubmitOrder(0, 101, 2, 0, BUY, 100, 300_010)
            await aside(world.send, order)
            missing = expected | {"continuous_kline"}
            limit = time.monotonic() + PATIENCE_S
            while missing:
                assert time.monotonic() < limit, missing
                missing.discard(kind_of(await listener.until(lambda _: True)))
            [kline] = [one["data"]["k"] for one in listener.heard if kind_of(one) == "kline"][-1:]
            assert (kline["c"], kline["v"], kline["n"]) == ("3000.10", "0.100", 1)
            prints = [one["data"] for one in listener.heard if kind_of(one) == "aggTrade"]
            assert [one["m"] for one in prints] == [False]
        async with Listener(world.port, "/ws/!markPrice@arr@1s") as listener:
            arrays = await listener.until(lambda one: isinstance(one, list))
            assert [one["s"] for one in arrays] == ["BTCUSDT", "ETHUSDT"]

    run(listen())


def test_the_events_of_an_order_come_in_their_order(world: DoorWorld) -> None:
    account = world.account()
    plain = world.client(account)
    key = plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"]
    assert plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"] == key

    async def listen() -> None:
        async with Listener(world.port, f"/private/ws?listenKey={key}") as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            order = await aside(plain.order, newClientOrderId="mine-1")
            await aside(
                plain.signed,
                "PUT",
                "/fapi/v1/order",
                **{
                    **{"symbol": "BTCUSDT", "orderId": order["orderId"], "side": "BUY"},
                    **{"quantity": "0.020", "price": "58000"},
                },
            )
            target = {"symbol": "BTCUSDT", "origClientOrderId": "mine-1"}
            await aside(plain.signed, "DELETE", "/fapi/v1/order", **target)
            await aside(plain.order, type="MARKET", quantity="0.010")
            told = await listener.event("ACCOUNT_UPDATE")
            words = [
                (one["o"]["x"], one["o"]["X"])
                for one in listener.heard
                if kind_of(one) == "ORDER_TRADE_UPDATE"
            ]
            assert words == [
                *(("NEW", "NEW"), ("AMENDMENT", "NEW"), ("CANCELED", "CANCELED")),
                *(("NEW", "NEW"), ("TRADE", "FILLED")),
            ]
            assert kind_of(listener.heard[-1]) == "ACCOUNT_UPDATE"
            assert told["a"]["m"] == "ORDER"
            assert told["a"]["P"][0]["pa"] == "0.010"
            await aside(plain.signed, "POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
            assert (await listener.event("ACCOUNT_CONFIG_UPDATE"))["ac"]["l"] == 7
            await aside(world.send, Deposit(0, account, 1, 10**6))
            paid = await listener.event("ACCOUNT_UPDATE")
            assert (paid["a"]["m"], paid["a"]["B"][0]["bc"]) == ("DEPOSIT", "1.00000000")
            assert await aside(plain.keyed, "PUT", "/fapi/v1/listenKey") == {"listenKey": key}

    run(listen())


def test_a_user_stream_through_a_call_and_a_liquidation(world: DoorWorld) -> None:
    account = world.account()
    plain = world.client(account)
    key = plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"]
    world.send(CancelAll(0, MAKER, 2))
    world.quote(2, 300_000, 5, 2_000_000)

    async def listen() -> None:
        async with Listener(world.port, f"/stream?streams={key}") as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            await aside(plain.signed, "POST", "/fapi/v1/leverage", symbol="ETHUSDT", leverage=25)
            bought = await aside(
                plain.order,
                **{"symbol": "ETHUSDT", "type": "MARKET", "quantity": "700"},
                newOrderRespType="RESULT",
            )
            assert bought.get("status") == "FILLED", bought
            for price in (298_000, 292_000, *range(288_500, 286_000, -200)):
                await aside(world.quote, 2, price, 5, 2_000_000)
                for _ in range(3):
                    await aside(world.move, 2, price)
                await asyncio.sleep(0.1)
                plain_position = await aside(
                    plain.signed, "GET", "/fapi/v3/positionRisk", symbol="ETHUSDT"
                )
                if not plain_position:
                    break
            forced = await listener.until(
                lambda one: (
                    kind_of(one) == "ORDER_TRADE_UPDATE"
                    and one["data"]["o"]["c"].startswith("autoclose-")
                )
            )
            assert forced["data"]["o"]["R"] and forced["data"]["o"]["S"] == "SELL"
            [call] = [one["data"] for one in listener.heard if kind_of(one) == "MARGIN_CALL"][:1]
            assert call["p"][0]["s"] == "ETHUSDT" and float(call["amount"]) > 0

    run(listen())
    rows = plain.signed("GET", "/fapi/v1/forceOrders")
    assert rows and rows[0]["clientOrderId"].startswith("autoclose-")


def test_who_knows_no_listen_key_hears_nothing(world: DoorWorld) -> None:
    account = world.account()
    plain, other = world.client(account), world.client(world.account())
    plain.keyed("POST", "/fapi/v1/listenKey")
    key = other.keyed("POST", "/fapi/v1/listenKey")["listenKey"]

    async def listen() -> None:
        guesses = "/".join(["user", str(account), "0" * 64, f"{account}@user", key])
        async with Listener(world.port, f"/stream?streams={guesses}") as listener:
            assert (await listener.ask("LIST_SUBSCRIPTIONS", []))["result"] == [key]
            await aside(plain.order)
            await aside(other.order)
            found = await listener.event("ORDER_TRADE_UPDATE")
            assert found["stream"] == key
            assert [kind_of(one) for one in listener.heard].count("ORDER_TRADE_UPDATE") == 1
            await aside(other.keyed, "DELETE", "/fapi/v1/listenKey")
            await listener.event("listenKeyExpired")

    run(listen())
