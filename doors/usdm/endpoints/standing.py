"""Standing orders: found, cancelled and amended."""

import asyncio
from contextlib import suppress
from typing import Any, Final

from doors.history.records import ALGO_FINISHED, ALGO_TRIGGERED, Algo, Order
from doors.usdm.call import Call
from doors.usdm.endpoints.conditional import cancel_waiting
from doors.usdm.endpoints.entry import SIDES
from doors.usdm.errors import (
    NO_SUCH_ORDER,
    NOTHING_AMENDED,
    UNKNOWN_ORDER,
    VenueError,
    invalid,
    missing,
    of_rejection,
    outside_band,
)
from doors.usdm.order_rows import order_row, waiting_row
from engine.commands import AmendOrder, CancelAll, CancelOrder
from engine.reasons import Reason

MAX_COUNTDOWN_MS: Final[int] = 7 * 86_400_000
ALL_CANCELLED: Final[dict[str, Any]] = {
    "code": 200,
    "msg": "The operation of cancel all open order is done.",
}


def find_order(call: Call, error: tuple[int, str], *, only_open: bool = True) -> Order:
    """The account's order of ``orderId``, or of ``origClientOrderId``.

    Raises:
        VenueError: neither was sent, or ``error``: there is no such order.
    """
    contract = call.contract()
    parameters = call.parameters
    blotter = call.door.blotter
    if parameters.has("orderId"):
        found = blotter.find(call.account_id, parameters.whole("orderId", 0))
    elif parameters.has("origClientOrderId"):
        found = blotter.find_client(call.account_id, parameters.text("origClientOrderId"))
    else:
        raise missing("orderId")
    if found is None or found.instrument_id != contract.instrument_id:
        raise VenueError(*error)
    if only_open and not found.is_open:
        raise VenueError(*error)
    return found


def find_waiting(call: Call, *, only_open: bool = True) -> Algo | None:
    """The conditional order from the old place that the ids name and that is no order yet; None
    where there is none."""
    contract = call.contract()
    parameters, algos = call.parameters, call.door.blotter.algos
    if parameters.has("orderId"):
        found = algos.find(call.account_id, parameters.whole("orderId", 0))
    else:
        found = algos.find_client(call.account_id, parameters.text("origClientOrderId"))
    if found is None or not found.old_form or found.instrument_id != contract.instrument_id:
        return None
    became = found.status in (ALGO_TRIGGERED, ALGO_FINISHED)
    return None if became or (only_open and not found.waits) else found


async def query_order(call: Call) -> Any:
    """An order, open or over."""
    waiting = find_waiting(call, only_open=False)
    if waiting is not None:
        return waiting_row(call.door, waiting)
    return order_row(call.door, find_order(call, NO_SUCH_ORDER, only_open=False))


async def query_open_order(call: Call) -> Any:
    """An open order."""
    waiting = find_waiting(call)
    if waiting is not None:
        return waiting_row(call.door, waiting)
    return order_row(call.door, find_order(call, NO_SUCH_ORDER))


async def open_orders(call: Call) -> Any:
    """The open orders, oldest first."""
    ids = {contract.instrument_id for contract in call.contracts()}
    orders = call.door.blotter.open_orders(call.account_id)
    waiting = call.door.blotter.algos.waiting(call.account_id)
    return [
        order_row(call.door, order)
        for order in orders
        if order.instrument_id in ids and not order.forced
    ] + [
        waiting_row(call.door, algo)
        for algo in waiting
        if algo.instrument_id in ids and algo.old_form
    ]


async def cancel_order(call: Call) -> Any:
    """Cancel an order."""
    waiting = find_waiting(call)
    if waiting is not None:
        await cancel_waiting(call, waiting)
        return waiting_row(call.door, waiting)
    order = find_order(call, UNKNOWN_ORDER)
    return order_row(call.door, await cancel(call, order))


