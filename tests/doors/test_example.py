"""`seawall up --config examples/doors.toml`: what a newcomer points a client at."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="aiohttp is not installed (extra doors)")

from tests.doors.world import Plain, free_port
from tests.services.processes import PATIENCE_SECONDS, ROOT


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The example on a free port, as a user starts it; ended as a user ends it."""
    folder = tmp_path_factory.mktemp("example")
    port = free_port()
    text = (ROOT / "examples" / "doors.toml").read_text()
    text = text.replace('run_dir = "run"', f'run_dir = "{folder}/run"')
    text = text.replace("port = 8080", f"port = {port}")
    doors = f'commands = "ipc://{folder}/c.ipc"\nmarket_data = "ipc://{folder}/d.ipc"'
    file = folder / "doors.toml"
    file.write_text(text.replace("[clock]", f"[gateway]\n{doors}\n\n[clock]"))
    log = folder / "log"
    with log.open("wb") as out:
        up = subprocess.Popen(
            [sys.executable, "-m", "seawall.cli", "up", "--config", str(file)],
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


def test_there_is_a_market_to_trade_in(port: int) -> None:
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
