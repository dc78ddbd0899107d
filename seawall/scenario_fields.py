"""Units of a scenario's settings: how values are written, what they become, which are allowed.

Numbers that become money or time keep the digits they were written with and stay exact; figures of
agents may be floats.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, get_origin

from engine.setting_layers import REMOVED
from engine.settings import Reader, SettingFault, Unit
from engine.units import MAX_DIGITS, SECOND_NS, parse_decimal

_DURATION_UNITS: tuple[tuple[str, int], ...] = (
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND_NS),
    ("m", 60 * SECOND_NS),
    ("h", 3_600 * SECOND_NS),
)
_DURATION_HELP = "a whole or decimal number with ns, us, ms, s, m or h, such as '250ms' or '90m'"


MAX_TIME_NS: Final[int] = 9_214_646_400 * SECOND_NS
"""The last time that is taken, the beginning of 2262: what counts nanoseconds since 1970 in 63 bits
ends in April of that year."""


class ScenarioError(ValueError):
    """A scenario, or a file it names, is wrong; the text says where, what and what is allowed.

    ``place`` is the key path of a scenario's own table, ``problem`` what is wrong there; both are
    empty where the mistake is elsewhere.
    """

    def __init__(self, text: str, place: str = "", problem: str = "") -> None:
        super().__init__(text)
        self.place = place
        self.problem = problem


class WrittenFloat(float):
    """A float that remembers the digits it was written with, so it can become an exact decimal."""

    digits: str

    def __new__(cls, text: str) -> "WrittenFloat":
        """From TOML digits, which may hold underscores."""
        value = super().__new__(cls, text)
        value.digits = text.replace("_", "")
        return value

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.digits,)


def shortened(text: str, limit: int = 400) -> str:
    """The text, without its middle where it is too long for a message."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


