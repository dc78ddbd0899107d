"""Every request that eight clients were recorded to send, sent again: statuses and codes agree."""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from doors.usdm.websocket_api import METHODS
from tests.doors.socket_client import Listener
from tests.doors.world import DoorWorld, Plain, door_world
from tests.services.processes import ROOT

SHARED = Path(os.environ.get("SEAWALL_SHARED", ROOT.parent / "shared")) / "reference"
TRACES = sorted((SHARED / "client_traces").glob("*.json"))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not TRACES, reason="the recorded requests are not beside the repository"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("traces")) as world:
        yield world


class Replay:
    """One client's requests with times, signatures and ids of our own."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.ids: dict[str, str] = {}
        self.placed: list[tuple[str, bool]] = []
        self.last_name = ""

    def send(self, entry: dict[str, Any]) -> Any:
        wrong_signature = entry.get("error") == -1022
        too_old = entry.get("error") == -1021
        parts = [self._pairs(entry, name, too_old) for name in ("query", "body")]
        texts = ["&".join(f"{name}={value}" for name, value in pairs) for pairs in parts]
        if any(name == "signature" for name, _ in entry.get("query", []) + entry.get("body", [])):
            signature = hmac.new(
                self.plain.secret.encode(), "".join(texts).encode(), hashlib.sha256
            ).hexdigest()
            place = 1 if entry.get("body") else 0
            signature = "0" * 64 if wrong_signature else signature
            texts[place] += f"&signature={signature}"
        headers = {"X-MBX-APIKEY": self.plain.key}
        if texts[1]:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = entry["path"] + (f"?{texts[0]}" if texts[0] else "")
        body = texts[1].encode() or None
        answer = self.plain.raw(entry["method"], target, body, headers)
        self._note(entry, answer)
        return answer

    def _pairs(self, entry: Any, part: str, too_old: bool) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for name, value in entry.get(part) or []:
            if name == "signature":
                continue
            if name == "timestamp":
                value = str(int(time.time() * 1000) - (100_000 if too_old else 0))
            value = self._own(entry, name, value)
            found.append((name, quote(value, safe="")))
        return found

    def _own(self, entry: Any, name: str, value: str) -> str:
        """A value of the trace in terms of this exchange."""
        algo = "algo" in entry["path"].lower()
        if name in ("orderId", "algoId"):
            return self._id(value, algo)
        if name in ("orderIdList", "orderidlist"):
            return json.dumps([int(self._id(str(one), algo)) for one in json.loads(value)])
        if name.endswith("Time"):
            return value.replace("<ms>", str(int(time.time() * 1000) - 60_000))
        if "<rand>" in value and entry["method"] in ("GET", "DELETE"):
            return self.last_name
        while "<rand>" in value:
            made = secrets.token_hex(6)
            value = value.replace("<rand>", made, 1)
            self.last_name = value
        return value.replace("<ms>", secrets.token_hex(6)).replace("<hex64>", "0" * 64)

    def _id(self, recorded: str, algo: bool) -> str:
        if int(recorded) > 900_000_000:
            return recorded
        if recorded not in self.ids:
            own = next((one for one in self.placed if one[1] == algo), None)
            assert own is not None, f"nothing was placed that {recorded} could be"
            self.placed.remove(own)
            self.ids[recorded] = own[0]
        return self.ids[recorded]

    def _note(self, entry: Any, answer: Any) -> None:
        """What was placed and rests: the next id of the trace that is not known is this one."""
        if entry["method"] != "POST":
            return
        for row in answer if isinstance(answer, list) else [answer]:
            if not isinstance(row, dict):
                continue
            if "algoId" in row:
                self.placed.append((str(row["algoId"]), True))
            elif row.get("status") == "NEW" and row.get("type") != "MARKET":
                self.placed.append((str(row["orderId"]), False))


@pytest.mark.parametrize("file", TRACES, ids=lambda file: file.stem)
def test_a_recorded_client_gets_the_answers_it_got(world: DoorWorld, file: Path) -> None:
    plain = world.client(world.account())
    replay = Replay(plain)
    differing: list[Any] = []
    for entry in json.loads(file.read_text())["trace"]:
        if entry["kind"] != "http":
            continue
        answer = replay.send(entry)
        code = answer.get("code") if isinstance(answer, dict) and plain.status != 200 else None
        expected = entry.get("error"), entry["status"]
        if (code, plain.status) != expected:
            asked = entry["method"], entry["path"], entry.get("query"), entry.get("body")
            differing.append((entry["n"], asked, expected, answer))
    assert differing == []


@pytest.mark.parametrize("file", TRACES, ids=lambda file: file.stem)
def test_a_recorded_client_finds_its_streams(world: DoorWorld, file: Path) -> None:
    plain = world.client(world.account())
    key = plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"]
    entries = json.loads(file.read_text())["trace"]
    methods = {entry["method"] for entry in entries if entry["kind"] == "wsapi-in"}
    assert methods <= set(METHODS)

    async def listen(path: str, asked: list[Any]) -> None:
        async with Listener(world.port, path) as listener:
            for entry in asked:
                names = [name.replace("<listenKey>", key) for name in entry["params"]]
                assert await listener.ask(entry["method"], names) == {"result": None, "id": 1}

    for entry in entries:
        if entry["kind"] == "ws-open" and entry["path"] != "/ws-fapi/v1":
            query = "&".join(f"{name}={value}" for name, value in entry.get("query", []))
            asked = [
                one for one in entries if one["kind"] == "ws-in" and one["path"] == entry["path"]
            ]
            asyncio.run(listen(f"{entry['path']}?{query.replace('<listenKey>', key)}", asked[:8]))
