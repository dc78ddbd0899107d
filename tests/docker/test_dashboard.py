"""A real Prometheus scrapes real services; each query of dashboard and alerts is answered."""

import json
import math
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
import zmq

from engine.services.service_config import METRICS_ORDER
from gateway.client import Client
from tests.services.endpoints import free_base_port, free_port, start_all
from tests.services.processes import Processes
from tests.services.streams import Stream

DOCKER = Path(__file__).parents[2] / "docker"
PATIENCE_SECONDS = 60
COMMANDS = 900
AT_ONCE = 20
INTERVAL = "30s"
"""What Grafana puts for ``$__rate_interval``."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed (apt: prometheus)"
    ),
]


class Prometheus:
    """A server on 127.0.0.1, asked over its HTTP interface."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **values: str) -> Any:
        query = urllib.parse.urlencode(values)
        with urllib.request.urlopen(f"{self.url}{path}?{query}", timeout=20) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        result = self.get("/api/v1/query", query=expression)["result"]
        return [(row["metric"], float(row["value"][1])) for row in result]


@contextmanager
def prometheus(folder: Path, base_port: int) -> Iterator[Prometheus]:
    """The shipped configuration, with the services' addresses on this machine and more haste."""
    config = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {
        "scrape_interval": "500ms",
        "scrape_timeout": "500ms",
        "evaluation_interval": "1s",
    }
    config["rule_files"] = [str(DOCKER / "prometheus" / "alerts.yml")]
    for number, entry in enumerate(config["scrape_configs"][0]["static_configs"]):
        assert entry["labels"]["service"] == METRICS_ORDER[number]
        entry["targets"] = [f"127.0.0.1:{base_port + number}"]
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        server = Prometheus(port)
        wait_for_server(server, child, folder / "log")
        yield server
    finally:
        child.terminate()
        child.wait(PATIENCE_SECONDS)


def wait_for_server(server: Prometheus, child: "subprocess.Popen[bytes]", log: Path) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert child.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{server.url}/-/ready", timeout=5):
                return
        except OSError:
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.1)


def wait_for(server: Prometheus, expression: str, value: float) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while [found for _, found in server.query(expression)] != [value]:
        assert time.monotonic() < limit, (expression, server.query(expression), value)
        time.sleep(0.25)


def wait_for_scrapes_after(server: Prometheus, moment: float) -> None:
    """Wait until every service was scraped after a moment (seconds since 1970)."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while min(when for _, when in server.query('timestamp(up{job="seawall"})')) <= moment:
        assert time.monotonic() < limit, "a service is not scraped any more"
        time.sleep(0.25)


def trade(processes: Processes, commands: list[Any]) -> None:
    """Send the stream over a few scrapes, and a frame that is none."""
    with Client(processes.address) as client:
        for place in range(0, len(commands), AT_ONCE):
            client.call_all(commands[place : place + AT_ONCE])
            time.sleep(0.1)
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(processes.address.commands)
            socket.send(b"not a message")
            assert socket.poll(PATIENCE_SECONDS * 1_000)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """An exchange after a cascade, scraped since before its first command."""
    folder = tmp_path_factory.mktemp("watched")
    base_port = free_base_port()
    commands = Stream(27).take(COMMANDS)
    with Processes(
        folder / "run", snapshot_every=20, metrics={"base_port": base_port}
    ) as processes:
        start_all(processes)
        with prometheus(folder / "prometheus", base_port) as server:
            wait_for(server, 'sum(up{job="seawall"})', len(METRICS_ORDER))
            trade(processes, commands)
            wait_for_scrapes_after(server, time.time())
            wait_for(server, "sum(seawall_commands_total)", len(commands))
            yield server


def panel_queries() -> list[Any]:
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "seawall.json").read_text())
    return [
        pytest.param(target["expr"], id=f"{panel['title']}: {target['legendFormat']}")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]


def filled_in(expression: str) -> str:
    """As Grafana sends it: its variables replaced."""
    text = expression.replace("$__rate_interval", INTERVAL).replace("$instrument", ".*")
    assert "$" not in text, text
    return text


@pytest.mark.parametrize("expression", panel_queries())
def test_a_query_of_the_dashboard_returns_data(watched: Prometheus, expression: str) -> None:
    values = [value for _, value in watched.query(filled_in(expression))]
    assert any(math.isfinite(value) for value in values), values


def test_the_variable_of_the_dashboard_has_values(watched: Prometheus) -> None:
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "seawall.json").read_text())
    (variable,) = dashboard["templating"]["list"]
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"])
    assert found is not None
    values = watched.get(f"/api/v1/label/{found[2]}/values", **{"match[]": found[1]})
    assert values == ["INV-PERP", "LIN-PERP"]


def test_the_cascade_is_there(watched: Prometheus) -> None:
    """What was traded, called and liquidated, and it adds up over the services."""

    def one(expression: str) -> float:
        ((_, value),) = watched.query(expression)
        return value

    assert one("sum(seawall_fills_total)") == 2 * one("sum(seawall_trades_total)") > 0
    started = one("sum(seawall_liquidations_started_total)")
    assert (
        started == one("sum(seawall_liquidations_ended_total) + sum(seawall_liquidations_open)") > 0
    )
    calls = one("seawall_margin_calls_issued_total")
    assert (
        calls == one("sum(seawall_margin_calls_ended_total) + sum(seawall_margin_calls_open)") > 0
    )
    assert one('seawall_refusals_total{cause="malformed_frame"}') == 1


def test_the_rules_are_evaluated_without_error(watched: Prometheus) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        groups = watched.get("/api/v1/rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        if all(rule["health"] != "unknown" for rule in rules):
            break
        assert time.monotonic() < limit, rules
        time.sleep(0.25)
    assert {rule["health"] for rule in rules} == {"ok"}
    shipped = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text())
    assert len(rules) == sum(len(group["rules"]) for group in shipped["groups"])


def metric_names(expression: str) -> list[str]:
    return re.findall(r"\b(?:seawall|process)_[a-z_]+\b|\bup\b", expression)


def test_the_alerts_ask_for_metrics_that_are_scraped(watched: Prometheus) -> None:
    """An alert on a name nobody exports would never fire."""
    shipped = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text())
    names = [
        name
        for group in shipped["groups"]
        for rule in group["rules"]
        for name in metric_names(rule["expr"])
    ]
    assert names
    assert [name for name in dict.fromkeys(names) if not watched.query(name)] == []
