"""A command its component cannot handle stops the exchange, by name, and waits for a version that
can: nothing before it is lost, nothing after it is done on a state that may be half changed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine.connections.link import NotAFrame
from engine.events import AccountReport, CommandRejected, OrderAccepted
from engine.reasons import Reason
from engine.record.journal import JournalError
from engine.record.service_journal import Input, ServiceJournal
from engine.record.snapshot import unpack
from engine.routing.topology import GATEWAY, MATCHING, RISK
from engine.services.rounds import Batch, Outputs, Unhandled, encode_frame
from engine.services.service import PartFailed, Service
from engine.services.service_config import ALL
from engine.units import COMPILED
from gateway.client import Client, NoAnswer
from gateway.host.one_process import taken_in
from gateway.host.parts import leaf_of, risk_hub
from gateway.protocol import Reply
from risk.levels.watch import MarginWatch
from seawall.exchange import Exchange
from seawall.state_hash import exchange_hash
from tests.services.processes import PATIENCE_SECONDS, ROOT
from tests.services.streams import RULEBOOKS, START_NS, opening
from tests.services.supervised import Running

FAULT = """
from risk.entry.transfers import Transfers

booked = Transfers._booked


def raises(self, account, amount_q, cause):
    if cause == "withdrawal":
        raise ZeroDivisionError("planted")
    booked(self, account, amount_q, cause)


Transfers._booked = raises
"""
"""Put before the services as the module Python imports by itself at the start: the money has left
the account when it is raised."""

FAULT_OF_A_PLAN = """
from risk.entry.transfers import Transfers


check = Transfers._check_amount


def raises(self, trader, asset_id, amount_q):
    if amount_q == 1000:
        raise ZeroDivisionError("planted")
    return check(self, trader, asset_id, amount_q)


