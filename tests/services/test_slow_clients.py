"""A client that does not read: others do not notice, the gateway's memory stays as it is, and the
slow one sees what it missed and catches up."""

import itertools
import re
import time
from pathlib import Path

import zmq

from engine import commands as c
from engine.events import AccountReport, BookLevel, OrderAccepted
from engine.routing.topology import GATEWAY
from gateway.client import Client
from gateway.connection import Address
from tests.services.processes import PATIENCE_SECONDS, Processes
from tests.services.streams import RULEBOOKS, START_NS, opening

ORDERS = 1_000
"""More than all the queues on the way to a slow client hold."""

GROWTH_KIB = 40_960


class ShortQueues(Client):
    """A client whose own sockets keep next to nothing, so that the gateway's have to."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        for socket, target in (
            (self._sockets.commands, address.commands),
            (self._sockets.market_data, address.market_data),
        ):
            socket.disconnect(target)
            socket.setsockopt(zmq.RCVHWM, 5)
            socket.connect(target)


def memory_kib(processes: Processes) -> int:
    """Resident memory of the gateway."""
    status = Path(f"/proc/{processes.running[GATEWAY].pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found
    return int(found[1])


def quote(client: Client, account_id: int, price: int) -> None:
    """Put an order in and take it back: two deliveries and two updates of the depth."""
    reply = client.call(c.SubmitOrder(0, account_id, 7, 0, c.BUY, 1, price))
    assert isinstance(reply.events[0], OrderAccepted)
    client.call(c.CancelOrder(0, account_id, reply.order_id))


def follow(client: Client, quoting: Client) -> None:
    """Until market data comes in and the depth is there."""
    client.subscribe(7)
    limit = time.monotonic() + PATIENCE_SECONDS
    seen = False
    while not seen or client.depth(7) is None:
        quote(quoting, 100, 9_000)
        found = client.poll(0.05)
        seen = seen or any(isinstance(event, BookLevel) for event in found)
        assert time.monotonic() < limit, "no market data came"


def test_a_client_that_does_not_read_hurts_only_itself(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start_all()
        with Client(processes.address) as quoting, ShortQueues(processes.address) as slow:
            quoting.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            follow(slow, quoting)
            before_kib = memory_kib(processes)
            for number in range(ORDERS):
                quote(quoting, 100, 9_000 + number % 50)
                if number == ORDERS // 2:
                    half_kib = memory_kib(processes)
            assert quoting.connection.lost_deliveries == 0
            after_kib = memory_kib(processes)
            assert after_kib - before_kib < GROWTH_KIB
            assert after_kib - half_kib < GROWTH_KIB // 2
            left = quoting.call(c.SubmitOrder(0, 100, 7, 0, c.BUY, 3, 9_500))

            sequences: list[int] = []
            limit = time.monotonic() + PATIENCE_SECONDS
            while (depth := slow.depth(7)) is None or depth.depth(c.BUY) != [(9_500, 3)]:
                # What was dropped last is noticed when something comes after it.
                quote(quoting, 100, 9_000)
                events = slow.poll(0.05)
                sequences += [event.sequence for event in events if isinstance(event, BookLevel)]
                assert time.monotonic() < limit, "the slow client did not catch up"
            gaps = [later - earlier for earlier, later in itertools.pairwise(sequences)]
            assert max(gaps) > 1, "no market data was dropped"
            report = slow.call(c.QueryAccount(0, 100)).events[0]
            assert isinstance(report, AccountReport)
            assert report.open_order_ids == [left.order_id]
            assert slow.connection.lost_deliveries > 0
