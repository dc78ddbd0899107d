"""Figures as people give them to a market: decimals as text, whole numbers, exact decimals."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.units import to_grid

Amount = str | int | Decimal
"""A figure without rounding. A float is refused: 0.1 as a float is not a tenth."""


def on_grid(figure: Amount, step: Decimal, what: str) -> int:
    """How many whole ``step`` a figure is.

    Raises:
        ValueError: it is no exact decimal (a float says why), or off the grid.
    """
    if isinstance(figure, float):
        raise ValueError(
            f"{what}: {figure!r} is a float, which is not exact; it must be a decimal string or a "
            f"whole number: {str(figure)!r}"
        )
    return to_grid(str(figure) if isinstance(figure, Decimal) else figure, step, what)


def exact_rules(rules: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Rules whose decimals are text: an exact decimal is written out.

    Raises:
        ValueError: one is a float, or they are no table.
    """
    if not isinstance(rules, Mapping):
        raise ValueError(f"{place}: {rules!r} must be a table of the rulebook's keys")
    return {key: _exact(value, f"{place}.{key}") for key, value in rules.items()}


def _exact(value: Any, place: str) -> Any:
    if isinstance(value, float):
        raise ValueError(f"{place}: {value!r} is a float, which is not exact; write {str(value)!r}")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return exact_rules(value, place)
    if isinstance(value, list | tuple):
        return [_exact(inner, f"{place}[{number}]") for number, inner in enumerate(value, 1)]
    return value
