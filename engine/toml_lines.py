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
    lines = _places(text)
    while place:
        if place in lines:
            return lines[place]
        place = _enclosing(place)
    return 0


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
