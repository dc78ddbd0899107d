"""Clients with an environment of their own: `make clients-long` makes them in build/clients."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from engine.commands import BUY, SubmitOrder
from tests.doors.world import DoorWorld, door_world
from tests.services.processes import ROOT

ENVIRONMENTS = ROOT / "build" / "clients"
SCRIPTS = {
    "python-binance": "python_binance.py",
    "binance-futures-connector": "connector.py",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorWorld]:
    with door_world(tmp_path_factory.mktemp("others")) as world:
        yield world


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_day_of(name: str, request: pytest.FixtureRequest) -> None:
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{name} is not installed: make clients-long")
    world: DoorWorld = request.getfixturevalue("world")
    account = world.account()
    script = Path(__file__).parent / "clients" / SCRIPTS[name]
    asked = [str(world.port), f"key-{account}", f"secret-{account}"]
    done = subprocess.run([python, script, *asked], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


needs_time = pytest.mark.skipif(
    os.environ.get("SEAWALL_PROFILE") != "long", reason="a minute or two; SEAWALL_PROFILE=long"
)


def program(name: str, of: str) -> Path:
    """A program of an environment, or a skip."""
    found = ENVIRONMENTS / of / "bin" / name
    if not found.exists():
        pytest.skip(f"{of} is not installed: make clients-long")
    return found


def run_in_a_moving_market(
    world: DoorWorld, command: list[str], log: Path, done: Callable[[str], bool], seconds: int
) -> str:
    """Run a bot while the maker quotes, until it ends or ``done``; returns what it printed."""
    with log.open("w") as out:
        bot = subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent)
    limit = time.monotonic() + seconds
    moved = 0
    while bot.poll() is None and not done(log.read_text()):
        assert time.monotonic() < limit, log.read_text()[-3_000:]
        moved += 1
        world.quote(1, 600_000 + moved % 7)
        time.sleep(0.3)
    if bot.poll() is None:
        bot.send_signal(signal.SIGINT)
    bot.wait(60)
    return log.read_text()


@needs_time
@pytest.mark.slow
def test_a_nautilus_node_trades(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    python = program("python", "nautilus_trader")
    world: DoorWorld = request.getfixturevalue("world")
    account = world.account()
    script = ROOT / "examples" / "nautilus" / "trade.py"
    keys = ["--url", world.url, "--key", f"key-{account}", "--secret", f"secret-{account}"]
    command = [str(python), str(script), *keys]
    told = run_in_a_moving_market(world, command, tmp_path / "log", lambda _: False, 120)
    for words in ("filled 1 0.010", "position opened 0.010", "1 order waits", "position closed"):
        assert words in told, told
    plain = world.client(account)
    assert plain.signed("GET", "/fapi/v3/positionRisk") == []
    assert plain.signed("GET", "/fapi/v1/openOrders") == []


@needs_time
@pytest.mark.slow
def test_a_freqtrade_bot_trades(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    bot = program("freqtrade", "freqtrade")
    world: DoorWorld = request.getfixturevalue("world")
    account = world.account()
    folder = ROOT / "examples" / "freqtrade"
    text = (folder / "config.json").read_text().replace("http://127.0.0.1:8080", world.url)
    text = text.replace('"demo-secret"', f'"secret-{account}"').replace(
        '"demo"', f'"key-{account}"'
    )
    (tmp_path / "config.json").write_text(text)
    shutil.copytree(folder / "strategies", tmp_path / "strategies")
    world.send(SubmitOrder(0, world.account(), 1, 0, BUY, 10, 600_500))  # a first candle
    command = [
        *(str(bot), "trade", "--config", "config.json", "--userdir", "."),
        *("--strategy", "InAndOut", "--db-url", "sqlite://"),
    ]
    log = tmp_path / "log"
    told = run_in_a_moving_market(world, command, log, lambda text: "exit_fill" in text, 180)
    # Its lines are broken at the width of a terminal.
    assert "stoploss market order added" in " ".join(told.split()), told[-3_000:]
    plain = world.client(account)
    orders = plain.signed("GET", "/fapi/v1/allOrders", symbol="BTCUSDT")
    assert [order["side"] for order in orders] == ["BUY", "SELL"]
    [stop] = plain.signed("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT")
    assert stop["algoStatus"] == "CANCELED"
