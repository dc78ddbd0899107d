"""The flags of an order by name, as people write them."""

from collections.abc import Mapping
from typing import Final

from engine.commands import (
    BUY,
    BY_INDEX,
    BY_LAST,
    BY_MARK,
    FOK,
    GTC,
    IOC,
    LEG_LONG,
    LEG_NET,
    LEG_SHORT,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
    STP_NONE,
    TAKE_PROFIT,
    TRAILING,
)

SIDE: Final[Mapping[str, int]] = {"BUY": BUY, "SELL": SELL}

ORDER_TYPE: Final[Mapping[str, int]] = {"LIMIT": LIMIT, "MARKET": MARKET}

TIF: Final[Mapping[str, int]] = {"GTC": GTC, "IOC": IOC, "FOK": FOK}
"""Good till cancelled, immediate or cancel, fill or kill."""

STP: Final[Mapping[str, int]] = {
    "CANCEL_NEWEST": STP_CANCEL_NEWEST,
    "CANCEL_OLDEST": STP_CANCEL_OLDEST,
    "CANCEL_BOTH": STP_CANCEL_BOTH,
    "DECREMENT": STP_DECREMENT,
    "NONE": STP_NONE,
}
"""What happens when an order meets one of the same account."""

LEG: Final[Mapping[str, int]] = {"NET": LEG_NET, "LONG": LEG_LONG, "SHORT": LEG_SHORT}
"""Which position an order belongs to: the net one, or a leg in hedge mode."""


TRIGGER: Final[Mapping[str, int]] = {
    "STOP": STOP,
    "TAKE_PROFIT": TAKE_PROFIT,
    "TRAILING": TRAILING,
}
"""What a trigger order waits for."""

TRIGGER_BY: Final[Mapping[str, int]] = {"LAST": BY_LAST, "MARK": BY_MARK, "INDEX": BY_INDEX}
"""The price it looks at."""


def read_choice(what: str, value: object, names: Mapping[str, int]) -> int:
    """The number of a flag from its name in any case, or from the number itself.

    Raises:
        ValueError: it is neither; the names that are allowed are in the message.
    """
    if isinstance(value, str):
        word = value.strip().upper().replace("-", "_").replace(" ", "_")
        if word in names:
            return names[word]
    elif isinstance(value, int) and not isinstance(value, bool) and value in names.values():
        return int(value)
    allowed = ", ".join(f"{name!r}" for name in names)
    raise ValueError(f"{what} {value!r}: allowed are {allowed}")


def name_of(number: int, names: Mapping[str, int]) -> str:
    """The name of a flag in small letters, from its number."""
    return next(name.lower() for name, each in names.items() if each == number)


def read_switch(what: str, value: object) -> bool:
    """A flag that is on or off.

    Raises:
        ValueError: it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise ValueError(f"{what} {value!r}: allowed are True and False")
    return value
