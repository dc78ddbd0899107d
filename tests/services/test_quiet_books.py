"""A subscriber knows the book as it is within moments, however quiet the instrument is.

Regression: the snapshot came, the next change was published before the subscription had reached the
gateway, and nothing ever followed it.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import commands as c
from gateway.async_client import AsyncClient
from gateway.client import Client, Follower
from tests.services.processes import PATIENCE_SECONDS, ROOT, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as running:
        running.start_all()
        with Client(running.address) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        yield running


def bid(price: int) -> c.SubmitOrder:
    return c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, price)


def bids(client: Follower) -> list[tuple[int, int]] | None:
    book = client.depth(7)
    return None if book is None else book.depth(c.BUY)


def poll_until(client: Client, wanted: list[tuple[int, int]]) -> None:
    limit = time.monotonic() + PATIENCE_SECONDS
    while bids(client) != wanted:
        client.poll(0.05)
        assert time.monotonic() < limit, bids(client)


def test_a_change_between_snapshot_and_subscription_is_heard_of(processes: Processes) -> None:
    with Client(processes.address) as client:
        client.connection.watch_depth(7)
        poll_until(client, [])
        client.call(bid(9_000))
        client._sockets.subscribe(7)
        poll_until(client, [(9_000, 1)])
        assert client.connection.depth_gaps == 0


def test_the_async_client_hears_of_it_too(processes: Processes) -> None:
    async def follow() -> None:
        async with AsyncClient(processes.address) as client:
            client.connection.watch_depth(7)
            while bids(client) is None:
                await asyncio.sleep(0.02)
            await client.call(bid(9_000))
            client._sockets.subscribe(7)
            while bids(client) != [(9_000, 1)]:
                await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(follow(), PATIENCE_SECONDS))


def test_five_subscribers_of_a_quiet_book(processes: Processes) -> None:
    """As a program does it: subscribe, then order at once."""
    for number in range(5):
        with Client(processes.address) as client:
            client.subscribe(7)
            client.call(bid(9_000 + number))
            poll_until(client, [(9_000 + place, 1) for place in range(number, -1, -1)])


def test_the_watch_shows_a_quiet_book(processes: Processes) -> None:
    """A frame of `seawall watch` that runs on has the order nothing follows."""
    words = ["watch", "--config", str(processes.file), "--refresh", "100", "--instrument", "7"]
    child = subprocess.Popen(
        [sys.executable, "-m", "seawall.cli", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        limit = time.monotonic() + PATIENCE_SECONDS
        wanted = "LIN-PERP"
        for line in child.stdout:
            if wanted == "91.23" and wanted in line:
                return
            if wanted in line:
                wanted = "91.23"
                with Client(processes.address) as client:
                    client.call(bid(9_123))
            assert time.monotonic() < limit, f"{wanted} was never shown"
        raise AssertionError("the watch ended")
    finally:
        child.terminate()
        child.wait(PATIENCE_SECONDS)
