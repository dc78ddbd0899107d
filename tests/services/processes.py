"""Services as real processes for the tests: started, killed by pid, stopped, and looked at."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engine.events import Event
from engine.record.service_journal import OUTSIDE, ServiceJournal
from engine.record.snapshot import unpack
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.rounds import (
    Batch,
    Outcome,
    Outputs,
    encode_frame,
    read_outcome,
    read_published,
    recorded_batches,
)
from engine.services.service import Service
from engine.services.service_config import ALL, ONE, SEPARATE, ServiceConfig, parse_config
from gateway.client import Address
from gateway.host.link_secrets import seals_of
from gateway.host.one_process import taken_in
from gateway.serve import READY
from seawall.exchange import Exchange
from seawall.state_hash import exchange_hash

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
INNER = (RISK, MATCHING, LIQUIDATION)
LAYOUTS: list[dict[str, Any]] = [{"layout": ONE}, {}, {"matching_shards": 2}]
"""Settings of `Processes` that cover every way of running the exchange."""


def toml_of(settings: dict[str, Any]) -> str:
    """Settings as TOML: plain values first, then one table per dictionary."""
    plain = [
        f"{key} = {json.dumps(value)}" for key, value in settings.items() if not is_table(value)
    ]
    tables = [
        "\n".join([f"[{key}]", *(f"{name} = {json.dumps(item)}" for name, item in value.items())])
        for key, value in settings.items()
        if is_table(value)
    ]
    return "\n".join([*plain, *tables]) + "\n"


def is_table(value: Any) -> bool:
    return isinstance(value, dict)


class Processes:
    """Child processes of one run directory; leaving the block ends every one of them.

    Separate services unless ``layout`` says otherwise: most tests are about one of them.
    """

    def __init__(self, run_dir: Path, layout: str = SEPARATE, **settings: Any) -> None:
        self.file = run_dir / "services.toml"
        run_dir.mkdir(parents=True, exist_ok=True)
        gateway = {
            "commands": f"ipc://{run_dir}/commands.ipc",
            "market_data": f"ipc://{run_dir}/data.ipc",
            **settings.pop("gateway", {}),
        }
        text = toml_of({"run_dir": str(run_dir), "layout": layout, **settings, "gateway": gateway})
        self.file.write_text(text)
        self.config = parse_config(text, str(self.file))
        self.environment: dict[str, str] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._lives: dict[str, int] = {}

    def file_of(self, name: str) -> str:
        """The configuration a service is started with."""
        return str(self.file)

    def start(self, name: str) -> None:
        log = open(Path(self.config.run_dir) / f"{name}.log", "ab")  # noqa: SIM115
        self._lives[name] = self._times_ready(name)
        self.running[name] = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gateway.serve",
                name,
                "--child",
                "--config",
                self.file_of(name),
            ],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        log.close()

    def _times_ready(self, name: str) -> int:
        return self.log(name).count(f"{name} {READY}\n")

    def wait_until_ready(self) -> None:
        """Until everything that runs has said in this life that it knows its peers."""
        limit = time.monotonic() + PATIENCE_SECONDS
        for name, child in self.running.items():
            while self._times_ready(name) == self._lives[name]:
                died = child.poll() is not None
                assert not died and time.monotonic() < limit, f"{name}: {self.log(name)}"
                time.sleep(0.02)

    def kill(self, name: str) -> None:
        """kill -9, and wait until it is gone."""
        child = self.running.pop(name)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        """Stop all in an orderly way; each leaves a snapshot."""
        for name, child in self.running.items():
            assert child.poll() is None, f"{name} died: {self.log(name)}"
            child.terminate()
        for name, child in self.running.items():
            assert child.wait(PATIENCE_SECONDS) == 0, f"{name} failed: {self.log(name)}"
        self.running.clear()

    def stop_first(self, name: str) -> None:
        """Stop one before the others, so that nobody brings in commands any more."""
        child = self.running.pop(name)
        child.terminate()
        assert child.wait(PATIENCE_SECONDS) == 0, f"{name} failed: {self.log(name)}"

    def log(self, name: str) -> str:
        return (Path(self.config.run_dir) / f"{name}.log").read_text()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            child.wait(PATIENCE_SECONDS)

    def start_all(self) -> None:
        for name in self.config.services():
            self.start(name)
        # A client is patient for ten seconds; on a busy machine a start takes longer.
        self.wait_until_ready()

    @property
    def address(self) -> Address:
        return Address(self.config.gateway.commands, self.config.gateway.market_data)

    def recorded(self) -> list[Batch]:
        """Every batch there ever was."""
        recorder = self.config.recorder()
        read = taken_in if recorder == ALL else recorded_batches
        journal = ServiceJournal(self.config.journal(recorder), recorder, keep_inputs=True)
        try:
            return list(read(journal.inputs()))
        finally:
            journal.close()

    def snapshot(self, name: str) -> Any:
        """The state a stopped service left behind."""
        journal = ServiceJournal(self.config.journal(name), name, keep_inputs=True)
        try:
            found = journal.last_snapshot()
            assert found is not None, f"{name} left no snapshot"
            assert found[0] == journal.place, f"{name} was not stopped in order"
            return unpack(found[1])[1]
        finally:
            journal.close()

    def state_hash(self) -> str:
        """The exchange's state hash from the snapshots of the stopped services."""
        if self.config.layout == ONE:
            _, hub = self.snapshot(ALL)
            return exchange_hash(hub[1:])
        shards = [self.snapshot(name) for name in self.config.shards().names]
        books = sorted((book for shard in shards for book in shard), key=lambda book: book[0])
        return exchange_hash([self.snapshot(RISK)[1], books, self.snapshot(LIQUIDATION)])


