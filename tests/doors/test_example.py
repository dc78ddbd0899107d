"""`seawall up --config examples/doors.toml`: what a newcomer points a client at."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from gateway.rights.keys import new_pair
from tests.doors.world import Plain, free_port
from tests.services.processes import PATIENCE_SECONDS, ROOT


@contextmanager
def running(
    folder: Path, example: str, *arguments: str, keys: dict[str, str] | None = None
) -> Iterator[int]:
    """An example on a free port, as a user starts it; ended as a user ends it. ``keys`` are further
    lines of some tables."""
    port = free_port()
    text = (ROOT / "examples" / example).read_text()
    doors = f'commands = "ipc://{folder}/c.ipc"\nmarket_data = "ipc://{folder}/d.ipc"'
    run_dir = f'run_dir = "{folder}/run"\n\n[gateway]\n{doors}\n\n'
    file = folder / example
    top, _, rest = text.partition("[door]")
    top = top.replace('run_dir = "run"\n', "")
    rest = rest.replace("port = 8080", f"port = {port}")
    head, _, tables = run_dir.partition("\n")
    whole = f"{head}\n{top}{tables}[door]{rest}"
    for table, lines in (keys or {}).items():
        whole = whole.replace(f"[{table}]\n", f"[{table}]\n{lines}\n", 1)
    file.write_text(whole)
    file.chmod(0o600)
    log = folder / "log"
    with log.open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "seawall.cli", "up", "--config", str(file), *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=out,
        )
    try:
        _wait_for(log, "\nready\n", up)
        assert "DEMONSTRATION KEY" in log.read_text()
        yield port
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(PATIENCE_SECONDS) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def _wait_for(log: Path, words: str, up: "subprocess.Popen[bytes]") -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while words not in log.read_text():
        assert up.poll() is None and time.monotonic() < limit, log.read_text()
        time.sleep(0.05)


def test_there_is_a_market_to_trade_in(tmp_path: Path) -> None:
    with running(tmp_path, "doors.toml") as port:
        look_around(port)


def test_behind_a_gateway_with_keys_the_door_has_one_of_its_own(tmp_path: Path) -> None:
    server, clock, door = new_pair(), new_pair(), new_pair()
    file = tmp_path / "client_keys.toml"
    file.touch(0o600)
    file.write_text(
        f'[server]\npublic = "{server[0]}"\nsecret = "{server[1]}"\n'
        f'[clients.clock]\npublic = "{clock[0]}"\nrights = ["admin", "trade", "read"]\n'
        f'[clients.door]\npublic = "{door[0]}"\naccounts = [100]\nrights = ["trade", "read"]\n'
    )

    def own(pair: tuple[str, str]) -> str:
        return f'server_public = "{server[0]}"\npublic = "{pair[0]}"\nsecret = "{pair[1]}"'

    tables = {"gateway": f'keys = "{file}"', "clock": own(clock), "door": own(door)}
    with running(tmp_path, "doors.toml", keys=tables) as port:
        look_around(port)


def look_around(port: int) -> None:
    """Books on both sides, money and no position; an order fills."""
    plain = Plain(port, "demo", "demo-secret")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        book = plain.public("/fapi/v1/depth", symbol=symbol, limit=20)
        assert len(book["bids"]) == len(book["asks"]) == 20
    [balance] = plain.signed("GET", "/fapi/v2/balance")
    assert balance["balance"] == "100000.00000000"
    assert plain.signed("GET", "/fapi/v3/positionRisk") == []
    bought = plain.order(type="MARKET", newOrderRespType="RESULT")
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "0.010")
    [position] = plain.signed("GET", "/fapi/v3/positionRisk")
    assert position["positionAmt"] == "0.010"
    assert plain.order(type="MARKET", side="SELL", reduceOnly="true")["status"] == "NEW"


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("SEAWALL_PROFILE") != "long", reason="half a minute; SEAWALL_PROFILE=long"
)
def test_a_ccxt_bot_is_called_answers_and_is_liquidated(tmp_path: Path) -> None:
    pytest.importorskip("ccxt", reason="ccxt is not installed (extra clients)")
    market = ("--scenario", str(ROOT / "examples" / "slow_fall.toml"), "--speed", "4")
    with running(tmp_path, "doors_fall.toml", *market) as port:
        script = ROOT / "examples" / "ccxt_margin_call.py"
        done = subprocess.run(
            [sys.executable, str(script), "--url", f"http://127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE_SECONDS,
        )
    assert done.returncode == 0, done.stderr
    told = ["bought", "margin call 1: bring", "answered: sold", "margin call 2", "position is gone"]
    places = [done.stdout.find(words) for words in told]
    assert -1 not in places and places == sorted(places), done.stdout
