"""Rows of CSV text, with or without a header, whatever separates the columns."""

import csv
from collections.abc import Iterator
from io import BufferedReader, TextIOWrapper
from itertools import chain
from typing import Final, TextIO

from seawall.price_files.rows import Rows, is_number
from seawall.scenario_fields import ScenarioError

_UTF_16: Final[tuple[bytes, ...]] = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS: Final[str] = ",;\t|"
_MAX_LINE: Final[int] = 1_000_000
"""Characters; a line without end would fill the memory before a row is seen."""


def text_rows(stream: BufferedReader, where: str) -> Rows:
    """The rows of CSV text.

    Raises:
        ScenarioError: a line is too long, or a quote is left open; also while rows are read.
    """
    lines = _lines(_text(stream), where)
    first = next(lines, "")
    separator = max(_SEPARATORS, key=first.count)  # the comma where there is none
    body = _rows(where, chain([first], lines), separator)
    number, row = next(body, (1, []))
    if any(map(is_number, row)):
        return Rows(where, "CSV", "line", [], chain([(number, row)], body))
    return Rows(where, "CSV", "line", [name.strip() for name in row], body)


def _text(stream: BufferedReader) -> TextIO:
    """The text of a file; a byte order mark says only how it is written."""
    encoding = "utf-16" if stream.peek(2)[:2] in _UTF_16 else "utf-8-sig"
    return TextIOWrapper(stream, encoding=encoding, newline="")


def _lines(text: TextIO, where: str) -> Iterator[str]:
    number = 0
    while line := text.readline(_MAX_LINE):
        number += 1
        if len(line) == _MAX_LINE:
            raise ScenarioError(f"{where}: line {number} is longer than {_MAX_LINE:,} characters")
        yield line


def _rows(where: str, lines: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty with their lines; a quote left open would swallow the rest."""
    reader = csv.reader(lines, delimiter=separator)
    for line, row in enumerate(reader, 1):
        if reader.line_num != line or (row and row[-1].endswith(("\n", "\r"))):
            raise ScenarioError(
                f"{where}: line {line}: a quoted field runs over the end of the line; close its "
                "quote, a price file has one row a line"
            )
        if row:
            yield line, row
