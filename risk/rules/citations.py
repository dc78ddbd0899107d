"""Sources of a rulebook's figures: the key ``from`` of its tables and the ``sources``.

A file names its sources once, each with a date::

    [sources.docs]
    title = "Documentation of the venue"
    date = "2026-08-22"

and every table says which of them its figures are from, all of one (``from = "docs: fees"``) or
key by key (``[fees.from]``). What no source states is ``"assumed: reason"``; what the engine does
in the place of the venue is ``"engine: reason"``. A word of a list may have a citation of its own:
``"stages.socialise" = "engine: ..."``.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

import msgspec

from engine.settings import SettingFault

FROM: Final[str] = "from"
SOURCES: Final[str] = "sources"
ASSUMED: Final[str] = "assumed"
ENGINE: Final[str] = "engine"

_UNCITED: Final[tuple[str, ...]] = ("name", "title", "also", SOURCES)
"""Keys that name things and state no rule."""

_INLINE: Final[tuple[str, ...]] = ("weights", "tiers", "assets")
"""Keys whose tables are one figure, cited as a whole."""

_DATE: Final[re.Pattern[str]] = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_ID: Final[re.Pattern[str]] = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Source(msgspec.Struct, frozen=True):
    """A text or file; ``date`` is its own or, if it bears none, that of the copy read."""

    title: str
    date: str


class Citation(msgspec.Struct, frozen=True):
    """``source`` is the id of a source, or `ASSUMED` or `ENGINE`; ``text`` is the place in the
    source, or the reason."""

    source: str
    text: str


class Citations(msgspec.Struct, frozen=True):
    """All of a file: sources by id, and citations by place (a key path such as ``fees.maker``)."""

    sources: dict[str, Source] = {}
    by_place: dict[str, Citation] = {}

    def in_words(self, place: str) -> str:
        """The citation of a place as a reader sees it; empty if it has none."""
        citation = self.by_place.get(place)
        if citation is None:
            return ""
        if citation.source in (ASSUMED, ENGINE):
            return f"{citation.source}: {citation.text}"
        where = f"{citation.source}, {citation.text}" if citation.text else citation.source
        return f"{where} ({self.sources[citation.source].date})"


def take_citations(data: dict[str, Any]) -> tuple[dict[str, Any], Citations]:
    """The tables of a file without their citations, and these.

    ``sources`` is left as a list of titles, what a rulebook carries.

    Raises:
        SettingFault: a source has no title or date, a citation names a key that is not there or a
            source that is unknown, or gives no reason.
    """
    plain = deepcopy(data)
    sources: dict[str, Source] = {}
    if isinstance(plain.get(SOURCES), dict):
        sources = {key: _source(key, entry) for key, entry in plain[SOURCES].items()}
        plain[SOURCES] = [source.title for source in sources.values()]
    by_place: dict[str, Citation] = {}
    for place, table in _tables(plain, ""):
        given = table.pop(FROM, None)
        if given is not None:
            for key, text in _by_key(given, table, f"{place}{FROM}"):
                by_place[f"{place}{key}"] = _citation(text, sources, f"{place}{FROM}")
    return plain, Citations(sources, by_place)


def figures(plain: dict[str, Any]) -> list[str]:
    """The places of all figures of a file without citations; each must have one."""
    return [
        f"{place}{key}"
        for place, table in _tables(plain, "")
        for key in table
        if key not in _UNCITED and not _is_inner(key, table[key])
    ]


def cite_layer(merged: dict[str, Any], over: Mapping[str, Any], by: str) -> None:
    """Cite what ``over`` has changed in tables that were merged without its citations: as it says
    itself, else as ``assumed: by``, in the place of what was cited."""
    given = merged.get(FROM)
    own = dict(_by_key(over[FROM], dict(over), FROM)) if FROM in over else {}
    if given is not None or own:
        cited = {} if given is None else dict(_by_key(given, merged, FROM, strict=False))
        for key in list(cited):
            if key.partition(".")[0] in over:
                del cited[key]
        figures = [key for key in over if key in merged and key not in (*_UNCITED, FROM)]
        changed = [key for key in figures if not _is_inner(key, merged[key])]
        merged[FROM] = cited | dict.fromkeys(changed, f"{ASSUMED}: {by}") | own
    for key, value in over.items():
        below = merged.get(key)
        if not isinstance(value, Mapping) or key == FROM:
            continue
        if isinstance(below, dict):
            cite_layer(below, value, by)
        elif isinstance(below, list):
            _cite_named(below, value, by)


def _cite_named(entries: list[dict[str, Any]], changes: Mapping[str, Any], by: str) -> None:
    """Cite what was changed in a list of tables that have names."""
    for entry in entries:
        change = changes.get(str(entry.get("name")))
        if isinstance(change, Mapping):
            entry.setdefault(FROM, {})
            cite_layer(entry, change, by)


def _tables(table: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """This table and those in it, each with the beginning of its keys' places."""
    yield place, table
    for key, value in table.items():
        if key == FROM or not _is_inner(key, value):
            continue
        if isinstance(value, dict):
            yield from _tables(value, f"{place}{key}.")
            continue
        for number, entry in enumerate(value, 1):
            yield from _tables(entry, f"{place}{key}[{number}].")


