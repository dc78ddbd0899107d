"""Events as a table: one row each, the common fields as columns, the rest as JSON.

| column | meaning |
| --- | --- |
| ``seq`` | place of the event in the run, from 1 |
| ``command_seq`` | the command that caused it |
| ``time_ns``, ``type`` | when, and the event's class name |
| ``account_id`` | the trader's account or the margin account, whichever the event names |
| ``side`` | 1 buy, -1 sell; of a public trade the taker's |
| ``price_ticks`` | the event's price; the mark where it has no other |
| ``instrument_id``, ``order_id``, ``qty_lots``, ``amount_q``, ``reason`` | the field of that name |
| ``detail`` | every other field, as a JSON object by name |

A column is null where the event has no such field.
"""

import json
from collections.abc import Collection, Iterable
from operator import attrgetter
from pathlib import Path
from types import GenericAlias
from typing import Any, Final

import msgspec
import polars as pl

from engine.events import Event
from engine.forms import struct_form
from engine.messages import EVENT_TYPES
from engine.native_message import NativeMessage

CHUNK_ROWS: Final[int] = 500_000
"""Events kept before they become columns, some 60 MB of them: every chunk costs some sixty calls of
Polars, whatever is in it."""

_COLUMN_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "account_id": ("account_id", "margin_account_id"),
    "instrument_id": ("instrument_id",),
    "order_id": ("order_id",),
    "side": ("side", "taker_side"),
    "qty_lots": ("qty_lots",),
    "price_ticks": ("price_ticks", "mark_ticks"),
    "amount_q": ("amount_q",),
    "reason": ("reason",),
}
"""Where each column comes from: the first of these fields the event has."""

_TYPE_NAMES: Final[list[str]] = [event_type.__name__ for event_type in EVENT_TYPES]

SCHEMA: Final[pl.Schema] = pl.Schema(
    {
        "seq": pl.Int64(),
        "command_seq": pl.Int64(),
        "time_ns": pl.Int64(),
        "type": pl.Enum(_TYPE_NAMES),
        **dict.fromkeys(_COLUMN_FIELDS, pl.Int64()),
        "detail": pl.String(),
    }
)
"""Columns of the table, in order."""

_PLACE: Final[str] = "place"
_PLACES: Final[pl.Schema] = pl.Schema({_PLACE: pl.Int64(), **SCHEMA})
_SEQUENCES: Final[tuple[str, ...]] = ("seq", "command_seq")
_FLAT: Final[frozenset[type]] = frozenset({int, bool, str})
_ZSTD_LEVEL: Final[int] = 1
"""A hundredth larger than Polars' level 3, and a third less work."""

_json = msgspec.json.Encoder()
_decoder: Final = json.JSONDecoder()


class _Layout:
    """Which fields of one event type are columns (`columns`, by the name of the column) and which
    go to ``detail`` (`rest`)."""

    __slots__ = ("columns", "event_type", "fields", "flat", "name", "rest", "texts")

    def __init__(self, event_type: type) -> None:
        self.event_type = event_type
        self.name = event_type.__name__
        fields = msgspec.structs.fields(struct_form(event_type))
        self.fields = [field.name for field in fields]
        self.flat = all(field.type in _FLAT for field in fields)
        self.texts = any(field.type is str for field in fields)
        self.columns: dict[str, str] = {"time_ns": "time_ns"}
        for column, candidates in _COLUMN_FIELDS.items():
            field = next((name for name in candidates if name in self.fields), None)
            if field is not None:
                self.columns[column] = field
        taken = set(self.columns.values())
        self.rest = [name for name in self.fields if name not in taken]


