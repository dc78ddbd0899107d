"""Cancel on disconnect: silence cancels, life does not; a restarted gateway knows who asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import commands as c
from engine.events import AccountReport, OrderAccepted, OrderClosed
from engine.reasons import Reason
from engine.routing.topology import GATEWAY
from gateway.client import Client
from gateway.door.cancel_on_disconnect import Heartbeats
from gateway.door.frames import Heartbeat
from tests.services.processes import Processes, replayed_hash
from tests.services.streams import RULEBOOKS, START_NS, opening

SOON_MS = 1_500


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as running:
        running.start_all()
        yield running


def bid(client: Client, account_id: int) -> int:
    reply = client.call(c.SubmitOrder(0, account_id, 7, 0, c.BUY, 5, 9_000))
    assert isinstance(reply.events[0], OrderAccepted)
    return reply.order_id


def open_orders(client: Client, account_id: int) -> list[int]:
    report = client.call(c.QueryAccount(0, account_id)).events[0]
    assert isinstance(report, AccountReport)
    return report.open_order_ids


def wait_for_cancel(watcher: Client, account_id: int) -> OrderClosed:
    closed: list[OrderClosed] = []
    while not closed:
        events = watcher.poll(30)
        assert events, "nothing was cancelled"
        closed = [
            event
            for event in events
            if isinstance(event, OrderClosed) and event.account_id == account_id
        ]
    return closed[0]


def restart(processes: Processes) -> None:
    processes.kill(GATEWAY)
    processes.start(GATEWAY)


def test_a_restarted_gateway_cancels_for_whom_does_not_come_back(processes: Processes) -> None:
    with Client(processes.address) as watcher:
        watcher.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        kept = bid(watcher, 101)
        with (
            Client(processes.address, cancel_after_ms=SOON_MS) as gone,
            Client(processes.address, cancel_after_ms=SOON_MS) as back,
        ):
            lost = bid(gone, 100)
            stays = bid(back, 103)
            gone.close()
            restart(processes)
            while not back.connection.reconnects:
                back.poll(0.1)
            # It lives on while the other one's interval runs out.
            closed = None
            while closed is None:
                back.poll(0.05)
                seen = [e for e in watcher.poll(0.05) if isinstance(e, OrderClosed)]
                closed = seen[0] if seen else None
            assert (closed.order_id, closed.reason) == (lost, Reason.CANCELLED_BY_OWNER)
            assert open_orders(back, 103) == [stays]
        assert wait_for_cancel(watcher, 103).order_id == stays
        assert open_orders(watcher, 101) == [kept]
    processes.stop()
    assert processes.state_hash() == replayed_hash(processes)
    assert processes.snapshot(GATEWAY)[6] == []


def test_who_withdrew_the_wish_before_the_restart_keeps_its_orders(processes: Processes) -> None:
    with Client(processes.address) as watcher:
        watcher.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
        run = 77
        with Client(processes.address, run=run, cancel_after_ms=86_400_000) as first:
            stays = bid(first, 100)
        with Client(processes.address, run=run) as second:
            assert open_orders(second, 100) == [stays]
    processes.stop()
    assert processes.snapshot(GATEWAY)[6] == []


def test_an_account_is_journaled_once_and_forgotten_when_its_run_is_silent() -> None:
    beats = Heartbeats()
    beats.traded("ann/1", 50, 100, now_ns=10)
    beats.traded("ann/1", 50, 101, now_ns=20)
    beats.traded("ann/1", 50, 100, now_ns=30)
    assert beats.take_changes() == [Heartbeat("ann/1", 50, [100, 101])]
    beats.traded("ann/1", 50, 100, now_ns=30)
    assert beats.take_changes() == []
    beats.heard("ann/1", 40)
    assert beats.take_silent(90) == {}
    assert beats.take_silent(91) == {"ann/1": [100, 101]}
    assert beats.take_changes() == [Heartbeat("ann/1", 0, [])]
    assert beats.take_silent(1_000) == {}


def test_a_restored_run_has_its_whole_interval_to_come_back() -> None:
    beats = Heartbeats()
    beats.restore([Heartbeat("ann/1", 50, [100]), Heartbeat("bob/2", 50, [102])], now_ns=1_000)
    assert beats.take_silent(1_050) == {}
    beats.greeted("bob/2", 500, 1_050)
    assert beats.take_silent(1_051) == {"ann/1": [100]}
    assert beats.take_changes() == [Heartbeat("bob/2", 500, [102]), Heartbeat("ann/1", 0, [])]
    beats.greeted("bob/2", 0, 1_060)
    assert beats.take_silent(10_000) == {}
    assert beats.take_changes() == [Heartbeat("bob/2", 0, [])]
