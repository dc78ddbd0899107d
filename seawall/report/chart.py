"""A chart of the report, and the look all charts share.

Figures are plain plotly.js dictionaries made of lines, marks and bars only, which plotly.js' small
bundle draws; their colours are meanings of `seawall.report.palette`. Text that goes into one is
escaped like HTML, because plotly.js reads tags in its texts.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import msgspec
import polars as pl

from seawall.report.palette import BOOK, GRID, PAGE, TEXT

Figure = dict[str, Any]

MS_NS: Final[int] = 1_000_000


class Chart(msgspec.Struct):
    """One chart with its plain words.

    ``sentences`` say what there is to see, ``captions`` state the rules it was drawn by. Without a
    ``figure`` the page prints ``empty`` in its place, unless that is empty too. ``table`` is
    finished HTML. Charts with ``time_axis`` are zoomed together.
    """

    key: str
    heading: str
    sentences: list[str] = []
    figure: Figure | None = None
    empty: str = ""
    captions: list[str] = []
    table: str = ""
    time_axis: bool = True


class Window(msgspec.Struct, frozen=True):
    """The times a report draws, in nanoseconds: the whole run, the end of its warm-up, and the
    part with all that happened to accounts."""

    begin_ns: int
    start_ns: int
    end_ns: int
    action_ns: tuple[int, int]

    @property
    def action_ms(self) -> tuple[int, int]:
        """The part the axes begin with, rounded outwards."""
        return _ms(*self.action_ns)

    @property
    def whole_ms(self) -> tuple[int, int]:
        """The whole run, rounded outwards."""
        return _ms(self.begin_ns, self.end_ns)


def _ms(first_ns: int, last_ns: int) -> tuple[int, int]:
    return first_ns // MS_NS, -(-last_ns // MS_NS)


def time_ms(frame: pl.DataFrame) -> list[int]:
    """Event times as plotly.js dates: milliseconds since 1970, UTC, rounded down."""
    return (frame["time_ns"] // MS_NS).to_list()


def layout(y_title: str, height: int, **more: Any) -> Figure:
    """The shared layout: unframed, legend above the plot."""
    base: Figure = {
        "height": height,
        "margin": {"l": 70, "r": 16, "t": 28, "b": 40},
        "paper_bgcolor": PAGE,
        "plot_bgcolor": PAGE,
        "font": {"family": "system-ui, 'Segoe UI', sans-serif", "size": 13, "color": TEXT},
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
        "linecolor": BOOK,
        "zerolinecolor": BOOK,
        "automargin": True,
    }
    if title:
        base["title"] = {"text": escape(title), "standoff": 8}
    return base | more


def over_time(look: Figure, window: Window | None, anchor: str = "y") -> Figure:
    """The layout with an axis of UTC dates on the action, and the warm-up marked."""
    date = axis("Time (UTC)", type="date", hoverformat="%Y-%m-%d %H:%M:%S.%L", anchor=anchor)
    look = look | {"xaxis": date}
    if window is None:
        return look
    date["range"] = list(window.action_ms)
    if window.begin_ns < window.start_ns:
        warm_up = {"x0": window.begin_ns // MS_NS, "x1": window.start_ns // MS_NS}
        across = {"type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1}
        filled = {"fillcolor": "@book/15", "line": {"width": 0}, "layer": "below"}
        look["shapes"] = [warm_up | across | filled]
        look["annotations"] = [
            {
                "x": warm_up["x1"],
                "y": 1,
                "xref": "x",
                "yref": "paper",
                "xanchor": "right",
                "yanchor": "bottom",
                "showarrow": False,
                "text": "warm-up",
                "font": {"size": 12, "color": BOOK},
            }
        ]
    return look


def panels(look: Figure, titles: Sequence[str]) -> Figure:
    """The layout with one panel below the other, from the top down: axes ``y``, ``y2``, ..."""
    gap = 0.07
    height = (1 - gap * (len(titles) - 1)) / len(titles)
    for number, title in enumerate(titles):
        top = 1 - number * (height + gap)
        name = "yaxis" if number == 0 else f"yaxis{number + 1}"
        look[name] = axis(title, domain=[max(0.0, top - height), top], rangemode="tozero")
    return look


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


def bars_across(
    names: Sequence[str],
    values: Sequence[float],
    texts: Sequence[str],
    colours: Sequence[str],
    unit: str,
    bases: Sequence[float] | None = None,
) -> Figure:
    """Bars from left to right, the first on top, each with its text beside it.

    ``bases`` are where bars begin (a waterfall's do not at zero).
    """
    trace: Figure = {
        "type": "bar",
        "orientation": "h",
        "y": [escape(name) for name in names],
        "x": list(values),
        "text": [escape(text) for text in texts],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": list(colours)},
        "hovertemplate": "%{y}: %{text} " + escape(unit) + "<extra></extra>",
        "showlegend": False,
    }
    if bases is not None:
        trace["base"] = list(bases)
    look = layout("", 64 + 30 * len(names), showlegend=False)
    ends = [0.0, *values] if bases is None else [b + v for b, v in zip(bases, values, strict=True)]
    low, high = min(0.0, *ends, *(bases or ())), max(0.0, *ends, *(bases or ()))
    room = (high - low) * 0.18 or 1.0
    # The texts stand outside of the bars: without room they would be cut off.
    wide = [low - room * (low < 0), high + room]
    look["xaxis"] = axis(unit, zeroline=True, range=wide, nticks=5)
    look["yaxis"] = axis("", type="category", autorange="reversed", ticksuffix=" ")
    return {"data": [trace], "layout": look}
