"""What a contract did against its index in a crash.

| figure | meaning |
| --- | --- |
| ``low`` | lowest trade of the window over the index as it begins, less one |
| ``index_low`` | the same of the index itself |
| ``basis_worst`` | lowest trade over index less one, at whole seconds |
| ``half_s`` | seconds from there until at most half is left; if never, the rest of the window |
| ``below_s`` | seconds at which the last trade lies `DEEP` or more below the index |
| ``episodes`` | how often it goes that deep after it was within `NEAR` |
| ``swings`` | turns of the price by `SWING` or more |
| ``rebound`` | price `REBOUND_S` after the lowest trade over that, less one |
| ``transfer_s`` | median time of takeovers and deleveragings, seconds into the window |
| ``transfers`` | how many there were |
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

import polars as pl

from engine.units import SECOND_NS
from seawall.lab.realism.market_day import MarketDay

DEEP: Final[float] = 0.20
NEAR: Final[float] = 0.05
SWING: Final[float] = 0.10
REBOUND_S: Final[int] = 60


def crash_figures(day: MarketDay) -> dict[str, float | None]:
    """The figures by name; None where there is nothing to go by."""
    trades, seconds = day.window(), day.seconds()
    transfers = [at for at in day.transfers_ns if day.start_ns <= at <= day.end_ns]
    found: dict[str, float | None] = {
        "transfers": len(transfers),
        "transfer_s": (median(transfers) - day.start_ns) / SECOND_NS if transfers else None,
    }
    if not trades.height or not seconds.height:
        return found
    start = seconds["index"].item(0)
    basis = seconds["basis"].to_list()
    lowest = trades["price"].arg_min() or 0
    found |= {
        "low": trades["price"].item(lowest) / start - 1,
        "index_low": _lowest(seconds["index"]) / start - 1,
        "basis_worst": min(basis),
        "half_s": _half_s(basis),
        "below_s": sum(each <= -DEEP for each in basis),
        "episodes": _episodes(basis),
        "swings": swings(trades["price"].to_list()),
        "rebound": _rebound(trades, lowest),
    }
    return found


def _lowest(prices: pl.Series) -> float:
    return float(min(prices.to_list()))


def _half_s(basis: Sequence[float]) -> int:
    worst = min(range(len(basis)), key=basis.__getitem__)
    for second in range(worst, len(basis)):
        if basis[second] >= basis[worst] / 2:
            return second - worst
    return len(basis) - worst


def _episodes(basis: Sequence[float]) -> int:
    count, near = 0, True
    for each in basis:
        if near and each <= -DEEP:
            count, near = count + 1, False
        elif each >= -NEAR:
            near = True
    return count


def swings(prices: Sequence[float]) -> int:
    """How often the price turned: went `SWING` or more down from a high, or up from a low."""
    count, direction = 0, 0
    high = low = prices[0]
    for price in prices:
        high, low = max(high, price), min(low, price)
        if direction >= 0 and price <= high * (1 - SWING):
            count, direction, low = count + 1, -1, price
        elif direction <= 0 and price >= low * (1 + SWING):
            count, direction, high = count + 1, 1, price
    return count


def _rebound(trades: pl.DataFrame, lowest: int) -> float:
    low_ns, low = trades["time_ns"].item(lowest), trades["price"].item(lowest)
    until = trades.filter(pl.col("time_ns") <= low_ns + REBOUND_S * SECOND_NS)
    return float(until["price"].item(-1) / low - 1)
