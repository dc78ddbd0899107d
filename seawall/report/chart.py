"""A chart of the report, and the look all charts share.

Figures are plain plotly.js dictionaries. Text that goes into one is escaped like HTML, because
plotly.js reads tags in its texts.
"""

from html import escape
from typing import Any, Final

import msgspec
import polars as pl

Figure = dict[str, Any]

INK: Final[str] = "#22303c"
GRID: Final[str] = "#e6eaee"
BLUE: Final[str] = "#1f5f99"
SKY: Final[str] = "#7fb3d5"
TEAL: Final[str] = "#1b8a7a"
GREY: Final[str] = "#8a96a1"
AMBER: Final[str] = "#d9932a"
BRICK: Final[str] = "#c0523b"
PLUM: Final[str] = "#6b4c8a"
SERIES_COLOURS: Final[tuple[str, ...]] = (BLUE, TEAL, AMBER, PLUM, BRICK, SKY, GREY)

MS_NS: Final[int] = 1_000_000


class Chart(msgspec.Struct):
    """One chart with its plain words.

    ``explanation`` says what to look for, ``captions`` state the rules it was drawn by. Without a
    ``figure`` the page prints ``empty`` in its place. ``table`` is finished HTML. Charts with
    ``time_axis`` are zoomed together.
    """

    key: str
    heading: str
    explanation: str
    figure: Figure | None
    empty: str = ""
    captions: list[str] = []
    table: str = ""
    time_axis: bool = True


def time_ms(frame: pl.DataFrame) -> list[int]:
    """Event times as plotly.js dates: milliseconds since 1970, UTC, rounded down."""
    return (frame["time_ns"] // MS_NS).to_list()


def layout(y_title: str, height: int, **more: Any) -> Figure:
    """The shared layout: light, unframed, legend above the plot."""
    base: Figure = {
        "height": height,
        "margin": {"l": 76, "r": 20, "t": 56, "b": 44},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {"family": "system-ui, 'Segoe UI', sans-serif", "size": 13, "color": INK},
        "hovermode": "closest",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "xaxis": axis(""),
        "yaxis": axis(y_title),
        "bargap": 0.15,
    }
    return base | more


def axis(title: str, **more: Any) -> Figure:
    """A plain axis with an escaped title."""
    base: Figure = {
        "gridcolor": GRID,
        "linecolor": GREY,
        "zerolinecolor": "#b6c0c9",
        "automargin": True,
    }
    if title:
        base["title"] = {"text": escape(title), "standoff": 8}
    return base | more


def time_axis(span_ms: tuple[int, int] | None, **more: Any) -> Figure:
    """An axis of UTC dates over the whole run."""
    base = axis("Time (UTC)", type="date", hoverformat="%Y-%m-%d %H:%M:%S.%L")
    if span_ms is not None:
        base["range"] = list(span_ms)
    return base | more


def line(frame: pl.DataFrame, column: str, name: str, colour: str, **more: Any) -> Figure:
    """A line trace of one column over time."""
    trace: Figure = {
        "type": "scatter",
        "mode": "lines",
        "name": escape(name),
        "x": time_ms(frame),
        "y": frame[column].to_list(),
        "line": {"color": colour, "width": 1.6},
        "hovertemplate": "%{y:,} <extra>" + escape(name) + "</extra>",
    }
    return trace | more
