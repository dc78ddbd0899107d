"""The metrics of real service processes: counted where it happens, not lost with a process."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.events import CommandRejected, OrderAccepted
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.service_config import (
    ALL,
    METRICS_ORDER,
    ONE,
    SEPARATE,
    ConfigError,
    parse_config,
)
from gateway.client import Client
from tests.services.endpoints import (
    PATIENCE_SECONDS,
    Series,
    free_base_port,
    scrape,
    start_all,
    wait_until_ready,
)
from tests.services.processes import ROOT, Processes
from tests.services.streams import Stream

AT_ONCE = 20
COUNTED_BY_RISK = (
    "seawall_commands_total",
    "seawall_orders_accepted_total",
    "seawall_rejections_total",
    "seawall_fills_total",
    "seawall_trades_total",
)
STATE_OF_RISK = (
    "seawall_margin_accounts",
    "seawall_margin_calls_open",
    "seawall_liquidations_open",
    "seawall_insurance_fund_balance",
    "seawall_open_interest_contracts",
    "seawall_mark_price",
    "seawall_index_price",
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Processes, dict[str, int]]]:
    base_port = free_base_port()
    with Processes(tmp_path, metrics={"base_port": base_port}) as processes:
        yield processes, start_all(processes)


def total(series: Series, name: str) -> float:
    return sum(value for key, value in series.items() if key[0] == name)


def wait_until_counted(port: int, name: str) -> None:
    """Until a service has counted something: no answer to a client waits for those behind."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while total(scrape(port), name) == 0:
        assert time.monotonic() < limit, f"{name} at {port}"
        time.sleep(0.02)


def healthcheck(port: int) -> int:
    script = ROOT / "docker" / "healthcheck.py"
    return subprocess.run(
        [sys.executable, str(script)],
        env={"SEAWALL_METRICS_PORT": str(port)},
        capture_output=True,
        timeout=30,
        check=False,
    ).returncode


def test_services_count_what_happens_and_a_killed_one_goes_on_with_its_gauges(
    running: tuple[Processes, dict[str, int]],
) -> None:
    processes, ports = running
    commands = Stream(1).take(400)
    with Client(processes.address) as client:
        replies = [
            reply
            for place in range(0, len(commands), AT_ONCE)
            for reply in client.call_all(commands[place : place + AT_ONCE])
        ]
        events = Counter(type(event) for reply in replies for event in reply.events)
        risk = scrape(ports[RISK])
        assert total(risk, "seawall_commands_total") == len(commands)
        assert total(risk, "seawall_orders_accepted_total") >= events[OrderAccepted] > 0
        assert total(risk, "seawall_rejections_total") >= events[CommandRejected] > 0
        assert total(risk, "seawall_fills_total") == 2 * total(risk, "seawall_trades_total") > 0
        gateway = scrape(ports[GATEWAY])
        assert gateway["seawall_command_latency_seconds_count",] >= len(commands) / AT_ONCE
        assert gateway["seawall_sessions",] == 1
        assert not any(key[0].startswith("seawall_margin") for key in scrape(ports[LIQUIDATION]))
        for name in METRICS_ORDER:
            wait_until_counted(ports[name], "seawall_journal_inputs_total")
        assert healthcheck(ports[RISK]) == 0

        processes.kill(RISK)
        assert healthcheck(ports[RISK]) == 1
        processes.start(RISK)
        wait_until_ready(processes, RISK)
        again = scrape(ports[RISK])
    for name in STATE_OF_RISK:
        assert {k: v for k, v in again.items() if k[0] == name} == {
            k: v for k, v in risk.items() if k[0] == name
        }
    assert total(again, "seawall_orders_accepted_total") == 0
    assert again["seawall_recovery_inputs",] > 0


def test_one_process_counts_the_same(tmp_path: Path) -> None:
    commands = Stream(1).take(300)
    counted: list[dict[str, float]] = []
    for layout in (SEPARATE, ONE):
        metrics = {"base_port": free_base_port()}
        folder = tmp_path / layout
        with Processes(folder, layout, metrics=metrics) as processes:
            ports = start_all(processes)
            with Client(processes.address) as client:
                for place in range(0, len(commands), AT_ONCE):
                    client.call_all(commands[place : place + AT_ONCE])
            found = scrape(ports[processes.config.recorder()])
            names = (*COUNTED_BY_RISK, *STATE_OF_RISK)
            counted.append({name: total(found, name) for name in names})
            assert total(found, "seawall_margin_check_seconds_count") > 0
            door = scrape(ports[GATEWAY if layout == SEPARATE else ALL])
            assert total(door, "seawall_command_latency_seconds_count") > 0
    apart, together = counted
    assert together == apart
    assert all(together[name] > 0 for name in COUNTED_BY_RISK)


def test_a_taken_port_is_said_and_ends_the_service(
    running: tuple[Processes, dict[str, int]], tmp_path: Path
) -> None:
    _, ports = running
    with Processes(tmp_path / "other", metrics={"base_port": ports[GATEWAY]}) as other:
        other.start(MATCHING)
        assert other.running[MATCHING].wait(60) == 2
        assert f"127.0.0.1:{ports[MATCHING]}" in other.log(MATCHING)


@pytest.mark.parametrize("port", [-1, 65_533, 70_000])
def test_a_base_port_without_room_for_all_services_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.base_port .* is .* 1 to 65531"):
        parse_config(f"layout = 'separate'\n[metrics]\nbase_port = {port}", "services.toml")


def test_without_a_port_there_are_no_metrics() -> None:
    config = parse_config("", "services.toml")
    assert [config.metrics.port(name) for name in (ALL, *METRICS_ORDER)] == [0] * 5
