"""Several orders at once: each is judged alone, a refused one has its error in its place."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from doors.usdm.call import Call
from doors.usdm.endpoints.conditional import new_order_or_conditional
from doors.usdm.endpoints.standing import amend_order, cancel_order
from doors.usdm.errors import VenueError, invalid, missing
from doors.usdm.parameters import Parameters

MOST_PLACED: Final[int] = 5
MOST_CANCELLED: Final[int] = 10

_DECODER: Final = msgspec.json.Decoder(float_hook=str)

Handler = Callable[[Call], Awaitable[Any]]


def as_text(value: Any) -> str:
    """A JSON value as it would stand in a query; numbers as they are written.

    Raises:
        ValueError: it is a list, an object or nothing.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"not a value: {value!r:.80}")


def decode_values(text: str | bytes) -> Any:
    """JSON with decimals as they are written and not as floats.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


async def place_batch(call: Call) -> Any:
    """Place up to five orders."""
    return await _each(call, _orders(call), new_order_or_conditional)


async def amend_batch(call: Call) -> Any:
    """Amend up to five orders."""
    return await _each(call, _orders(call), amend_order)


def _orders(call: Call) -> list[Parameters]:
    try:
        rows = decode_values(call.parameters.required("batchOrders"))
    except ValueError:
        raise invalid("batchOrders") from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise invalid("batchOrders")
    if len(rows) > MOST_PLACED:
        raise VenueError(-4082, "Invalid number of batch place orders.")
    try:
        return [
            Parameters({name: as_text(value) for name, value in row.items() if value is not None})
            for row in rows
        ]
    except ValueError:
        raise invalid("batchOrders") from None


async def cancel_batch(call: Call) -> Any:
    """Cancel up to ten orders by their ids."""
    symbol = call.parameters.required("symbol")
    found: list[Parameters] = []
    for name, key in (
        ("orderIdList", "orderId"),
        ("orderidlist", "orderId"),
        ("origClientOrderIdList", "origClientOrderId"),
        ("origclientorderidlist", "origClientOrderId"),
    ):
        if call.parameters.has(name):
            found += [Parameters({"symbol": symbol, key: one}) for one in _ids(call, name)]
    if not found:
        raise missing("orderIdList")
    if len(found) > MOST_CANCELLED:
        raise VenueError(-4083, "Fail to place batch orders.")
    return await _each(call, found, cancel_order)


def _ids(call: Call, name: str) -> list[str]:
    try:
        values = decode_values(call.parameters.text(name))
        if not isinstance(values, list):
            raise ValueError
        return [as_text(value) for value in values]
    except ValueError:
        raise invalid(name) from None


async def _each(call: Call, rows: list[Parameters], handler: Handler) -> list[Any]:
    answers: list[Any] = []
    for parameters in rows:
        one = Call(call.door, parameters, call.key)
        try:
            answers.append(await handler(one))
        except VenueError as error:
            answers.append(error.body())
        call.order_use = one.order_use or call.order_use
    return answers
