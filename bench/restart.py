"""How long the services take to come back, against the length of their history.

    python -m bench.restart --commands 100000 1000000 10000000

The history is made by the services themselves (`engine.services.service.Service` with their parts,
links and journals), all in this process and fed by a stand-in for the gateway's door, so that the
journals are those of an exchange that took so many commands from its clients. It stops as far
behind the last snapshot as can be and without taking another, as after kill -9. Then every service
is started as a process of its own: measured is the time from the first start to the last "ready",
for the killed exchange (three times) and for one that was stopped in order.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.worlds import START_TICKS, USD, market_commands
from engine import commands as c
from engine.build_info import build_kind
from engine.record.service_journal import ServiceJournal, read_inputs
from engine.record.snapshot_file import snapshot_file, snapshots_of
from engine.routing.topology import GATEWAY
from engine.services.part import Part
from engine.services.rounds import Batch, encode_frame
from engine.services.service import Service
from engine.services.service_config import ALL, ONE, SEPARATE, ServiceConfig, parse_config
from gateway.door.frames import Intake
from gateway.door.intake import GatewayPart
from gateway.door.runs import requester
from gateway.host.link_secrets import seals_of
from gateway.host.one_process import OneProcess
from gateway.host.parts import RiskHolder
from gateway.rights.keys import ANONYMOUS
from gateway.serve import GATEWAY_BYTES, READY, build_service
from risk.accounts import FIRST_TRADER

INSTRUMENTS: Final[tuple[int, ...]] = (1, 2, 3, 4)
START_NS: Final[int] = 1_700_000_000 * 10**9
BATCH_NS: Final[int] = 1_000_000
FULL: Final[float] = 0.9
"""The killed exchange is this far on its way to the next snapshot of risk."""

KILLED_RUNS: Final[int] = 3
COLUMNS: Final[tuple[str, ...]] = (
    "commands",
    "journals, MiB",
    "handled again, inputs",
    "ready after kill -9, s",
    "ready after a stop, s",
    "peak RSS, MiB",
    "snapshots, MiB",
    "load",
)
PATIENCE_SECONDS: Final[int] = 600


class Flow:
    """Orders near the mid, their cancels, and now and then one that trades; index and time."""

    def __init__(self, accounts: int, open_orders: int) -> None:
        self._open_orders = open_orders
        self._random = random.Random(7)
        self._accounts = accounts
        self._open: deque[tuple[int, int]] = deque()
        self._opening = list(self._begin())
        self._batches = 0

    def _begin(self) -> list[c.Command]:
        commands = market_commands(INSTRUMENTS, lot="0.001", max_open_orders=100_000)
        for account_id in range(FIRST_TRADER, FIRST_TRADER + self._accounts):
            commands.append(c.OpenAccount(0, account_id))
            commands.append(c.Deposit(0, account_id, USD.asset_id, 10**12))
        return commands

    def batch(self, size: int, now_ns: int, next_order_id: int) -> list[c.Command]:
        """The next commands; the first ones open the market."""
        if self._opening:
            taken, self._opening = self._opening[:size], self._opening[size:]
            return taken
        self._batches += 1
        commands: list[c.Command] = [c.AdvanceTime(now_ns)]
        if self._batches % 10 == 0:
            for number in INSTRUMENTS:
                ticks = START_TICKS + self._random.randint(-5, 5)
                commands.append(c.IndexPrice(now_ns, number, 1, ticks))
        while len(commands) < size:
            if len(self._open) > self._open_orders:
                commands.append(c.CancelOrder(now_ns, *self._open.popleft()))
                continue
            commands.append(self._order(now_ns, next_order_id))
            next_order_id += 1
        return commands

    def _order(self, now_ns: int, order_id: int) -> c.Command:
        rng = self._random
        account_id = FIRST_TRADER + rng.randrange(self._accounts)
        side = rng.choice((c.BUY, c.SELL))
        away = rng.randint(1, 40)
        if rng.random() < 0.2:
            away, tif = -away, c.IOC
        else:
            tif = c.GTC
            self._open.append((account_id, order_id))
        price = START_TICKS - away if side == c.BUY else START_TICKS + away
        instrument_id = rng.choice(INSTRUMENTS)
        return c.SubmitOrder(
            now_ns, account_id, instrument_id, order_id, side, 5, price, c.LIMIT, tif
        )


class Feed:
    """Stands in for the front door: hands in batches as if clients had sent them."""

    def __init__(self, part: GatewayPart, flow: Flow, size: int, clients: int) -> None:
        self.part = part
        self.open = True
        self.commands = 0
        self._flow = flow
        self._size = size
        self._names = [requester(ANONYMOUS, run) for run in range(1, clients + 1)]

    has_more = False

    @property
    def is_open(self) -> bool:
        return self.open and len(self.part.in_flight) < 2

    def bind(self, context: Any) -> Sequence[Any]:
        return []

    def collect(self) -> list[bytes]:
        part = self.part
        now_ns = max(START_NS, part.time_ns) + BATCH_NS
        order_id = part.next_order_id
        commands = self._flow.batch(self._size, now_ns, order_id)
        name = self._names[part.batches % len(self._names)]
        highest = part.memory(name).highest
        order_ids: list[int] = []
        for command in commands:
            new = isinstance(command, c.SubmitOrder)
            order_ids.append(order_id if new else 0)
            order_id += new
        parcel = (name, list(range(highest + 1, highest + 1 + len(commands))), order_ids)
        number = part.batches + 1
        batch = encode_frame(Batch(number, commands, [len(commands)]))
        self.commands += len(commands)
        return [encode_frame(Intake(number, now_ns, order_id, [parcel], batch))]

    def deliver(self, item: Any) -> None:
        pass

    def idle(self) -> None:
        pass


class History:
    """The services of one run directory in this process, made anew after each measurement."""

    def __init__(self, config: ServiceConfig, flow: Flow, size: int, clients: int) -> None:
        self.config = config
        self._flow = flow
        self._size = size
        self._clients = clients
        self._commands = 0

    def grow(self, commands: int) -> int:
        """Take commands until there were so many, and on to where risk is due for a snapshot;
        returns how many it came to."""
        one = self.config.layout == ONE
        part = GatewayPart(self.config.gateway.remembered_requests, sorted_outcomes=one)
        feed = Feed(part, self._flow, self._size, self._clients)
        feed.commands = self._commands
        services = [self._open(name, feed) for name in self.config.services()]
        told = time.monotonic()
        risk = services[self.config.services().index(self.config.recorder())]
        while feed.commands < commands or self._share(risk) < FULL:
            aim = feed.part.batches + 50
            while feed.part.batches < aim:
                for service in services:
                    service.turn(0)
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"  {feed.commands:,} commands", file=sys.stderr, flush=True)
        self._commands = feed.commands
        for service in services:
            service.journal.close()
            service._context.destroy(linger=0)
        return feed.commands

    def _share(self, service: Service) -> float:
        """How near its next snapshot a service is."""
        inputs, size = service.behind()
        return max(inputs / self.config.snapshot_every, size / self.config.snapshot_bytes)

    def _open(self, name: str, feed: Feed) -> Service:
        if name in (ALL, GATEWAY):
            config = self.config
            part: Part = feed.part
            if name == ALL:
                part = OneProcess(feed.part, RiskHolder().merged_hub(config.publish_depth))
            journal = ServiceJournal(
                config.journal(name),
                name,
                keep_inputs=name == ALL,
                durability=config.durability,
            )
            journal.begun_with("matching_shards", str(config.matching_shards))
            service = Service(
                name,
                part,
                journal,
                config.inboxes(),
                config.peers(name),
                clock=time.monotonic_ns,
                door=feed,
                seals=seals_of(name, config.peers(name), Path(config.run_dir), config.link_keys),
                snapshot_every=config.snapshot_every,
                snapshot_bytes=config.snapshot_bytes * (1 if name == ALL else GATEWAY_BYTES),
            )
        else:
            service = build_service(name, self.config)
        service.recover()
        service.open()
        return service


def behind(config: ServiceConfig) -> tuple[int, int]:
    """What the service with all batches has to handle again: inputs and their bytes."""
    journal = config.journal(config.recorder())
    after = next(iter(snapshots_of(journal)), 0)
    sizes = [len(entry.body) for entry in read_inputs(journal, after)]
    return len(sizes), sum(sizes)


class Start(NamedTuple):
    """One start of all services: seconds to the last "ready", and peak memory of each in MiB."""

    seconds: float
    memory_mib: dict[str, int]


def start_all(config_file: Path, config: ServiceConfig, last_signal: int) -> Start:
    """Start every service, wait until all are ready, and end them with a signal."""
    # The children import what this process imports, also when that is a compiled build.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    children: dict[str, subprocess.Popen[bytes]] = {}
    began = time.monotonic()
    for name in config.services():
        command = [sys.executable, "-m", "gateway.serve", name, "--child", "--config"]
        children[name] = subprocess.Popen(
            [*command, str(config_file)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    try:
        for name, child in children.items():
            assert child.stdout is not None
            line = child.stdout.readline().decode().strip()
            if line != f"{name} {READY}":
                raise SystemExit(f"{name} did not start: {line!r}")
        seconds = time.monotonic() - began
        memory = {name: peak_mib(child.pid) for name, child in children.items()}
    finally:
        for child in children.values():
            child.send_signal(last_signal)
        for child in children.values():
            child.wait(PATIENCE_SECONDS)
    return Start(seconds, memory)


def peak_mib(pid: int) -> int:
    """The largest resident set of a process so far, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) >> 10
    raise SystemExit(f"process {pid} has no VmHWM")


