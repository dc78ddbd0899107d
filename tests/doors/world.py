"""An exchange with a door as real processes, a maker, and a client without library."""

import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from engine.commands import BUY, SELL, AdvanceTime, CancelAll, Command, IndexPrice, SubmitOrder
from engine.services.market_config import SOURCE_ID
from engine.services.service_config import DOOR, ONE, parse_config
from gateway.client import Client
from gateway.host.opening import Opening
from gateway.host.opening_market import OpeningMarket
from gateway.protocol import Reply
from tests.services.processes import ROOT, Processes

MAKER = 900
FIRST_ACCOUNT = 100
ACCOUNTS = 30

TEXT = """
run_dir = "{run_dir}"
layout = "{layout}"
rulebook = "binance-usdm"
fund = {{ USDT = "1000000" }}
backstop = {{ USDT = "1000000" }}
{settings}

[gateway]
commands = "ipc://{run_dir}/commands.ipc"
market_data = "ipc://{run_dir}/data.ipc"

[door]
port = {port}
max_weight_per_minute = {weight}
{door}

{demo}

[[assets]]
symbol = "USDT"
decimals = 6

[[instruments]]
symbol = "BTCUSDT"
tick = "0.10"
lot = "0.001"
max_qty = "1000"
min_notional = "100"
band = "0.05"
index = "60000.00"

[[instruments]]
symbol = "ETHUSDT"
tick = "0.01"
lot = "0.001"
max_qty = "10000"
min_notional = "20"
band = "0.05"
index = "3000.00"

[[accounts]]
account_id = 100
count = 30
deposit = {{ USDT = "100000" }}

[[accounts]]
account_id = 900
deposit = {{ USDT = "100000000" }}
"""

DEMO = """
[[door.demo]]
key = "key-{account}"
secret = "secret-{account}"
account = {account}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class DoorWorld(Processes):
    """Services, door and a maker's line to them."""

    def __init__(
        self,
        run_dir: Path,
        *,
        layout: str = ONE,
        settings: str = "",
        door: str = "",
        weight: int = 1_000_000,
    ) -> None:
        self.port = free_port()
        run_dir.mkdir(parents=True, exist_ok=True)
        self.file = run_dir / "services.toml"
        demo = "".join(
            DEMO.format(account=one) for one in range(FIRST_ACCOUNT, FIRST_ACCOUNT + ACCOUNTS)
        )
        text = TEXT.format(
            run_dir=run_dir,
            layout=layout,
            port=self.port,
            demo=demo,
            door=door,
            settings=settings,
            weight=weight,
        )
        self.file.write_text(text)
        self.config = parse_config(text, str(self.file))
        self.environment = {"PYTHONPATH": str(ROOT)}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._lives: dict[str, int] = {}
        self._next_account = FIRST_ACCOUNT

    def begin(self) -> None:
        """Start everything, with the market open and quotes in the books."""
        self.start_all()
        steps = OpeningMarket(self.config.market(), str(self.file)).steps()
        Opening(steps, self.file.parent, str(self.file)).carry_out(self.address, [])
        self.maker = Client(self.address, accounts=[])
        self.maker.connect()
        self.quote(1, 600_000)
        self.quote(2, 300_000)
        self.start_door()

    def start_door(self) -> None:
        log = open(Path(self.config.run_dir) / f"{DOOR}.log", "ab")  # noqa: SIM115
        self._lives[DOOR] = self._times_ready(DOOR)
        command = [sys.executable, "-m", "doors.serve", "--child", "--config", str(self.file)]
        self.running[DOOR] = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        log.close()
        self.wait_until_ready()

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "maker"):
            self.maker.close()
        super().__exit__()

    def account(self) -> int:
        """An account nobody used before, with 100,000 USDT."""
        self._next_account += 1
        assert self._next_account <= FIRST_ACCOUNT + ACCOUNTS
        return self._next_account - 1

    def send(self, *commands: Command) -> list[Reply]:
        """Commands past the door."""
        return self.maker.call_all(list(commands))

    def quote(self, instrument_id: int, mid: int, levels: int = 5, lots: int = 5_000) -> None:
        """The maker's book around a price in ticks."""
        orders = [
            SubmitOrder(0, MAKER, instrument_id, 0, side, lots, mid - side * step * 10)
            for step in range(1, levels + 1)
            for side in (BUY, SELL)
        ]
        self.send(CancelAll(0, MAKER, instrument_id), *orders)

    def move(self, instrument_id: int, ticks: int) -> None:
        """Move the index, and let time pass."""
        self.send(IndexPrice(0, instrument_id, SOURCE_ID, ticks), AdvanceTime(0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, account: int) -> "Plain":
        """A client of an account."""
        return Plain(self.port, f"key-{account}", f"secret-{account}")


@contextmanager
def door_world(run_dir: Path, **settings: Any) -> Iterator[DoorWorld]:
    """An exchange with a door, ready."""
    with DoorWorld(run_dir, **settings) as world:
        world.begin()
        yield world


class Plain:
    """HTTP and HMAC by hand, as the venue's page shows it."""

    def __init__(self, port: int, key: str, secret: str) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=20)
        self.key = key
        self.secret = secret
        self.status = 0
        self.headers: dict[str, str] = {}

    def raw(
        self,
        verb: str,
        target: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send as it is; the answer's JSON."""
        self.connection.request(verb, target, body, headers or {})
        answer = self.connection.getresponse()
        self.status = answer.status
        self.headers = dict(answer.getheaders())
        text = answer.read()
        try:
            return json.loads(text)
        except ValueError:
            return text

    def public(self, path: str, **parameters: Any) -> Any:
        query = urlencode(parameters)
        return self.raw("GET", f"{path}?{query}" if query else path)

    def signed(self, verb: str, path: str, **parameters: Any) -> Any:
        parameters.setdefault("timestamp", int(time.time() * 1000))
        query = urlencode(parameters)
        signature = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self.key}
        return self.raw(verb, f"{path}?{query}&signature={signature}", None, headers)

    def keyed(self, verb: str, path: str) -> Any:
        return self.raw(verb, path, None, {"X-MBX-APIKEY": self.key})

    def order(self, **parameters: Any) -> Any:
        """A limit order of 0.01 BTC that rests, unless told otherwise."""
        usual = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.010"}
        asked = {**usual, **parameters}
        if asked["type"] == "LIMIT":
            asked = {"timeInForce": "GTC", "price": "59000", **asked}
        return self.signed("POST", "/fapi/v1/order", **asked)
