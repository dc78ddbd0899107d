"""The real contract's trades as a market day: those of a scenario's reference, and of the spot
market its index is made of.

A venue that numbers its trades and publishes neither those of its fund nor deleveraging leaves
gaps in the numbers; they stand for forced transfers, each at the trade after it.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl

from seawall.index_path import source_table
from seawall.lab.intervals import LabError
from seawall.lab.realism.market_day import INDEX, MarketDay
from seawall.price_files.price_table import PriceTable, read_price_file
from seawall.price_files.shapes import TRADES as TRADE_ROWS
from seawall.records.stylised_facts import TAPE
from seawall.scenario import Scenario

NUMBERS: Final[str] = "trade_id"
"""The column of a CSV file whose numbers skip what the venue did not publish."""


def real_day(scenario: Scenario) -> MarketDay | None:
    """What really happened; None for a scenario without a reference, or with a made index.

    Raises:
        LabError: the reference holds no trades with sides and amounts.
        ScenarioError: a file cannot be read.
    """
    (plan, *_) = next(iter(scenario.indices.values())).sources
    if scenario.reference is None or plan.file is None:
        return None
    path = scenario.reference.file
    reference = read_price_file(path)
    if reference.kind != TRADE_ROWS or not all(reference.sides) or not _known(reference.amounts):
        raise LabError(f"{path}: must hold trades with a side and an amount in every row")
    trades = _frame(reference).with_columns(
        side=pl.Series(reference.sides, dtype=TAPE["side"]),
        size=pl.Series(reference.amounts, dtype=TAPE["size"]),
    )
    return MarketDay(
        scenario.time.start_ns,
        scenario.time.end_ns,
        trades,
        _frame(source_table(plan)),
        left_out(reference.times_ns, _numbers(path)),
    )


def _known(amounts: Sequence[float]) -> bool:
    return bool(amounts) and not any(map(math.isnan, amounts))


def _frame(table: PriceTable) -> pl.DataFrame:
    prices = [float(price) for price in table.prices[-1]]
    return pl.DataFrame({"time_ns": table.times_ns, "price": prices}, schema=INDEX)


def _numbers(path: Path) -> list[int]:
    try:
        return pl.read_csv(path, columns=[NUMBERS])[NUMBERS].to_list()
    except pl.exceptions.PolarsError:
        return []  # no such column, or another form of file: nothing is known of gaps


def left_out(times_ns: Sequence[int], numbers: Sequence[int]) -> list[int]:
    """The time of every number that is left out, which is that of the trade after it."""
    missing: list[int] = []
    for (before, after), time_ns in zip(pairwise(numbers), times_ns[1:], strict=False):
        missing.extend([time_ns] * (after - before - 1))
    return missing
