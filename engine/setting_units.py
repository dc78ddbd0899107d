"""Units of settings: how a value is written in a file, what it becomes, and which are allowed.

A field of a struct names its unit once, ``maker_ppb: Annotated[int, Rate(...)]``; the reader of
`engine.settings` does the rest. Money and time are exact: decimals stand in quotes.
"""

from decimal import Decimal
from typing import Any, Final

from engine.settings import SettingFault, Unit, choice
from engine.units import PPB, from_ppb, parse_decimal, to_ns, to_ppb

NONE: Final[str] = "none"
MAX_NUMBER: Final[int] = 10**18
MAX_DECIMALS: Final[int] = 18
"""What lies beyond is refused before any arithmetic: rates are cut at nine decimals with 28 digits
to do it in, and an asset rarely has more decimals than 18."""

MAX_DURATION_NS: Final[int] = 366 * 86_400 * 10**9


def exact_decimal(value: Any, place: str) -> Decimal:
    """A decimal in quotes or a whole number.

    Raises:
        SettingFault: it is none, or larger or finer than any setting.
    """
    if isinstance(value, float):
        raise SettingFault(
            place, f'{value!r} is a float and not exact; write it in quotes: "{value}"'
        )
    try:
        number = parse_decimal(value, place)
    except ValueError as error:
        problem = str(error).removeprefix(f"{place}: ")
        raise SettingFault(
            place, f"{problem}; write a decimal in quotes or a whole number"
        ) from None
    if abs(number) > MAX_NUMBER:
        raise SettingFault(place, f"{value!r} is too large; at most {MAX_NUMBER}")
    if int(number.as_tuple().exponent) < -MAX_DECIMALS:
        raise SettingFault(place, f"{value!r} is too fine; at most {MAX_DECIMALS} decimals")
    return number


def nine_decimals(value: Any, place: str) -> Decimal:
    """An `exact_decimal` that parts per billion can hold.

    Raises:
        SettingFault: it is none.
    """
    number = exact_decimal(value, place)
    if number != round(number, 9):
        raise SettingFault(place, f"{value!r} is too fine; at most nine decimals")
    return number


class Whole(Unit):
    """A whole number from ``lowest`` to ``highest``; ``zero`` is what 0 stands for."""

    def __init__(self, lowest: int, highest: int | None = None, zero: str = "") -> None:
        self.lowest: Final[int] = lowest
        self.highest: Final[int | None] = highest
        self._zero: Final[str] = f" ({zero})" if zero else ""

    def read(self, value: Any, place: str) -> int:
        """As it is."""
        if type(value) is not int:
            raise SettingFault(place, f"{value!r:.80} must be a whole number")
        return value

    def check(self, value: Any, place: str) -> None:
        """Within the range."""
        if self.highest is None and value < self.lowest:
            raise SettingFault(place, f"is {value}; it must be at least {self.lowest}{self._zero}")
        if self.highest is not None and not self.lowest <= value <= self.highest:
            allowed = f"{self.lowest}{self._zero} to {self.highest}"
            raise SettingFault(place, f"{value} is out of range; allowed are {allowed}")


class Text(Unit):
    """A string that stays as it is."""

    def read(self, value: Any, place: str) -> str:
        """As it is."""
        if not isinstance(value, str):
            raise SettingFault(place, f"{value!r:.80} must be a string")
        return value


class OneOf(Text):
    """One of these words."""

    def __init__(self, *words: str) -> None:
        self.words: Final[tuple[str, ...]] = words

    def check(self, value: Any, place: str) -> None:
        """A word of the list."""
        choice(place, value, self.words)


class Rate(Unit):
    """A share of at most nine decimals, from ``lowest_ppb`` to ``highest_ppb``: a field ``x_ppb``
    is the key ``x``."""

    def __init__(self, lowest_ppb: int, highest_ppb: int) -> None:
        self._lowest_ppb: Final[int] = lowest_ppb
        self._highest_ppb: Final[int] = highest_ppb

    def key(self, field: str) -> str:
        """Without the unit."""
        return field.removesuffix("_ppb")

    def read(self, value: Any, place: str) -> int:
        """Parts per billion."""
        return to_ppb(str(nine_decimals(value, place)), place)

    def check(self, value: Any, place: str) -> None:
        """Within the range."""
        if not self._lowest_ppb <= value <= self._highest_ppb:
            allowed = f"{from_ppb(self._lowest_ppb)} to {from_ppb(self._highest_ppb)}"
            raise SettingFault(place, f"{from_ppb(value)} is out of range; allowed are {allowed}")


class Seconds(Unit):
    """Seconds of at most nine decimals, from ``lowest_ns`` to a year; with ``never`` also the word
    none, which is -1. A field ``x_ns`` is the key ``x_s``."""

    def __init__(self, lowest_ns: int = 0, *, never: bool = False) -> None:
        self._lowest_ns: Final[int] = lowest_ns
        self._never: Final[bool] = never

    def key(self, field: str) -> str:
        """With the unit of the file."""
        return f"{field.removesuffix('_ns')}_s"

    def read(self, value: Any, place: str) -> int:
        """Nanoseconds."""
        if self._never and value == NONE:
            return -1
        time_ns = to_ns(str(nine_decimals(value, place)), place)
        if self._never and time_ns < 0:
            raise SettingFault(place, f"{value!r} is negative; give seconds or {NONE!r}")
        return time_ns

    def check(self, value: Any, place: str) -> None:
        """Within the range."""
        if self._never and value == -1:
            return
        if not self._lowest_ns <= value <= MAX_DURATION_NS:
            allowed = f"{from_ppb(self._lowest_ns)} to {from_ppb(MAX_DURATION_NS)}"
            raise SettingFault(
                place, f"{from_ppb(value)} seconds is out of range; allowed are {allowed}"
            )


class PositiveDecimal(Text):
    """A decimal above 0 in quotes, of at most nine decimals, that stays the text it is."""

    def check(self, value: Any, place: str) -> None:
        """Positive."""
        try:
            value_ppb = to_ppb(value, place)
        except ValueError as error:
            raise SettingFault(place, str(error).removeprefix(f"{place}: ")) from None
        if value_ppb < 1:
            raise SettingFault(place, f"is {value}; it must be positive")


class SourceWeights(Unit):
    """A table of whole weights by source id."""

    def read(self, value: Any, place: str) -> list[tuple[int, int]]:
        """Source and weight, sorted."""
        if not isinstance(value, dict):
            raise SettingFault(place, f"{value!r} must be a table")
        for source, weight in value.items():
            if not source.isdecimal():
                raise SettingFault(place, f"source {source!r} must be a whole number in quotes")
            if type(weight) is not int:
                raise SettingFault(
                    place, f"weight {weight!r} of source {source} must be a whole number"
                )
        return sorted((int(source), weight) for source, weight in value.items())

    def check(self, value: Any, place: str) -> None:
        """Ids are no less than 0 and differ, weights are positive."""
        for source, weight in value:
            if source < 0 or weight < 1:
                raise SettingFault(
                    place,
                    f"source {source} with weight {weight} is not allowed; source ids are 0 or "
                    "more, weights 1 or more",
                )
        if len(dict(value)) != len(value):
            raise SettingFault(place, "a source is given twice; ids must differ")


BELOW_ONE: Final[int] = PPB - 1
"""The highest rate below 1."""
