"""Line numbers of the keys of a TOML text: the parser keeps none, and errors should."""

import re
from typing import Final

_HEADER: Final[re.Pattern[str]] = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY: Final[re.Pattern[str]] = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")


def find_line(text: str, place: str) -> int:
    """The line, from 1, of a place such as ``levels[2].factor``; 0 when there is none.

    Falls back to the nearest enclosing key or table: an entry of an inline list is reported at the
    list, a missing key at its table.
    """
    return _places(text).get(nearest_place(text, place), 0)


def nearest_place(text: str, place: str) -> str:
    """The place itself or the nearest around it that has a line; empty when there is none."""
    lines = _places(text)
    while place and place not in lines:
        place = _enclosing(place)
    return place


def _enclosing(place: str) -> str:
    """The place around one: ``a[2].b`` is in ``a[2]``, that in ``a``, that in nothing."""
    cut = max(place.rfind("."), place.rfind("["))
    return place[: max(0, cut)]


def _places(text: str) -> dict[str, int]:
    """The first line of every table and of every key that starts a line."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        key = _KEY.match(line)
        if header is not None:
            table = _unquoted(header.group(2))
            if header.group(1) == "[[":
                found.setdefault(table, number)
                counts[table] = counts.get(table, 0) + 1
                table = f"{table}[{counts[table]}]"
            found.setdefault(table, number)
        elif key is not None:
            name = _unquoted(key.group(1))
            found.setdefault(f"{table}.{name}" if table else name, number)
    return found


def _unquoted(name: str) -> str:
    return name.replace('"', "").replace("'", "")
