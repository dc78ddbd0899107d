"""Mechanisms a rulebook chooses by name: margin models, close policies, rankings, marks and so on.

Each is one file in the folder of its kind. The file registers an object that says all there is to
know: the name, the figures it asks for, its checks and what it builds or computes. Readers and
engines ask the registry and know no name. ``docs/mechanisms.md`` shows how to add one.
"""

from decimal import Decimal
from importlib import import_module
from pkgutil import iter_modules
from typing import Final, Generic, TypeVar

from engine.native import mypyc_attr
from engine.settings import SettingFault, unknown
from engine.units import from_ppb, to_ns, to_ppb

RATE: Final[str] = "rate"
DURATION: Final[str] = "duration"
COUNT: Final[str] = "count"
SIZE: Final[str] = "size"
AMOUNT: Final[str] = "amount"
"""Units of figures. A rate ``x`` becomes ``x_ppb``, a duration ``x_s`` (seconds) ``x_ns``, a count
stays a whole number; a size ``x_size`` (of the contract) becomes ``x_lots`` and an amount ``x`` (of
the settlement asset) ``x_q``, which only a margin table can do: it knows the contract."""

_INSIDE: Final[dict[str, tuple[str, str]]] = {
    RATE: ("", "_ppb"),
    DURATION: ("_s", "_ns"),
    COUNT: ("", ""),
    SIZE: ("_size", "_lots"),
    AMOUNT: ("", "_q"),
}


class Figure:
    """A figure a mechanism asks for: a key of its table, a decimal there and an integer inside.

    Bounds and default are decimals as they are written. ``least`` and ``most`` are allowed,
    ``above`` and ``below`` are not. Without a default the figure must be given. A margin table
    gives every figure; there a default, of a size in lots, is for specifications in messages.
    """

    __slots__ = ("_above", "_below", "_least", "_most", "default", "field", "key", "unit")

    def __init__(
        self,
        key: str,
        unit: str,
        *,
        least: str = "",
        most: str = "",
        above: str = "",
        below: str = "",
        default: str = "",
    ) -> None:
        outside, inside = _INSIDE[unit]
        self.key: Final[str] = key
        self.unit: Final[str] = unit
        self.field: Final[str] = key.removesuffix(outside) + inside
        self.default: Final[str] = default
        self._least: Final[str] = least
        self._most: Final[str] = most
        self._above: Final[str] = above
        self._below: Final[str] = below

    def allowed(self) -> str:
        """The range in words, such as ``above 0, below 1``."""
        if self._least and self._most:
            return f"{self._least} to {self._most}"
        words = []
        if self._above:
            words.append(f"above {self._above}")
        if self._least:
            words.append(f"{self._least} or more")
        if self._below:
            words.append(f"below {self._below}")
        if self._most:
            words.append(f"at most {self._most}")
        return ", ".join(words)

    def check(self, place: str, value: Decimal) -> None:
        """Refuse a value outside the range.

        Raises:
            SettingFault: with the value and what is allowed.
        """
        if (
            (self._least and value < Decimal(self._least))
            or (self._most and value > Decimal(self._most))
            or (self._above and value <= Decimal(self._above))
            or (self._below and value >= Decimal(self._below))
        ):
            raise SettingFault(place, f"{value:f} is out of range; allowed is {self.allowed()}")

    def inside(self, value: Decimal) -> int:
        """A rate, duration, count or number of lots as the engine's integer; exact."""
        if self.unit == RATE:
            return to_ppb(str(value), self.key)
        if self.unit == DURATION:
            return to_ns(str(value), self.key)
        return int(value)

    def outside(self, value: int) -> Decimal:
        """The inverse of `inside`."""
        return Decimal(from_ppb(value) if self.unit in (RATE, DURATION) else value)


@mypyc_attr(allow_interpreted_subclasses=True)
class Mechanism:
    """What all mechanisms have: a name, figures, and the words a rulebook is told in.

    The words end the sentence of the key that chooses the mechanism (`seawall.rulebook_words`);
    without any it ends in the name.
    """

    __slots__ = ("figures", "name", "words")

    def __init__(self, name: str, figures: tuple[Figure, ...] = (), words: str = "") -> None:
        self.name: Final[str] = name
        self.figures: Final[tuple[Figure, ...]] = figures
        self.words: Final[str] = words or name

    def values(self, params: list[tuple[str, int]]) -> list[int]:
        """The figures in the order they are declared, from parameters by inside name; parameters
        of other mechanisms of the same table are passed over.

        Raises:
            ValueError: one is missing that has no default.
        """
        given = dict(params)
        values: list[int] = []
        for figure in self.figures:
            value = given.get(figure.field)
            if value is None:
                if not figure.default:
                    raise ValueError(
                        f"{self.name!r}: parameter {figure.field!r} is missing; required are "
                        f"{', '.join(each.field for each in self.figures)}"
                    )
                value = figure.inside(Decimal(figure.default))
            values.append(value)
        return values

    def check_values(self, place: str, params: list[tuple[str, int]]) -> None:
        """Refuse figures that are missing or out of range; ``place`` is their table.

        Raises:
            SettingFault: the first that is.
        """
        try:
            values = self.values(params)
        except ValueError as error:
            raise SettingFault(place, str(error)) from None
        for figure, value in zip(self.figures, values, strict=True):
            figure.check(f"{place}.{figure.key}", figure.outside(value))


def check_names(owner: str, params: list[tuple[str, int]], allowed: list[str]) -> None:
    """Refuse unknown parameters, and those given twice.

    Raises:
        ValueError: the first of them.
    """
    seen: list[str] = []
    for name, _ in params:
        if name not in allowed:
            names = ", ".join(allowed) or "none"
            raise ValueError(f"{owner}: parameter {name!r} is unknown; allowed are {names}")
        if name in seen:
            raise ValueError(f"{owner}: parameter {name!r} is given twice")
        seen.append(name)


AnyMechanism = TypeVar("AnyMechanism", bound=Mechanism)


class Registry(Generic[AnyMechanism]):
    """The mechanisms of one kind, by name: what the files of a folder have registered.

    ``place`` is the key of a rulebook that chooses one of them. The folder is read when it is
    first asked, so that its files may import the modules that ask.
    """

    __slots__ = ("_found", "_package", "_read", "place")

    def __init__(self, place: str, package: str) -> None:
        self.place: Final[str] = place
        self._package = package
        self._found: dict[str, AnyMechanism] = {}
        self._read = False

    def add(self, mechanism: AnyMechanism) -> None:
        """Make a mechanism known.

        Raises:
            ValueError: there is one of that name already.
        """
        if mechanism.name in self._found:
            raise ValueError(f"{self.place}: {mechanism.name!r} is registered twice")
        self._found[mechanism.name] = mechanism

    def names(self) -> list[str]:
        """All names, sorted."""
        self._read_folder()
        return sorted(self._found)

    def get(self, name: str) -> AnyMechanism:
        """The mechanism of this name.

        Raises:
            SettingFault: there is none.
        """
        self._read_folder()
        found = self._found.get(name)
        if found is None:
            raise SettingFault(self.place, f"{name!r} {unknown(name, self.names())}")
        return found

    def _read_folder(self) -> None:
        if self._read:
            return
        package = import_module(self._package)
        for module in sorted(found.name for found in iter_modules(package.__path__)):
            import_module(f"{self._package}.{module}")
        self._read = True
