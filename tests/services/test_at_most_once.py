"""A request is carried out at most once, whoever else asks for what, and however often."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from engine import commands as c
from engine.events import AccountReport, CommandRejected, OrderAccepted
from engine.forms import struct_form
from engine.reasons import Reason
from engine.record.service_journal import OUTSIDE
from engine.record.snapshot import pack, unpack
from engine.routing.topology import RISK
from engine.services.rounds import Batch, Outcome, Outputs, encode_frame
from gateway.async_client import AsyncClient
from gateway.client import Client, NoAnswer, fresh_run
from gateway.door.frames import Intake
from gateway.door.intake import GatewayPart
from gateway.door.parcels import QUERY
from gateway.door.runs import MAX_RUNS, run_at
from gateway.protocol import (
    Delivery,
    Hello,
    Refused,
    ServerMessage,
    Submit,
    decode_from_server,
    encode,
)
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening

RUN = run_at(START_NS)
ORDER = c.SubmitOrder(0, 100, 7, 0, c.BUY, 5, 9_000)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path, layout="one") as running:
        running.start_all()
        with Client(running.address) as client:
            client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        yield running


class Raw:
    """A greeted session that sends what it likes."""

    def __init__(self, processes: Processes) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(processes.address.commands)
        self.socket.setsockopt(zmq.RCVTIMEO, 20_000)
        self.ask(Hello(run=RUN - 1))

    def ask(self, message: Hello | Submit) -> ServerMessage:
        self.socket.send(encode(message))
        return decode_from_server(self.socket.recv())

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.context.destroy(linger=0)


def open_orders(processes: Processes) -> int:
    with Client(processes.address) as client:
        report = client.call(c.QueryAccount(0, 100)).events[0]
        assert isinstance(report, AccountReport)
        return len(report.open_order_ids)


def test_two_thousand_runs_of_others_do_not_make_a_request_new(processes: Processes) -> None:
    """Regression: the memory of the runs was one for all, and what had fallen out of it was carried
    out a second time."""
    run = fresh_run()
    with Raw(processes) as raw:
        first = raw.ask(Submit(run, [(1, ORDER)]))
        for number in range(1, 2_101):
            raw.ask(Submit(run + number, [(1, c.QueryAccount(0, 101))]))
        assert isinstance(first, Delivery)
        again = raw.ask(Submit(run, [(1, ORDER)]))
        assert isinstance(again, Delivery)
        assert again.replies == first.replies
        for number in range(1, MAX_RUNS + 1):
            raw.ask(Submit(run + number, [(1, c.CancelOrder(0, 101, 1))]))
        over = raw.ask(Submit(run, [(1, ORDER)]))
        assert isinstance(over, Refused)
        assert f"run {run} is over and forgotten" in over.text
    assert open_orders(processes) == 1
    processes.kill("all")
    processes.start("all")
    with pytest.raises(NoAnswer, match=f"run {run} is over and forgotten; begin one above"):
        Client(processes.address, run=run).connect(20)
    assert open_orders(processes) == 1


def test_a_run_of_the_far_future_is_refused(processes: Processes) -> None:
    """Forgotten, it would have made every other run an old one."""
    far = 2**63 - 1
    with Raw(processes) as raw:
        for refused in (raw.ask(Submit(far, [(1, ORDER)])), raw.ask(Hello(run=-1))):
            assert isinstance(refused, Refused)
            assert "allowed are 0 to" in refused.text
    assert open_orders(processes) == 0


def test_one_bad_request_spoils_no_other_of_its_frame(processes: Processes) -> None:
    """Regression: the whole frame was refused, and good orders in it were never answered."""
    with Raw(processes) as raw:
        bad = struct_form(c.SubmitOrder)(0, 100, 7, 0, c.BUY, 1.5, 9_000)
        answer = raw.ask(Submit(RUN, [(1, ORDER), (2, bad), (3, ORDER)]))
        assert isinstance(answer, Delivery)
        [refusal] = answer.replies
        assert refusal.request_ids == [2]
        rejected = refusal.answers[0][0]
        assert rejected.reason == Reason.INVALID_FIELD
        assert "float" in rejected.detail
        orders = decode_from_server(raw.socket.recv())
        assert isinstance(orders, Delivery)
        assert orders.replies[0].request_ids == [1, 3]
    assert open_orders(processes) == 2


def test_a_wrong_type_raises_in_the_client_and_is_never_sent(processes: Processes) -> None:
    """Regression: it was a timeout of ten seconds, and kept to be sent again with good orders."""
    with Client(processes.address) as client:
        for lots in (1.5, "5", None, 2**70):
            wrong = struct_form(c.SubmitOrder)(0, 100, 7, 0, c.BUY, lots, 9_000)
            with pytest.raises(ValueError, match="SubmitOrder"):
                client.call_all([ORDER, wrong])
        with pytest.raises(ValueError, match="str"):
            client.call("buy everything")  # type: ignore[arg-type]
        # Nor what stands in other frames than the wrong one.
        with pytest.raises(ValueError, match="SubmitOrder"):
            client.call_all([*[ORDER] * 1_500, wrong])
        assert isinstance(client.call(ORDER).events[0], OrderAccepted)

    async def ask() -> None:
        async with AsyncClient(processes.address) as one:
            with pytest.raises(ValueError, match="SubmitOrder"):
                await one.call_all([*[ORDER] * 1_500, wrong])
            assert isinstance((await one.call(ORDER)).events[0], OrderAccepted)

    asyncio.run(asyncio.wait_for(ask(), PATIENCE_SECONDS))
    assert open_orders(processes) == 2


def carried_out(part: GatewayPart, name: str, request_id: int, order_id: int = 0) -> None:
    number = part.batches + 1
    out: Outputs = []
    intake = Intake(
        number, number, 1, [(name, [request_id], [order_id])], encode_frame(Batch(1, []))
    )
    part.handle(OUTSIDE, encode_frame(intake), out)
    part.handle(RISK, encode_frame(Outcome(number, [[]], [])), out)


def test_runs_are_remembered_by_client_and_the_floor_survives() -> None:
    part = GatewayPart(3)
    carried_out(part, "ann/5", 1)
    for run in range(MAX_RUNS + 20):
        carried_out(part, f"bob/{run}", 1)
        carried_out(part, f"bob/{2 * MAX_RUNS + run}", 1, QUERY)
    copy = GatewayPart(3)
    copy.restore(unpack(pack(part.state())))
    for one in (part, copy):
        assert list(one.memory("ann/5").parcels) == [1]
        bob = one.runs("bob")
        assert len(bob.memories) == MAX_RUNS
        assert bob.floor == 19
        assert [bob.is_over(run) for run in (0, 19, 20, MAX_RUNS + 20)] == [
            True,
            True,
            False,
            False,
        ]
        assert one.memory("bob/19").floor > 2**62
        assert one.memory("bob/20").floor == 0


def test_a_run_in_use_is_not_forgotten_for_being_old() -> None:
    part = GatewayPart(3)
    carried_out(part, "bob/0", 1)
    for run in range(1, MAX_RUNS + 20):
        carried_out(part, f"bob/{run}", 1)
        carried_out(part, "bob/0", run + 1)
    assert not part.runs("bob").is_over(0)
    assert part.runs("bob").is_over(1)


def test_rejections_by_the_door_are_rejections(processes: Processes) -> None:
    with Client(processes.address) as client:
        reply = client.call(c.Skipped(0, 100, "", "mine"))
        assert isinstance(reply.events[0], CommandRejected)
        assert reply.events[0].reason == Reason.INVALID_FIELD
