"""What one hostile connection can take from the others: every attack beside an honest client.

``python -m bench.attacks`` starts an exchange for each attack and lets an honest client send one
order after the other, first alone and then beside the attack; it prints medians, longest waits and
their ratios, and what the gateway's process grew by. Every attack is a process of its own, lasts
some seconds and keeps to this machine; the last one is all of them.
"""

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Final, NamedTuple

import zmq

from bench.services_exchange import RunningExchange
from engine import commands as c
from gateway.client import Address, Client
from gateway.door.runs import run_at
from gateway.protocol import Hello, Ping, Submit, encode
from tests.services.raw_line import RawLine

SECONDS: Final[float] = 6.0


class Found(NamedTuple):
    """What the honest client saw alone and beside an attack, and how the process grew."""

    name: str
    orders: int
    alone_p50_ms: float
    p50_ms: float
    alone_worst_ms: float
    worst_ms: float
    grown_mib: float
    grown_after_mib: float


# the attacks; each gets the exchange's address and goes on until it is stopped


def dealer(address: str, hello: Hello | None = None) -> "zmq.Socket[bytes]":
    """A connection without a client around it; it never reads."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address)
    if hello is not None:
        socket.send(encode(hello))
        socket.recv()
    return socket


def fresh() -> int:
    """A run number of now."""
    return run_at(time.time_ns())


def flood(address: Address) -> None:
    """Single cancels as fast as they are taken."""
    run = fresh()
    socket = dealer(address.commands, Hello(run=run))
    number = 0
    while True:
        number += 1
        socket.send(encode(Submit(run, [(number, c.CancelOrder(0, 150, number))])))
        while socket.poll(0):
            socket.recv()


def subscriptions(address: Address) -> None:
    """150,000 topics of sixty random bytes, then more of them."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address.market_data)
    rng = random.Random(1)
    for _ in range(150_000):
        socket.setsockopt(zmq.SUBSCRIBE, rng.randbytes(60))
    time.sleep(60)


def greetings(address: Address) -> None:
    """Greetings of 40,000 accounts, and then small ones without end."""
    for number in range(20):
        dealer(address.commands).send(
            encode(Hello(run=fresh() + number, accounts=[*range(40_000)]))
        )
    socket = dealer(address.commands, Hello(run=fresh()))
    while True:
        socket.send(encode(Hello(run=fresh(), accounts=[100])))
        time.sleep(0.001)


def never_reads(address: Address) -> None:
    """Requests for megabytes of answers that are never read."""
    run = fresh()
    socket = dealer(address.commands, Hello(run=run))
    for frame in range(10_000):
        numbers = range(frame * 1_000, frame * 1_000 + 1_000)
        socket.send(encode(Submit(run, [(number + 1, c.QueryMarket(0)) for number in numbers])))


def unfinished(address: Address) -> None:
    """One message in parts that does not end, again after each time it is cut off."""
    while True:
        with contextlib.suppress(OSError):
            raw = RawLine(address.commands, b"DEALER")
            while True:
                raw.send(bytes(50_000), more=True)
                time.sleep(0.0005)


def watches(address: Address) -> None:
    """A run after the other that wants to be watched for a day, with an order in each."""
    socket = dealer(address.commands, Hello(run=fresh()))
    run = fresh()
    while True:
        run += 1
        socket.send(encode(Hello(run=run, cancel_after_ms=86_400_000)))
        socket.send(encode(Submit(run, [(1, c.SubmitOrder(0, 151, 0, 0, c.BUY, 1, 10))])))
        while socket.poll(1):
            socket.recv()


def questions(address: Address) -> None:
    """The dearest question, 3,000 times in a frame."""
    run = fresh()
    socket = dealer(address.commands, Hello(run=run))
    number = 0
    while True:
        asked = [(number + place + 1, c.QueryRisk(0, [], 1_000)) for place in range(3_000)]
        number += len(asked)
        socket.send(encode(Submit(run, asked)))


def runs(address: Address) -> None:
    """Run after run with 10,000 cancels to be remembered in each."""
    run = fresh()
    socket = dealer(address.commands, Hello(run=run))
    while True:
        run += 1
        for place in range(0, 10_000, 500):
            numbered = [(place + n + 1, c.CancelOrder(0, 150, 1)) for n in range(500)]
            socket.send(encode(Submit(run, numbered)))
            while socket.poll(0):
                socket.recv()


