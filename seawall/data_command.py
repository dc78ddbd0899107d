"""The command ``data``: what would be read of a file of prices."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.settings import SettingFault
from seawall.index_path import Columns
from seawall.price_files.description import Description, described
from seawall.price_files.price_table import read_price_file
from seawall.price_files.recognise import Reading
from seawall.price_files.times import UNITS
from seawall.scenario_fields import ScenarioError

_EPILOG: Final[str] = """\
Recognised, plain or packed (gzip, zip): klines, trades, aggTrades and book tickers of Binance, with
or without header; trades, quotes, book snapshots, derivative tickers and candles of Tardis; candles
of ccxt and freqtrade (CSV, JSON, Feather, Parquet); any other file whose columns are called time or
date and price, bid and ask, or open, high, low and close. The unit of times is told by their size.

examples:
  seawall data BTCUSDT-1m-2025-10-10.zip
  seawall data ticks.csv --columns time=ts,price=px --time-unit s
  seawall data no_header.csv --columns time=1,price=3
"""


def add_data(add: Callable[..., Any], commands: Any) -> None:
    """Add ``data`` to the commands."""
    data = add(
        commands,
        "data",
        "show what would be read of a file of prices",
        "Read a file of prices as a run would, and show what it holds: shape, kind, rows, first\n"
        "and last time, columns, and what looks wrong.",
        _EPILOG,
    )
    data.add_argument("file", type=Path, help="CSV, JSON, Parquet or Feather, plain or packed")
    data.add_argument(
        "--columns",
        metavar="ROLE=NAME,...",
        help="time and price, bid and ask, or open, high, low, close: a name, or a number from 1",
    )
    data.add_argument("--time-unit", choices=UNITS, default="", help="unit of the times")
    data.add_argument("--symbol", default="", help="the symbol whose rows count")
    data.add_argument("--json", action="store_true", help="answer as JSON")
    data.set_defaults(action=_data)


def _data(args: argparse.Namespace) -> int:
    reading = Reading("", _columns(args.columns), args.time_unit, args.symbol)
    description = described(read_price_file(str(args.file), reading))
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(description), indent=2).decode())
    else:
        _show(description)
    return 0


def _columns(text: str | None) -> tuple[tuple[str, str | int], ...]:
    if text is None:
        return ()
    pairs = [part.partition("=") for part in text.split(",")]
    table = {
        role.strip(): int(column) if column.strip().isdecimal() else column.strip()
        for role, _, column in pairs
    }
    try:
        return Columns().read(table, "--columns")
    except SettingFault as fault:
        raise ScenarioError(str(fault)) from None


def _show(description: Description) -> None:
    columns = ", ".join(f"{role} = {name}" for role, name in description.columns.items())
    rows = [
        ("file", description.file),
        ("recognised", f"{description.shape} ({description.form})"),
        ("kind", description.kind + (f" of {description.width}" if description.width else "")),
        ("rows", f"{description.rows:,}"),
        ("first", description.first),
        ("last", description.last),
        ("columns", columns),
        ("time unit", description.time_unit),
        ("lowest price", description.lowest),
        ("highest price", description.highest),
        *(("warning", warning) for warning in description.warnings),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
