"""Which columns of a file hold times and prices: by their names, by their look, or as told."""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.settings import nearest
from seawall.price_files.rows import Rows
from seawall.price_files.shapes import (
    AMOUNT,
    AMOUNT_NAMES,
    ASK_NAMES,
    BID_NAMES,
    BOOK_NAMES,
    CANDLES,
    LOOKS,
    NAMED,
    NO_PRICES,
    PRICE_NAMES,
    QUOTES,
    ROLES,
    SIDE,
    SIDE_NAMES,
    STAND_IN_NAMES,
    SYMBOL_NAMES,
    TIME,
    TIME_NAMES,
    TRADES,
    plain,
)
from seawall.price_files.times import DATE, NS_OF, unit_by_look
from seawall.scenario_fields import ScenarioError, shortened

_FLAGS: Final[tuple[str, str]] = ("true", "false")
_USUAL: Final[dict[str, tuple[str, ...]]] = {
    TRADES: ("timestamp_us", "price"),
    CANDLES: ("open_time_ms", *ROLES[CANDLES]),
}
"""What is asked for where a file has nothing of it."""

_AN_EXAMPLE: Final[str] = 'columns = { time = "ts", price = "px" }'


class Reading(msgspec.Struct, frozen=True):
    """What is told of a file beside its name: the kind it must be of, its columns by role (a name,
    or a number from 1), the unit of its times, the symbol whose rows count; empty: as recognised.
    """

    kind: str = ""
    columns: tuple[tuple[str, str | int], ...] = ()
    time_unit: str = ""
    symbol: str = ""


class Layout(msgspec.Struct, frozen=True):
    """Where times and prices stand in a row (from 0), and what the columns are called; amounts and
    the taker's side too where a file has them (-1: it has not). A unit that is not told is found by
    the look of the first time."""

    shape: str
    kind: str
    time: int
    prices: tuple[int, ...]
    names: tuple[str, ...]
    unit: str
    width: int
    symbol: int = -1
    amount: int = -1
    amount_name: str = ""
    side: int = -1
    side_name: str = ""


def find_layout(rows: Rows, first: Sequence[str], reading: Reading) -> Layout:
    """The layout of a file; ``first`` is its first row.

    Raises:
        ScenarioError: it has no times or no prices, a column twice, or is of another kind.
    """
    if reading.columns:
        layout = _told_layout(rows, first, reading)
    elif rows.names:
        layout = _by_names(rows, reading)
    else:
        layout = _by_look(rows, first)
    if reading.kind not in ("", layout.kind):
        raise ScenarioError(
            f"{rows.where}: holds {layout.kind} ({layout.shape}), not {reading.kind}; "
            'kind = "file" reads what it recognises'
        )
    return layout


def _told_layout(rows: Rows, first: Sequence[str], reading: Reading) -> Layout:
    columns = dict(reading.columns)
    kind = next(kind for kind, roles in ROLES.items() if roles[0] in columns)
    places = [_place(rows, len(first), columns[role]) for role in (TIME, *ROLES[kind])]
    layout = _layout("as told", kind, places[0], tuple(places[1:]), rows, len(first), reading)
    amount, side = (
        _place(rows, len(first), columns[role]) if role in columns else -1
        for role in (AMOUNT, SIDE)
    )
    return _with_trades(layout, rows, amount, side)


def _place(rows: Rows, width: int, column: str | int) -> int:
    """Where a column stands that is told by its name or its number."""
    if isinstance(column, int):
        if column > width:
            raise ScenarioError(f"{rows.where}: there is no column {column} among {width}")
        return column - 1
    if not rows.names:
        raise ScenarioError(
            f"{rows.where}: has no header; give the numbers of columns, such as "
            "columns = { time = 1, price = 2 }"
        )
    return _only(rows, rows.names, column)


def _only(rows: Rows, names: list[str], column: str) -> int:
    """The place of a name that is there once."""
    where = f"{rows.where}: line 1" if rows.word == "line" else rows.where
    if column not in names:
        listed = shortened(", ".join(rows.names), 200)
        raise ScenarioError(
            f"{where}: column {column!r} is missing; {nearest(column, rows.names)}found {listed}; "
            f"others are named by columns, such as {_AN_EXAMPLE}"
        )
    if names.count(column) > 1:
        raise ScenarioError(f"{where}: column {column!r} is named more than once")
    return names.index(column)


