"""Conditional orders: they wait in the exchange, not in the door, and become orders there."""

from typing import Any, Final

from doors.exchange.contracts import Contract
from doors.exchange.decimals import scaled
from doors.history.records import Algo, Submission
from doors.usdm.call import Call
from doors.usdm.endpoints.entry import (
    POST_ONLY,
    SIDES,
    STP_MODES,
    TIMES,
    USUAL_STP,
    new_order,
    read_client_id,
    read_good_till_ns,
    read_leg,
    read_reduce_only,
    read_word,
    refuse_unsupported,
)
from doors.usdm.endpoints.general import CONDITIONAL
from doors.usdm.endpoints.market import time_span_ns
from doors.usdm.errors import (
    NO_SUCH_ORDER,
    TWICE,
    UNKNOWN_ORDER,
    VenueError,
    illegal,
    invalid,
    missing,
    of_rejection,
)
from doors.usdm.order_rows import BY_NAME, algo_row, waiting_row
from doors.usdm.parameters import Parameters
from engine.commands import (
    LIMIT,
    MARKET,
    STOP,
    TAKE_PROFIT,
    TRAILING,
    CancelOrder,
    SubmitTrigger,
)
from engine.reasons import Reason

TRIGGERS: Final[dict[str, int]] = {
    "STOP": STOP,
    "STOP_MARKET": STOP,
    "TAKE_PROFIT": TAKE_PROFIT,
    "TAKE_PROFIT_MARKET": TAKE_PROFIT,
    "TRAILING_STOP_MARKET": TRAILING,
}
WITH_PRICE: Final[tuple[str, ...]] = ("STOP", "TAKE_PROFIT")
PERCENT_DECIMALS: Final[int] = 7
"""A percent is so many decimal places of parts per billion."""

LEAST_CALLBACK: Final[int] = 1_000_000
MOST_CALLBACK: Final[int] = 100_000_000
"""0.1 to 10 percent, in parts per billion."""


async def new_algo(call: Call) -> Any:
    """Let an order wait for its price."""
    call.parameters.one_of("algoType", ("CONDITIONAL",), "CONDITIONAL")
    names = ("triggerPrice", "clientAlgoId")
    command, submission = read_conditional(call, *names)
    call.order_use = call.door.limits.order(call.account_id)
    return algo_row(call.door, await place_conditional(call, command, submission))


async def place_conditional(call: Call, command: SubmitTrigger, submission: Submission) -> Algo:
    """Give a conditional order to the exchange.

    Raises:
        VenueError: it was refused.
    """
    door = call.door
    if door.blotter.is_open_name(call.account_id, submission.client_id):
        raise VenueError(*TWICE)
    order_id = await door.submit(command, submission)
    algo = door.blotter.algos.find(call.account_id, order_id)
    assert algo is not None, "what was accepted is known"
    return algo


async def new_order_or_conditional(call: Call) -> Any:
    """Place an order; a conditional one in the venue's old place waits as an order with a stop
    price."""
    if call.parameters.text("type").upper() not in CONDITIONAL:
        return await new_order(call)
    names = ("stopPrice", "newClientOrderId")
    command, submission = read_conditional(call, *names, old_form=True)
    call.order_use = call.door.limits.order(call.account_id)
    return waiting_row(call.door, await place_conditional(call, command, submission))


def read_conditional(
    call: Call, trigger_name: str, client_name: str, *, old_form: bool = False
) -> tuple[SubmitTrigger, Submission]:
    """The conditional order that the parameters describe; the old and the new place name trigger
    and client id differently.

    Raises:
        VenueError: it is none.
    """
    parameters = call.parameters
    contract = call.contract()
    side = SIDES[read_word(parameters, "side", tuple(SIDES), -1117)]
    kind = read_word(parameters, "type", CONDITIONAL, -1116)
    refuse_unsupported(parameters)
    close_position = parameters.yes("closePosition")
    trail_ppb = _callback_ppb(parameters) if TRIGGERS[kind] == TRAILING else 0
    tif = parameters.one_of("timeInForce", tuple(TIMES), "GTC", -1115)
    leg = read_leg(call)
    reduce_only = read_reduce_only(call, leg)
    stp = parameters.one_of("selfTradePreventionMode", tuple(STP_MODES), USUAL_STP)
    by = parameters.one_of("workingType", tuple(BY_NAME), "CONTRACT_PRICE")
    good_till_ns = read_good_till_ns(call, tif)
    command = SubmitTrigger(
        time_ns=0,
        account_id=call.account_id,
        instrument_id=contract.instrument_id,
        order_id=0,
        side=side,
        qty_lots=_lots(parameters, contract, close_position),
        trigger=TRIGGERS[kind],
        trigger_ticks=_trigger_ticks(parameters, contract, kind, trigger_name),
        trigger_by=BY_NAME[by],
        order_type=LIMIT if kind in WITH_PRICE else MARKET,
        price_ticks=parameters.price_ticks("price", contract) if kind in WITH_PRICE else 0,
        tif=TIMES[tif],
        post_only=tif == POST_ONLY,
        reduce_only=reduce_only,
        close_position=close_position,
        stp=STP_MODES[stp],
        leg=leg,
        trail_ppb=trail_ppb,
        expire_ns=good_till_ns,
    )
    client_id = read_client_id(parameters, client_name)
    terms = (client_id, kind, tif, leg, reduce_only, stp, good_till_ns, old_form)
    return command, Submission(*terms)


