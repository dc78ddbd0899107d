"""New orders: what a client may ask for, and how the exchange is asked."""

import re
import secrets
from typing import Any, Final

from doors.exchange.contracts import Contract
from doors.history.records import Order, Submission
from doors.usdm.call import NS_PER_MS, Call
from doors.usdm.endpoints.general import CONDITIONAL, LIMIT_ORDER, MARKET_ORDER, ORDER_TYPES
from doors.usdm.errors import TWICE, USE_ALGO, VenueError, invalid, of_reason
from doors.usdm.order_rows import order_row
from doors.usdm.parameters import Parameters
from doors.usdm.pots import LEG_OF_SIDE
from engine.commands import (
    BUY,
    FOK,
    GTC,
    IOC,
    LEG_NET,
    LIMIT,
    MARKET,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_NONE,
    SubmitOrder,
)
from engine.reasons import Reason

CLIENT_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}", re.ASCII)
SIDES: Final[dict[str, int]] = {"BUY": BUY, "SELL": SELL}
POST_ONLY: Final[str] = "GTX"
GOOD_TILL_DATE: Final[str] = "GTD"
TIMES: Final[dict[str, int]] = {
    "GTC": GTC,
    "IOC": IOC,
    "FOK": FOK,
    POST_ONLY: GTC,
    GOOD_TILL_DATE: GTC,
}
USUAL_STP: Final[str] = "EXPIRE_MAKER"
STP_MODES: Final[dict[str, int]] = {
    "EXPIRE_TAKER": STP_CANCEL_NEWEST,
    USUAL_STP: STP_CANCEL_OLDEST,
    "EXPIRE_BOTH": STP_CANCEL_BOTH,
    "NONE": STP_NONE,
}
LATEST_MS: Final[int] = 9_223_372_036_854
"""The latest end of an order: nanoseconds have 63 bits."""

ACK: Final[str] = "ACK"
RESULT: Final[str] = "RESULT"
_NOT_THERE_AFTER_ALL: Final[tuple[int, ...]] = (
    Reason.POST_ONLY_WOULD_CROSS,
    Reason.FOK_NOT_FILLABLE,
    Reason.NO_LIQUIDITY,
)


async def new_order(call: Call) -> Any:
    """Place an order; ``newOrderRespType=RESULT`` shows its fills."""
    command, submission = read_order(call)
    answer = call.parameters.one_of("newOrderRespType", (ACK, RESULT), ACK)
    call.order_use = call.door.limits.order(call.account_id)
    order = await place(call, command, submission)
    return order_row(call.door, order, as_accepted=answer == ACK)


async def test_order(call: Call) -> Any:
    """Read an order as if it were to be placed."""
    command, submission = read_order(call)
    order = Order(
        *(0, command.account_id, command.instrument_id, submission.client_id, command.side),
        *(submission.kind, submission.tif, command.qty_lots, command.price_ticks),
        *(submission.leg, submission.reduce_only, submission.stp, call.door.clock()),
        call.door.clock(),
    )
    return order_row(call.door, order)


async def place(call: Call, command: SubmitOrder, submission: Submission) -> Order:
    """Give an order to the exchange.

    Raises:
        VenueError: it was refused, before the book or in it.
    """
    door = call.door
    if door.blotter.is_open_name(call.account_id, submission.client_id):
        raise VenueError(*TWICE)
    order_id = await door.submit(command, submission)
    order = door.blotter.find(call.account_id, order_id)
    assert order is not None, "what was accepted is known"
    if order.reason in _NOT_THERE_AFTER_ALL and not order.filled_lots:
        raise of_reason(order.reason)
    return order


