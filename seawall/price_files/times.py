"""Times of price files: numbers since 1970 in some unit, or dates in UTC.

A number's size says its unit: from 1973 to 5138 no two units share one. Where the unit was told
that way, a number of another unit further down is a mixed file, and is refused.
"""

import calendar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from engine.units import SECOND_NS, parse_decimal
from seawall.scenario_fields import MAX_TIME_NS, shortened

NS_OF: Final[dict[str, int]] = {"s": SECOND_NS, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Nanoseconds of each unit."""

DATE: Final[str] = "date"
"""The unit of times that are written out, such as ``2025-10-10T20:45:00Z``."""

UNITS: Final[tuple[str, ...]] = (*NS_OF, DATE)

WORDS: Final[dict[str, str]] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    DATE: "dates",
}

_LEAST: Final[int] = 10**8
"""The smallest number of seconds that is told from other units: a day in 1973."""
_SPAN: Final[int] = 1_000
_DECIMALS: Final[int] = 9


def unit_by_look(text: str) -> str:
    """The unit of a time, by its size; a text that is no number is a date. Empty: too small a
    number to tell."""
    try:
        number = abs(int(parse_decimal(text.strip(), "time")))
    except ValueError:
        return DATE
    for unit, ns in NS_OF.items():
        least = _LEAST * (SECOND_NS // ns)
        if least <= number < least * _SPAN:
            return unit
    return ""


def utc(time_ns: int) -> str:
    """A time as people write it: ``2025-10-10T20:45:00Z``, with decimals where it has some."""
    seconds, rest = divmod(time_ns, SECOND_NS)
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    digits = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{digits}Z"


class Clock:
    """Reads the times of one column. ``guessed`` if its unit was told by look."""

    def __init__(self, unit: str, *, guessed: bool) -> None:
        self.unit: Final[str] = unit
        self.guessed: Final[bool] = guessed
        self._factor = NS_OF.get(unit, 0)

    def ns(self, text: str) -> int:
        """Nanoseconds since 1970.

        Raises:
            ValueError: it is no time of this unit; the message says what it must be.
        """
        time_ns = self._date_ns(text) if self.unit == DATE else self._number_ns(text)
        if self.guessed and not _LEAST * SECOND_NS <= time_ns <= MAX_TIME_NS:
            self._check_unit(text)
        if not 0 <= time_ns <= MAX_TIME_NS:
            raise ValueError(self._told(text))
        return time_ns

    def _check_unit(self, text: str) -> None:
        found = unit_by_look(text)
        if found not in ("", DATE, self.unit):
            raise ValueError(
                f"{shortened(repr(text), 80)} is in {WORDS[found]}, the rows before are in "
                f"{WORDS[self.unit]}; one file has one unit (time_unit names it)"
            )

    def _number_ns(self, text: str) -> int:
        try:
            return int(text) * self._factor
        except ValueError:
            pass
        try:
            number = parse_decimal(text.strip(), "time")
        except ValueError:
            raise ValueError(self._told(text)) from None
        if self.unit != "s" and number != number.to_integral_value():
            raise ValueError(self._told(text))
        return int(number * Decimal(self._factor))  # cut below a nanosecond

    def _date_ns(self, text: str) -> int:
        """A date that has no zone is in UTC."""
        head, _, tail = text.strip().replace(",", ".").removesuffix(" UTC").partition(".")
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        try:
            moment = datetime.fromisoformat(head + tail[len(digits) :])
            seconds = calendar.timegm(moment.utctimetuple())
        except (ValueError, OverflowError):
            raise ValueError(self._told(text)) from None
        return seconds * SECOND_NS + int(digits[:_DECIMALS].ljust(_DECIMALS, "0"))

    def _told(self, text: str) -> str:
        shown = shortened(repr(text), 80)
        if self.unit == DATE:
            return f"{shown} must be a time such as 2025-10-10T20:45:00Z, to the end of 2261"
        number = "a number" if self.unit == "s" else "a whole number"
        most = MAX_TIME_NS // self._factor
        return f"{shown} must be {number}, 0 or more, to {most} (the end of 2261)"
