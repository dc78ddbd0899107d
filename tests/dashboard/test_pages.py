"""The routes of the page: who is let in, what is refused, and what a page may ask for."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

pytest.importorskip("aiohttp", reason="the page needs the extra [doors]")

from aiohttp import ClientResponseError, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from dashboard.pages import FRAME_S, MAX_PAGES, Pages
from dashboard.playback import Player, Recording
from dashboard.steering import HEADER, Steering
from engine.services.service_config import LOOPBACK
from engine.units import SECOND_NS
from gateway.client import Address
from tests.dashboard.run_world import small_run

Body = Callable[[Any], Awaitable[None]]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return Recording(small_run(tmp_path_factory.mktemp("pages")))


@pytest.fixture
def with_page(recording: Recording) -> Callable[[Body], None]:
    """Runs a test's body with a client of the page's application."""

    def run(body: Body) -> None:
        async def main() -> None:
            app = Pages(lambda: Player(recording), LOOPBACK).application()
            async with TestClient(TestServer(app)) as client:
                await body(client)

        asyncio.run(main())

    return run


def origin(client: Any) -> dict[str, str]:
    return {"Origin": f"http://{client.host}:{client.port}"}


async def frame(socket: Any) -> dict[str, Any]:
    message = await asyncio.wait_for(socket.receive(), 20)
    assert message.type is WSMsgType.TEXT, message
    found: dict[str, Any] = json.loads(message.data)
    return found


def test_the_page_and_its_files_allow_nothing_from_elsewhere(with_page: Any) -> None:
    async def body(client: Any) -> None:
        vendored = "/static/vendor/uplot-1.6.32/uPlot.iife.min.js"
        for path in ("/", "/static/js/main.js", vendored):
            answer = await client.get(path)
            assert answer.status == 200
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            lasting = "immutable" in answer.headers["Cache-Control"]
            assert lasting == (path == vendored)
        assert (await client.get("/static/js/price_chart.js")).content_type.endswith("javascript")
        for path in ("/static/", "/static/../pages.py", "/static/%2e%2e/pages.py", "/nothing"):
            assert (await client.get(path)).status in (403, 404), path
        assert (await client.post("/")).status == 405

    with_page(body)


@pytest.mark.parametrize("name", ["evil.example", "evil.example:7480", "127.0.0.1.evil.example"])
def test_another_name_for_this_machine_is_refused(with_page: Any, name: str) -> None:
    async def body(client: Any) -> None:
        answer = await client.get("/", headers={"Host": name})
        assert answer.status == 403 and "no page for the name" in await answer.text()

    with_page(body)


def test_the_feed_is_for_its_own_page_only(with_page: Any) -> None:
    async def body(client: Any) -> None:
        for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            with pytest.raises(WSServerHandshakeError) as refused:
                await client.ws_connect("/ws", headers=headers)
            assert isinstance(refused.value, ClientResponseError) and refused.value.status == 403

    with_page(body)


def test_a_page_is_sent_a_snapshot_and_seeks(with_page: Any, recording: Recording) -> None:
    async def body(client: Any) -> None:
        async with client.ws_connect("/ws", headers=origin(client)) as socket:
            first = await frame(socket)
            assert first["kind"] == "snapshot" and first["run"]["speed"] == 0
            at = recording.start_ns // SECOND_NS + 100
            await socket.send_json({"seek": at})
            second = await frame(socket)
            assert second["kind"] == "snapshot" and second["run"]["now"] == at
            await socket.send_json({"speed": 600})
            while (await frame(socket)).get("run", {}).get("speed") != 0:
                pass  # until it is over

    with_page(body)


@pytest.mark.parametrize(
    "wish",
    [
        "not json",
        "[]",
        '{"order": 1}',
        '{"instrument": 99}',
        '{"instrument": "0"}',
        '{"speed": -1}',
        '{"speed": 100000}',
        '{"seek": 1e300}',
        "[" * 900,
        '{"seek": 1' + "0" * 2_000 + "}",
    ],
)
def test_what_a_page_may_not_ask_for_ends_its_line(with_page: Any, wish: str) -> None:
    async def body(client: Any) -> None:
        async with client.ws_connect("/ws", headers=origin(client)) as socket:
            await frame(socket)
            await socket.send_str(wish)
            kinds = {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}
            while (await asyncio.wait_for(socket.receive(), 20)).type not in kinds:
                pass
        async with client.ws_connect("/ws", headers=origin(client)) as socket:
            assert (await frame(socket))["kind"] == "snapshot", "others go on"

    with_page(body)


def test_frames_are_merged_however_much_happens(with_page: Any) -> None:
    async def body(client: Any) -> None:
        async with client.ws_connect("/ws", headers=origin(client)) as socket:
            await frame(socket)
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            await socket.send_json({"speed": 100})
            frames = [await frame(socket) for _ in range(8)]
            assert len(frames) <= (loop.time() - begun_s) / FRAME_S + 2
            assert any(len(each.get("points", {}).get("samples", [])) > 3 for each in frames)

    with_page(body)


def test_only_the_key_steers(tmp_path: Path) -> None:
    steering = Steering(str(tmp_path), Address())

    async def body(client: Any) -> None:
        told = {"what": "pause"}
        for headers in ({}, {HEADER: "wrong"}, {HEADER: "\u00fc"}):
            refused = await client.post("/world", json=told, headers=headers)
            assert (refused.status, (await refused.json())["done"]) == (403, False)
        good = {HEADER: steering.key}
        for body_text in ("{", "[]", '{"what": 5}', '{"what": "pause", "more": 1}', "[" * 900):
            assert (await client.post("/world", data=body_text, headers=good)).status == 400
        assert (await client.post("/world", data="x" * 5_000, headers=good)).status == 413
        other = {**good, "Origin": "http://evil.example"}
        assert (await client.post("/world", json=told, headers=other)).status == 403

    async def main() -> None:
        pages = Pages(Mock(), LOOPBACK, steering=steering)
        async with TestClient(TestServer(pages.application())) as client:
            await body(client)

    asyncio.run(main())


def test_without_a_scenario_nothing_is_steered(with_page: Any) -> None:
    async def body(client: Any) -> None:
        assert (await client.post("/world", json={"what": "pause"})).status == 404

    with_page(body)


def test_pages_are_limited(with_page: Any) -> None:
    async def body(client: Any) -> None:
        sockets = [await client.ws_connect("/ws", headers=origin(client)) for _ in range(MAX_PAGES)]
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws", headers=origin(client))
        assert refused.value.status == 503
        for socket in sockets:
            await socket.close()

    with_page(body)
