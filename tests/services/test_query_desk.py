"""Queries are answered between batches: no place in the order, no row, nobody waits for them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import commands as c
from engine.events import AccountReport, OrderAccepted
from gateway.client import Client
from risk.risk_engine import RiskEngine
from risk.state import risk_state
from tests.services.processes import Processes
from tests.services.streams import RULEBOOKS, START_NS, Stream, opening


def test_an_answer_changes_nothing() -> None:
    engine = RiskEngine()
    for command in Stream(5).take(300):
        engine.handle(command, [])
    before = risk_state(engine)
    for query in (c.QueryAccount(0, 100), c.QueryMarket(0), c.QueryRisk(0, [], 9)):
        assert len(engine.answer(query)) == 1
    assert risk_state(engine) == before


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path, layout="one") as running:
        running.start_all()
        running.wait_until_ready()
        yield running


def test_queries_stand_in_no_journal_and_see_what_was_asked_before(processes: Processes) -> None:
    with Client(processes.address) as client:
        client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        order = c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000)
        for number in range(1, 4):
            accepted, answer = client.call_all([order, c.QueryAccount(0, 100)])
            assert isinstance(accepted.events[0], OrderAccepted)
            report = answer.events[0]
            assert isinstance(report, AccountReport)
            assert len(report.open_order_ids) == number
    processes.stop()
    done = [command for batch in processes.recorded() for command in batch.commands]
    assert any(isinstance(command, c.SubmitOrder) for command in done)
    assert not any(isinstance(command, c.QueryAccount) for command in done)


def test_thousands_of_queries_in_a_frame_hold_up_nobody(processes: Processes) -> None:
    """Regression: nobody was answered for 18 seconds."""
    with Client(processes.address) as one, Client(processes.address) as other:
        other.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        numbers = one.send([c.QueryRisk(0, [], 1_000)] * 8_000)
        order = c.SubmitOrder(0, 100, 7, 0, c.BUY, 1, 9_000)
        for _ in range(20):
            assert isinstance(other.call(order).events[0], OrderAccepted)
        heard: set[int] = set()
        limit = time.monotonic() + 60
        while len(heard) < len(numbers):
            heard |= {reply.request_id for reply in one.take_replies(0.1)}
            assert time.monotonic() < limit, len(heard)
