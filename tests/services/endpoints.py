"""Ports and scrapes for tests of the metrics endpoints, all on this machine."""

import random
import socket
import time
import urllib.request
from contextlib import ExitStack

from prometheus_client.parser import text_string_to_metric_families

from engine.services.service_config import METRICS_ORDER
from tests.services.processes import Processes

PATIENCE_SECONDS = 60
Series = dict[tuple[str, ...], float]


def free_base_port() -> int:
    """The first of as many free ports in a row as there are services."""
    # Not the first ones for everybody: other tests may run at the same time.
    for base in random.SystemRandom().sample(range(21_000, 29_000, 10), 100):
        with ExitStack() as stack:
            try:
                for number in range(len(METRICS_ORDER)):
                    taken = stack.enter_context(socket.socket())
                    taken.bind(("127.0.0.1", base + number))
            except OSError:
                continue
            return base
    raise AssertionError("no free ports")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def scrape(port: int) -> Series:
    """Every sample of an endpoint: name, then the label values in order of their names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (found.name, *(value for _, value in sorted(found.labels.items()))): found.value
        for family in text_string_to_metric_families(text)
        for found in family.samples
    }


def start_all(processes: Processes) -> dict[str, int]:
    """Start the services and wait until each is ready; returns the ports of their metrics."""
    processes.start_all()
    ports = {name: processes.config.metrics.port(name) for name in processes.running}
    for name in processes.running:
        wait_until_ready(processes, name)
    return ports


def wait_until_ready(processes: Processes, name: str) -> None:
    """Wait until a service says it is ready."""
    port = processes.config.metrics.port(name)
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if scrape(port)["seawall_service_ready",] == 1:
                return
        except OSError:
            pass
        died = processes.running[name].poll() is not None
        assert not died and time.monotonic() < limit, f"{name} at {port}: {processes.log(name)}"
        time.sleep(0.1)
