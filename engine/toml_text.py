"""TOML as people and their programs write it, for every file of settings.

A byte order mark means nothing. A date or time without quotes is taken as the text it was written
as. What no reader of settings can use, such as a thousand tables inside one another, is refused
like any other mistake.
"""

import tomllib
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, Final

MAX_DEPTH: Final[int] = 32
"""Tables and lists inside one another."""

MAX_TOML_BYTES: Final[int] = 4_000_000
"""The longest text taken: beyond, a mistake in the file's name is the likely reason."""

BYTE_ORDER_MARK: Final[str] = "\ufeff"


class TomlError(ValueError):
    """A text that is not TOML, or none that can be settings; the message says why and where."""


def parse_toml(text: str, parse_float: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """The tables of a TOML text; ``parse_float`` makes a number of the digits of a float.

    Raises:
        TomlError: it is not TOML, too long, nested too deeply, or has a number without end.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    if len(text) > MAX_TOML_BYTES:
        raise TomlError(f"longer than {MAX_TOML_BYTES:,} characters")
    try:
        if parse_float is None:
            tables = tomllib.loads(text)
        else:
            tables = tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(str(error)) from None
    except RecursionError:
        raise TomlError(f"nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise TomlError(str(error)) from None
    if _too_deep(tables):
        raise TomlError(f"nested more than {MAX_DEPTH} deep")
    result: dict[str, Any] = _with_texts(tables)
    return result


def _too_deep(value: object) -> bool:
    """Whether containers lie deeper than allowed; without recursion, as they may lie very deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[object] = []
        for container in level:
            if isinstance(container, dict):
                inner.extend(container.values())
            elif isinstance(container, list):
                inner.extend(container)
        if not inner:
            return False
        level = inner
    return True


def _with_texts(value: Any) -> Any:
    """The value with every date and time as its text; UTC ends in Z."""
    if isinstance(value, dict):
        return {key: _with_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_texts(inner) for inner in value]
    if isinstance(value, date | datetime | time):
        text = value.isoformat()
        return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
    return value
