"""Loading a book with large frames: all are answered, and nothing stops."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import commands as c
from gateway.client import Client
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening


@pytest.fixture(params=["one", "separate"])
def processes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Processes]:
    with Processes(tmp_path, layout=request.param) as running:
        running.start_all()
        yield running


def test_large_frames_under_way_are_all_answered(processes: Processes) -> None:
    """Regression: several large frames of one run at a time ended the gateway for good."""
    with Client(processes.address) as client:
        client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        numbers: set[int] = set()
        for _ in range(4):
            numbers.update(client.send([c.CancelOrder(0, 100, 1)] * 5_000))
        limit = time.monotonic() + 2 * PATIENCE_SECONDS
        while numbers:
            numbers -= {reply.request_id for reply in client.take_replies(0.2)}
            assert time.monotonic() < limit, f"{len(numbers)} are not answered"
    processes.stop()
