"""What every file of settings shares: how a table is read and how a mistake is told.

A mistake has a place (a key path such as ``levels[2].factor``), the line of the file where it is
known, the value, and what is allowed; for a wrong word also the nearest right one. Scenarios,
rulebooks and the settings of the services all speak this way.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, get_args, get_origin

import msgspec

from engine.toml_lines import find_line

NAMES: Final[dict[type, str]] = {str: "a string", bool: "true or false", int: "a whole number"}
"""What a value of a type is called."""


class SettingFault(ValueError):
    """A setting is wrong at a place."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


def unknown(word: str, allowed: Iterable[str]) -> str:
    """What to say of a word that is not allowed: the nearest one that is, and all of them."""
    names = list(allowed)
    near = get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"is unknown; {hint}allowed are {', '.join(names)}"


def told(file: str, text: str, place: str, problem: str) -> str:
    """The whole message: the file, the place with its line in ``text``, and what is wrong."""
    line = find_line(text, place)
    where = f"{place} (line {line})" if line else place
    return f"{file}: {where}: {problem}" if where else f"{file}: {problem}"


def inner_place(place: str, key: str) -> str:
    """The place of a key of the table at ``place``."""
    return f"{place}.{key}" if place else key


def table_at(value: Any, place: str) -> dict[str, Any]:
    """A value that must be a table.

    Raises:
        SettingFault: it is not.
    """
    if not isinstance(value, dict):
        raise SettingFault(place, f"{value!r} must be a table")
    return value


def refuse_unknown(table: dict[str, Any], allowed: list[str], place: str) -> None:
    """Refuse a key that is not in the list.

    Raises:
        SettingFault: the first such key.
    """
    for key in table:
        if key not in allowed:
            raise SettingFault(inner_place(place, key), unknown(key, allowed))


def choice(place: str, value: str, allowed: Iterable[str]) -> None:
    """Refuse a word that is not in the list.

    Raises:
        SettingFault: it is not.
    """
    if value not in allowed:
        raise SettingFault(place, f"{value!r} {unknown(value, allowed)}")


def within(place: str, value: int, lowest: int, highest: int) -> None:
    """Refuse a whole number out of range.

    Raises:
        SettingFault: it is.
    """
    if not lowest <= value <= highest:
        raise SettingFault(place, f"{value} is out of range; allowed are {lowest} to {highest}")


def check_type(value: Any, kind: Any, place: str) -> None:
    """Refuse a value that is not of a type: a struct for a table, a list, a mapping or plain.

    Raises:
        SettingFault: a key is unknown or missing, or a value of another type, at any depth.
    """
    origin = get_origin(kind)
    if origin is list:
        if not isinstance(value, list):
            raise SettingFault(place, f"{value!r} must be a list")
        for number, entry in enumerate(value, 1):
            check_type(entry, get_args(kind)[0], f"{place}[{number}]")
    elif origin is dict:
        for key, entry in table_at(value, place).items():
            check_type(entry, get_args(kind)[1], inner_place(place, key))
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        table = table_at(value, place)
        fields = msgspec.structs.fields(kind)
        refuse_unknown(table, [field.name for field in fields], place)
        for field in fields:
            if field.name in table:
                check_type(table[field.name], field.type, inner_place(place, field.name))
        for field in fields:
            if field.required and field.name not in table:
                raise SettingFault(inner_place(place, field.name), "is missing; it must be given")
    elif kind in NAMES and type(value) is not kind:
        # Amounts and prices are exact decimals; a TOML number with a point is not.
        number = kind is str and not isinstance(value, str | bool | list | dict)
        advice = "; write decimals in quotes" if number else ""
        raise SettingFault(place, f"{value!r:.80} must be {NAMES[kind]}{advice}")
