"""Rows of columns with types: Parquet, Feather, and data frames of Polars, pandas and Arrow.

A float stands for the shortest decimal that is read back as the same float (of its own width):
0.1 is 0.1, not 0.1000000000000000055. Times of a time type are exact; without a zone they are UTC.
"""

import struct
from collections.abc import Iterator, Sequence
from io import BufferedReader, BytesIO
from typing import Any, Final

import polars as pl

from seawall.price_files.rows import MAX_BYTES, MAX_ROWS, Rows, too_long
from seawall.price_files.shapes import TIME
from seawall.scenario_fields import ScenarioError

PARQUET: Final[bytes] = b"PAR1"
FEATHER: Final[bytes] = b"ARROW1"
"""How the two begin."""

_PARTS: Final[int] = 50_000
"""Rows that are made texts at a time."""
_FEWEST, _MOST = 6, 9
"""Digits that tell every float of 32 bits from its neighbours."""


def parquet_rows(stream: BufferedReader, where: str) -> Rows:
    """The rows of a Parquet file.

    Raises:
        ScenarioError: it is too large or cannot be read.
    """
    return _read(pl.read_parquet, stream, where, "Parquet")


def feather_rows(stream: BufferedReader, where: str) -> Rows:
    """The rows of a Feather (Arrow IPC) file.

    Raises:
        ScenarioError: it is too large or cannot be read.
    """
    return _read(pl.read_ipc, stream, where, "Feather")


def frame_rows(frame: Any, where: str) -> Rows:
    """The rows of a data frame.

    Raises:
        ScenarioError: it is no frame of Polars, pandas or Arrow.
    """
    return _rows(as_polars(frame, where), where, "data frame")


def as_polars(frame: Any, where: str) -> pl.DataFrame:
    """A data frame as one of Polars; the index of a pandas frame becomes a column.

    Raises:
        ScenarioError: it is no frame of Polars, pandas or Arrow.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    if hasattr(frame, "reset_index") and hasattr(frame, "to_dict"):
        return _of_pandas(frame)
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(frame)
    raise ScenarioError(
        f"{where}: {type(frame).__name__} is no data frame of Polars, pandas or Arrow"
    )


def _of_pandas(frame: Any) -> pl.DataFrame:
    """Column by column, which needs no other package."""
    if type(frame.index).__name__ != "RangeIndex":
        names = [name if name is not None else TIME for name in frame.index.names]
        frame = frame.rename_axis(names).reset_index()
    columns: dict[str, pl.Series] = {}
    for name in frame.columns:
        series = frame[name]
        values = series.tolist()
        if any(hasattr(value, "nanosecond") for value in values[:1]):
            times_ns = [None if value != value else value.value for value in values]
            columns[str(name)] = pl.Series(times_ns, dtype=pl.Datetime("ns"))
        else:
            width = pl.Float32 if str(series.dtype) == "float32" else None
            columns[str(name)] = pl.Series(values, dtype=width, strict=False)
    return pl.DataFrame(columns)


def _read(read: Any, stream: BufferedReader, where: str, form: str) -> Rows:
    raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise too_long(where, MAX_BYTES, "bytes")
    try:
        if form == "Parquet":
            _check_size(raw, where)
        frame = read(BytesIO(raw))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        words = str(error).partition("\n")[0]
        raise ScenarioError(f"{where}: not a readable {form} file: {words}") from None
    return _rows(frame, where, form)


def _check_size(raw: bytes, where: str) -> None:
    """Refuse what a few bytes unpack to, before it is unpacked."""
    count: int = pl.scan_parquet(BytesIO(raw)).select(pl.len()).collect().item()
    if count > MAX_ROWS:
        raise too_long(where, MAX_ROWS, "rows")


def _rows(frame: pl.DataFrame, where: str, form: str) -> Rows:
    units = {name: "ns" for name, dtype in frame.schema.items() if _is_time(dtype)}
    return Rows(where, form, "row", frame.columns, _body(frame), units)


def _is_time(dtype: pl.DataType) -> bool:
    return dtype in (pl.Datetime, pl.Date)


def _body(frame: pl.DataFrame) -> Iterator[tuple[int, Sequence[str]]]:
    for start in range(0, frame.height, _PARTS):
        part = frame.slice(start, _PARTS)
        columns = [_texts(series) for series in part.get_columns()]
        yield from enumerate(zip(*columns, strict=True), start + 1)


def _texts(series: pl.Series) -> list[str]:
    """The values of a column as texts; what is missing is empty."""
    if _is_time(series.dtype):
        series = series.dt.epoch("ns")
    elif series.dtype == pl.Float32:
        return ["" if value is None else _short(value) for value in series.to_list()]
    elif series.dtype == pl.Boolean:
        return ["" if value is None else str(value).lower() for value in series.to_list()]
    return ["" if value is None else str(value) for value in series.to_list()]


def _short(value: float) -> str:
    """The shortest decimal that is read back as this float of 32 bits."""
    packed = struct.pack("f", value)
    for digits in range(_FEWEST, _MOST):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == packed:
            return text
    return f"{value:.{_MOST}g}"
