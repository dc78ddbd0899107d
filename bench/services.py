"""`make bench-services`: how fast the exchange is as processes over ZeroMQ, beside bare ZeroMQ.

Every round measures, in turns, bare round trips (`bench.services_bare`) and, for each build, layout
(everything in one process, or each service in its own) and durability, a fresh `seawall
up` with its clock: orders one at a time, then one and two clients with batches. The source that is
not compiled is measured in the first layout and durability only. The table shows medians over the
rounds; ratios are taken within a round.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

import zmq

from bench.run import Figures, conditions, write_between
from bench.services_bare import measure_bare
from bench.services_exchange import (
    PATIENCE_SECONDS,
    RunningExchange,
    cpu_seconds_of,
    environment_of,
    free_ports,
)
from engine.services.service_config import ONE, SEPARATE

DURABILITIES: Final[tuple[str, ...]] = ("process", "disk")
LAYOUTS: Final[tuple[str, ...]] = (ONE, SEPARATE)
WARM_UP_SECONDS: Final[float] = 1.5
SECOND_NS: Final[int] = 1_000_000_000
BEGIN: Final[str] = "<!-- services: begin -->"
END: Final[str] = "<!-- services: end -->"

Arguments = argparse.Namespace


def percentiles_us(times_ns: list[int]) -> tuple[float, float, float]:
    """p50, p99 and p99.9 in microseconds."""
    ordered = sorted(times_ns)
    count = len(ordered)
    return (
        ordered[count // 2] / 1e3,
        ordered[count * 99 // 100] / 1e3,
        ordered[count * 999 // 1000] / 1e3,
    )


def bare_figures(args: Arguments, build: Path | None, folder: Path) -> dict[str, float]:
    """Bare round trips over TCP and over a socket file."""
    figures: dict[str, float] = {}
    addresses = (f"tcp://127.0.0.1:{free_ports(1)[0]}", f"ipc://{folder}/bare.ipc")
    for name, address in zip(("tcp", "ipc"), addresses, strict=True):
        times = measure_bare(address, args.samples, environment_of(build))
        p50, p99, p999 = percentiles_us(times)
        figures |= {f"bare {name} p50": p50, f"bare {name} p99": p99, f"bare {name} p99.9": p999}
    return figures


def client_process(exchange: RunningExchange, *arguments: str) -> "subprocess.Popen[str]":
    """A client of an exchange."""
    address = exchange.address
    command = [sys.executable, "-m", "bench.services_client"]
    if address.public:
        arguments += ("--keys", address.server_public, address.public, address.secret)
    return subprocess.Popen(
        [*command, address.commands, address.market_data, *arguments],
        env=exchange.environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer_of(client: "subprocess.Popen[str]", seconds: float) -> Any:
    """What a client process printed when it was done; it is ended if it takes too long."""
    try:
        said, _ = client.communicate(timeout=seconds + PATIENCE_SECONDS)
    finally:
        if client.poll() is None:
            client.kill()
            client.wait()
    if client.returncode:
        raise SystemExit(f"a client failed with code {client.returncode}")
    return json.loads(said)


def latency_figures(exchange: RunningExchange, samples: int) -> dict[str, float]:
    """Orders one at a time."""
    answer = answer_of(client_process(exchange, "--samples", str(samples)), samples / 100)
    p50, p99, p999 = percentiles_us(answer["times_ns"])
    return {"order p50": p50, "order p99": p99, "order p99.9": p999}


def throughput_figures(
    exchange: RunningExchange, clients: int, args: Arguments
) -> dict[str, float]:
    """Answers per second from so many batching clients, and what each process spent on one."""
    begin_ns = time.monotonic_ns() + int((WARM_UP_SECONDS + 1) * SECOND_NS)
    end_ns = begin_ns + int(args.seconds * SECOND_NS)
    times = ("--begin-ns", str(begin_ns), "--end-ns", str(end_ns), "--batch", str(args.batch))
    running = [
        client_process(exchange, "--client", str(number), *times) for number in range(clients)
    ]
    time.sleep(max(0, begin_ns - time.monotonic_ns()) / SECOND_NS)
    before = exchange.cpu_seconds()
    before["clients"] = sum(cpu_seconds_of(client.pid) for client in running)
    time.sleep(max(0, end_ns - time.monotonic_ns()) / SECOND_NS)
    after = exchange.cpu_seconds()
    after["clients"] = sum(cpu_seconds_of(client.pid) for client in running)
    answers = [answer_of(client, args.seconds) for client in running]
    for answer in answers:
        if answer["rejected"] or answer["lost"]:
            raise SystemExit(f"the flow did not go through: {answer}")
    done = sum(answer["answers"] for answer in answers)
    name = f"{clients} client" if clients == 1 else f"{clients} clients"
    figures = {
        f"{name}: messages/s": sum(one["answers"] / one["seconds"] for one in answers),
        f"{name}: new orders/s": sum(one["orders"] / one["seconds"] for one in answers),
    }
    for process, seconds in after.items():
        spent_us = (seconds - before[process]) / max(1, done) * 1e6
        figures[f"{name}: CPU us per message, {process}"] = spent_us
    return figures


def exchange_figures(
    args: Arguments, folder: Path, build: Path | None, layout: str, durability: str
) -> dict[str, float]:
    """Everything measured on one running exchange."""
    with RunningExchange(
        folder, durability, build, f'layout = "{layout}"', guarded=not args.open
    ) as exchange:
        pids = [os.getpid(), *exchange.pids().values()]
        with ahead_of_others(pids if args.real_time else []):
            figures = bare_figures(args, build, folder)
            figures |= latency_figures(exchange, args.samples)
            for clients in range(1, args.clients + 1):
                figures |= throughput_figures(exchange, clients, args)
    return figures


@contextmanager
def ahead_of_others(pids: list[int]) -> Iterator[None]:
    """Give processes, and what they start, the processor before anybody else (root only)."""
    try:
        for pid in pids:
            schedule(pid, os.SCHED_FIFO, 1)
        yield
    finally:
        for pid in pids:
            schedule(pid, os.SCHED_OTHER, 0)


def schedule(pid: int, policy: int, priority: int) -> None:
    """Set how all threads of a process are scheduled."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))


