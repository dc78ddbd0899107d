"""The whole way: client, gateway, risk, matching and back, as real processes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from engine import commands as c
from engine.commands import Command
from engine.events import (
    AccountReport,
    BookLevel,
    CommandRejected,
    OrderAccepted,
    OrderClosed,
    OrderFilled,
    Trade,
)
from engine.messages import at_time
from engine.reasons import Reason
from engine.services.service_config import SERVICES
from gateway.client import Client
from gateway.protocol import Hello, Submit, decode_from_server, encode
from tests.services.processes import PATIENCE_SECONDS, Processes, replayed_hash
from tests.services.streams import RULEBOOKS, START_NS, Stream, opening


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as running:
        running.start_all()
        running.wait_until_ready()
        yield running


def changing(commands: list[Command]) -> list[Command]:
    """Commands without their times, and without queries: these may be asked more than once."""
    return [at_time(command, 0) for command in commands if not isinstance(command, c.QueryAccount)]


def open_market(client: Client) -> None:
    client.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])


def wait_for_market_data(client: Client) -> None:
    """A subscription takes its time: order and cancel until an update comes."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not any(isinstance(event, BookLevel) for event in client.poll(0.1)):
        assert time.monotonic() < limit, "no market data came"
        reply = client.call(order(100, c.SELL, 1, 10_050))
        client.call(c.CancelOrder(0, 100, reply.order_id))


def order(account_id: int, side: int, lots: int, price: int) -> c.SubmitOrder:
    return c.SubmitOrder(0, account_id, 7, 0, side, lots, price)


@pytest.mark.parametrize("at_once", [1, 30])
def test_a_stream_through_the_gateway_gives_the_state_of_one_process(
    processes: Processes, at_once: int
) -> None:
    commands = Stream(3).take(300)
    with Client(processes.address) as client:
        for place in range(0, len(commands), at_once):
            client.call_all(commands[place : place + at_once])
    processes.stop()
    done = [command for batch in processes.recorded() for command in batch.commands]
    assert changing(done) == changing(commands)
    assert processes.state_hash() == replayed_hash(processes)


def test_an_order_is_answered_filled_and_reported(processes: Processes) -> None:
    with Client(processes.address) as maker, Client(processes.address) as taker:
        open_market(maker)
        maker.subscribe(7)
        resting = maker.call(order(100, c.SELL, 10, 10_000))
        assert [type(event) for event in resting.events] == [OrderAccepted]
        wait_for_market_data(maker)
        crossing = taker.call(order(101, c.BUY, 4, 10_000))
        assert crossing.order_id > resting.order_id
        fills = [event for event in taker.poll(5) if isinstance(event, OrderFilled)]
        assert {(fill.account_id, fill.qty_lots) for fill in fills} >= {(101, 4)}
        seen = []
        while not any(isinstance(event, Trade) for event in seen):
            new = maker.poll(5)
            assert new, "the trade was not published"
            seen += new
        limit = time.monotonic() + PATIENCE_SECONDS
        while (depth := maker.depth(7)) is None or depth.depth(c.SELL) != [(10_000, 6)]:
            maker.poll(0.05)
            assert time.monotonic() < limit, "the depth never showed what is left"
        report = taker.call(c.QueryAccount(0, 101)).events[0]
        assert isinstance(report, AccountReport)
        maker.call(c.CancelOrder(0, 100, resting.order_id))
        closed = [event for event in maker.poll(5) if isinstance(event, OrderClosed)]
        assert closed[-1].remaining_lots == 6


def test_a_request_sent_twice_is_done_once_and_answered_twice(processes: Processes) -> None:
    with Client(processes.address) as client:
        open_market(client)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.connect(processes.address.commands)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        socket.send(encode(Hello()))
        socket.recv()
        frame = encode(Submit(5, [(1_000, order(100, c.BUY, 5, 9_000))]))
        replies = []
        for _ in range(2):
            socket.send(frame)
            delivery = decode_from_server(socket.recv())
            replies.append(delivery.replies)
        assert replies[0] == replies[1]
        socket.send(encode(Submit(5, [(1_001, order(100, c.BUY, 5, 9_000))] * 2)))
        assert len(decode_from_server(socket.recv()).replies) == 1
        context.destroy(linger=0)
        report = client.call(c.QueryAccount(0, 100)).events[0]
        assert isinstance(report, AccountReport)
        assert len(report.open_order_ids) == 2


def test_a_rejected_command_has_one_answer_with_its_reason(processes: Processes) -> None:
    with Client(processes.address) as client:
        open_market(client)
        reply = client.call(c.SubmitOrder(0, 100, 99, 0, c.BUY, 1, 1))
        assert isinstance(reply.events[0], CommandRejected)
        assert reply.events[0].reason == Reason.UNKNOWN_INSTRUMENT


def test_orders_are_cancelled_when_a_session_falls_silent(processes: Processes) -> None:
    with Client(processes.address) as watcher:
        open_market(watcher)
        with Client(processes.address, cancel_after_ms=300) as quiet:
            reply = quiet.call(order(100, c.BUY, 5, 9_000))
            assert isinstance(reply.events[0], OrderAccepted)
        closed: list[OrderClosed] = []
        while not closed:
            events = watcher.poll(10)
            assert events, "the order was not cancelled"
            closed = [event for event in events if isinstance(event, OrderClosed)]
        assert closed[0].order_id == reply.order_id
        assert closed[0].reason == Reason.CANCELLED_BY_OWNER


@pytest.mark.parametrize("victim", SERVICES)
def test_a_client_loses_nothing_when_a_service_is_killed(processes: Processes, victim: str) -> None:
    """Each command is done once, in its order, and answered once."""
    commands = Stream(11).take(400)
    with Client(processes.address) as client:
        numbers: list[int] = []
        for place in range(0, len(commands), 20):
            numbers += client.send(commands[place : place + 20])
            if place in (100, 300):
                processes.kill(victim)
                processes.start(victim)
        replies = {}
        while len(replies) < len(numbers):
            client.poll(0.2)
            for number in numbers:
                reply = client.take_reply(number)
                if reply is not None:
                    assert number not in replies
                    replies[number] = reply
    processes.wait_until_ready()
    processes.stop()
    done = [command for batch in processes.recorded() for command in batch.commands]
    assert changing(done) == changing(commands)
    assert processes.state_hash() == replayed_hash(processes)
