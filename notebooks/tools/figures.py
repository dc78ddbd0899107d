"""Figures of the course: how they are written, and what they show as one number."""

import hashlib
import io
import json
import re
from typing import Any, Final

import polars as pl
from matplotlib.patches import Rectangle
from PIL import Image
from polars import selectors

COLOURS: Final[int] = 48
"""Colours of a figure in a notebook."""

DIGITS: Final[int] = 6
"""Significant digits of a figure that count; the rest may differ between machines."""


def png(figure: Any) -> bytes:
    """A figure as a picture of few colours, so that a notebook stays small."""
    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(file, format="png", optimize=True)
    return file.getvalue()


def svg(figure: Any) -> str:
    """A figure as SVG with text as text; the number of what it shows stands in it."""
    about = {
        "Date": None,
        "Creator": None,
        "Title": alt_text(figure),
        "Description": digest_of_figure(figure),
    }
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=about)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def digest_in(text: str) -> str:
    """The number in a written figure; empty where there is none."""
    found = re.search(r"<dc:description>(\w+)</dc:description>", text)
    return found[1] if found else ""


def alt_text(figure: Any) -> str:
    """A figure in words: the titles of its panels."""
    return "; ".join(title for axis in figure.axes if (title := axis.get_title(loc="left")))


def digest_of_figure(figure: Any) -> str:
    """Lines, bars, points and words of a figure as one number."""
    shown: list[Any] = []
    for axis in figure.axes:
        shown.append([axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()])
        shown += [_rounded(line.get_xydata().ravel()) for line in axis.lines]
        shown += [_rounded(_outline(patch)) for patch in axis.patches]
        shown += [_rounded(each.get_offsets().ravel()) for each in axis.collections]
        shown += [text.get_text() for text in axis.texts]
    return _digest(shown)


def _outline(patch: Any) -> list[float]:
    """A bar or another area in the units of its data, wherever it is drawn."""
    if isinstance(patch, Rectangle):
        return [*patch.get_xy(), patch.get_width(), patch.get_height()]
    return list(patch.get_path().vertices.ravel())


def digest_of_frame(frame: pl.DataFrame) -> str:
    """Columns and values of a frame as one number."""
    rounded = frame.with_columns(selectors.float().round_sig_figs(DIGITS))
    return _digest([rounded.columns, rounded.write_csv()])


def _rounded(values: Any) -> list[str]:
    return [f"{float(value):.{DIGITS}g}" for value in values]


def _digest(shown: list[Any]) -> str:
    return hashlib.blake2b(json.dumps(shown).encode(), digest_size=8).hexdigest()
