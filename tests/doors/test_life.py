"""The door over the lives of others: a gateway that dies, a second door, a certificate."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.services.service_config import ALL, DOOR
from gateway.serve import UNUSABLE
from tests.doors.socket_client import Listener
from tests.doors.world import DoorWorld, door_world
from tests.services.processes import ROOT

NAME = "demo-fapi.example"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("life")) as world:
        yield world


def test_a_gateway_that_comes_back_is_found_again(world: DoorWorld) -> None:
    plain = world.client(100)
    key = plain.keyed("POST", "/fapi/v1/listenKey")["listenKey"]

    async def listen() -> None:
        async with Listener(world.port, f"/stream?streams={key}/btcusdt@depth@0ms") as listener:
            await listener.ask("LIST_SUBSCRIPTIONS", [])
            await asyncio.to_thread(plain.order, newClientOrderId="before")
            await listener.event("ORDER_TRADE_UPDATE")
            world.kill(ALL)
            world.start(ALL)
            await asyncio.to_thread(world.wait_until_ready)
            placed = await asyncio.to_thread(plain.order, newClientOrderId="after")
            assert placed.get("status") == "NEW", placed
            found = await listener.event("ORDER_TRADE_UPDATE")
            assert found["data"]["o"]["c"] == "after"
            await asyncio.to_thread(world.quote, 1, 600_030)
            await listener.event("depthUpdate")

    asyncio.run(listen())
    names = [order["clientOrderId"] for order in plain.signed("GET", "/fapi/v1/openOrders")]
    assert names == ["before", "after"]
    steps = 0
    snapshot = plain.public("/fapi/v1/depth", symbol="BTCUSDT", limit=5)
    while snapshot["asks"][0][0] != "60004.0" and steps < 100:
        steps += 1
        time.sleep(0.05)
        snapshot = plain.public("/fapi/v1/depth", symbol="BTCUSDT", limit=5)
    assert snapshot["asks"][0][0] == "60004.0"


def test_a_second_door_does_not_touch_the_history_of_the_first(world: DoorWorld) -> None:
    text = world.file.read_text().replace(f"port = {world.port}", "port = 1")
    file = world.file.with_name("second.toml")
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "doors.serve", "--config", str(file)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == UNUSABLE
    assert "another door has it" in done.stderr and "Traceback" not in done.stderr
    assert world.client(100).signed("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for `NAME` that nobody signed but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_over_https_under_the_right_name_ccxt_knows_every_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ccxt = pytest.importorskip("ccxt", reason="ccxt is not installed (extra clients)")
    certificate, key = make_certificate(tmp_path)
    settings = f'certificate = "{certificate}"\ncertificate_key = "{key}"'
    with door_world(tmp_path / "run", door=settings) as world:
        assert f"https://127.0.0.1:{world.port}" in world.log(DOOR)
        real = socket.getaddrinfo

        def here(host: str, *arguments: Any, **named: Any) -> Any:
            return real("127.0.0.1" if host == NAME else host, *arguments, **named)

        monkeypatch.setattr(socket, "getaddrinfo", here)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        keys = {"apiKey": "key-100", "secret": "secret-100", "requests_trust_env": True}
        exchange = ccxt.binanceusdm(keys)
        url = f"https://{NAME}:{world.port}"
        for version in ("", "V2", "V3"):
            path = f"{url}/fapi/{version.lower() or 'v1'}"
            exchange.urls["api"][f"fapiPublic{version}"] = path
            exchange.urls["api"][f"fapiPrivate{version}"] = path
        exchange.urls["api"]["sapi"] = f"{url}/sapi/v1"
        exchange.load_markets()
        with pytest.raises(ccxt.InsufficientFunds):
            exchange.create_order("BTC/USDT:USDT", "limit", "buy", 100, 59_000)


def start_alone(file: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "doors.serve", "--config", str(file), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_door_without_a_gateway(tmp_path: Path) -> None:
    """Alone it says so and ends; as a child it waits, and is told to stop all the same."""
    world = DoorWorld(tmp_path / "run")
    alone = start_alone(world.file)
    _, told = alone.communicate(timeout=60)
    assert alone.returncode == 1 and "no welcome" in told and "Traceback" not in told
    child = start_alone(world.file, "--child")
    time.sleep(3)
    assert child.poll() is None
    child.terminate()
    _, told = child.communicate(timeout=30)
    assert (child.returncode, told) == (0, "")
