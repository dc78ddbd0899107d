"""The API over WebSocket: signed as sorted pairs, answered with the number of the request."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from doors.usdm.websocket_api import METHODS
from tests.doors.socket_client import Listener
from tests.doors.world import DoorWorld, door_world

ORDER = {
    **{"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"},
    **{"quantity": 0.01, "price": "59000.0", "reduceOnly": False},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("api")) as world:
        yield world


def signed(account: int, **parameters: Any) -> dict[str, Any]:
    """Parameters with key, time and signature."""
    values = {**parameters, "apiKey": f"key-{account}", "timestamp": int(time.time() * 1000)}
    shown = {
        name: str(one).lower() if one in (True, False) else one for name, one in values.items()
    }
    text = "&".join(f"{name}={shown[name]}" for name in sorted(shown))
    secret = f"secret-{account}".encode()
    return {**values, "signature": hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()}


async def call(listener: Listener, method: str, number: Any = "x", **parameters: Any) -> Any:
    await listener.say({"id": number, "method": method, "params": parameters})
    return await listener.until(lambda one: one["id"] == number)


def test_an_order_from_placing_to_cancelling(world: DoorWorld) -> None:
    account = world.account()

    async def talk() -> None:
        async with Listener(world.port, "/ws-fapi/v1") as listener:
            answer = await call(listener, "order.place", 7, **signed(account, **ORDER))
            assert (answer["status"], answer["result"]["status"]) == (200, "NEW"), answer
            assert answer["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
            order_id = answer["result"]["orderId"]
            target = {"symbol": "BTCUSDT", "orderId": str(order_id)}
            found = await call(listener, "order.status", **signed(account, **target))
            assert found["result"]["origQty"] == "0.010"
            changed = {**target, "side": "BUY", "quantity": "0.02", "price": 58000}
            found = await call(listener, "order.modify", **signed(account, **changed))
            assert found["result"]["price"] == "58000.0"
            found = await call(listener, "order.cancel", **signed(account, **target))
            assert found["result"]["status"] == "CANCELED"
            found = await call(listener, "order.cancel", **signed(account, **target))
            assert (found["status"], found["error"]["code"]) == (400, -2011)
            for method in ("account.status", "v2/account.balance", "v2/account.position"):
                assert (await call(listener, method, **signed(account)))["status"] == 200
            assert (await call(listener, "depth", symbol="BTCUSDT"))["result"]["bids"]

    asyncio.run(talk())


def test_who_logged_on_need_not_sign(world: DoorWorld) -> None:
    account = world.account()
    now = {"timestamp": int(time.time() * 1000)}

    async def talk() -> None:
        async with Listener(world.port, "/ws-fapi/v1") as listener:
            assert (await call(listener, "account.status", **now))["status"] == 401
            await call(listener, "session.logon", **signed(account))
            status = await call(listener, "session.status")
            assert status["result"]["apiKey"] == f"key-{account}"
            assert (await call(listener, "account.status", **now))["status"] == 200
            await call(listener, "session.logout")
            assert (await call(listener, "account.status", **now))["status"] == 401

    asyncio.run(talk())


def test_a_logon_does_not_act_for_another_key(world: DoorWorld) -> None:
    """A program with two accounts on one connection: what names a key is never done for another."""
    first, second = world.account(), world.account()
    named = {"timestamp": int(time.time() * 1000), "apiKey": f"key-{second}"}

    async def talk() -> None:
        async with Listener(world.port, "/ws-fapi/v1") as listener:
            await call(listener, "session.logon", **signed(first))
            refused = await call(listener, "order.place", **ORDER, **named)
            assert refused["error"]["code"] == -1102, "not signed by the key it names"
            assert (await call(listener, "order.place", **signed(second, **ORDER)))["status"] == 200
            started = await call(listener, "userDataStream.start", apiKey=f"key-{second}")
            own = {**named, "apiKey": f"key-{first}"}
            assert (await call(listener, "account.status", **own))["status"] == 200
            listen_key = world.client(second).keyed("POST", "/fapi/v1/listenKey")["listenKey"]
            assert started["result"]["listenKey"] == listen_key

    asyncio.run(talk())
    assert not world.client(first).signed("GET", "/fapi/v1/openOrders")
    assert len(world.client(second).signed("GET", "/fapi/v1/openOrders")) == 1


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{port}", 101),
        ("http://elsewhere.example", 403),
        ("http://127.0.0.1", 403),
        ("null", 403),
    ],
)
def test_a_page_from_elsewhere_does_not_trade(world: DoorWorld, origin: str, status: int) -> None:
    upgrade = {
        **{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        **{"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="},
        "Origin": origin.format(port=world.port),
    }
    plain = world.client(100)
    plain.raw("GET", "/ws-fapi/v1", None, upgrade)
    assert plain.status == status
    plain.connection.close()


def test_what_is_wrong_is_answered_with_the_number(world: DoorWorld) -> None:
    account = world.account()

    async def talk() -> None:
        async with Listener(world.port, "/ws-fapi/v1") as listener:
            for text in ("{", "[]", '"x"', '{"id": [1]}'):
                await listener.say(text)
                assert (await listener.until(lambda _: True))["status"] == 400
            assert (await call(listener, "nonsense", 1))["status"] == 404
            assert (await call(listener, "order.place", 2, symbol=[1]))["status"] == 400
            wrong = {**signed(account, **ORDER), "signature": "0" * 64}
            assert (await call(listener, "order.place", 3, **wrong))["error"]["code"] == -1022
            old = signed(account)
            old["timestamp"] -= 100_000
            assert (await call(listener, "account.status", 4, **old))["error"]["code"] == -1022
            assert (await call(listener, "ping", None))["result"] == {}

    asyncio.run(talk())


def test_methods_are_endpoints_of_the_table() -> None:
    assert {"order.place", "order.modify", "order.cancel", "depth"} <= set(METHODS)