Transfers._check_amount = raises
"""
"""The same, but raised before anything has changed."""

POISON = c.Withdraw(0, 100, 1, 1_000)

replaces = pytest.mark.skipif(COMPILED, reason="compiled functions cannot be replaced from outside")


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "sitecustomize.py").write_text(FAULT)
    with Running(tmp_path / "up", env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}) as up:
        yield up


@replaces
def test_a_poison_command_stops_the_exchange_and_a_repaired_one_goes_on(
    faulty: Running, tmp_path: Path
) -> None:
    with Client(faulty.address) as client:
        client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        bid = client.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 9_000))
        assert isinstance(bid.events[0], OrderAccepted)
        numbers = client.send([POISON, c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 9_100)])
        faulty.wait_for("all cannot handle an input")
        assert faulty.child.wait(PATIENCE_SECONDS) == 1
        errors = faulty.errors.read_text()
        assert "all: input " in errors
        assert "Withdraw(" in errors
        assert "ZeroDivisionError: planted" in errors
        with pytest.raises(NoAnswer):
            client.call(c.QueryAccount(0, 100), timeout_s=0.5)

        with Running(tmp_path / "up", faulty.address) as repaired:
            replies = answered(client, numbers)
            answers = replies[numbers[0]].events
            assert not any(isinstance(event, CommandRejected) for event in answers)
            assert isinstance(replies[numbers[1]].events[0], OrderAccepted)
            report = client.call(c.QueryAccount(0, 100)).events[0]
            assert isinstance(report, AccountReport)
            assert report.open_order_ids == [bid.order_id, replies[numbers[1]].order_id]
            repaired.child.terminate()
            assert repaired.child.wait(PATIENCE_SECONDS) == 0


@replaces
def test_an_operator_leaves_the_poison_command_out(faulty: Running, tmp_path: Path) -> None:
    """The others of its batch are carried out, the asker is told, and a replay agrees."""
    with Client(faulty.address) as client:
        client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        before, after = (c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, price) for price in (9_000, 9_100))
        numbers = client.send([before, POISON, after])
        faulty.wait_for("to go on without it: ")
        words = faulty.lines[-1].split("to go on without it: seawall ")[1]
        assert faulty.child.wait(PATIENCE_SECONDS) == 1
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
        words = words.replace("WHY", "planted")
        for expected in ("skipped Withdraw(", "this version can handle the input"):
            found = subprocess.run(
                [sys.executable, "-m", "seawall.cli", *words.split()],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
            )
            assert expected in found.stdout + found.stderr
        again = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
        for _ in range(2):
            with Running(tmp_path / "up", faulty.address, env=again) as up:
                replies = answered(client, numbers) if numbers else {}
                for number, event in ((0, OrderAccepted), (1, CommandRejected), (2, OrderAccepted)):
                    assert not replies or isinstance(replies[numbers[number]].events[0], event)
                if replies:
                    rejected = replies[numbers[1]].events[0]
                    assert isinstance(rejected, CommandRejected)
                    assert rejected.reason == Reason.SKIPPED_BY_OPERATOR
                    assert rejected.detail.startswith("planted ")
                numbers = []
                report = client.call(c.QueryAccount(0, 100)).events[0]
                assert isinstance(report, AccountReport)
                assert len(report.open_order_ids) == 2
                up.child.terminate()
                assert up.child.wait(PATIENCE_SECONDS) == 0
    journal = ServiceJournal(tmp_path / "up" / "run" / "all.journal", ALL, keep_inputs=True)
    try:
        exchange = Exchange(publish_depth=True)
        for batch in taken_in(journal.inputs()):
            exchange.send_batch(batch.commands)
        found_snapshot = journal.last_snapshot()
        assert found_snapshot is not None
        assert exchange.state_hash() == exchange_hash(unpack(found_snapshot[1])[1][1][1:])
    finally:
        journal.close()


@replaces
@pytest.mark.parametrize("layout", ['layout = "one"\n', 'layout = "separate"\n'])
def test_a_command_whose_plan_raises_is_refused_and_the_market_goes_on(
    tmp_path: Path, layout: str
) -> None:
    """The operator is told with the traceback, the asker with a number, and nothing has changed:
    the money is still there, also after a restart."""
    (tmp_path / "sitecustomize.py").write_text(FAULT_OF_A_PLAN)
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    told = []
    with Running(tmp_path / "up", env=environment, top=layout) as up, Client(up.address) as client:
        client.call_all([*opening(RULEBOOKS[0])])
        before = client.call(c.QueryAccount(0, 100)).events[0]
        refused = client.call(POISON)
        assert refused.rejection is not None
        assert refused.rejection.words.startswith("117 internal error")
        assert refused.rejection.detail == "ZeroDivisionError"
        errors = up.errors.read_text()
        assert 'raise ZeroDivisionError("planted")' in errors
        assert "refused, nothing changed: Withdraw(" in errors
        told.append(client.call(c.QueryAccount(0, 100)).events[0])
        for pid in up.children().values():
            os.kill(pid, signal.SIGKILL)
        told.append(client.call(c.QueryAccount(0, 100), PATIENCE_SECONDS).events[0])
    for report in told:
        assert isinstance(before, AccountReport)
        assert isinstance(report, AccountReport)
        assert report.margin_accounts == before.margin_accounts


def answered(client: Client, numbers: list[int]) -> dict[int, Reply]:
    """The answers to requests, once all have come."""
    replies: dict[int, Reply] = {}
    limit = time.monotonic() + PATIENCE_SECONDS
    while len(replies) < len(numbers):
        assert time.monotonic() < limit, "the exchange does not answer"
        replies.update({reply.request_id: reply for reply in client.take_replies(0.2)})
    return replies


@replaces
def test_a_hub_names_the_message_its_component_raised_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: Any) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(MarginWatch, "expire_calls", raises)
    with pytest.raises(Unhandled, match=r"risk cannot handle AdvanceTime\(.*Division.*planted"):
        risk_hub().handle(GATEWAY, encode_frame(Batch(1, [c.AdvanceTime(1)])), [])


def test_bytes_that_are_no_frame_change_nothing() -> None:
    hub, leaf = risk_hub(), leaf_of(MATCHING, publish_depth=True)
    before = hub.state(), leaf.state()
    for part, source in ((hub, GATEWAY), (hub, MATCHING), (leaf, RISK), (leaf, GATEWAY)):
        for body in (b"", b"noise", b"\x91" * 5_000, encode_frame([1, [["AddAsset", b"\xff"]]])):
            with pytest.raises(NotAFrame):
                part.handle(source, body, [])
    assert (hub.state(), leaf.state()) == before


class Picky:
    """A part that cannot handle one input, and does not understand another."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        if body == b"noise":
            raise NotAFrame("noise")
        if body == b"poison":
            raise ZeroDivisionError("planted")
        self.seen.append(body)

    def state(self) -> Any:
        return self.seen

    def restore(self, state: Any) -> None:
        self.seen = state


@pytest.mark.parametrize(
    ("last", "error", "told"),
    [
        (b"poison", PartFailed, r"risk: input 3 \(from gateway\): planted"),
        (b"noise", JournalError, "input 3 is no frame from gateway: noise"),
    ],
)
def test_a_restart_meets_the_same_input_again_and_says_which(
    tmp_path: Path, last: bytes, error: type[Exception], told: str
) -> None:
    journal = ServiceJournal(tmp_path / "risk.journal", RISK)
    bodies = (b"one", b"two", last, b"four")
    journal.append([Input(GATEWAY, seq, body) for seq, body in enumerate(bodies, start=1)])
    for _ in range(2):
        part = Picky()
        address = {RISK: f"ipc://{tmp_path}/risk.ipc"}
        service = Service(RISK, part, journal, address, [GATEWAY], clock=lambda: 0)
        with pytest.raises(error, match=told):
            service.recover()
        assert part.seen == [b"one", b"two"]