class _Rows:
    """What is kept of the events of one type; `places` are their rows in the chunk."""

    __slots__ = ("layout", "places")

    def __init__(self, layout: _Layout) -> None:
        self.layout = layout
        self.places: list[int] = []

    def add(self, place: int, event: Any) -> None:
        """Keep one event."""
        raise NotImplementedError

    def take(self) -> pl.DataFrame:
        """The columns of what was kept, which is forgotten."""
        places, self.places = self.places, []
        count = len(places)
        kind = pl.repeat(self.layout.name, count, dtype=SCHEMA["type"], eager=True)
        place = pl.Series(_PLACE, places, dtype=pl.Int64())
        return self.fields_frame(count).with_columns(place, kind.alias("type"))

    def fields_frame(self, count: int) -> pl.DataFrame:
        """The columns that come from the fields of all ``count`` events, which are forgotten."""
        raise NotImplementedError


class _FlatRows(_Rows):
    """Events of numbers and texts, written as JSON when they come: ``["Trade",1,2,true]``.

    The event can go at once, while it is at hand, and the texts are columns in all but name: one
    with a comma between the fields and a bracket at the end of each line.
    """

    __slots__ = ("_detail", "_lines", "_schema")

    def __init__(self, layout: _Layout) -> None:
        super().__init__(layout)
        self._lines = bytearray()
        numbers = set(layout.columns.values())
        self._schema: dict[str, Any] = {"tag": pl.String()}
        for name in layout.fields:
            # What goes to the detail stays the text it is.
            self._schema[name] = pl.Int64() if name in numbers else pl.String()
        parts: list[pl.Expr] = []
        for name in layout.rest:
            parts += [pl.lit(f'{"," if parts else "{"}"{name}":'), pl.col(name)]
        self._detail = [pl.concat_str([*parts, pl.lit("}")]).alias("detail")] if parts else []

    def add(self, place: int, event: Any) -> None:
        """Keep one event."""
        self.places.append(place)
        # What an encoder would ask for anyway, without its way back into Python.
        message = event.wire() if isinstance(event, NativeMessage) else event
        _json.encode_into(message, self._lines, -1)

    def fields_frame(self, count: int) -> pl.DataFrame:
        """The columns that come from the fields of all ``count`` events, which are forgotten."""
        lines = bytes(self._lines)
        self._lines.clear()
        if self.layout.texts:
            commas = count * len(self.layout.fields)
            if lines.count(b"]") != count or lines.count(b",") != commas:
                return self._taken_apart(lines.decode())
        table = pl.read_csv(
            lines,
            has_header=False,
            separator=",",
            eol_char="]",
            quote_char=None,
            schema=self._schema,
        )
        columns = [pl.col(field).alias(name) for name, field in self.layout.columns.items()]
        return table.select(*columns, *self._detail)

    def _taken_apart(self, lines: str) -> pl.DataFrame:
        """The same columns where a text has a comma or a bracket in it."""
        rows = _ObjectRows(self.layout)
        end = 0
        while end < len(lines):
            (_, *values), end = _decoder.raw_decode(lines, end)
            rows.add(len(rows.places), self.layout.event_type(*values))
        return rows.fields_frame(len(rows.places))


class _ObjectRows(_Rows):
    """Events with lists in them, kept as they are."""

    __slots__ = ("_details_type", "_events", "_readers")

    def __init__(self, layout: _Layout) -> None:
        super().__init__(layout)
        self._events: list[Any] = []
        self._readers = [(name, attrgetter(field)) for name, field in layout.columns.items()]
        self._details_type: Any = None
        if layout.rest:
            fields = [(name, Any) for name in layout.rest]
            detail = msgspec.defstruct(f"{layout.name}Detail", fields, gc=False)
            self._details_type = GenericAlias(list, detail)

    def add(self, place: int, event: Any) -> None:
        """Keep one event."""
        self.places.append(place)
        self._events.append(event)

    def fields_frame(self, count: int) -> pl.DataFrame:
        """The columns that come from the fields of all ``count`` events, which are forgotten."""
        events, self._events = self._events, []
        columns: dict[str, Any] = {name: list(map(read, events)) for name, read in self._readers}
        if self._details_type is not None:
            columns["detail"] = self._details(events)
        return pl.DataFrame(columns, schema={name: SCHEMA[name] for name in columns})

    def _details(self, events: list[Any]) -> pl.Series:
        """The details as JSON texts: written one a line, and the lines read back as a column.

        A line break inside a text is escaped in JSON, and so is the separator named here.
        """
        rest = msgspec.convert(events, self._details_type, from_attributes=True)
        lines = pl.read_csv(
            _json.encode_lines(rest),
            has_header=False,
            separator="\x1f",
            quote_char=None,
            schema={"detail": pl.String()},
        )
        return lines["detail"]


