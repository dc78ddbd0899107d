"""The colours of the report: one for each meaning, on a light page and on a dark one.

Figures name colours by meaning, as ``@index`` or, with so many per cent of it, ``@index/20``;
`painted` puts those of a page in their place, and so does the page's script. The colours of a page
differ by at least `LEAST_DISTANCE` from each other, also as people without red or green receptors
see them, and have 3:1 against the page; a test computes both.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

INK: Final[str] = "@ink"
BOOK: Final[str] = "@book"
INDEX: Final[str] = "@index"
OTHER: Final[str] = "@other"
FORCED: Final[str] = "@forced"
HOUSE: Final[str] = "@house"
ADL: Final[str] = "@adl"
SOCIALISED: Final[str] = "@socialised"
ANSWERED: Final[str] = "@answered"
GRID: Final[str] = "@grid"
TEXT: Final[str] = "@text"
PAGE: Final[str] = "@page"

MEANINGS: Final[dict[str, str]] = {
    INK: "this run: its mark, its counts and amounts",
    BOOK: "the market itself: trades, resting orders, a price that came back",
    INDEX: "the index: prices from outside",
    OTHER: "another market: the real one, or the run beside",
    FORCED: "liquidation, and what is closest to it",
    HOUSE: "the insurance fund and the backstop",
    ADL: "auto-deleveraging",
    SOCIALISED: "losses socialised",
    ANSWERED: "margin calls that their owners answered",
}

LIGHT: Final[dict[str, str]] = {
    INK: "#1b2733",
    BOOK: "#5f6468",
    INDEX: "#0456d8",
    OTHER: "#c48100",
    FORCED: "#b04318",
    HOUSE: "#612490",
    ADL: "#e145c6",
    SOCIALISED: "#413b19",
    ANSWERED: "#0ca265",
    GRID: "#e3e8ec",
    TEXT: "#22303c",
    PAGE: "#ffffff",
}
DARK: Final[dict[str, str]] = {
    INK: "#e8edf2",
    BOOK: "#9c9da1",
    INDEX: "#46a7fc",
    OTHER: "#ec8f02",
    FORCED: "#c33a23",
    HOUSE: "#8e3efa",
    ADL: "#bb2ca1",
    SOCIALISED: "#fffc0c",
    ANSWERED: "#11e28d",
    GRID: "#323b45",
    TEXT: "#dfe5ea",
    PAGE: "#171c22",
}
LEAST_DISTANCE: Final[float] = 20.0
"""In CIE L*a*b*, where 2 to 3 can just be told apart side by side."""

_TOKEN: Final[re.Pattern[str]] = re.compile(r"(@[a-z]+)(?:/(\d+))?")


def painted(figure: Any, colours: Mapping[str, str]) -> Any:
    """A figure (or part of one) with these colours in place of their meanings."""
    match figure:
        case dict():
            return {key: painted(value, colours) for key, value in figure.items()}
        case list():
            # Long lists are values; a list of colours is one for each bar, and short.
            is_data = not figure or not isinstance(figure[0], str | dict | list)
            return figure if is_data else [painted(value, colours) for value in figure]
        case str():
            found = _TOKEN.fullmatch(figure)
            return _colour(found, colours) if found and found[1] in colours else figure
    return figure


def _colour(found: re.Match[str], colours: Mapping[str, str]) -> str:
    colour = colours[found[1]]
    if found[2] is None:
        return colour
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{int(found[2]) / 100:g})"
