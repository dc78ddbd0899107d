"""Styled lines and tables of text: what a frame is made of before a terminal or a pipe shows it."""

import re
from collections.abc import Sequence
from typing import Final

PLAIN: Final[str] = "plain"
DIM: Final[str] = "dim"
BOLD: Final[str] = "bold"
GOOD: Final[str] = "good"
WARN: Final[str] = "warn"
BAD: Final[str] = "bad"
ALARM: Final[str] = "alarm"

LEFT: Final[str] = "<"
RIGHT: Final[str] = ">"

INDENT: Final[int] = 4
"""Blanks before what goes on in a further line."""

Span = tuple[str, str]
"""A text and its style."""

Line = list[Span]


def line(text: str, style: str = PLAIN) -> Line:
    """A line in one style."""
    return [(text, style)]


def text_of(spans: Line) -> str:
    """The line as plain text, without blanks at its end."""
    return "".join(text for text, _ in spans).rstrip()


def width_of(spans: Line) -> int:
    """Columns the line takes, blanks at its end included."""
    return sum(len(text) for text, _ in spans)


def cut(spans: Line, width: int) -> Line:
    """The part of a line that fits; what is beyond is left out, nothing wraps."""
    fitting: Line = []
    for text, style in spans:
        if width <= 0:
            break
        fitting.append((text[:width], style))
        width -= len(text)
    return fitting


def padded(spans: Line, width: int) -> Line:
    """The line with blanks up to a width."""
    return [*spans, (" " * max(0, width - width_of(spans)), PLAIN)]


def beside(left: Sequence[Line], right: Sequence[Line], gap: int = 3) -> list[Line]:
    """Two blocks of lines next to each other."""
    width = max(map(width_of, left), default=0) + gap
    rows = max(len(left), len(right))
    empty: Line = []
    return [
        [
            *padded(left[row] if row < len(left) else empty, width),
            *(right[row] if row < len(right) else empty),
        ]
        for row in range(rows)
    ]


def columns(rows: Sequence[Sequence[Span]], sides: Sequence[str], gap: int = 2) -> list[Line]:
    """Rows of cells as lines, every column as wide as its widest cell, aligned to its side."""
    widths = [
        max((len(cell[0]) for cell in column), default=0) for column in zip(*rows, strict=True)
    ]
    lines: list[Line] = []
    for row in rows:
        spans: Line = []
        for (text, style), width, side in zip(row, widths, sides, strict=True):
            spans.append((f"{text:{side}{width}}", style))
            spans.append((" " * gap, PLAIN))
        lines.append(spans[:-1])
    return lines


def banded(
    rows: Sequence[Sequence[Span]], sides: Sequence[str], width: int | None, gap: int = 2
) -> list[list[Line]]:
    """`columns`, with the lines of each row: what a width does not hold goes on in further ones."""
    bands: list[list[int]] = [[]]
    used = 0
    for place, column in enumerate(zip(*rows, strict=True)):
        widest = max(len(cell[0]) for cell in column)
        if width is not None and bands[-1] and used + widest > width:
            bands.append([])
            used = INDENT
        bands[-1].append(place)
        used += widest + gap
    blocks = [
        columns([[row[place] for place in band] for row in rows], [sides[one] for one in band], gap)
        for band in bands
    ]
    first, *more = blocks
    return [
        [first[row], *([(" " * INDENT, PLAIN), *block[row]] for block in more)]
        for row in range(len(rows))
    ]


def folded(spans: Line, width: int) -> list[Line]:
    """A line as several ones, broken before the word a width does not hold."""
    lines: list[Line] = [[]]
    left = width
    for text, style in spans:
        for word in re.findall(r"\s*\S+|\s+", text):
            if len(word) > left and lines[-1]:
                lines.append([(" " * INDENT, PLAIN)])
                left = width - INDENT
                word = word.lstrip()
            lines[-1].append((word, style))
            left -= len(word)
    return lines
