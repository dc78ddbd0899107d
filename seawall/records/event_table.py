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

CHUNK_ROWS: Final[int] = 200_000
"""Events kept before they become columns, some 60 MB of them: every chunk costs some sixty calls of
Polars, whatever is in it."""

COLUMN_FIELDS: Final[dict[str, tuple[str, ...]]] = {
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
        **dict.fromkeys(COLUMN_FIELDS, pl.Int64()),
        "detail": pl.String(),
    }
)
"""Columns of the table, in order."""

_PLACE: Final[str] = "place"
_PLACES: Final[pl.Schema] = pl.Schema({_PLACE: pl.Int64(), **SCHEMA})
_SEQUENCES: Final[tuple[str, ...]] = ("seq", "command_seq")
_ZSTD_LEVEL: Final[int] = 1
"""A hundredth larger than Polars' level 3, and a third less work."""

_json = msgspec.json.Encoder()


class _Rows:
    """What is kept of the events of one type; `places` are their rows in the chunk.

    `_columns` reads the fields that are columns, by the name of the column; the rest go to
    ``detail``.
    """

    __slots__ = ("_columns", "_details_type", "_events", "_name", "places")

    def __init__(self, event_type: type) -> None:
        self._name = event_type.__name__
        self.places: list[int] = []
        self._events: list[Any] = []
        names = [field.name for field in msgspec.structs.fields(struct_form(event_type))]
        columns = {"time_ns": "time_ns"}
        for column, candidates in COLUMN_FIELDS.items():
            field = next((name for name in candidates if name in names), None)
            if field is not None:
                columns[column] = field
        self._columns = [(column, attrgetter(field)) for column, field in columns.items()]
        taken = set(columns.values())
        rest = [(name, Any) for name in names if name not in taken]
        self._details_type: Any = None
        if rest:
            detail = msgspec.defstruct(f"{self._name}Detail", rest, gc=False)
            self._details_type = GenericAlias(list, detail)

    def add(self, place: int, event: Any) -> None:
        """Keep one event."""
        self.places.append(place)
        self._events.append(event)

    def take(self) -> pl.DataFrame:
        """The columns of what was kept, which is forgotten."""
        events, self._events = self._events, []
        columns: dict[str, Any] = {_PLACE: self.places, "type": [self._name] * len(events)}
        self.places = []
        for column, read in self._columns:
            columns[column] = list(map(read, events))
        if self._details_type is not None:
            columns["detail"] = self._details(events)
        return pl.DataFrame(columns, schema={name: _PLACES[name] for name in columns})

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


class EventTable:
    """Collects a run's events; adding one costs little, the columns are built by the chunk.

    ``skip`` names event types that get no row and no number, such as ``BookLevel``, which is most
    of a busy run. Full chunks stay in memory, or go to files in ``folder``, which must exist, until
    `write` puts them together.

    Raises:
        ValueError: ``skip`` names no event type.
    """

    def __init__(
        self,
        skip: Collection[type] = (),
        chunk_rows: int = CHUNK_ROWS,
        folder: Path | None = None,
    ) -> None:
        for event_type in skip:
            if event_type not in EVENT_TYPES:
                raise ValueError(
                    f"{event_type.__name__} is not an event type; it cannot be skipped"
                )
        self._skip = frozenset(skip)
        self._chunk_rows = chunk_rows
        self._rows = 0
        self._command_seqs: list[int] = []
        self._kept: dict[type, _Rows] = {
            event_type: _Rows(event_type) for event_type in EVENT_TYPES if event_type not in skip
        }
        self._chunks: list[pl.DataFrame] = []
        self._folder = folder
        self._files: list[Path] = []

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
            self._put_aside()

    def extend(self, events: Iterable[Event], command_seq: int) -> None:
        """Append all events of one command, in order."""
        for event in events:
            self.add(event, command_seq)

    def frame(self) -> pl.DataFrame:
        """All rows so far, in order."""
        self._close_chunk()
        frames = [pl.read_ipc(file) for file in self._files] + self._chunks
        return pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)

    @property
    def in_memory(self) -> bool:
        """Whether no chunk is in a file."""
        return not self._files

    def write(self, path: str | Path) -> None:
        """Write all rows as a Parquet file.

        Raises:
            OSError: the file cannot be written.
        """
        self._close_chunk()
        if self.in_memory:
            self.frame().write_parquet(
                path, compression="zstd", compression_level=_ZSTD_LEVEL, statistics=False
            )
            return
        self._put_aside()
        pl.scan_ipc(self._files).sink_parquet(
            path, compression="zstd", compression_level=_ZSTD_LEVEL, statistics=False
        )

    def put_aside(self) -> list[int]:
        """Bring every row to a file, for `restore`; returns the number of rows and of files."""
        self._close_chunk()
        self._put_aside()
        return [self._rows, len(self._files)]

    def restore(self, state: list[int]) -> None:
        """Go on behind what `put_aside` brought to files; later files are written anew."""
        self._rows, count = state
        self._files = [self._file(number) for number in range(count)]

    def _file(self, number: int) -> Path:
        assert self._folder is not None, "rows need a folder to wait in"
        return self._folder / f"{number:06}.arrow"

    def _put_aside(self) -> None:
        """Chunks go to files where there is a folder for them."""
        if self._folder is None:
            return
        for chunk in self._chunks:
            file = self._file(len(self._files))
            chunk.write_ipc(file, compression="lz4")
            self._files.append(file)
        self._chunks.clear()

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