def sizes_mib(config: ServiceConfig) -> tuple[int, dict[str, float]]:
    """All journals together, and the last snapshot of each service, in MiB."""
    snapshots: dict[str, float] = {}
    for name in config.services():
        journal = config.journal(name)
        places = snapshots_of(journal)
        size = snapshot_file(journal, places[0]).stat().st_size if places else 0
        snapshots[name] = round(size / 2**20, 1)
    total = sum(file.stat().st_size for file in Path(config.run_dir).glob("*.journal*"))
    return total >> 20, snapshots


def measure(history: History, config_file: Path, commands: int) -> str:
    """Grow the history and measure; returns a row of the table."""
    began = time.monotonic()
    commands = history.grow(commands)
    print(f"  made in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    config = history.config
    inputs, size = behind(config)
    journals, snapshots = sizes_mib(config)
    killed = [start_all(config_file, config, signal.SIGKILL) for _ in range(KILLED_RUNS)]
    start_all(config_file, config, signal.SIGTERM)
    stopped = start_all(config_file, config, signal.SIGTERM)
    seconds = " / ".join(f"{run.seconds:.1f}" for run in killed)
    memory = ", ".join(f"{name} {mib}" for name, mib in killed[-1].memory_mib.items())
    states = ", ".join(f"{name} {mib}" for name, mib in snapshots.items())
    return (
        f"| {commands:,} | {journals:,} | {inputs:,} ({size / 2**20:.1f} MiB) | {seconds} | "
        f"{stopped.seconds:.1f} | {memory} | {states} | {os.getloadavg()[0]:.1f} |"
    )


def main() -> None:
    """Print a table with one row per length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, nargs="+", default=[100_000])
    parser.add_argument("--batch", type=int, default=100, help="commands per batch")
    parser.add_argument("--clients", type=int, default=4, help="runs whose answers are kept")
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--open-orders", type=int, default=0, help="orders left in the book")
    parser.add_argument("--layout", default=ONE, choices=(ONE, SEPARATE))
    parser.add_argument("--max-gib", type=int, default=15, help="refuse with less disk than this")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="seawall-restart-"))
    try:
        free_gib = shutil.disk_usage(folder).free >> 30
        if free_gib < arguments.max_gib:
            raise SystemExit(f"{folder}: {free_gib} GiB free; --max-gib asks {arguments.max_gib}")
        text = (
            f'run_dir = "{folder}"\nlayout = "{arguments.layout}"\n[gateway]\n'
            f'commands = "ipc://{folder}/c.ipc"\nmarket_data = "ipc://{folder}/d.ipc"\n'
        )
        config_file = folder / "services.toml"
        config_file.write_text(text)
        config = parse_config(text, str(config_file))
        flow = Flow(arguments.accounts, arguments.open_orders)
        history = History(config, flow, arguments.batch, arguments.clients)
        print(
            f"{build_kind()} build, {arguments.accounts:,} accounts, "
            f"{arguments.open_orders:,} open orders, batches of "
            f"{arguments.batch}, {arguments.clients} clients, snapshot every "
            f"{config.snapshot_every:,} inputs or {config.snapshot_bytes:,} bytes"
        )
        print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}", flush=True)
        for commands in sorted(arguments.commands):
            print(measure(history, config_file, commands), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