def read_order(call: Call) -> tuple[SubmitOrder, Submission]:
    """The order that the parameters describe.

    Raises:
        VenueError: it is none.
    """
    parameters = call.parameters
    contract = call.contract()
    side = SIDES[read_word(parameters, "side", tuple(SIDES), -1117)]
    kind = read_word(parameters, "type", ORDER_TYPES, -1116)
    if kind in CONDITIONAL:
        raise VenueError(*USE_ALGO)
    if parameters.yes("closePosition"):
        raise VenueError(-4136, "Target strategy invalid: closePosition is for stops.")
    tif = read_tif(parameters, kind)
    price_ticks = parameters.price_ticks("price", contract) if kind == LIMIT_ORDER else 0
    refuse_unsupported(parameters)
    good_till_ns = read_good_till_ns(call, tif)
    leg = read_leg(call)
    reduce_only = read_reduce_only(call, leg)
    stp = parameters.one_of("selfTradePreventionMode", tuple(STP_MODES), USUAL_STP)
    command = SubmitOrder(
        time_ns=0,
        account_id=call.account_id,
        instrument_id=contract.instrument_id,
        order_id=0,
        side=side,
        qty_lots=_quantity(parameters, contract),
        price_ticks=price_ticks,
        order_type=MARKET if kind == MARKET_ORDER else LIMIT,
        tif=TIMES[tif],
        post_only=tif == POST_ONLY,
        reduce_only=reduce_only,
        stp=STP_MODES[stp],
        leg=leg,
        expire_ns=good_till_ns,
    )
    client_id = read_client_id(parameters, "newClientOrderId")
    return command, Submission(client_id, kind, tif, leg, reduce_only, stp, good_till_ns)


def read_word(parameters: Parameters, name: str, allowed: tuple[str, ...], code: int) -> str:
    """A word that must be there.

    Raises:
        VenueError: it is not, or is another one.
    """
    parameters.required(name)
    return parameters.one_of(name, allowed, "", code)


def read_tif(parameters: Parameters, kind: str) -> str:
    """How long an order is good.

    Raises:
        VenueError: it is missing or none.
    """
    if kind == MARKET_ORDER:
        return "GTC"
    return read_word(parameters, "timeInForce", tuple(TIMES), -1115)


def _quantity(parameters: Parameters, contract: Contract) -> int:
    return parameters.lots("quantity", contract)


def refuse_unsupported(parameters: Parameters) -> None:
    """What the exchange has no such thing as is refused, not passed over: the order would be
    another one.

    Raises:
        VenueError: there is such a parameter.
    """
    if parameters.text("priceMatch", "NONE").upper() != "NONE":
        raise invalid("priceMatch")


def read_good_till_ns(call: Call, tif: str) -> int:
    """When an order ends by itself, 0 never.

    Raises:
        VenueError: a good-till-date order has no date, or one that is over.
    """
    if tif != GOOD_TILL_DATE:
        return 0
    call.parameters.required("goodTillDate")
    until_ms = call.parameters.whole("goodTillDate", 0, 0, LATEST_MS)
    if until_ms <= call.now_ms():
        raise invalid("goodTillDate")
    return until_ms * NS_PER_MS


def read_leg(call: Call) -> int:
    """Which position an order is for.

    Raises:
        VenueError: there is no such side.
    """
    return LEG_OF_SIDE[call.parameters.one_of("positionSide", tuple(LEG_OF_SIDE), "BOTH")]


def read_reduce_only(call: Call, leg: int) -> bool:
    """Whether an order only closes; in hedge mode the side says it.

    Raises:
        VenueError: it was sent in hedge mode.
    """
    reduce_only = call.parameters.yes("reduceOnly")
    if leg != LEG_NET and reduce_only:
        raise VenueError(-1106, "Parameter 'reduceonly' sent when not required.")
    return reduce_only


def read_client_id(parameters: Parameters, name: str) -> str:
    """The name a client gave, or one made up.

    Raises:
        VenueError: it has other characters or is too long.
    """
    given = parameters.text(name)
    if not given:
        return f"sw{secrets.token_hex(10)}"
    if CLIENT_ID.fullmatch(given) is None:
        raise VenueError(-4015, "Client order id is not valid.")
    return given
