"""A stretch of a contract's market, real or simulated, in one form, so that both are measured by
the same code."""

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from engine.units import SECOND_NS

INDEX: Final[dict[str, type[pl.DataType]]] = {"time_ns": pl.Int64, "price": pl.Float64}
"""Prints of the index, or of the real spot market, in time order."""


class MarketDay(msgspec.Struct, frozen=True):
    """A window and what happened in it and before. ``transfers_ns`` has the time of each position
    that was taken over or deleveraged, of real trades that of each number the venue left out."""

    start_ns: int
    end_ns: int
    trades: pl.DataFrame
    index: pl.DataFrame
    transfers_ns: Sequence[int] = ()

    def window(self) -> pl.DataFrame:
        """The trades of the window."""
        return self.trades.filter(pl.col("time_ns").is_between(self.start_ns, self.end_ns))

    def seconds(self) -> pl.DataFrame:
        """Last trade (``price``) and ``index`` at the whole seconds of the window at which both
        are known; ``second`` counts from its beginning, ``basis`` is price over index less one.
        """
        seconds = range((self.end_ns - self.start_ns) // SECOND_NS + 1)
        grid = pl.DataFrame({"second": pl.Series(seconds, dtype=pl.Int64)}).with_columns(
            time_ns=self.start_ns + pl.col("second") * SECOND_NS
        )
        index = self.index.select("time_ns", index="price")
        return (
            grid.set_sorted("time_ns")
            .join_asof(self.trades.select("time_ns", "price").set_sorted("time_ns"), on="time_ns")
            .join_asof(index.set_sorted("time_ns"), on="time_ns")
            .drop_nulls()
            .with_columns(basis=pl.col("price") / pl.col("index") - 1)
        )