def replayed_hash(processes: Processes) -> str:
    """The state of one process that is given what risk's journal says was done."""
    exchange = Exchange(publish_depth=True)
    for batch in processes.recorded():
        exchange.send_batch(batch.commands)
    return exchange.state_hash()


class Feeder:
    """Stands in for the gateway: hands in batches, at most two under way, and keeps what comes
    back. It lives in the test's process on a real `Service`."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches
        self.outcomes: list[Outcome] = []
        self.public: list[Event] = []
        self.handed_in = 0

    def start(self, config: ServiceConfig) -> None:
        """Open the service around it."""
        journal = ServiceJournal(config.journal(GATEWAY), GATEWAY)
        self.service = Service(
            GATEWAY,
            self,
            journal,
            config.inboxes(),
            config.peers(GATEWAY),
            clock=time.monotonic_ns,
            door=self,
            seals=seals_of(GATEWAY, config.peers(GATEWAY), Path(config.run_dir), config.link_keys),
        )
        self.service.recover()
        self.service.open()

    is_open = True
    has_more = False

    def bind(self, context: Any) -> list[Any]:
        return []

    def collect(self) -> list[bytes]:
        if self.handed_in < len(self.batches) and self.handed_in - len(self.outcomes) < 2:
            self.handed_in += 1
            return [encode_frame(self.batches[self.handed_in - 1])]
        return []

    def deliver(self, item: Any) -> None:
        raise AssertionError("nobody is outside")

    def idle(self) -> None:
        pass

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        if source == OUTSIDE:
            out.append((RISK, body))
        elif source == RISK:
            self.outcomes.append(read_outcome(body))
        else:
            self.public += read_published(body)

    def state(self) -> Any:
        return []

    def restore(self, state: Any) -> None:
        raise AssertionError("a feeder is not restarted")

    def run_until(self, outcomes: int, events: int = 0) -> None:
        """Turn until that many batches are done and so many public events have come: those travel
        on links of their own and may be later."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while len(self.outcomes) < outcomes or len(self.public) < events:
            self.service.turn(5)
            assert time.monotonic() < limit, (
                f"{len(self.outcomes)} of {outcomes} batches are done, "
                f"{len(self.public)} of {events} public events came"
            )