def _by_names(rows: Rows, reading: Reading) -> Layout:
    names = [plain(name) for name in rows.names]
    for mark, what in NO_PRICES.items():
        if mark in names:
            raise ScenarioError(f"{rows.where}: holds {what} (column {mark!r}), no prices in time")
    kind, prices = _prices(rows, names, reading.kind)
    usual = _USUAL.get(reading.kind, ("timestamp", "price"))
    time = next(iter(_times(names)), usual[0])
    place = _only(rows, names, time)
    if not prices:
        _only(rows, names, next(name for name in usual[1:] if name not in names))
    places = tuple(_only(rows, names, name) for name in prices)
    fits = (s.name for s in NAMED if s.kind == kind and not set(s.marks) - set(names))
    layout = _layout(next(fits, kind), kind, place, places, rows, len(names), reading)
    if kind == QUOTES:
        return layout
    return _with_trades(layout, rows, _first_of(AMOUNT_NAMES, names), _first_of(SIDE_NAMES, names))


def _first_of(wanted: Sequence[str], names: list[str]) -> int:
    """Where the best of the wanted names stands; -1 where there is none."""
    return next((names.index(name) for name in wanted if name in names), -1)


def _times(names: list[str]) -> list[str]:
    """The columns of times that are there, the best name first."""
    ends = ("", *(f"_{unit}" for unit in NS_OF))
    return [name + end for name in TIME_NAMES for end in ends if name + end in names]


def _prices(rows: Rows, names: list[str], wanted: str) -> tuple[str, tuple[str, ...]]:
    """The kind of the rows and the columns of its prices; none where none is recognised."""
    price = next((name for name in PRICE_NAMES if name in names), "")
    if not set(ROLES[CANDLES]) - set(names) and not (price and wanted == TRADES):
        return CANDLES, ROLES[CANDLES]
    if price:
        return TRADES, (price,)
    bid = next((name for name in (*BID_NAMES, BOOK_NAMES[0]) if name in names), "")
    ask = next((name for name in (*ASK_NAMES, BOOK_NAMES[1]) if name in names), "")
    if bid and ask:
        return QUOTES, (bid, ask)
    stand_in = next((name for name in STAND_IN_NAMES if name in names), "")
    return wanted or TRADES, (stand_in,) if stand_in and wanted in ("", TRADES) else ()


def _by_look(rows: Rows, first: Sequence[str]) -> Layout:
    flags = 0
    while flags < len(first) and first[-1 - flags].strip().lower() in _FLAGS:
        flags += 1
    for look in LOOKS:
        if len(first) in look.widths and flags == look.flags:
            time = first[look.time]
            if unit_by_look(time) and (unit_by_look(time) != DATE or "-" in time):
                layout = _layout(
                    look.name, look.kind, look.time, look.prices, rows, len(first), Reading()
                )
                side = len(first) - flags if flags else -1
                return _with_trades(layout, rows, look.amount, side)
    raise ScenarioError(
        f"{rows.where}: no known shape: no header, and a first row of {len(first)} columns: "
        f"{','.join(first):.80}; say which count, such as columns = {{ time = 1, price = 2 }}"
    )


def _layout(
    shape: str,
    kind: str,
    time: int,
    prices: tuple[int, ...],
    rows: Rows,
    width: int,
    reading: Reading,
) -> Layout:
    names = [_name(rows, place) for place in range(width)]
    plain_names = [plain(name) for name in rows.names]
    end = plain(names[time]).rpartition("_")[2]
    unit = rows.units.get(names[time], "") or (end if end in NS_OF else "")
    symbol = next((plain_names.index(name) for name in SYMBOL_NAMES if name in plain_names), -1)
    return Layout(
        shape=shape,
        kind=kind,
        time=time,
        prices=prices,
        names=tuple(names[place] for place in (time, *prices)),
        unit=reading.time_unit or unit,
        width=width,
        symbol=symbol,
    )


def _with_trades(layout: Layout, rows: Rows, amount: int, side: int) -> Layout:
    """The layout with the columns of amounts and sides."""
    return msgspec.structs.replace(
        layout,
        amount=amount,
        amount_name=_name(rows, amount) if amount >= 0 else "",
        side=side,
        side_name=_name(rows, side) if side >= 0 else "",
    )


def _name(rows: Rows, place: int) -> str:
    """What a column is called."""
    return rows.names[place] if rows.names else f"column {place + 1}"
