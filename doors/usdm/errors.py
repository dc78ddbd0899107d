"""The venue's errors: a code and a text, and the code for each of the exchange's reasons."""

from typing import Final, NamedTuple

from engine.commands import BUY
from engine.events import CommandRejected
from engine.reasons import Reason, in_words


class VenueError(Exception):
    """A request is refused: the code, the text and the status of the HTTP answer.

    ``retry_s`` is after how many seconds another try makes sense, 0 for never.
    """

    def __init__(self, code: int, text: str, status: int = 400, retry_s: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status
        self.retry_s = retry_s

    def body(self) -> dict[str, object]:
        """As it is sent."""
        return {"code": self.code, "msg": self.text}


def missing(name: str) -> VenueError:
    """A parameter that must be there is not."""
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return VenueError(-1102, text)


def invalid(name: str) -> VenueError:
    """A parameter has a value that is not allowed."""
    return VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def illegal(name: str) -> VenueError:
    """A parameter is not written as it has to be."""
    return VenueError(-1100, f"Illegal characters found in parameter '{name}'.")


def unavailable() -> VenueError:
    """The exchange behind the door does not answer; whether a command was carried out is not
    known."""
    text = "Timeout waiting for response from backend server. Send status unknown."
    return VenueError(-1007, text, status=503)


INVALID_SYMBOL: Final[tuple[int, str]] = (-1121, "Invalid symbol.")
UNKNOWN_ORDER: Final[tuple[int, str]] = (-2011, "Unknown order sent.")
NO_SUCH_ORDER: Final[tuple[int, str]] = (-2013, "Order does not exist.")
NO_KEY: Final[tuple[int, str, int]] = (-2014, "API-key format invalid.", 401)
WRONG_KEY: Final[tuple[int, str, int]] = (
    -2015,
    "Invalid API-key, IP, or permissions for action.",
    401,
)
BAD_SIGNATURE: Final[tuple[int, str]] = (-1022, "Signature for this request is not valid.")
OUTSIDE_WINDOW: Final[tuple[int, str]] = (
    -1021,
    "Timestamp for this request is outside of the recvWindow.",
)
USE_ALGO: Final[tuple[int, str]] = (
    -4120,
    "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
)
NO_NEED_MARGIN_TYPE: Final[tuple[int, str]] = (-4046, "No need to change margin type.")
NO_NEED_POSITION_SIDE: Final[tuple[int, str]] = (-4059, "No need to change position side.")
NOTHING_AMENDED: Final[tuple[int, str]] = (-5027, "No need to modify the order.")
NO_TICK: Final[tuple[int, str]] = (-4014, "Price not increased by tick size.")
TOO_PRECISE: Final[tuple[int, str]] = (
    -1111,
    "Precision is over the maximum defined for this asset.",
)
TWICE: Final[tuple[int, str]] = (-4116, "ClientOrderId is duplicated.")
TOO_MUCH: Final[tuple[int, str]] = (-1003, "Too many requests.")


class Row(NamedTuple):
    """A code and its text; with ``figures`` what the exchange has counted is put behind it."""

    code: int
    text: str
    figures: bool = False


OF_REASON: Final[dict[int, Row]] = {
    Reason.UNKNOWN_INSTRUMENT: Row(*INVALID_SYMBOL),
    Reason.UNKNOWN_ACCOUNT: Row(-2015, WRONG_KEY[1]),
    Reason.UNKNOWN_ORDER: Row(*UNKNOWN_ORDER),
    Reason.DUPLICATE_ID: Row(*TWICE),
    Reason.QTY_NOT_POSITIVE: Row(-4003, "Quantity less than or equal to zero."),
    Reason.PRICE_NOT_POSITIVE: Row(-4001, "Price less than or equal to zero."),
    Reason.QTY_BELOW_MINIMUM: Row(-4004, "Quantity less than min quantity."),
    Reason.QTY_ABOVE_MAXIMUM: Row(-4005, "Quantity greater than max quantity."),
    Reason.NOTIONAL_BELOW_MINIMUM: Row(
        -4164, "Order's notional must be no smaller than {least} (unless you choose reduce only)."
    ),
    Reason.NOTIONAL_ABOVE_MAXIMUM: Row(
        -2027, "Exceeded the maximum allowable position at current leverage."
    ),
    Reason.NUMBER_TOO_LARGE: Row(-4005, "Quantity greater than max quantity."),
    Reason.WOULD_TRIGGER_AT_ONCE: Row(-2021, "Order would immediately trigger."),
    Reason.INSUFFICIENT_MARGIN: Row(-2019, "Margin is insufficient.", True),
    Reason.INSUFFICIENT_FREE_COLLATERAL: Row(-2018, "Balance is insufficient.", True),
    Reason.LEVERAGE_ABOVE_MAXIMUM: Row(
        -2027, "Exceeded the maximum allowable position at current leverage."
    ),
    Reason.NOTHING_TO_REDUCE: Row(-2022, "ReduceOnly Order is rejected."),
    Reason.TOO_MANY_OPEN_ORDERS: Row(-2025, "Reach max open order limit."),
    Reason.NOT_ISOLATED: Row(-4055, "Amount must be positive for an isolated position."),
    Reason.ACCOUNT_IN_LIQUIDATION: Row(-2023, "User in liquidation mode now."),
    Reason.NO_MARK_PRICE: Row(-4108, "This symbol is waiting for its first price."),
    Reason.WRONG_LEG: Row(-4061, "Order's position side does not match user's setting."),
    Reason.CLOSES_PAST_BANKRUPTCY: Row(-2019, "Margin is insufficient.", True),
    Reason.INDEX_STALE: Row(-1008, "Server is currently overloaded with other requests."),
    Reason.FOK_NOT_FILLABLE: Row(
        -5021, "Due to the order could not be filled immediately, the FOK order has been rejected."
    ),
    Reason.POST_ONLY_WOULD_CROSS: Row(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    ),
    Reason.NO_LIQUIDITY: Row(
        -4131,
        "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    ),
    Reason.NOT_AUTHORISED: Row(-2015, WRONG_KEY[1]),
    Reason.TOO_MANY_REQUESTS: Row(*TOO_MUCH),
    Reason.REQUEST_TOO_OLD: Row(*OUTSIDE_WINDOW),
}
"""What the venue says to a refusal. `Reason.PRICE_OUTSIDE_BAND` and `POSITION_OR_ORDERS_OPEN` have
several codes and are told apart where they arise; what is in no row is -2010 with the exchange's
own words."""

_STATUS: Final[dict[int, int]] = {-2015: 401, -1003: 429, -1008: 503}


def of_reason(reason: int, detail: str = "", figures: str = "", least: str = "") -> VenueError:
    """The error for one of the exchange's reasons."""
    row = OF_REASON.get(reason)
    if row is None:
        words = in_words(reason)
        return VenueError(-2010, f"{words}: {detail}" if detail else words)
    text = row.text.format(least=least) if "{least}" in row.text else row.text
    if row.figures and figures:
        text = f"{text} {figures}"
    return VenueError(row.code, text, _STATUS.get(row.code, 400))


def of_rejection(rejection: CommandRejected, figures: str = "", least: str = "") -> VenueError:
    """The error for a refused command."""
    return of_reason(rejection.reason, rejection.detail, figures, least)


def outside_band(side: int, detail: str) -> VenueError:
    """A price that crosses too far: too high for a buy, too low for a sell."""
    behind = f" ({detail})" if detail else ""
    if side == BUY:
        return VenueError(-4016, f"Limit price can't be higher than the price band{behind}.")
    return VenueError(-4024, f"Limit price can't be lower than the price band{behind}.")
