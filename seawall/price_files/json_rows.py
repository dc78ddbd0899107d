"""Rows of JSON: a list of lists (ccxt, freqtrade), a list of objects, or an object a line (Tardis).

Numbers stay the digits they were written with.
"""

import json
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Any, Final

from seawall.price_files.rows import MAX_BYTES, Rows, too_long
from seawall.scenario_fields import ScenarioError

_DECODER: Final[json.JSONDecoder] = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=str
)


def json_rows(stream: BufferedReader, where: str) -> Rows:
    """The rows of a JSON file.

    Raises:
        ScenarioError: it is too large, not JSON, or no list of rows.
    """
    raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise too_long(where, MAX_BYTES, "bytes")
    try:
        entries = _entries(raw.decode(json.detect_encoding(raw)).strip())
    except ValueError as error:
        raise ScenarioError(f"{where}: not a readable JSON file: {error}") from None
    except RecursionError:
        raise ScenarioError(f"{where}: not a readable JSON file: nested too deeply") from None
    kind = type(entries[0]) if isinstance(entries, list) and entries else None
    if kind not in (list, dict) or any(type(entry) is not kind for entry in entries):
        raise ScenarioError(
            f"{where}: must be a list of rows: lists such as [time, open, high, low, close], or "
            "objects with the same keys"
        )
    if kind is list:
        return Rows(where, "JSON", "row", [], enumerate(map(_cells, entries), 1))
    names = list(entries[0])
    return Rows(where, "JSON", "row", names, _by_name(entries, names))


def _entries(text: str) -> Any:
    """The value of the text; objects one after the other are a list of them."""
    value, end = _DECODER.raw_decode(text)
    is_last = not text[end:].strip()
    if not isinstance(value, dict):
        if not is_last:
            raise ValueError(f"something stands after its end (character {end + 1})")
        return value
    if is_last:
        return [value]
    return [_DECODER.decode(line) for line in text.splitlines() if line.strip()]


def _by_name(
    entries: list[dict[str, Any]], names: list[str]
) -> Iterator[tuple[int, Sequence[str]]]:
    for number, entry in enumerate(entries, 1):
        yield number, _cells([entry.get(name) for name in names])


def _cells(values: list[Any]) -> list[str]:
    return [_cell(value) for value in values]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