def _is_inner(key: str, value: object) -> bool:
    """Whether a value is a table with citations of its own, or a list of such."""
    if key in _INLINE:
        return False
    if isinstance(value, list):
        return bool(value) and all(isinstance(entry, dict) for entry in value)
    return isinstance(value, dict)


def _by_key(
    given: object, table: dict[str, Any], place: str, *, strict: bool = True
) -> Iterator[tuple[str, object]]:
    """Keys and their citations, from a text for all or from a table."""
    if isinstance(given, str):
        for key, value in table.items():
            if key not in (*_UNCITED, FROM) and not _is_inner(key, value):
                yield key, given
        return
    if not isinstance(given, dict):
        raise SettingFault(place, f"{given!r} must be a text or a table of texts by key")
    for key, text in given.items():
        if _names_figure(key, table):
            yield key, text
        elif strict:
            raise SettingFault(f"{place}.{key}", "is no key of this table, so nothing to be cited")


def _names_figure(key: str, table: dict[str, Any]) -> bool:
    """Whether a key is one of the table's, or a word in the list that is there."""
    name, _, word = key.partition(".")
    if name not in table or _is_inner(name, table[name]):
        return False
    return not word or (isinstance(table[name], list) and word in table[name])


def _source(key: str, entry: object) -> Source:
    place = f"{SOURCES}.{key}"
    if not _ID.fullmatch(key) or key in (ASSUMED, ENGINE):
        raise SettingFault(place, "is not allowed as an id; use lower-case words joined by hyphens")
    if not isinstance(entry, dict) or set(entry) != {"title", "date"}:
        raise SettingFault(place, f"{entry!r} must be a table of a title and a date")
    title, date = entry["title"], entry["date"]
    if not isinstance(title, str) or not title.strip():
        raise SettingFault(f"{place}.title", f"{title!r} must be a text that is not empty")
    if not isinstance(date, str) or not _DATE.fullmatch(date):
        raise SettingFault(f"{place}.date", f"{date!r} must be a date: 2026, 2026-09 or 2026-09-29")
    return Source(title, date)


def _citation(text: object, sources: dict[str, Source], place: str) -> Citation:
    if not isinstance(text, str):
        raise SettingFault(place, f"{text!r} must be a text")
    source, _, rest = (part.strip() for part in text.partition(":"))
    if source in (ASSUMED, ENGINE):
        if not rest:
            raise SettingFault(place, f"{text!r} gives no reason; write '{source}: reason'")
    elif source not in sources:
        known = ", ".join([*sources, ASSUMED, ENGINE])
        raise SettingFault(place, f"{source!r} is no source of this file; allowed are {known}")
    return Citation(source, rest)