def pings(address: Address) -> None:
    """The shortest messages there are, as fast as the line takes them."""
    said = encode(Ping())
    data = (bytes([0, len(said)]) + said) * 4_000
    while True:
        with contextlib.suppress(OSError):
            raw = RawLine(address.commands, b"DEALER")
            while True:
                raw.line.sendall(data)


ATTACKS: Final[dict[str, Callable[[Address], None]]] = {
    attack.__name__: attack
    for attack in (
        flood,
        subscriptions,
        greetings,
        never_reads,
        unfinished,
        watches,
        questions,
        runs,
        pings,
    )
}


def all_at_once(address: Address) -> None:
    """Every attack, each from a connection of its own."""
    threads = [Thread(target=attack, args=[address], daemon=True) for attack in ATTACKS.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def attack_of(name: str) -> Callable[[Address], None]:
    """The attack of a name, or all of them."""
    return all_at_once if name == all_at_once.__name__ else ATTACKS[name]


def resident_mib(pid: int) -> float:
    """The memory a process has now."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1_024


def honest_waits(client: Client, seconds: float) -> Iterator[float]:
    """One order after the other; how long each waited for its answer."""
    end = time.monotonic() + seconds
    place = 0
    while time.monotonic() < end:
        place += 1
        side = c.BUY if place % 2 else c.SELL
        began = time.monotonic()
        client.call(c.SubmitOrder(0, 100 + place % 2, 0, 0, side, 1, 10_000), 60)
        yield time.monotonic() - began


def p50_and_worst_ms(waits: list[float]) -> tuple[float, float]:
    """The median and the longest of some waits."""
    return sorted(waits)[len(waits) // 2] * 1e3, max(waits) * 1e3


def measure(name: str, exchange: RunningExchange, seconds: float) -> Found:
    """The honest client alone, then beside an attack, for half and for all of the time."""
    pids = exchange.pids()
    pid = pids.get("all") or pids["gateway"]
    with Client(exchange.address, accounts=[100, 101]) as client:
        alone = p50_and_worst_ms(list(honest_waits(client, seconds / 2)))
        before = resident_mib(pid)
        words = ["--attack", name, exchange.address.commands, exchange.address.market_data]
        attacker = subprocess.Popen(
            [sys.executable, "-m", "bench.attacks", *words], stderr=subprocess.DEVNULL
        )
        waits = list(honest_waits(client, seconds))
        grown = resident_mib(pid) - before
        attacker.kill()
        attacker.wait()
        time.sleep(1)
    after = resident_mib(pid) - before
    p50, worst = p50_and_worst_ms(waits)
    return Found(name, len(waits), alone[0], p50, alone[1], worst, grown, after)


def table(found: list[Found]) -> str:
    """The figures as a table of a page."""
    lines = [
        "| beside | orders | p50 alone, ms | p50, ms | ratio | longest alone, ms | longest, ms | "
        "grown, MiB | after it, MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        ratio = one.p50_ms / one.alone_p50_ms
        lines.append(
            f"| {one.name} | {one.orders} | {one.alone_p50_ms:.2f} | {one.p50_ms:.2f} | "
            f"{ratio:.1f} | {one.alone_worst_ms:.0f} | {one.worst_ms:.0f} | "
            f"{one.grown_mib:.0f} | {one.grown_after_mib:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Every attack in turn, each on a fresh exchange."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks")
    names = [*ATTACKS, all_at_once.__name__]
    parser.add_argument("--attack", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--only", nargs="*", default=names, choices=names)
    parser.add_argument("--build", type=Path, help="folder with a compiled engine")
    arguments = parser.parse_args()
    if arguments.attack:
        name, commands, market_data = arguments.attack
        attack_of(name)(Address(commands, market_data))
        return
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.only:
            path = Path(folder) / name
            with RunningExchange(path, "process", arguments.build, instruments=60) as exchange:
                found.append(measure(name, exchange, arguments.seconds))
                print(found[-1], flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
