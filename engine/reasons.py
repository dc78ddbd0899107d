"""Numbered reasons: why a command was refused or an order ended. Ranges name the subsystem.

100-199 the message itself, 200-299 accounts and margin, 300-399 the book, 400-499 liquidation,
500-599 the gateway.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any


class Reason(IntEnum):
    """Why something was refused or ended; the numbers are part of the wire format."""

    NONE = 0
    # the message
    UNKNOWN_INSTRUMENT = 101
    UNKNOWN_ACCOUNT = 102
    UNKNOWN_ORDER = 103
    DUPLICATE_ID = 104
    QTY_NOT_POSITIVE = 105
    PRICE_NOT_POSITIVE = 106
    QTY_BELOW_MINIMUM = 107
    QTY_ABOVE_MAXIMUM = 108
    NOTIONAL_BELOW_MINIMUM = 109
    NOTIONAL_ABOVE_MAXIMUM = 110
    PRICE_OUTSIDE_BAND = 111
    INVALID_FIELD = 112
    TIME_WENT_BACK = 113
    UNKNOWN_ASSET = 114
    AMOUNT_NOT_POSITIVE = 115
    NUMBER_TOO_LARGE = 116
    INTERNAL_ERROR = 117
    SKIPPED_BY_OPERATOR = 118
    WOULD_TRIGGER_AT_ONCE = 119
    # accounts and margin
    INSUFFICIENT_MARGIN = 200
    INSUFFICIENT_FREE_COLLATERAL = 201
    LEVERAGE_ABOVE_MAXIMUM = 202
    NOTHING_TO_REDUCE = 203
    TOO_MANY_OPEN_ORDERS = 204
    POSITION_OR_ORDERS_OPEN = 205
    NOT_ISOLATED = 206
    ACCOUNT_IN_LIQUIDATION = 207
    NO_MARK_PRICE = 208
    HOUSE_ACCOUNT = 211
    WRONG_LEG = 212
    CLOSES_PAST_BANKRUPTCY = 213
    INDEX_STALE = 216
    # the book
    FILLED = 300
    CANCELLED_BY_OWNER = 301
    IOC_REMAINDER = 302
    FOK_NOT_FILLABLE = 303
    POST_ONLY_WOULD_CROSS = 304
    SELF_TRADE = 305
    REDUCE_ONLY_TRIMMED = 306
    NO_LIQUIDITY = 307
    MARGIN_LOST = 308
    EXPIRED = 309
    # liquidation
    CANCELLED_BY_LIQUIDATION = 400
    # the gateway
    NOT_AUTHORISED = 500
    TOO_MANY_REQUESTS = 501
    REQUEST_TOO_OLD = 502


REASON_TEXT: dict[int, str] = {
    reason.value: reason.name.lower().replace("_", " ") for reason in Reason
}
"""Plain words for each number, for logs and error answers."""


def in_words(reason: int) -> str:
    """A reason's number and its words: ``208 no mark price``; a number of a later version has none
    here."""
    return f"{reason} {REASON_TEXT.get(reason, 'of a later version')}"


def shown(name: str, fields: Iterable[tuple[str, Any]]) -> str:
    """How a message is printed: ``Name(field=value, ...)``, a reason with its words."""
    parts: list[str] = []
    for field, value in fields:
        if field == "reason":
            parts.append(f"reason={value} ({REASON_TEXT.get(value, 'of a later version')})")
        else:
            parts.append(f"{field}={value!r}")
    return f"{name}({', '.join(parts)})"
