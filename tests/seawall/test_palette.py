"""The report's colours: told apart by everybody, strong enough on their page, one per meaning."""

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from seawall.report.page import ASSETS
from seawall.report.palette import (
    DARK,
    INDEX,
    LEAST_DISTANCE,
    LIGHT,
    MEANINGS,
    PAGE,
    TEXT,
    painted,
)
from tests.seawall.report_page import figures
from tests.seawall.report_world import synthetic_report

Triple = tuple[float, float, float]

# How linear light reaches an eye without red or green receptors, by Machado, Oliveira and
# Fernandes (2009).
EYES: dict[str, tuple[Triple, Triple, Triple]] = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


def linear(colour: str) -> Triple:
    """A colour's linear light."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return red, green, blue


def luminance(light: Triple) -> float:
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG defines it, from 1 to 21."""
    low, high = sorted((luminance(linear(one)), luminance(linear(other))))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, eye: str) -> Triple:
    """A colour in L*a*b* as an eye sees it."""
    light = linear(colour)
    red, green, blue = (
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, light, strict=True)))) for row in EYES[eye]
    )
    whites = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
    )
    x, y, z = (
        white ** (1 / 3) if white > 0.008856 else 7.787 * white + 16 / 116 for white in whites
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, eye: str) -> float:
    return math.dist(seen(one, eye), seen(other, eye))


PALETTES = pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])


@PALETTES
@pytest.mark.parametrize("eye", list(EYES))
def test_every_two_meanings_are_told_apart(palette: dict[str, str], eye: str) -> None:
    for one, other in itertools.combinations(MEANINGS, 2):
        apart = distance(palette[one], palette[other], eye)
        assert apart >= LEAST_DISTANCE, (one, other, round(apart, 1))


def test_colours_that_many_people_confuse_are_close_in_the_simulation() -> None:
    """Red and a green as bright are one colour without red or green receptors."""
    assert distance("#c03030", "#2f7d32", "usual") > 80
    assert distance("#b4413c", "#7a7a2a", "deuteranopia") < LEAST_DISTANCE
    assert distance("#7c5a1f", "#4f6a1f", "protanopia") < LEAST_DISTANCE


@PALETTES
def test_colours_stand_out_from_the_page(palette: dict[str, str]) -> None:
    for meaning in MEANINGS:
        assert contrast(palette[meaning], palette[PAGE]) >= 3, meaning
    assert contrast(palette[TEXT], palette[PAGE]) >= 7


def test_the_page_behind_the_charts_is_the_page_of_the_palette() -> None:
    style = (ASSETS / "style.css").read_text()
    cards = re.findall(r"--card: (#[0-9a-f]{6})", style)
    assert cards[:2] == [LIGHT[PAGE], DARK[PAGE]]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def test_figures_name_colours_by_their_meaning_only() -> None:
    for key, figure in figures(synthetic_report()).items():
        found = list(texts(figure))
        named = [each.partition("/")[0] for each in found if each.startswith("@")]
        assert set(named) <= set(LIGHT), key
        assert not [each for each in found if re.match(r"#[0-9a-f]{3,8}$|rgba?\(", each)], key


def test_colours_are_put_in_place_of_meanings() -> None:
    figure = {"line": {"color": INDEX}, "fill": f"{INDEX}/25", "x": [1, 2], "bars": [INDEX, "@no"]}
    assert painted(figure, LIGHT) == {
        "line": {"color": "#0456d8"},
        "fill": "rgba(4,86,216,0.25)",
        "x": [1, 2],
        "bars": ["#0456d8", "@no"],
    }
