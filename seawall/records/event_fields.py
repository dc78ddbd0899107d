"""Fields of events, read back from the table of events.

An event's fields are partly columns of the table and partly in its ``detail`` JSON;
`event_columns` reads both by the column.
"""

from operator import attrgetter
from types import GenericAlias
from typing import Any

import msgspec
import polars as pl

Columns = dict[str, list[Any]]
"""Values by field, one per event."""


def event_columns(events: pl.DataFrame, event_type: str, *fields: str) -> Columns:
    """The named fields of all events of one type, in order.

    A margin account's id is found under ``account_id``, as in the table.

    Raises:
        ValueError: an event's ``detail`` is not a JSON object with these fields.
    """
    rows = events.filter(pl.col("type") == event_type)
    columns: Columns = {name: rows[name].to_list() for name in fields if name in rows.columns}
    names = [name for name in fields if name not in columns]
    if names:
        kind = msgspec.defstruct("Detail", [(name, Any) for name in names], gc=False)
        details = _decoded(rows, event_type, kind)
        columns |= {name: list(map(attrgetter(name), details)) for name in names}
    return {name: columns[name] for name in fields}


def _decoded(rows: pl.DataFrame, event_type: str, kind: type[msgspec.Struct]) -> list[Any]:
    """Every row's ``detail``, all decoded in one go; one by one only to say which is wrong."""
    texts = rows["detail"].fill_null("{}").to_list()
    try:
        decoded: list[Any] = msgspec.json.decode(
            f"[{','.join(texts)}]", type=GenericAlias(list, kind)
        )
        return decoded
    except msgspec.DecodeError:
        decoder = msgspec.json.Decoder(kind)
        for seq, text in zip(rows["seq"], texts, strict=True):
            try:
                decoder.decode(text)
            except msgspec.DecodeError as error:
                raise ValueError(f"event {seq} ({event_type}): detail: {error}") from None
        raise