def one_round(args: Arguments, into: dict[str, Figures]) -> None:
    """Measure everything once, in turns."""
    for name, (build, layout, durability) in columns_of(args).items():
        with tempfile.TemporaryDirectory(prefix="seawall-bench-") as temporary:
            folder = Path(temporary)
            figures = exchange_figures(args, folder / "run", build, layout, durability)
        for bare in ("tcp", "ipc"):
            ratio = figures["order p50"] / figures[f"bare {bare} p50"]
            figures[f"order p50 / bare {bare} p50"] = ratio
        found = into.setdefault(name, {})
        for what, value in figures.items():
            found.setdefault(what, []).append(value)


def columns_of(args: Arguments) -> dict[str, tuple[Path | None, str, str]]:
    """Build (None: the source as it is), layout and durability of each column."""
    columns: dict[str, tuple[Path | None, str, str]] = {}
    if args.build is not None:
        for layout, durability in product(args.layout, args.durability):
            columns[f"compiled, {layout}, {durability}"] = (
                args.build.resolve(),
                layout,
                durability,
            )
    if args.build is None or args.interpreted:
        layout, durability = args.layout[0], args.durability[0]
        columns[f"interpreted, {layout}, {durability}"] = (None, layout, durability)
    return columns


def shown(values: list[float] | None) -> str:
    """A median with the range around it."""
    if not values:
        return ""
    digits = 0 if median(values) >= 100 else 1
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def table(columns: dict[str, Figures]) -> str:
    """The Markdown table: a row per figure, a column per build and durability."""
    rows: dict[str, None] = {}
    for figures in columns.values():
        rows |= dict.fromkeys(figures)
    lines = [
        f"| what | {' | '.join(columns)} |",
        f"| --- |{' ---: |' * len(columns)}",
    ]
    for row in rows:
        unit = ", us" if "/ bare" not in row and " p" in row and "per" not in row else ""
        cells = " | ".join(shown(figures.get(row)) for figures in columns.values())
        lines.append(f"| {row}{unit} | {cells} |")
    return "\n".join(lines)


def parse() -> Arguments:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, help="folder of the compiled engine")
    parser.add_argument("--interpreted", action="store_true", help="measure the source as well")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=3_000, help="orders one at a time")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each batch flow")
    parser.add_argument("--batch", type=int, default=250, help="messages per client frame")
    parser.add_argument("--durability", nargs="+", default=DURABILITIES, choices=DURABILITIES)
    parser.add_argument("--layout", nargs="+", default=LAYOUTS, choices=LAYOUTS)
    parser.add_argument("--clients", type=int, default=2, help="batch flows with 1 to so many")
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="measured processes go before all others on a machine that is not left alone (root)",
    )
    parser.add_argument("--open", action="store_true", help="without client keys and metrics")
    parser.add_argument("--document", type=Path, help="file to write the table into")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, and write it into the document if one is named."""
    args = parse()
    columns: dict[str, Figures] = {}
    for number in range(args.rounds):
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr)
        one_round(args, columns)
    versions = f"pyzmq {version('pyzmq')}, libzmq {zmq.zmq_version()}"
    text = f"{conditions(args.rounds)} {versions}.\n\n{table(columns)}"
    print(text)
    if args.document is not None:
        write_between(args.document, text, BEGIN, END)


if __name__ == "__main__":
    main()
