"""Laying one table of settings over another: what an override and ``extends`` do.

Tables merge key by key, everything else is replaced. Three kinds of table are one value and are
replaced whole: those that belong together, such as weights; a table whose shape goes by a key (a
source's ``kind``, a margin ``model``) when that key changes; and a table that says
``replace = true``. The word ``"none"`` in the place of a table removes it. A list of tables that
have names can be laid over by a table of changes by name. `Layers` says which are which.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

Table = dict[str, object]
Place = tuple[str, ...]

REMOVED: Final[str] = "none"
"""In the place of a table: there is no such table."""

REPLACE: Final[str] = "replace"
"""Set to true in a table: nothing of what lies below it stays."""


class MergeError(ValueError):
    """A table cannot be laid over another; the message names the place."""


class Layers(msgspec.Struct, frozen=True):
    """Which tables are laid over another in a way of their own; ``*`` in a place is any name.

    ``whole`` are replaced whole; ``shaped`` go by one of their keys, with what stays when it
    changes; ``named`` have names of the file's own; ``listed`` are lists of tables and the key that
    names each. Below ``kept`` the word that removes a table is left for whom it is laid over next.
    """

    whole: tuple[Place, ...] = ()
    shaped: tuple[tuple[Place, str, Place], ...] = ()
    named: tuple[Place, ...] = ()
    listed: tuple[tuple[Place, str], ...] = ()
    kept: Place | None = None

    def below(self, place: Place) -> "Layers":
        """The same for tables that lie at a place."""
        return Layers(
            whole=tuple((*place, *inner) for inner in self.whole),
            shaped=tuple(((*place, *inner), key, stays) for inner, key, stays in self.shaped),
            named=tuple((*place, *inner) for inner in self.named),
            listed=tuple(((*place, *inner), key) for inner, key in self.listed),
        )

    def merge(
        self, base: Mapping[str, object], over: Mapping[str, object], place: Place = ()
    ) -> Table:
        """``base`` with ``over`` laid on top; ``place`` is where both lie.

        Raises:
            MergeError: ``over`` removes a table that is not there, or has an empty one over one
                that is not empty, which would change nothing.
        """
        result: Table = dict(base)
        for key, value in over.items():
            inner = (*place, key)
            old = result.get(key)
            if value == REMOVED and isinstance(old, dict) and not self._keeps(inner):
                del result[key]
            elif value == REMOVED and old is None and _fits_any(inner, self.named):
                raise MergeError(_nothing_to_remove(inner, base))
            elif value == {} and isinstance(old, dict) and old:
                raise MergeError(
                    f"{'.'.join(inner)}: an empty table changes nothing; "
                    f'"{REMOVED}" in its place removes it, {REPLACE} = true in it starts it anew'
                )
            elif isinstance(value, dict) and isinstance(old, list) and self._name_key(inner):
                result[key] = self._merge_list(old, value, inner)
            elif isinstance(value, dict):
                kept = self.kept_of(old, value, inner) if isinstance(old, dict) else {}
                result[key] = self.merge(kept, value, inner)
            else:
                result[key] = value
        return result

    def kept_of(self, old: Table, value: Table, place: Place) -> Table:
        """What stays of a table when another is laid over it, before the two merge."""
        if _fits_any(place, self.whole):
            return {}
        return self._kept_in_shape(old, value, place)

    def merge_key(
        self, base: Table, keys: Sequence[str], value: object, place: Place = ()
    ) -> Table:
        """``base`` with one value laid at a dotted key; one weight leaves the others as they are.

        Raises:
            MergeError: see `merge`; or the path runs through a value.
        """
        layer: Table = {keys[0]: value}
        if len(keys) == 1:
            return self.merge(self._kept_in_shape(base, layer, place), layer, place)
        inner = (*place, keys[0])
        below = base.get(keys[0], {})
        if below == REMOVED and self._keeps(inner):
            below = {}
        if isinstance(below, list) and self._name_key(inner):
            return self.merge(base, {keys[0]: self.merge_key({}, keys[1:], value)}, place)
        if not isinstance(below, dict):
            raise MergeError(f"{'.'.join(inner)} is {below!r}, not a table")
        return {**base, keys[0]: self.merge_key(below, keys[1:], value, inner)}

    def gives_shape(self, keys: Sequence[str]) -> bool:
        """Whether this key of its table says what the others are: it has to be laid before them."""
        *table, last = keys
        return last == REPLACE or any(
            last == key and _fits(tuple(table), pattern) for pattern, key, _ in self.shaped
        )

    def _kept_in_shape(self, old: Table, value: Table, place: Place) -> Table:
        if value.get(REPLACE) is True:
            return {}
        for pattern, key, stays in self.shaped:
            if _fits(place, pattern) and key in old and value.get(key, old[key]) != old[key]:
                return {name: old[name] for name in stays if name in old}
        return old

    def _keeps(self, place: Place) -> bool:
        return self.kept is not None and place[: len(self.kept)] == self.kept

    def _name_key(self, place: Place) -> str:
        """The key that names the tables of a list; empty where they have no names."""
        return next((key for pattern, key in self.listed if _fits(place, pattern)), "")

    def _merge_list(self, old: list[Any], changes: Table, place: Place) -> list[Any]:
        """A list of tables with changes by name: one laid over, one removed, new ones at its end.

        Raises:
            MergeError: a change removes what is not there, or is no table.
        """
        key = self._name_key(place)
        named: dict[str, Table] = {str(entry[key]): entry for entry in old if key in entry}
        result: dict[str, Table] = dict(named)
        for name, change in changes.items():
            inner = (*place, name)
            if change == REMOVED:
                if name not in result:
                    raise MergeError(_nothing_to_remove(inner, named))
                del result[name]
            elif isinstance(change, dict):
                result[name] = self.merge(result.get(name, {key: name}), change, inner)
            else:
                raise MergeError(
                    f"{'.'.join(inner)}: {change!r} must be a table, or {REMOVED!r} to remove it; "
                    f"there: {', '.join(named)}"
                )
        return list(result.values())


def without_marks(table: Mapping[str, object]) -> Table:
    """The table when all is merged: the marks ``replace = true`` have done their work."""
    return {
        key: without_marks(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if not (key == REPLACE and value is True)
    }


def _nothing_to_remove(place: Place, there: Iterable[str]) -> str:
    listed = ", ".join(there) or "nothing"
    return f"{'.'.join(place)}: nothing of that name to remove; there: {listed}"


def _fits(place: Place, pattern: Place) -> bool:
    return len(place) == len(pattern) and all(
        wanted in ("*", part) for part, wanted in zip(place, pattern, strict=True)
    )


def _fits_any(place: Place, patterns: Iterable[Place]) -> bool:
    return any(_fits(place, pattern) for pattern in patterns)
