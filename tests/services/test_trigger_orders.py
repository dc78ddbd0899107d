"""A trigger order over the services: accepted, queried, fired, cancelled with its client's line."""

from pathlib import Path

import pytest

from engine import commands as c
from engine.events import OrderAccepted, OrderClosed, OrdersReport, TriggerAccepted, TriggerFired
from engine.reasons import Reason
from engine.reports import WAITING
from gateway.client import Client
from tests.services.processes import Processes, replayed_hash
from tests.services.streams import RULEBOOKS, START_NS, opening

SOON_MS = 1_500
OWNER = 100


def orders(client: Client) -> OrdersReport:
    report = client.call(c.QueryOrders(0, OWNER)).events[0]
    assert isinstance(report, OrdersReport)
    return report


@pytest.mark.parametrize("layout", ["one", "separate"])
def test_a_trigger_order_is_an_order_of_its_client(tmp_path: Path, layout: str) -> None:
    """A stop that fires is the order of the request that sent it; who falls silent loses both."""
    with Processes(tmp_path, layout=layout) as processes:
        processes.start_all()
        with Client(processes.address) as admin:
            admin.call_all([*opening(RULEBOOKS[0]), c.IndexPrice(START_NS, 7, 1, 10_000)])
            with Client(processes.address, cancel_after_ms=SOON_MS) as owner:
                stop = (0, OWNER, 7, 0, c.BUY, 5, c.STOP)
                far = owner.call(c.SubmitTrigger(*stop, 20_000, c.BY_INDEX))
                near = owner.call(c.SubmitTrigger(*stop, 10_100, c.BY_INDEX, c.LIMIT, 10_050))
                assert isinstance(near.events[0], TriggerAccepted)
                assert 0 < far.order_id < near.order_id
                (first, second) = orders(admin).triggers
                assert (first.state, second.order_id) == (WAITING, near.order_id)
                assert second.request_id == near.request_id and second.run > 0
                admin.call(c.IndexPrice(0, 7, 1, 10_150))
                admin.call(c.AdvanceTime(0))
                told: list[type] = []
                while OrderAccepted not in told:
                    told += [type(event) for event in owner.poll(30)]
                assert told[-2:] == [TriggerFired, OrderAccepted]
                report = orders(admin)
                assert [row.order_id for row in report.triggers] == [far.order_id]
                (resting,) = report.orders
                assert (resting.order_id, resting.price_ticks) == (near.order_id, 10_050)
                assert (resting.run, resting.request_id) == (second.run, near.request_id)
            closed: dict[int, int] = {}
            while len(closed) < 2:
                events = admin.poll(30)
                assert events, "nothing was cancelled"
                for event in events:
                    if isinstance(event, OrderClosed) and event.account_id == OWNER:
                        closed[event.order_id] = event.reason
            assert closed == dict.fromkeys((far.order_id, near.order_id), Reason.CANCELLED_BY_OWNER)
            ended = {row.order_id: row.request_id for row in orders(admin).ended}
            assert ended == {reply.order_id: reply.request_id for reply in (far, near)}
        processes.stop()
        assert replayed_hash(processes) == processes.state_hash()