def duration_ns(value: object) -> int | None:
    """Nanoseconds of a duration such as ``"1.5s"``; None if it is no whole number of them."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    for suffix, factor in _DURATION_UNITS:
        head = text[: -len(suffix)].strip()
        if text.endswith(suffix) and head[-1:].isdigit():
            try:
                total = Fraction(parse_decimal(head, "duration")) * factor
            except ValueError:
                return None
            return int(total) if total.denominator == 1 else None
    return None


def duration_text(time_ns: int) -> str:
    """A duration as scenarios write it, in the largest unit of which it is a whole number."""
    suffix, factor = next(unit for unit in reversed(_DURATION_UNITS) if time_ns % unit[1] == 0)
    return f"{time_ns // factor}{suffix}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Filled(Unit):
    """A text that is not empty."""

    def read(self, value: Any, place: str) -> str:
        """As it is."""
        if not isinstance(value, str) or not value.strip():
            raise SettingFault(place, f"{value!r} must be a text that is not empty")
        return value


class File(Filled):
    """The path of a file."""

    def read(self, value: Any, place: str) -> Any:
        """A path."""
        return Path(super().read(value, place))


class Count(Unit):
    """A whole number in ``low..high``."""

    def __init__(self, low: int = 0, high: int = 10**12) -> None:
        self._low = low
        self._high = high

    def read(self, value: Any, place: str) -> int:
        """As it is."""
        if type(value) is not int or not self._low <= value <= self._high:
            raise SettingFault(
                place, f"{value!r} must be a whole number from {self._low} to {self._high}"
            )
        return value


class Number(Unit):
    """A finite number in ``low..high``."""

    def __init__(self, low: float = 0.0, high: float = 1e12) -> None:
        self._low = low
        self._high = high

    def read(self, value: Any, place: str) -> float:
        """A float."""
        if not _is_number(value) or not self._low <= value <= self._high:
            raise SettingFault(
                place, f"{value!r} must be a number from {self._low:g} to {self._high:g}"
            )
        return float(value)


SHARE: Final[Number] = Number(0.0, 1.0)


class Span(Number):
    """A pair ``[from, to]`` of numbers in ``low..high``, the first not above the second."""

    def read(self, value: Any, place: str) -> Any:
        """Two floats."""
        low, high = self._low, self._high
        if (
            not isinstance(value, list)
            or len(value) != 2
            or not all(map(_is_number, value))
            or not low <= value[0] <= value[1] <= high
        ):
            raise SettingFault(
                place, f"{value!r} must be [from, to] with {low:g} <= from <= to <= {high:g}"
            )
        return float(value[0]), float(value[1])


class Exact(Unit):
    """An exact decimal: the digits as they were written."""

    def read(self, value: Any, place: str) -> Any:
        """The digits, as a string."""
        if isinstance(value, WrittenFloat):
            value = value.digits
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise SettingFault(place, f"{value!r} must be an exact decimal, such as 0.01")
        try:
            parse_decimal(value, place)
        except ValueError:
            problem = f"must be an exact decimal, such as 0.01, of at most {MAX_DIGITS} digits"
            raise SettingFault(place, f"{value!r:.80} {problem}") from None
        return str(value)


class Duration(Unit):
    """A duration such as ``250ms``: a field ``x_ns`` is the key ``x``."""

    def __init__(self, low_ns: int = 0) -> None:
        self._low_ns = low_ns

    def key(self, field: str) -> str:
        """Without the unit, which the value has."""
        return field.removesuffix("_ns")

    def read(self, value: Any, place: str) -> Any:
        """Nanoseconds."""
        time_ns = duration_ns(value)
        if time_ns is None:
            raise SettingFault(place, f"{value!r} must be {_DURATION_HELP}")
        if time_ns < self._low_ns:
            least = duration_text(self._low_ns)
            raise SettingFault(place, f"{value!r} is too short; the least is {least}")
        _check_time(time_ns, value, place)
        return time_ns


A_MILLISECOND: Final[Duration] = Duration(1_000_000)
"""No less than that."""


class DurationSpan(Duration):
    """A pair ``[from, to]`` of durations."""

    def read(self, value: Any, place: str) -> tuple[int, int]:
        """Nanoseconds."""
        pair = [duration_ns(v) for v in value] if isinstance(value, list) else []
        low_ns = self._low_ns
        if len(pair) != 2 or pair[0] is None or pair[1] is None or not low_ns <= pair[0] <= pair[1]:
            least = f" and no less than {low_ns} ns" if low_ns else ""
            raise SettingFault(
                place,
                f"{value!r} must be [from, to], from not after to{least}, each {_DURATION_HELP}",
            )
        _check_time(pair[1], value, place)
        return pair[0], pair[1]


MILLISECONDS: Final[DurationSpan] = DurationSpan(1_000_000)
"""A pair of durations, each of a millisecond or more."""


def _check_time(time_ns: int, value: object, place: str) -> None:
    if time_ns > MAX_TIME_NS:
        raise SettingFault(place, f"{value!r:.80} is too long; the most is {MAX_TIME_NS} ns")


class Instant(Duration):
    """A time in UTC."""

    def read(self, value: Any, place: str) -> int:
        """Nanoseconds since 1970."""
        try:
            start = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise SettingFault(
                place, f"{value!r} must be a UTC time like 2025-10-10T20:45:00Z"
            ) from None
        if start.tzinfo is None or start.utcoffset() != UTC.utcoffset(None):
            raise SettingFault(place, f"{value!r} must be UTC: end it with Z")
        whole = start.replace(microsecond=0)
        return int(whole.timestamp()) * SECOND_NS + start.microsecond * 1_000


class Weights(Unit):
    """A table of non-negative weights by name that do not all vanish; ``allowed`` says what a name
    must be, ``name`` reads it."""

    def __init__(self, allowed: str, name: Callable[[str], Any]) -> None:
        self._allowed = allowed
        self._name = name

    def read(self, value: Any, place: str) -> tuple[tuple[Any, float], ...]:
        """Pairs of name and weight, scaled to sum to one."""
        if not isinstance(value, dict) or not value:
            raise SettingFault(place, f"{value!r} must be a table of weights")
        for name, weight in value.items():
            if not _is_number(weight) or not 0 <= weight < 1e12:
                raise SettingFault(f"{place}.{name}", f"{weight!r} must be a weight of 0 or more")
            if self._name(name) is None:
                raise SettingFault(f"{place}.{name}", f"{name!r} must be {self._allowed}")
        total = sum(value.values())
        if total <= 0:
            raise SettingFault(place, "at least one weight must be above 0")
        return tuple((self._name(name), weight / total) for name, weight in value.items())


class ScenarioReader(Reader):
    """The walk over a scenario's tables."""

    def value(self, kind: Any, value: Any, place: str) -> Any:
        """A value; the word that removes a table has done its work before."""
        if value == REMOVED and not isinstance(kind, type) and get_origin(kind) is not Annotated:
            raise SettingFault(place, "there is no table of that name to remove")
        return super().value(kind, value, place)


def at_least_one(tables: Mapping[str, object], place: str) -> None:
    """Refuse a table of named tables without any.

    Raises:
        SettingFault: there is none.
    """
    if not tables:
        raise SettingFault(place, f"is missing; write at least one [{place}.NAME]")
