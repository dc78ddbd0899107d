"""Notes of the gateway on orders: which client asked for them, and how they ended.

By its id each open order has the run and the number of the request that placed it; of each account
the orders that ended last are kept, and of all accounts together at most `MOST_ENDED`. So a client
that was away learns what became of each request from one `engine.commands.QueryOrders`.
"""

from collections import deque
from typing import Any, Final, NamedTuple

from msgspec.structs import astuple, replace

from engine.reasons import Reason
from engine.reports import CANCELLED, FILLED, EndedOrder, OrderReport, OrdersReport
from gateway.door.frames import RawOutcome
from gateway.door.parcels import Parcel
from gateway.door.runs import client_and_run

ENDED_EACH: Final[int] = 20
"""Orders that ended, kept of each account."""

MOST_ENDED: Final[int] = 50_000
"""Orders that ended, kept of all accounts together; beyond, those of the account in which none has
ended for longest go."""


class Asked(NamedTuple):
    """An order as it was accepted, and the request that placed it (0: none of a client's)."""

    run: int
    request_id: int
    side: int
    qty_lots: int
    price_ticks: int


class OrderNotes:
    """Follows the batches; `complete` adds what is known to a report of risk."""

    def __init__(self) -> None:
        self._open: dict[int, Asked] = {}
        # The account in which an order ended last is the last.
        self._ended: dict[int, deque[EndedOrder]] = {}
        self._count = 0

    def follow(self, outcome: RawOutcome, parcels: list[Parcel]) -> None:
        """Take the orders that a batch opened and ended."""
        if outcome.opened:
            asked = _requests_of(parcels)
            for order_id, *accepted in outcome.opened:
                waited = self._open.get(order_id)
                # One that waited for its trigger is the order that it fires.
                known = (0, 0) if waited is None else (waited.run, waited.request_id)
                self._open[order_id] = Asked(*asked.get(order_id, known), *accepted)
        for account_id, order_id, instrument_id, remaining_lots, reason in outcome.ended:
            order = self._open.pop(order_id, None)
            if order is not None:
                state = FILLED if reason == Reason.FILLED else CANCELLED
                ended = EndedOrder(
                    *(order_id, instrument_id, order.side, order.qty_lots),
                    *(remaining_lots, order.price_ticks, state, reason),
                    *(order.run, order.request_id),
                )
                self._keep(account_id, ended)

    def _keep(self, account_id: int, order: EndedOrder) -> None:
        kept = self._ended.pop(account_id, None)
        if kept is None:
            kept = deque()
        self._ended[account_id] = kept
        kept.append(order)
        self._count += 1
        if len(kept) > ENDED_EACH:
            kept.popleft()
            self._count -= 1
        while self._count > MOST_ENDED:
            oldest = next(iter(self._ended))
            self._count -= len(self._ended.pop(oldest))

    def complete(self, report: OrdersReport) -> OrdersReport:
        """The report with the requests of its orders, and the orders that are over."""
        orders: list[OrderReport] = []
        for row in report.orders:
            order = self._open.get(row.order_id)
            if order is not None:
                row = replace(row, run=order.run, request_id=order.request_id)
            orders.append(row)
        triggers = [
            replace(row, run=asked.run, request_id=asked.request_id)
            if (asked := self._open.get(row.order_id)) is not None
            else row
            for row in report.triggers
        ]
        ended = list(self._ended.get(report.account_id, ()))
        return replace(report, orders=orders, ended=ended, triggers=triggers)

    def state(self) -> list[Any]:
        """Everything that is known."""
        return [
            [[order_id, *order] for order_id, order in self._open.items()],
            [
                [account_id, [list(astuple(order)) for order in ended]]
                for account_id, ended in self._ended.items()
            ],
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._open = {order_id: Asked(*order) for order_id, *order in state[0]}
        self._ended = {
            account_id: deque(EndedOrder(*order) for order in ended)
            for account_id, ended in state[1]
        }
        self._count = sum(map(len, self._ended.values()))


def _requests_of(parcels: list[Parcel]) -> dict[int, tuple[int, int]]:
    """Run and number of the requests that ask for new orders, by order id."""
    found: dict[int, tuple[int, int]] = {}
    for parcel in parcels:
        _, run = client_and_run(parcel.requester)
        for request_id, order_id in zip(parcel.request_ids, parcel.order_ids, strict=True):
            if order_id > 0:
                found[order_id] = (run, request_id)
    return found
