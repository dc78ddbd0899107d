"""The door beside the ZeroMQ client, in one run: answers, orders a second, streamed messages.

Orders one at a time take turns with those of the ZeroMQ client in short blocks, so that what else
the machine does falls on both. ``python -m bench.doors``; the engine is the one that is imported.
"""

import argparse
import asyncio
import hashlib
import hmac
import os
import socket
import statistics
import tempfile
import time
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

import aiohttp

from bench.run import write_between
from engine.build_info import build_kind
from engine.commands import BUY, IOC, LIMIT, SubmitOrder
from engine.services.service_config import ALL, DOOR
from gateway.client import Client
from tests.doors.world import DoorWorld, door_world

BEGIN: Final[str] = "<!-- bench -->"
END: Final[str] = "<!-- /bench -->"
BLOCK: Final[int] = 50
TICKS_PER_S: Final[int] = os.sysconf("SC_CLK_TCK")
SUBSCRIBERS: Final[int] = 50
UNBOUNDED: Final[str] = "max_orders_per_minute = 1000000000\nmax_orders_per_10s = 1000000000"

ORDER: Final[str] = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.010&price=58000&"
    "newOrderRespType=RESULT"
)
"""It reaches nobody and rests nowhere, so that the thousandth meets the book of the first."""

Figures = dict[str, float]


def signed(account: int) -> str:
    """The order with time and signature."""
    text = f"{ORDER}&timestamp={time.time_ns() // 1_000_000}"
    secret = f"secret-{account}".encode()
    return f"{text}&signature={hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()}"


def cpu_s(world: DoorWorld, name: str) -> float:
    """Processor time a process has used."""
    fields = Path(f"/proc/{world.running[name].pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


class Line:
    """A kept connection that does no more than it must: a client library's own time is not the
    door's."""

    def __init__(self, port: int, account: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._account = account

    def order(self) -> None:
        """Send one and read its answer."""
        body = signed(self._account)
        head = (
            "POST /fapi/v1/order HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"X-MBX-APIKEY: key-{self._account}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        self._socket.sendall(f"{head}{body}".encode())
        answer = self._socket.recv(65_536)
        while not answer.endswith(b"}"):
            answer += self._socket.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 200"), answer


def one_at_a_time(world: DoorWorld, samples: int) -> Figures:
    """Medians from an order to its answer, and their ratio."""
    line = Line(world.port, 100)
    order = SubmitOrder(0, 101, 1, 0, BUY, 10, 580_000, LIMIT, IOC)
    times: dict[str, list[int]] = {"zmq": [], "http": []}
    with Client(world.address, accounts=[101]) as client:
        for block in range(-2, samples // BLOCK):
            for name, found in times.items():
                for _ in range(BLOCK):
                    start = perf_counter_ns()
                    if name == "zmq":
                        assert client.call(order).rejection is None
                    else:
                        line.order()
                    if block >= 0:
                        found.append(perf_counter_ns() - start)
                if name == "zmq":
                    client.poll(0)
    medians = {name: statistics.median(found) / 1_000 for name, found in times.items()}
    return {
        "order to answer, ZeroMQ client, p50, us": medians["zmq"],
        "order to answer, HTTP, p50, us": medians["http"],
        "HTTP over ZeroMQ": medians["http"] / medians["zmq"],
    }


async def many(world: DoorWorld, seconds: float, at_once: int) -> Figures:
    """Orders a second over several connections, and the door's processor time of each."""
    url = f"{world.url}/fapi/v1/order"
    done = 0
    limit = time.monotonic() + seconds

    async def client(session: aiohttp.ClientSession, account: int) -> None:
        nonlocal done
        headers = {"X-MBX-APIKEY": f"key-{account}"}
        while time.monotonic() < limit:
            async with session.post(f"{url}?{signed(account)}", headers=headers) as answer:
                await answer.read()
                assert answer.status == 200
            done += 1

    before = {name: cpu_s(world, name) for name in (DOOR, ALL)}
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session, 102 + n % 8) for n in range(at_once)))
    used = {name: cpu_s(world, name) - before[name] for name in before}
    return {
        "orders/s over HTTP": done / seconds,
        "door, processor time of an order, us": used[DOOR] / done * 1e6,
        "exchange, processor time of an order, us": used[ALL] / done * 1e6,
    }


async def streamed(world: DoorWorld, seconds: float) -> Figures:
    """Messages a second to all subscribers together while a maker quotes as fast as it can."""
    received = 0
    names = "btcusdt@depth@0ms/btcusdt@bookTicker"

    async def listen(one: aiohttp.ClientWebSocketResponse) -> None:
        nonlocal received
        async for _ in one:
            received += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = [
            await session.ws_connect(f"{world.url}/stream?streams={names}", compress=0)
            for _ in range(SUBSCRIBERS)
        ]
        tasks = [asyncio.create_task(listen(one)) for one in sockets]
        before, limit, moved = cpu_s(world, DOOR), time.monotonic() + seconds, 0
        while time.monotonic() < limit:
            moved += 1
            await asyncio.to_thread(world.quote, 1, 600_000 + moved % 20, 2)
        used = cpu_s(world, DOOR) - before
        for one in sockets:
            await one.close()
        await asyncio.gather(*tasks)
    return {
        f"messages/s to {SUBSCRIBERS} subscribers": received / seconds,
        "door, processor time of a streamed message, us": used / max(1, received) * 1e6,
    }


def measure(samples: int, seconds: float) -> Figures:
    """All figures of one exchange and one door."""
    with (
        tempfile.TemporaryDirectory() as folder,
        door_world(Path(folder) / "run", door=UNBOUNDED, weight=10**9) as world,
    ):
        return {
            **one_at_a_time(world, samples),
            **asyncio.run(many(world, seconds, at_once=16)),
            **asyncio.run(streamed(world, seconds)),
        }


def table(rounds: list[Figures]) -> str:
    """Medians of the rounds."""
    lines = ["| | median |", "| --- | ---: |"]
    for name in rounds[0]:
        value = statistics.median(one[name] for one in rounds)
        lines.append(f"| {name} | {value:,.2f} |" if value < 10 else f"| {name} | {value:,.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, and write it into the document if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1_000, help="orders one at a time")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each flow")
    parser.add_argument("--document", type=Path, help="file to write the table into")
    args = parser.parse_args()
    rounds = [measure(args.samples, args.seconds) for _ in range(args.rounds)]
    load: Any = os.getloadavg()
    text = (
        f"{build_kind()} engine, Python's own event loop, load {load[0]:.1f} of {os.cpu_count()} "
        f"cores, median of {args.rounds}:\n\n{table(rounds)}"
    )
    print(text)
    if args.document is not None:
        write_between(args.document, text, BEGIN, END)


if __name__ == "__main__":
    main()
