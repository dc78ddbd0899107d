"""Reading a table of a scenario field by field, so that every mistake is named.

A `Fields` knows the file and the dotted path of its table. Each reader checks one value; `close`
refuses keys that were not read. Numbers that become money or time keep the digits they were written
with and stay exact; figures of agents may be floats.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from engine.settings import NAMES, told, unknown
from engine.units import MAX_DIGITS, SECOND_NS, parse_decimal
from seawall.scenario_merge import REMOVED

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


def nearest(word: str, allowed: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the closest allowed word, or nothing."""
    match = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f" (did you mean {match[0]!r}?)" if match else ""


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


class Fields:
    """One table of a scenario, with its place for messages."""

    __slots__ = ("_seen", "_table", "file", "path")

    def __init__(self, table: Mapping[str, object], file: str, path: str = "") -> None:
        self.file = file
        self.path = path
        self._table = table
        self._seen: dict[str, None] = {}

    def where(self, key: str = "") -> str:
        """The dotted path of a key of this table."""
        return ".".join(part for part in (self.path, key) if part)

    def fail(self, key: str, problem: str) -> ScenarioError:
        """The error to raise about a key."""
        place = self.where(key)
        problem = shortened(problem)
        return ScenarioError(told(self.file, "", place, problem), place, problem)

    def has(self, key: str) -> bool:
        """Whether the table holds the key."""
        return key in self._table

    def keys(self) -> list[str]:
        """The keys of the table in file order."""
        return list(self._table)

    def raw(self, key: str) -> object:
        """The value as it stands in the file, None when absent; counts as read."""
        self._seen[key] = None
        return self._table.get(key)

    def _value(self, key: str, default: object) -> object:
        value = self.raw(key)
        if value is None:
            if default is None:
                raise self.fail(key, "is missing and has no default")
            return default
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string that is not empty."""
        value = self._value(key, default)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.fail(key, f"{value!r} must be a text that is not empty")
        return value

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of the allowed words."""
        value = self._value(key, default)
        if not isinstance(value, str) or value not in allowed:
            raise self.fail(key, f"{value!r} {unknown(str(value), allowed)}")
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, f"{value!r} must be {NAMES[bool]}")
        return value

    def integer(
        self, key: str, default: int | None = None, *, low: int = 0, high: int = 10**12
    ) -> int:
        """A whole number in ``low..high``."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fail(key, f"{value!r} must be a whole number from {low} to {high}")
        return value

    def number(
        self, key: str, default: float | None = None, *, low: float = 0.0, high: float = 1e12
    ) -> float:
        """A finite number in ``low..high``."""
        value = self._value(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise self.fail(key, f"{value!r} must be a number from {low:g} to {high:g}")
        return float(value)

    def share(self, key: str, default: float | None = None) -> float:
        """A share between 0 and 1."""
        return self.number(key, default, low=0.0, high=1.0)

    def span(
        self, key: str, default: tuple[float, float], *, low: float = 0.0, high: float = 1e12
    ) -> tuple[float, float]:
        """A pair ``[from, to]`` of numbers in ``low..high``, the first not above the second."""
        value = self._value(key, list(default))
        if (
            not isinstance(value, list)
            or len(value) != 2
            or any(isinstance(v, bool) or not isinstance(v, int | float) for v in value)
            or not low <= value[0] <= value[1] <= high
        ):
            raise self.fail(
                key, f"{value!r} must be [from, to] with {low:g} <= from <= to <= {high:g}"
            )
        return float(value[0]), float(value[1])

    def decimal(self, key: str, default: str | None = None) -> str:
        """An exact decimal: the digits as they were written, returned as a string."""
        value = self._value(key, default)
        if isinstance(value, WrittenFloat):
            value = value.digits
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.fail(key, f"{value!r} must be an exact decimal, such as 0.01")
        try:
            parse_decimal(value, key)
        except ValueError:
            problem = f"must be an exact decimal, such as 0.01, of at most {MAX_DIGITS} digits"
            raise self.fail(key, f"{value!r:.80} {problem}") from None
        return str(value)

    def duration(self, key: str, default: str | None = None, *, low_ns: int = 0) -> int:
        """A duration in nanoseconds."""
        value = self._value(key, default)
        result = duration_ns(value)
        if result is None:
            raise self.fail(key, f"{value!r} must be {_DURATION_HELP}")
        if result < low_ns:
            raise self.fail(key, f"{value!r} is too short; the least is {low_ns} ns")
        if result > MAX_TIME_NS:
            raise self.fail(key, f"{value!r:.80} is too long; the most is {MAX_TIME_NS} ns")
        return result

    def duration_span(self, key: str, default: tuple[str, str]) -> tuple[int, int]:
        """A pair ``[from, to]`` of durations in nanoseconds."""
        value = self._value(key, list(default))
        pair = [duration_ns(v) for v in value] if isinstance(value, list) else []
        if len(pair) != 2 or pair[0] is None or pair[1] is None or not 0 <= pair[0] <= pair[1]:
            raise self.fail(
                key, f"{value!r} must be [from, to], from not after to, each {_DURATION_HELP}"
            )
        if pair[1] > MAX_TIME_NS:
            raise self.fail(key, f"{value!r:.80} is too long; the most is {MAX_TIME_NS} ns")
        return pair[0], pair[1]

    def texts(self, key: str) -> list[str]:
        """A list of strings; empty when absent."""
        value = self._value(key, [])
        if not isinstance(value, list) or any(not isinstance(v, str) for v in value):
            raise self.fail(key, f"{value!r} must be a list of texts")
        return list(value)

    def weights(self, key: str, default: Mapping[str, float]) -> dict[str, float]:
        """A table of non-negative weights that do not all vanish, scaled to sum to one."""
        value = self._value(key, dict(default))
        if not isinstance(value, dict) or not value:
            raise self.fail(key, f"{value!r} must be a table of weights")
        for name, weight in value.items():
            if (
                isinstance(weight, bool)
                or not isinstance(weight, int | float)
                or not 0 <= weight < 1e12
            ):
                raise self.fail(f"{key}.{name}", f"{weight!r} must be a weight of 0 or more")
        total = sum(value.values())
        if total <= 0:
            raise self.fail(key, "at least one weight must be above 0")
        return {name: weight / total for name, weight in value.items()}

    def table(self, key: str) -> "Fields":
        """A sub-table; an empty one when absent."""
        value = self._value(key, {})
        if value == REMOVED:
            raise self.fail(key, "there is no table of that name to remove")
        if not isinstance(value, dict):
            raise self.fail(key, f"{value!r} must be a table")
        return Fields(value, self.file, self.where(key))

    def tables(self, key: str, *, required: bool = False) -> dict[str, "Fields"]:
        """A table of named sub-tables, in file order."""
        outer = self.table(key)
        result = {name: outer.table(name) for name in outer.keys()}  # noqa: SIM118
        if required and not result:
            raise self.fail(key, f"is missing; write at least one [{self.where(key)}.NAME]")
        return result

    def close(self, extra: Sequence[str] = ()) -> None:
        """Refuse every key that was not read.

        Raises:
            ScenarioError: names the key, the nearest allowed one and all that are allowed.
        """
        allowed = [*self._seen, *extra]
        for key in self._table:
            if key not in self._seen:
                raise self.fail(key, unknown(key, sorted(allowed)))
