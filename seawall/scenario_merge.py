"""Laying one table of settings over another: what an override and ``extends`` do.

Tables merge key by key, everything else is replaced. Three kinds of table are one value and are
replaced whole: a table of weights; a table whose shape goes by a key (a source's ``kind``, a margin
``model``) when that key changes; and a table that says ``replace = true``. The word ``"none"`` in
the place of a table removes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Table = dict[str, object]
Place = tuple[str, ...]

REMOVED: Final[str] = "none"
"""In the place of a table: there is no such table."""

REPLACE: Final[str] = "replace"
"""Set to true in a table: nothing of what lies below it stays."""

RULES: Final[str] = "rulebook_overrides"
"""Where a scenario keeps what it lays over its rulebook."""

_WEIGHTS: Final[tuple[Place, ...]] = (
    ("population", "*", "leverage"),
    ("population", "*", "on_call"),
    (RULES, "index", "weights"),
    ("index", "*", "sources", "*", "columns"),
    ("asset_prices", "*", "sources", "*", "columns"),
)
"""Tables of weights: with a weight of the table below left in, the shares would be others. And the
columns of a file, which go together."""

_SHAPED: Final[tuple[tuple[Place, str, Place], ...]] = (
    (("index", "*", "sources", "*"), "kind", ()),
    (("asset_prices", "*", "sources", "*"), "kind", ()),
    (("population", "*", "wealth"), "kind", ()),
    (("agents", "*"), "kind", ()),
    ((RULES, "margin"), "model", ("symbols",)),
    ((RULES, "margin", "symbols", "*"), "model", ()),
)
"""Tables whose keys go by one of them, that key, and what stays all the same."""

_NAMED: Final[tuple[Place, ...]] = (
    ("assets", "*"),
    ("instruments", "*"),
    ("index", "*"),
    ("index", "*", "sources", "*"),
    ("asset_prices", "*"),
    ("asset_prices", "*", "sources", "*"),
    ("population", "*"),
    ("agents", "*"),
)
"""Tables that have a name of the scenario's own."""


class MergeError(ValueError):
    """A table cannot be laid over another; the message names the place."""


def merge(base: Mapping[str, object], over: Mapping[str, object], place: Place = ()) -> Table:
    """``base`` with ``over`` laid on top; ``place`` is where both lie in a scenario.

    Raises:
        MergeError: ``over`` removes a table that is not there, or has an empty one over one that is
            not empty, which would change nothing.
    """
    result: Table = dict(base)
    for key, value in over.items():
        inner = (*place, key)
        old = result.get(key)
        if value == REMOVED and isinstance(old, dict):
            del result[key]
        elif value == REMOVED and old is None and _fits_any(inner, _NAMED):
            there = ", ".join(base) or "nothing"
            raise MergeError(f"{'.'.join(inner)}: nothing of that name to remove; there: {there}")
        elif value == {} and isinstance(old, dict) and old:
            raise MergeError(
                f"{'.'.join(inner)}: an empty table changes nothing; "
                f'"{REMOVED}" in its place removes it, {REPLACE} = true in it starts it anew'
            )
        elif isinstance(value, dict):
            kept = kept_of(old, value, inner) if isinstance(old, dict) else {}
            result[key] = merge(kept, value, inner)
        else:
            result[key] = value
    return result


def kept_of(old: Table, value: Table, place: Place) -> Table:
    """What stays of a table when another is laid over it, before the two merge."""
    if _fits_any(place, _WEIGHTS):
        return {}
    return _kept_in_shape(old, value, place)


def merge_key(base: Table, keys: Sequence[str], value: object, place: Place = ()) -> Table:
    """``base`` with one value laid at a dotted key; one weight leaves the others as they are.

    Raises:
        MergeError: see `merge`; or the path runs through a value.
    """
    layer: Table = {keys[0]: value}
    if len(keys) == 1:
        return merge(_kept_in_shape(base, layer, place), layer, place)
    inner = (*place, keys[0])
    below = base.get(keys[0], {})
    if not isinstance(below, dict):
        raise MergeError(f"{'.'.join(inner)} is {below!r}, not a table")
    return {**base, keys[0]: merge_key(below, keys[1:], value, inner)}


def _kept_in_shape(old: Table, value: Table, place: Place) -> Table:
    if value.get(REPLACE) is True:
        return {}
    for pattern, key, stays in _SHAPED:
        if _fits(place, pattern) and key in old and value.get(key, old[key]) != old[key]:
            return {name: old[name] for name in stays if name in old}
    return old


def gives_shape(keys: Sequence[str]) -> bool:
    """Whether this key of its table says what the others are: it has to be laid before them."""
    *table, last = keys
    return last == REPLACE or any(
        last == key and _fits(tuple(table), pattern) for pattern, key, _ in _SHAPED
    )


def without_marks(table: Mapping[str, object]) -> Table:
    """The table when all is merged: the marks ``replace = true`` have done their work."""
    return {
        key: without_marks(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if not (key == REPLACE and value is True)
    }


def _fits(place: Place, pattern: Place) -> bool:
    return len(place) == len(pattern) and all(
        wanted in ("*", part) for part, wanted in zip(place, pattern, strict=True)
    )


def _fits_any(place: Place, patterns: Iterable[Place]) -> bool:
    return any(_fits(place, pattern) for pattern in patterns)
