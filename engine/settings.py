"""What every file of settings shares: how a table is read and how a mistake is told.

A mistake has a place (a key path such as ``levels[2].factor``), the line of the file where it is
known, the value, and what is allowed; for a wrong word also the nearest right one. Scenarios,
rulebooks and the settings of the services all speak this way.
"""

import builtins
import types
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_origin

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
    return f"is unknown; {nearest(word, names)}allowed are {', '.join(names)}"


def nearest(word: str, names: list[str]) -> str:
    """The question whether the name most like the word was meant; empty when none is like it."""
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]!r}? " if near else ""


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


def choice(place: str, value: Any, allowed: Iterable[str]) -> None:
    """Refuse a word that is not in the list.

    Raises:
        SettingFault: it is not.
    """
    if not isinstance(value, str) or value not in allowed:
        raise SettingFault(place, f"{value!r:.80} {unknown(str(value), allowed)}")


class Unit:
    """How a setting is written and which are allowed; `engine.setting_units` has those there are.

    A field of a struct names its unit in its type: ``Annotated[int, Whole(1)]``.
    """

    def key(self, field: str) -> str:
        """The key that stands for a field of this unit; empty: it has none of its own."""
        return field

    def read(self, value: Any, place: str) -> Any:
        """What a value of the file becomes.

        Raises:
            SettingFault: it is not written as it has to be.
        """
        raise NotImplementedError

    def check(self, value: Any, place: str) -> None:
        """Refuse what was read, or came in a message, where it is out of range.

        Raises:
            SettingFault: it is.
        """


class Key:
    """The key of a field, where neither its name nor its unit says it; empty: it has none."""

    def __init__(self, key: str) -> None:
        self.key: Final[str] = key


NO_KEY: Final[Key] = Key("")
"""Of a field no file gives."""


class Field(msgspec.Struct, frozen=True):
    """A field of a struct of settings: name inside, key in the file, type."""

    name: str
    key: str
    kind: Any
    required: bool


@cache
def fields_of(kind: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The fields that have a key, in the order they are declared."""
    found = []
    for field in msgspec.structs.fields(kind):
        named = [each.key for each in getattr(field.type, "__metadata__", ()) if type(each) is Key]
        unit = unit_of(field.type)
        key = named[0] if named else unit.key(field.name) if unit is not None else field.name
        if key:
            found.append(Field(field.name, key, field.type, field.required))
    return tuple(found)


def unit_of(kind: Any) -> Unit | None:
    """The unit a type names."""
    metadata = getattr(kind, "__metadata__", ())
    return next((each for each in metadata if isinstance(each, Unit)), None)


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


class Reader:
    """The walk from the tables of a file to structs; every mistake has its place."""

    def keys_beside(
        self, kind: type[msgspec.Struct], table: dict[str, Any], place: str
    ) -> list[str]:
        """Keys a table may have beside those of its fields."""
        return []

    def fields_beside(
        self, kind: type[msgspec.Struct], table: dict[str, Any], place: str
    ) -> dict[str, Any]:
        """Fields made of the keys beside."""
        return {}

    def struct(self, kind: type[AnyStruct], table: dict[str, Any], place: str = "") -> AnyStruct:
        """A table as a struct.

        Raises:
            SettingFault: a key is unknown or missing, or a value is wrong, at any depth.
        """
        fields = fields_of(kind)
        tag = kind.__struct_config__.tag_field
        keys = ([tag] if tag else []) + [field.key for field in fields]
        refuse_unknown(table, keys + self.keys_beside(kind, table, place), place)
        values = self.fields_beside(kind, table, place)
        for field in fields:
            inner = inner_place(place, field.key)
            if field.key in table:
                values[field.name] = self.value(field.kind, table[field.key], inner)
            elif field.required:
                raise SettingFault(inner, "is missing; it must be given")
        return kind(**values)

    def value(self, kind: Any, value: Any, place: str) -> Any:
        """A value of a type: with a unit, a struct for a table, a list, a mapping or plain.

        Raises:
            SettingFault: it is wrong, at any depth.
        """
        unit = unit_of(kind)
        if unit is not None:
            inside = unit.read(value, place)
            unit.check(inside, place)
            return inside
        match get_origin(kind):
            case _ if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                return self.struct(kind, table_at(value, place), place)
            case builtins.list:
                if not isinstance(value, list):
                    raise SettingFault(place, f"{value!r} must be a list")
                entry = get_args(kind)[0]
                places = [f"{place}[{number}]" for number in range(1, len(value) + 1)]
                return [self.value(entry, *each) for each in zip(value, places, strict=True)]
            case builtins.dict:
                entry, table = get_args(kind)[1], table_at(value, place)
                return {k: self.value(entry, v, inner_place(place, k)) for k, v in table.items()}
            case types.UnionType:
                return self._one_of(get_args(kind), value, place)
        if kind is Any:
            return value
        if type(value) is not kind:
            # Amounts and prices are exact decimals; a TOML number with a point is not.
            number = kind is str and not isinstance(value, str | bool | list | dict)
            advice = "; write decimals in quotes" if number else ""
            raise SettingFault(place, f"{value!r:.80} must be {NAMES[kind]}{advice}")
        return value

    def _one_of(self, kinds: tuple[Any, ...], value: Any, place: str) -> Any:
        """A table whose tag says its kind; or a type or None, which no file can say."""
        if len(kinds) == 2 and kinds[1] is type(None):
            return self.value(kinds[0], value, place)
        by_tag = {kind.__struct_config__.tag: kind for kind in kinds}
        table = table_at(value, place)
        tag = kinds[0].__struct_config__.tag_field
        inner = inner_place(place, tag)
        if tag not in table:
            raise SettingFault(inner, f"is missing; allowed are {', '.join(by_tag)}")
        choice(inner, table[tag], by_tag)
        return self.struct(by_tag[table[tag]], table, place)


def check_struct(settings: msgspec.Struct, place: str = "") -> None:
    """Refuse values out of the range of their unit, wherever the struct comes from.

    Raises:
        SettingFault: the first of them.
    """
    for field in fields_of(type(settings)):
        _check_value(field.kind, getattr(settings, field.name), inner_place(place, field.key))


def _check_value(kind: Any, value: Any, place: str) -> None:
    unit = unit_of(kind)
    if unit is not None:
        unit.check(value, place)
    elif isinstance(value, msgspec.Struct):
        check_struct(value, place)
    elif get_origin(kind) is list:
        for number, entry in enumerate(value, 1):
            _check_value(get_args(kind)[0], entry, f"{place}[{number}]")
