"""`seawall up`: one command for all services; what dies comes back, and stopping is clean."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import commands as c
from engine.events import AccountReport, MarkUpdated, OrderAccepted
from gateway.async_client import AsyncClient
from gateway.client import Client
from tests.services.processes import PATIENCE_SECONDS, ROOT
from tests.services.streams import RULEBOOKS, START_NS, opening
from tests.services.supervised import Running


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as up:
        yield up


def open_market(client: Client) -> None:
    client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])


def test_up_prints_its_addresses_and_stops_with_nothing_left(running: Running) -> None:
    assert any(running.address.commands in line for line in running.lines)
    children = running.children()
    assert sorted(children) == ["all", "clock"]
    running.child.send_signal(signal.SIGINT)
    assert running.child.wait(PATIENCE_SECONDS) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())


def test_up_starts_again_what_was_killed_and_the_client_goes_on(running: Running) -> None:
    with Client(running.address) as client:
        open_market(client)
        for name in ("all", "clock", "all"):
            os.kill(running.children()[name], signal.SIGKILL)
            running.wait_for(f"{name} ended")
            reply = client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_900), timeout_s=30)
            assert isinstance(reply.events[0], OrderAccepted)
        report = client.call(c.QueryAccount(0, 100)).events[0]
        assert isinstance(report, AccountReport)
        assert len(report.open_order_ids) == 3


def test_the_example_client_quotes_on_it(running: Running) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "examples" / "zmq_client.py"),
            "--commands",
            running.address.commands,
            "--market-data",
            running.address.market_data,
            "--seconds",
            "3",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert "mark 10000  position 0  fills 0" in done.stdout
    with Client(running.address) as client:
        report = client.call(c.QueryAccount(0, 100)).events[0]
    assert isinstance(report, AccountReport)
    # Its last command took the quotes back.
    assert report.open_order_ids == []


def test_services_end_with_a_supervisor_that_was_killed(running: Running) -> None:
    children = running.children()
    os.kill(running.child.pid, signal.SIGKILL)
    limit = time.monotonic() + PATIENCE_SECONDS
    while any(alive(pid) for pid in children.values()):
        assert time.monotonic() < limit, "services outlived their supervisor"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_the_clock_moves_the_mark_and_the_async_client_sees_it(running: Running) -> None:
    async def trade() -> tuple[list[int], type]:
        async with AsyncClient(running.address) as client:
            await client.call_all(list(opening(RULEBOOKS[0])))
            client.subscribe(7)
            marks: list[int] = []
            async for event in client.events():
                if isinstance(event, MarkUpdated):
                    marks.append(event.mark_ticks)
                if len(set(marks)) >= 3:
                    break
            reply = await client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, marks[-1] - 100))
            return marks, type(reply.events[0])

    marks, answer = asyncio.run(asyncio.wait_for(trade(), PATIENCE_SECONDS))
    assert answer is OrderAccepted
    assert all(abs(mark - 10_000) < 1_000 for mark in marks)
