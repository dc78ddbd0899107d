"""Fields of observations and actions: a name, the bounds, and what it means."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Field(NamedTuple):
    """One number of a vector, from ``low`` to ``high``."""

    name: str
    low: float
    high: float
    meaning: str


def space_of(fields: Sequence[Field]) -> Box:
    """The space of vectors of these fields."""
    low = np.array([field.low for field in fields], np.float32)
    high = np.array([field.high for field in fields], np.float32)
    return Box(low, high, dtype=np.float32)


def vector_of(fields: Sequence[Field], values: Mapping[str, float]) -> Vector:
    """The values in the order of the fields, each cut to its bounds."""
    cut = [min(field.high, max(field.low, values[field.name])) for field in fields]
    return np.array(cut, np.float32)


def values_of(fields: Sequence[Field], vector: Vector) -> dict[str, float]:
    """A vector by the names of its fields."""
    return {field.name: float(value) for field, value in zip(fields, vector, strict=True)}


def read_action(fields: Sequence[Field], action: Any) -> dict[str, float]:
    """An action by the names of its fields.

    Raises:
        ValueError: it has another shape, or a number is none or out of its bounds.
    """
    names = ", ".join(field.name for field in fields)
    try:
        numbers = np.asarray(action, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"action {action!r}: must be {len(fields)} numbers: {names}") from None
    if numbers.shape != (len(fields),):
        raise ValueError(f"action of shape {numbers.shape}: must be {len(fields)} numbers: {names}")
    values = dict(zip((field.name for field in fields), numbers.tolist(), strict=True))
    for field in fields:
        if not field.low <= values[field.name] <= field.high:  # neither is NaN
            raise ValueError(
                f"action: {field.name} is {values[field.name]:g}; "
                f"allowed: {field.low:g} to {field.high:g}"
            )
    return values


def read_choices(counts: Mapping[str, int], action: Any) -> list[int]:
    """An action that names one of so many choices for each name, counted from 0.

    Raises:
        ValueError: it has another shape, or there is no such choice.
    """
    names = ", ".join(counts)
    numbers = np.asarray(action)
    if numbers.shape != (len(counts),) or numbers.dtype.kind not in "iu":
        raise ValueError(f"action {action!r}: must be {len(counts)} whole numbers: {names}")
    chosen: list[int] = numbers.tolist()
    for (name, count), choice in zip(counts.items(), chosen, strict=True):
        if not 0 <= choice < count:
            raise ValueError(f"action: {name} is {choice}; allowed: 0 to {count - 1}")
    return chosen
