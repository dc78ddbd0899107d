"""Prices of files in ticks, of the kind a scenario names: trades or candles, or whatever it is."""

from decimal import Decimal
from pathlib import Path
from typing import Final

from engine.commands import MAX_TICKS
from seawall.price_files.candles import Point, quarters
from seawall.price_files.price_table import PriceTable, read_price_file
from seawall.price_files.recognise import Reading
from seawall.price_files.shapes import CANDLES, TRADES

FILE: Final[str] = "file"
TRADES_CSV: Final[str] = "trades_csv"
CANDLES_CSV: Final[str] = "candles_csv"

ROWS_OF: Final[dict[str, str]] = {FILE: "", TRADES_CSV: TRADES, CANDLES_CSV: CANDLES}
"""What the rows of each kind must be; empty: whatever is recognised."""


def read_prices(path: Path, kind: str, tick: Decimal) -> list[Point]:
    """All prices of a file as ``(time_ns, price_ticks)``; a candle prints its four prices at
    quarters of its interval, the extreme nearer to the open first.

    Raises:
        ScenarioError: see `seawall.price_files.price_table.read_price_file`; or a price does not
            fit the tick.
    """
    return points_of(read_price_file(path, Reading(kind=ROWS_OF[kind])), tick)


def points_of(table: PriceTable, tick: Decimal, most: int = MAX_TICKS) -> list[Point]:
    """The prices of a table as prints, see `read_prices`; ``most`` ticks are the highest price."""
    rows = table.ticks(tick, most)
    if table.kind == CANDLES:
        return quarters(table.times_ns, rows)
    return [(time_ns, price) for time_ns, (price,) in zip(table.times_ns, rows, strict=True)]
