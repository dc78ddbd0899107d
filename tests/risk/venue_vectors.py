"""The venue vectors beside the repository: reading them and comparing a computed answer."""

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SEAWALL_SHARED", REPOSITORY.parent / "shared"))
VECTORS_FILE = SHARED / "reference" / "venue_vectors.json"

Vector = dict[str, Any]
Handler = Callable[[dict[str, Any]], dict[str, Any]]


def all_vectors() -> list[Vector]:
    return json.loads(VECTORS_FILE.read_text()) if VECTORS_FILE.exists() else []


def parameters(keep: Callable[[Vector], bool]) -> list[Any]:
    """One test parameter per kept vector, named after its id and source; one skip without data."""
    chosen = [vector for vector in all_vectors() if keep(vector)]
    if not chosen:
        mark = pytest.mark.skip(reason=f"{VECTORS_FILE} is absent")
        return [pytest.param({}, marks=mark, id="no-vectors")]
    return [pytest.param(v, id=f"{v['id']} [{v['source'][:60]}]") for v in chosen]


THROUGH_THE_ENGINE: set[str] = set()
"""Ids of the vectors that some test puts to the engine itself, not to a formula of its own."""


def engine_parameters(keep: Callable[[Vector], bool]) -> list[Any]:
    """`parameters` of a test that asks the engine: its vectors are counted."""
    THROUGH_THE_ENGINE.update(vector["id"] for vector in all_vectors() if keep(vector))
    return parameters(keep)


def f(value: Any) -> Fraction:
    """A decimal string or int of a vector, exactly."""
    assert isinstance(value, str | int)
    return Fraction(value)


def side_of(inputs: dict[str, Any]) -> int:
    return {"long": 1, "buy": 1, "short": -1, "sell": -1}[inputs["side"]]


def check(vector: Vector, got: dict[str, Any]) -> None:
    """Every expected figure was computed and agrees, within the tolerance the vector names."""
    expected = dict(vector["expected"])
    absolute = f(expected.pop("abs_tol", 0))
    relative = f(expected.pop("rel_tol", 0))
    assert sorted(set(expected) - set(got)) == [], "figures nobody computed"
    for field, value in expected.items():
        _same(value, got[field], absolute, relative, field)


def _same(want: Any, got: Any, absolute: Fraction, relative: Fraction, where: str) -> None:
    if isinstance(want, dict):
        assert list(want) == list(got), where
        for key in want:
            _same(want[key], got[key], absolute, relative, f"{where}.{key}")
    elif isinstance(want, list):
        assert len(want) == len(got), where
        for index, pair in enumerate(zip(want, got, strict=True)):
            _same(*pair, absolute, relative, f"{where}[{index}]")
    elif isinstance(got, Fraction) or (isinstance(got, int) and not isinstance(got, bool)):
        assert want is not None, f"{where}: computed {got}, expected none"
        number = f(want)
        # A figure is printed to so many decimals: without a tolerance half of the last one is it.
        slack = max(absolute, relative * abs(number), _half_of_last_place(want))
        assert abs(got - number) <= slack, f"{where}: computed {float(got)}, expected {want}"
    else:
        assert got == want, where


def _half_of_last_place(printed: Any) -> Fraction:
    """Zero for whole numbers and short decimals, which are exact."""
    if not isinstance(printed, str) or "." not in printed:
        return Fraction(0)
    places = len(printed.split(".")[1])
    return Fraction(1, 2 * 10**places) if places >= 4 else Fraction(0)