def _rows_of(layout: _Layout) -> _Rows:
    return _FlatRows(layout) if layout.flat else _ObjectRows(layout)


_LAYOUTS: Final[dict[type, _Layout]] = {
    event_type: _Layout(event_type) for event_type in EVENT_TYPES
}


class EventTable:
    """Collects a run's events; adding one costs little, the columns are built by the chunk.

    ``skip`` names event types that get no row and no number, such as ``BookLevel``, which is most
    of a busy run.

    Raises:
        ValueError: ``skip`` names no event type.
    """

    def __init__(self, skip: Collection[type] = (), chunk_rows: int = CHUNK_ROWS) -> None:
        for event_type in skip:
            if event_type not in _LAYOUTS:
                raise ValueError(
                    f"{event_type.__name__} is not an event type; it cannot be skipped"
                )
        self._skip = frozenset(skip)
        self._chunk_rows = chunk_rows
        self._rows = 0
        self._command_seqs: list[int] = []
        self._kept: dict[type, _Rows] = {
            event_type: _rows_of(layout)
            for event_type, layout in _LAYOUTS.items()
            if event_type not in skip
        }
        self._chunks: list[pl.DataFrame] = []

    def __len__(self) -> int:
        """Number of rows."""
        return self._rows

    def add(self, event: Event, command_seq: int) -> None:
        """Append one event that command ``command_seq`` caused."""
        kept = self._kept.get(type(event))
        if kept is None:
            if type(event) not in self._skip:
                raise TypeError(f"{type(event).__name__} is not an event type; it has no columns")
            return
        kept.add(len(self._command_seqs), event)
        self._command_seqs.append(command_seq)
        self._rows += 1
        if len(self._command_seqs) >= self._chunk_rows:
            self._close_chunk()

    def extend(self, events: Iterable[Event], command_seq: int) -> None:
        """Append all events of one command, in order."""
        for event in events:
            self.add(event, command_seq)

    def frame(self) -> pl.DataFrame:
        """All rows so far, in order."""
        self._close_chunk()
        if not self._chunks:
            return pl.DataFrame(schema=SCHEMA)
        return pl.concat(self._chunks)

    def write(self, path: str | Path) -> None:
        """Write all rows as a Parquet file.

        Raises:
            OSError: the file cannot be written.
        """
        self.frame().write_parquet(
            path, compression="zstd", compression_level=_ZSTD_LEVEL, statistics=False
        )

    def _close_chunk(self) -> None:
        count = len(self._command_seqs)
        if not count:
            return
        parts = [pl.DataFrame(schema=_PLACES).drop(_SEQUENCES)]
        for kept in self._kept.values():
            if kept.places:
                parts.append(kept.take())
        first_seq = self._rows - count + 1
        sequences = pl.DataFrame(
            {
                "seq": pl.int_range(first_seq, first_seq + count, dtype=pl.Int64, eager=True),
                "command_seq": self._command_seqs,
            },
            schema={name: SCHEMA[name] for name in _SEQUENCES},
        )
        rows = pl.concat(parts, how="diagonal").sort(_PLACE).drop(_PLACE)
        self._chunks.append(sequences.hstack(rows))
        self._command_seqs.clear()