def _lots(parameters: Parameters, contract: Contract, close_position: bool) -> int:
    if not close_position:
        return parameters.lots("quantity", contract)
    if parameters.has("quantity"):
        raise VenueError(-4136, "Target strategy invalid: closePosition goes without quantity.")
    return 0


def _trigger_ticks(parameters: Parameters, contract: Contract, kind: str, name: str) -> int:
    """Where it fires; of a trailing one where it becomes active, 0 at once."""
    if TRIGGERS[kind] != TRAILING:
        return parameters.price_ticks(name, contract)
    for other in ("activatePrice", "activationPrice"):
        if parameters.has(other):
            return parameters.price_ticks(other, contract)
    return 0


def _callback_ppb(parameters: Parameters) -> int:
    """How far the price has to come back, in parts per billion."""
    text = parameters.required("callbackRate")
    try:
        ppb = scaled(text, PERCENT_DECIMALS)
    except ValueError:
        raise illegal("callbackRate") from None
    if ppb is None or not LEAST_CALLBACK <= ppb <= MOST_CALLBACK:
        raise invalid("callbackRate")
    return ppb


def find_algo(call: Call, error: tuple[int, str], *, only_waiting: bool = False) -> Algo:
    """The account's conditional order of ``algoId``, or of ``clientAlgoId``.

    Raises:
        VenueError: neither was sent, or ``error``: there is no such order.
    """
    parameters, algos = call.parameters, call.door.blotter.algos
    if parameters.has("algoId"):
        found = algos.find(call.account_id, parameters.whole("algoId", 0))
    elif parameters.has("clientAlgoId"):
        found = algos.find_client(call.account_id, parameters.text("clientAlgoId"))
    else:
        raise missing("algoId")
    if found is None or (only_waiting and not found.waits):
        raise VenueError(*error)
    return found


async def query_algo(call: Call) -> Any:
    """A conditional order; ``actualOrderId`` is the order it became."""
    return algo_row(call.door, find_algo(call, NO_SUCH_ORDER))


async def open_algos(call: Call) -> Any:
    """Those that wait."""
    ids = {contract.instrument_id for contract in call.contracts()}
    waiting = call.door.blotter.algos.waiting(call.account_id)
    return [
        algo_row(call.door, algo)
        for algo in waiting
        if algo.instrument_id in ids and not algo.old_form
    ]


async def all_algos(call: Call) -> Any:
    """Conditional orders in a contract, oldest first."""
    contract = call.contract()
    limit = call.parameters.whole("limit", 500, 1, 1000)
    begin_ns, end_ns = time_span_ns(call)
    where = "account_id = ? AND instrument_id = ? AND created_ns BETWEEN ? AND ? "
    where += "ORDER BY order_id DESC LIMIT ?"
    values = (call.account_id, contract.instrument_id, begin_ns, end_ns, limit)
    found = call.door.file.algos(where, values)
    return [algo_row(call.door, algo) for algo in reversed(found)]


async def cancel_algo(call: Call) -> Any:
    """Cancel one that waits."""
    algo = find_algo(call, UNKNOWN_ORDER, only_waiting=True)
    await cancel_waiting(call, algo)
    return {
        "algoId": algo.order_id,
        "clientAlgoId": algo.client_id,
        "code": "200",
        "msg": "success",
    }


async def cancel_waiting(call: Call, algo: Algo) -> None:
    """Cancel a conditional order.

    Raises:
        VenueError: it waits no longer.
    """
    reply = await call.door.call(CancelOrder(0, call.account_id, algo.order_id))
    if reply.rejection is not None:
        if reply.rejection.reason == Reason.UNKNOWN_ORDER:
            raise VenueError(*UNKNOWN_ORDER)
        raise of_rejection(reply.rejection)
    await call.door.until(lambda: not algo.waits)


async def cancel_algos(call: Call) -> Any:
    """Cancel all that wait in a contract."""
    contract = call.contract()
    for algo in call.door.blotter.algos.waiting(call.account_id):
        if algo.instrument_id == contract.instrument_id and not algo.old_form:
            await cancel_waiting(call, algo)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}
