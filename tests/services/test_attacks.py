"""Every attack of `bench.attacks` at once: memory stays under the stated bound, the honest are
answered. How long that takes is a benchmark's to say."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.attacks import all_at_once, resident_mib, unfinished
from engine import commands as c
from engine.services.service_config import ALL
from gateway.client import Client
from gateway.door.budgets import memory_bound
from gateway.door.lines import wire_bytes
from tests.services.endpoints import free_base_port, free_port, scrape
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening

MIB = 1_048_576
SECONDS = 60.0 if os.environ.get("SEAWALL_PROFILE") == "long" else 8.0
REFUSED = "unread_bytes"
"""What has to be refused while all attacks are under way, sooner or later."""


def test_with_every_attack_at_once_memory_is_bounded_and_an_honest_client_is_answered(
    tmp_path: Path,
) -> None:
    base_port = free_base_port()
    gateway = {
        "commands": f"tcp://127.0.0.1:{free_port()}",
        "market_data": f"tcp://127.0.0.1:{free_port()}",
        "max_waiting_bytes": 2 * MIB,
        "max_message_bytes": 65_536,
    }
    metrics = {"base_port": base_port}
    with Processes(tmp_path / "run", layout="one", gateway=gateway, metrics=metrics) as processes:
        processes.start_all()
        pid = processes.running[ALL].pid
        with Client(processes.address, accounts=[]) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            before = resident_mib(pid)
            address = processes.address
            doors = [address.commands, address.market_data]
            attackers = [
                subprocess.Popen(
                    [sys.executable, "-m", "bench.attacks", "--attack", attack.__name__, *doors],
                    cwd=ROOT,
                    stderr=subprocess.DEVNULL,
                )
                # Once more as fast as it can, who would take most memory.
                for attack in (all_at_once, unfinished)
            ]
            try:
                highest, answered = before, 0
                end = time.monotonic() + SECONDS
                refused: set[str] = set()
                while time.monotonic() < end or REFUSED not in refused:
                    assert time.monotonic() < end + PATIENCE_SECONDS, refused
                    order = c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000)
                    assert client.call(order, PATIENCE_SECONDS).request_id
                    answered += 1
                    highest = max(highest, resident_mib(pid))
                    refused = {key[1] for key in scrape(base_port) if "refusals" in key[0]}
            finally:
                for attacker in attackers:
                    attacker.kill()
                    attacker.wait()
        bound = memory_bound(processes.config.gateway, clients=1) / MIB
        assert highest - before < bound < 200
        assert processes.running[ALL].poll() is None, processes.log(ALL)
        assert "Assertion" not in processes.log(ALL)


def test_a_message_on_the_line_is_no_shorter_than_the_bound_takes_it_for() -> None:
    assert wire_bytes(0, encrypted=False) == 2
