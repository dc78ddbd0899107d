"""Malformed and excessive input: a clear error each, bounded memory, nobody else hurt."""

import asyncio
import itertools
import json
import os
import random
import signal
import socket
import string
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytest.importorskip("cryptography", reason="cryptography is not installed (extra doors)")

from doors.keys.key_file import add_key, new_key
from doors.usdm.route_table import ROUTES, SIGNED, Route
from engine.commands import SELL, AdvanceTime, SubmitOrder
from engine.services.service_config import DOOR
from tests.doors.socket_client import Listener
from tests.doors.world import MAKER, DoorWorld, Plain, door_world

LIMIT_BYTES = 60_000_000
"""How much a door may grow under an attack; it begins with some 100 MB."""

PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    settings = "max_sockets = 200\nmax_queued_messages = 200"
    with door_world(tmp_path_factory.mktemp("hostile"), door=settings) as world:
        yield world
        assert "Traceback" not in world.log(DOOR)


def memory_of(world: DoorWorld) -> int:
    """Bytes the door has in memory."""
    with open(f"/proc/{world.running[DOOR].pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def steady(world: DoorWorld) -> Iterator[DoorWorld]:
    """The door afterwards answers as before and has not grown."""
    before = memory_of(world)
    yield world
    assert memory_of(world) - before < LIMIT_BYTES
    plain = world.client(100)
    assert plain.signed("GET", "/fapi/v2/balance")[0]["asset"] == "USDT"


def is_error(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("code", 0) < 0 and bool(answer.get("msg"))


VALUES = [
    *("", "0", "-1", "1e400", "NaN", "99999999999999999999", "0.0000000000000000001", "null"),
    *("BTCUSDT", "btcusdt", "'; DROP TABLE orders; --", "%00", "\x00", "\u202e", "A" * 1_000),
    *("[]", "{}", '[{"symbol":[]}]', "[[[[", '[{"symbol":"BTCUSDT","side":1.5}]', "true", "٣"),
    *("../../etc/passwd", "1,2", " 1 ", "+1", "0x10", "1_000", "Infinity"),
]
NAMES = [
    *("symbol", "side", "type", "quantity", "price", "timeInForce", "orderId", "leverage"),
    *("origClientOrderId", "newClientOrderId", "batchOrders", "orderIdList", "limit", "startTime"),
    *("endTime", "fromId", "interval", "pair", "marginType", "amount", "positionSide", "page"),
    *("dualSidePosition", "multiAssetsMargin", "countdownTime", "algoId", "clientAlgoId"),
    *("triggerPrice", "stopPrice", "callbackRate", "goodTillDate", "recvWindow", "incomeType"),
    *("closePosition", "reduceOnly", "workingType", "autoCloseType", "contractType", "algoType"),
]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.verb} {route.path}")
def test_no_parameter_breaks_an_endpoint(steady: DoorWorld, route: Route) -> None:
    """Whatever is sent, the answer is JSON, and a refusal has a code and a text."""
    plain = steady.client(101)
    chance = random.Random(f"{route.verb} {route.path}")
    for _ in range(12):
        asked = {"symbol": "BTCUSDT"} if chance.random() < 0.7 else {}
        for name in chance.sample(NAMES, chance.randint(0, 6)):
            asked[name] = chance.choice(VALUES)
        if route.form == SIGNED:
            answer = plain.signed(route.verb, route.path, **asked)
        else:
            query = "&".join(f"{name}={_quoted(value)}" for name, value in asked.items())
            headers = {"X-MBX-APIKEY": plain.key}
            answer = plain.raw(route.verb, f"{route.path}?{query}", None, headers)
        assert plain.status in (200, 400, 401, 404, 429), (asked, plain.status, answer)
        assert plain.status == 200 or is_error(answer), (asked, answer)


def _quoted(value: str) -> str:
    return "".join(
        one if one in string.ascii_letters + string.digits else f"%{ord(one) % 256:02X}"
        for one in value
    )


@pytest.mark.parametrize(
    ("verb", "target", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/fapi/v1/nothing", None, 404),
        ("PATCH", "/fapi/v1/order", None, 405),
        ("GET", "/fapi/v1/depth?symbol=%ZZ&limit=%", None, 400),
        ("GET", "/fapi/v1/depth?" + "&".join(f"a{n}=1" for n in range(1_000)), None, 400),
        ("GET", "/fapi/v1/depth?symbol=%FF%FE", None, 400),
        ("GET", "/fapi/v1/depth?symbol=BTCUSDT&symbol=ETHUSDT", None, 400),
        ("POST", "/fapi/v1/order", b"\xff\xfe\x00" * 100, 400),
        ("POST", "/fapi/v1/order", b'{"symbol": "BTCUSDT"}', 400),
        ("POST", "/fapi/v1/order", b"x" * 70_000, 413),
        ("GET", "/fapi/v1/time?" + "x" * 20_000, None, 400),
        ("POST", "/fapi/v1/order?symbol=BTCUSDT", b"symbol=" + b"%41" * 1_000, 400),
    ],
)
def test_malformed_requests(
    steady: DoorWorld, verb: str, target: str, body: bytes | None, status: int
) -> None:
    plain = steady.client(102)
    plain.raw(verb, target, body, {"X-MBX-APIKEY": plain.key})
    assert plain.status in (status, 400)


@pytest.mark.parametrize(
    ("key", "code"),
    [("", -2014), ("x" * 300, -2014), ("unknown", -2015), ("key-102\u00e9", -2015)],
)
def test_keys_that_are_none(steady: DoorWorld, key: str, code: int) -> None:
    plain = steady.client(102)
    plain.key = key
    assert plain.signed("GET", "/fapi/v2/balance")["code"] == code
    assert plain.status == 401


def test_ten_thousand_wrong_signatures_leave_nothing(steady: DoorWorld) -> None:
    headers = {"X-MBX-APIKEY": "key-103"}

    async def attack() -> None:
        async with aiohttp.ClientSession() as session:

            async def one(number: int) -> int:
                key = headers if number % 2 else {"X-MBX-APIKEY": f"guess-{number}"}
                query = f"timestamp={int(time.time() * 1000)}&signature={number:064x}"
                async with session.get(
                    f"{steady.url}/fapi/v2/balance?{query}", headers=key
                ) as answer:
                    return answer.status

            for begin in range(0, 10_000, 500):
                found = await asyncio.gather(*map(one, range(begin, begin + 500)))
                assert set(found) <= {400, 401}

    asyncio.run(attack())


def test_an_endless_header_is_cut_off(steady: DoorWorld) -> None:
    with socket.create_connection(("127.0.0.1", steady.port), timeout=PATIENCE_S) as one:
        one.sendall(b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\nX: ")
        sent = 0
        try:
            while sent < 40_000_000:
                one.sendall(b"x" * 100_000)
                sent += 100_000
            assert one.recv(100).startswith(b"HTTP/1.1 400")
        except OSError:
            pass
        assert sent < 40_000_000


def test_connections_beyond_the_bound_are_refused(steady: DoorWorld) -> None:
    async def connect() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one() -> aiohttp.ClientWebSocketResponse | int:
                try:
                    return await session.ws_connect(f"{steady.url}/ws/btcusdt@trade")
                except aiohttp.WSServerHandshakeError as error:
                    return error.status

            found = await asyncio.gather(*(one() for _ in range(500)))
            refused = [status for status in found if isinstance(status, int)]
            opened = [socket for socket in found if not isinstance(socket, int)]
            assert len(opened) <= 200 and set(refused) == {503}
            # REST goes on meanwhile.
            async with session.get(f"{steady.url}/fapi/v1/ping") as answer:
                assert answer.status == 200
            await asyncio.gather(*(socket.close() for socket in opened))

    asyncio.run(connect())


def test_a_subscriber_that_never_reads_is_cut_off_and_hurts_nobody(steady: DoorWorld) -> None:
    async def listen() -> None:
        async with Listener(steady.port, "/ws/btcusdt@depth@0ms") as good:
            await good.ask("LIST_SUBSCRIPTIONS", [])
            slow = socket.create_connection(("127.0.0.1", steady.port), timeout=PATIENCE_S)
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            # Every way to write it is a stream of its own.
            spelt = map("".join, itertools.product(*zip("btcusd", "BTCUSD", strict=True)))
            names = "/".join(f"{name}t@depth@0ms" for name in spelt)
            slow.sendall(
                f"GET /stream?streams={names} HTTP/1.1\r\n".encode()
                + b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            rounds = 0
            limit = time.monotonic() + 60
            reading = asyncio.create_task(_read(good))
            while not _is_closed(slow) and time.monotonic() < limit:
                for _ in range(5):
                    rounds += 1
                    await asyncio.to_thread(
                        steady.quote, 1, 600_000 + rounds % 300, 40, 5_000 + rounds
                    )
            assert _is_closed(slow)
            slow.close()
            heard = len(good.heard)
            await asyncio.to_thread(steady.quote, 1, 600_000)
            while len(good.heard) == heard:
                assert not reading.done()
                await asyncio.sleep(0.01)
            reading.cancel()

    asyncio.run(listen())


async def _read(listener: Listener) -> None:
    while True:
        await listener.until(lambda _: True, 60)


def _is_closed(one: socket.socket) -> bool:
    """Whether the other side gave the connection up; what it sent is not read."""
    state = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    established = 1
    return state != established


def test_messages_that_are_none_on_every_socket(steady: DoorWorld) -> None:
    bad = ["", "{", "[" * 10_000, "null", '{"id": {}}', '{"method": 5}', "\x00", '"' * 500]

    async def talk() -> None:
        for path in ("/ws", "/stream", "/ws-fapi/v1"):
            async with Listener(steady.port, path) as listener:
                for text in bad:
                    await listener.say(text)
                    answer = await listener.until(lambda _: True)
                    assert "error" in answer, (path, text)
        async with Listener(steady.port, "/ws") as listener:
            await listener.socket.send_bytes(b"x" * 100_000)
            closing = await listener.socket.receive(PATIENCE_S)
            assert closing.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        async with Listener(steady.port, "/ws") as listener:
            for number in range(30):
                await listener.say({"method": "LIST_SUBSCRIPTIONS", "id": number})
            while (found := await listener.socket.receive(PATIENCE_S)).type == (
                aiohttp.WSMsgType.TEXT
            ):
                pass
            assert found.data == aiohttp.WSCloseCode.POLICY_VIOLATION

    asyncio.run(talk())


def test_nobody_sees_or_touches_the_orders_of_another(steady: DoorWorld) -> None:
    owner, other = steady.client(110), steady.client(111)
    order = owner.order(newClientOrderId="secret-plan")
    stop = {"type": "STOP_MARKET", "side": "SELL", "triggerPrice": "50000", "quantity": "0.01"}
    asked = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "clientAlgoId": "secret-stop", **stop}
    algo = owner.signed("POST", "/fapi/v1/algoOrder", **asked)
    for ids in ({"orderId": order["orderId"]}, {"origClientOrderId": "secret-plan"}):
        target = {"symbol": "BTCUSDT", **ids}
        assert other.signed("GET", "/fapi/v1/order", **target)["code"] == -2013
        assert other.signed("DELETE", "/fapi/v1/order", **target)["code"] == -2011
        terms = {**target, "side": "BUY", "quantity": "0.02", "price": "1000"}
        assert other.signed("PUT", "/fapi/v1/order", **terms)["code"] == -2013
    for ids in ({"algoId": algo["algoId"]}, {"clientAlgoId": "secret-stop"}):
        assert other.signed("GET", "/fapi/v1/algoOrder", **ids)["code"] == -2013
        assert other.signed("DELETE", "/fapi/v1/algoOrder", **ids)["code"] == -2011
    ids_of_both = json.dumps([order["orderId"]])
    batch = {"symbol": "BTCUSDT", "orderIdList": ids_of_both}
    [refused] = other.signed("DELETE", "/fapi/v1/batchOrders", **batch)
    assert refused["code"] == -2011
    other.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")
    for path in ("openOrders", "openAlgoOrders", "income", "forceOrders"):
        mine = other.signed("GET", f"/fapi/v1/{path}")
        assert "secret" not in str(mine)
        assert order["orderId"] not in [one.get("orderId") for one in mine]
    assert [one["clientOrderId"] for one in owner.signed("GET", "/fapi/v1/openOrders")] == [
        "secret-plan"
    ]


def test_a_key_does_only_what_it_may(steady: DoorWorld) -> None:
    """Rights are asked before anything else: a reading key places nothing."""
    for route in ROUTES:
        if route.form == SIGNED and route.verb != "GET":
            assert route.right == "trade", route.path
    assert all(isinstance(one, Route) for one in ROUTES)


def test_a_revoked_key_hears_nothing_through_a_listen_key(tmp_path: Path) -> None:
    """The account's other key keeps the listen key alive; it is another one afterwards."""
    file = tmp_path / "keys.toml"
    spy = new_key(105, ["read"])
    add_key(file, "spy", spy)
    with door_world(tmp_path / "run", door=f'keys = "{file}"') as world:
        owner = world.client(105)
        known = Plain(world.port, spy.key, spy.secret).keyed("POST", "/fapi/v1/listenKey")
        assert owner.keyed("POST", "/fapi/v1/listenKey") == known

        async def listen() -> None:
            async with Listener(world.port, f"/ws/{known['listenKey']}") as listener:
                file.write_text(file.read_text() + "revoked = true\n")
                await listener.event("listenKeyExpired")
                assert owner.keyed("POST", "/fapi/v1/listenKey") != known
                owner.order()
                with pytest.raises(TimeoutError):
                    await listener.until(lambda _: True, 0.5)

        asyncio.run(listen())


def test_a_fill_on_its_way_makes_no_amended_order_larger(world: DoorWorld) -> None:
    """The exchange sleeps. It finds a sale of 0.004 to an order of 0.010 then, more than a batch of
    other commands, and the amendment, which the door worked out before it could hear of the fill.
    """
    owner = world.client(112)
    executed = "0.000"
    for _ in range(ROUNDS):
        if executed != "0.000":
            break
        # Else the exchange read the door's line before the maker's: once more.
        order = owner.order(price="59999.5")
        target = {"symbol": "BTCUSDT", "orderId": order["orderId"]}
        asleep(world, lambda: owner.signed("PUT", "/fapi/v1/order", **target, **LOWER))  # noqa: B023
        found = owner.signed("GET", "/fapi/v1/order", **target)
        executed = found["executedQty"]
        assert found["origQty"] == "0.010"
        owner.signed("DELETE", "/fapi/v1/order", **target)
        world.quote(1, 600_000)


ROUNDS = 8
LOWER = {"side": "BUY", "quantity": "0.010", "price": "59000"}


def asleep(world: DoorWorld, amend: Callable[[], Any]) -> None:
    """A sale and an amendment while the exchange sleeps."""
    sale = SubmitOrder(0, MAKER, 1, 0, SELL, 4, 599_995)
    [exchange] = [process for name, process in world.running.items() if name != DOOR]
    with ThreadPoolExecutor() as pool:
        exchange.send_signal(signal.SIGSTOP)
        try:
            sold = pool.submit(world.send, sale, *[AdvanceTime(0)] * 600)
            time.sleep(0.3)
            amended = pool.submit(amend)
            time.sleep(0.3)
        finally:
            exchange.send_signal(signal.SIGCONT)
        assert sold.result()[0].rejection is None and amended.result()["status"]


def test_old_and_early_requests(steady: DoorWorld) -> None:
    plain = steady.client(104)
    now_ms = int(time.time() * 1000)
    for moment, window in ((now_ms - 6_000, 5_000), (now_ms + 3_000, 5_000), (0, 60_000)):
        answer = plain.signed("GET", "/fapi/v2/balance", timestamp=moment, recvWindow=window)
        assert answer["code"] == -1021
    assert plain.signed("GET", "/fapi/v2/balance", recvWindow=60_001)["code"] == -1131
    assert plain.signed("GET", "/fapi/v2/balance", timestamp="soon")["code"] == -1100
    late = plain.signed("GET", "/fapi/v2/balance", timestamp=now_ms - 9_000, recvWindow=60_000)
    assert late[0]["asset"] == "USDT"


def test_limits_of_weight_and_orders(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = "max_orders_per_10s = 5"
    folder = tmp_path_factory.mktemp("limits")
    with door_world(folder, door=settings, weight=60) as world:
        plain: Plain = world.client(100)
        found = [plain.order() for _ in range(6)]
        assert found[-1]["code"] == -1015 and plain.status == 429
        assert int(plain.headers["Retry-After"]) <= 10
        statuses = []
        for _ in range(400):
            plain.public("/fapi/v1/ping")
            statuses.append(plain.status)
        assert statuses[0] == 200 and 429 in statuses and statuses[-1] == 418
        assert 0 < int(plain.headers["Retry-After"]) <= 120