async def cancel(call: Call, order: Order) -> Order:
    """Cancel an open order; returns it as it stands then.

    Raises:
        VenueError: it was over before.
    """
    door = call.door
    reply = await door.call(CancelOrder(0, call.account_id, order.order_id))
    if reply.rejection is not None:
        if reply.rejection.reason == Reason.UNKNOWN_ORDER:
            raise VenueError(*UNKNOWN_ORDER)
        raise of_rejection(reply.rejection)
    await door.until(lambda: not order.is_open)
    if order.is_open or order.filled_lots == order.qty_lots:
        raise VenueError(*UNKNOWN_ORDER)
    return order


async def cancel_all(call: Call) -> Any:
    """Cancel all orders in a contract."""
    contract = call.contract()
    await _cancel_all(call, contract.instrument_id)
    return ALL_CANCELLED


async def _cancel_all(call: Call, instrument_id: int) -> None:
    blotter = call.door.blotter
    before = [one for one in blotter.open_orders(call.account_id) if _counts(one, instrument_id)]
    waiting = [
        algo
        for algo in blotter.algos.waiting(call.account_id)
        if algo.instrument_id == instrument_id
    ]
    if all(algo.old_form for algo in waiting):
        reply = await call.door.call(CancelAll(0, call.account_id, instrument_id))
        if reply.rejection is not None:
            raise of_rejection(reply.rejection)
    else:
        # Those of the new place stay.
        old = [algo.order_id for algo in waiting if algo.old_form]
        ids = [*(order.order_id for order in before), *old]
        commands = [CancelOrder(0, call.account_id, order_id) for order_id in ids]
        await asyncio.gather(*map(call.door.call, commands))
    await call.door.until(lambda: not any(one.is_open for one in before))


def _counts(order: Order, instrument_id: int) -> bool:
    return order.instrument_id == instrument_id and not order.forced


async def amend_order(call: Call) -> Any:
    """Change price and whole size of a limit order."""
    order = find_order(call, NO_SUCH_ORDER)
    contract = call.contract()
    parameters = call.parameters
    if parameters.has("side") and SIDES.get(parameters.text("side").upper()) != order.side:
        raise invalid("side")
    qty_lots = parameters.lots("quantity", contract)
    price_ticks = parameters.price_ticks("price", contract)
    if (qty_lots, price_ticks) == (order.qty_lots, order.price_ticks):
        raise VenueError(*NOTHING_AMENDED)
    call.order_use = call.door.limits.order(call.account_id)
    remaining = qty_lots - order.filled_lots
    if remaining <= 0:
        # As at the venue: what is filled already is all that is wanted.
        return order_row(call.door, await cancel(call, order))
    before = order.amendments
    filled = order.filled_lots
    command = AmendOrder(0, call.account_id, order.order_id, price_ticks, remaining, filled)
    reply = await call.door.call(command)
    rejection = reply.rejection
    if rejection is not None:
        if rejection.reason == Reason.UNKNOWN_ORDER:
            raise VenueError(*NO_SUCH_ORDER)
        if rejection.reason == Reason.PRICE_OUTSIDE_BAND:
            raise outside_band(order.side, rejection.detail)
        raise of_rejection(rejection)
    await call.door.until(lambda: not order.is_open or order.amendments > before)
    return order_row(call.door, order)


async def countdown(call: Call) -> Any:
    """Cancel all orders in a contract after a time, unless told again before."""
    contract = call.contract()
    if not call.parameters.has("countdownTime"):
        raise missing("countdownTime")
    countdown_ms = call.parameters.whole("countdownTime", 0, 0, MAX_COUNTDOWN_MS)

    async def act() -> None:
        with suppress(VenueError):
            await _cancel_all(call, contract.instrument_id)

    key = (call.account_id, contract.instrument_id)
    call.door.countdowns.wind(key, countdown_ms / 1000, act)
    return {"symbol": contract.symbol, "countdownTime": str(countdown_ms)}
