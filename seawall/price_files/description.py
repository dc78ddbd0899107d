"""What would be read of a file of prices, for people: shape, extent, columns, what looks wrong."""

from itertools import pairwise
from typing import Final

import msgspec

from engine.units import HOUR_NS, MINUTE_NS, SECOND_NS
from seawall.price_files.candles import widths_ns
from seawall.price_files.price_table import PriceTable
from seawall.price_files.shapes import AMOUNT, CANDLES, ROLES, SIDE, TIME
from seawall.price_files.times import WORDS, utc

_HOLE_NS: Final[int] = MINUTE_NS
"""Trades and quotes that are further apart than most rulebooks wait for a price."""
_LEAP: Final[int] = 2
"""A price this many times the one before it is a leap."""
_UNITS: Final[tuple[tuple[str, int], ...]] = (
    ("d", 24 * HOUR_NS),
    ("h", HOUR_NS),
    ("min", MINUTE_NS),
    ("s", SECOND_NS),
)


class Description(msgspec.Struct, frozen=True):
    """What a file holds. Times are in UTC, prices decimals, ``width`` is that of a candle."""

    file: str
    shape: str
    form: str
    kind: str
    width: str
    rows: int
    first: str
    last: str
    columns: dict[str, str]
    time_unit: str
    lowest: str
    highest: str
    warnings: list[str]


def described(table: PriceTable) -> Description:
    """The description of a file that was read."""
    layout, times_ns = table.layout, table.times_ns
    roles = (TIME, *ROLES[table.kind])
    more = {AMOUNT: layout.amount_name, SIDE: layout.side_name}
    return Description(
        file=table.where,
        shape=layout.shape,
        form=table.form,
        kind=table.kind,
        width=duration(widths_ns(times_ns)[-1]) if table.kind == CANDLES else "",
        rows=len(times_ns),
        first=utc(times_ns[0]),
        last=utc(times_ns[-1]),
        columns=dict(zip(roles, layout.names, strict=True))
        | {role: name for role, name in more.items() if name},
        time_unit=WORDS[table.unit],
        lowest=f"{min(map(min, table.prices)):f}",
        highest=f"{max(map(max, table.prices)):f}",
        warnings=[*table.warnings, *_holes(table), *_leaps(table), *_stands_still(table)],
    )


def duration(time_ns: int) -> str:
    """A duration in the largest unit that is whole: ``90 s``, ``5 min``."""
    for word, unit_ns in _UNITS:
        if time_ns >= unit_ns and time_ns % unit_ns == 0:
            return f"{time_ns // unit_ns} {word}"
    return f"{time_ns / SECOND_NS:g} s"


def _holes(table: PriceTable) -> list[str]:
    """Stretches without a price: missing candles, long silences of trades and quotes."""
    gaps = list(pairwise(table.times_ns))
    if not gaps:
        return []
    if table.kind == CANDLES:
        usual_ns = widths_ns(table.times_ns)[-1]
        odd = sum(end - begin < usual_ns for begin, end in gaps)
        short = [f"{odd:,} candles are shorter than the others"] if odd else []
        holes = [gap for gap in gaps if gap[1] - gap[0] > usual_ns]
        what = "candles are missing at"
    else:
        short = []
        holes = [gap for gap in gaps if gap[1] - gap[0] > _HOLE_NS]
        what = f"nothing for more than {duration(_HOLE_NS)} at"
    if not holes:
        return short
    begin, end = max(holes, key=lambda gap: gap[1] - gap[0])
    places = "1 place" if len(holes) == 1 else f"{len(holes):,} places"
    return [
        *short,
        f"{what} {places}; the longest stretch is {duration(end - begin)}, from {utc(begin)}",
    ]


def _stands_still(table: PriceTable) -> list[str]:
    """Candles so wide that their four prices are further apart than most rulebooks wait."""
    print_ns = widths_ns(table.times_ns)[-1] // 4 if table.kind == CANDLES else 0
    if print_ns <= _HOLE_NS:
        return []
    return [
        f"a candle prints every {duration(print_ns)}, and many rulebooks call a price stale after "
        f"{duration(_HOLE_NS)}; bridge = true prints at every tick of the clock"
    ]


def _leaps(table: PriceTable) -> list[str]:
    """Prices far from the one before them: another contract, another unit, a wrong print."""
    last = table.prices[-1]
    leaps = [
        number
        for number, (before, after) in enumerate(pairwise(last), 1)
        if after > _LEAP * before or before > _LEAP * after
    ]
    if not leaps:
        return []
    first = leaps[0]
    places = "1 place" if len(leaps) == 1 else f"{len(leaps):,} places"
    return [
        f"the price more than doubles or halves from one row to the next at {places}; first at "
        f"{utc(table.times_ns[first])}: {last[first - 1]:f}, then {last[first]:f}"
    ]
