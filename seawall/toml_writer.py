"""Tables written as TOML again: what a run was made of, to be read by people and run once more."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from seawall.scenario_fields import WrittenFloat

_BARE: Final[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(table: Mapping[str, Any]) -> str:
    """The TOML of a table of tables, lists, texts, numbers and flags; the order of keys stays.

    Raises:
        TypeError: TOML has no form for a value.
    """
    return "\n".join(_lines(table, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if place and (values or not tables):
        yield ""
        yield f"[{'.'.join(map(_key, place))}]"
    for key, value in values.items():
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            yield f"{_key(key)} = ["
            yield from (f"  {toml_value(row)}," for row in value)
            yield "]"
        else:
            yield f"{_key(key)} = {toml_value(value)}"
    for key, value in tables.items():
        yield from _lines(value, (*place, key))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(value: Any) -> str:
    """The TOML of one value.

    Raises:
        TypeError: TOML has no form for it.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, WrittenFloat):
        return value.digits
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {toml_value(part)}" for key, part in value.items())
        return "{ " + inner + " }" if inner else "{}"
    raise TypeError(f"{value!r} has no form in TOML")
