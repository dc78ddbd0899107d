"""Facts about a contract's market: where its prices went, and what forced sales met in the book."""

from typing import Final

import msgspec
import polars as pl

from engine.commands import SELL
from engine.units import SECOND_NS
from seawall.report.contract import ContractData

BURST_NS: Final[int] = 10 * SECOND_NS
"""Forced trades are added up over this long."""
NEAR_BPS: Final[int] = 200
"""Orders within this distance of the mid are what a forced trade can count on."""


class PriceFacts(msgspec.Struct):
    """Where a price went after the warm-up; ``basis`` is the trade furthest from the last index
    sample before it, over that sample, minus one."""

    first: float
    low: float
    low_ns: int
    high: float
    high_ns: int
    last: float
    basis: float | None = None
    basis_ns: int = 0

    @property
    def fall(self) -> float:
        """First price to low, below zero if it fell."""
        return self.low / self.first - 1

    @property
    def rise(self) -> float:
        """First price to high."""
        return self.high / self.first - 1


def price_facts(
    prices: pl.DataFrame, start_ns: int, index: pl.DataFrame | None = None
) -> PriceFacts | None:
    """The facts of a frame ``(time_ns, price)`` from a time on; None if it has no price then."""
    known = prices.drop_nulls().filter(pl.col("time_ns") >= start_ns).sort("time_ns")
    if not known.height:
        return None
    column, times = known["price"], known["time_ns"]
    low, high = column.arg_min() or 0, column.arg_max() or 0
    facts = PriceFacts(
        column[0], column[low], times[low], column[high], times[high], column[known.height - 1]
    )
    if index is not None and index.height:
        held = known.join_asof(index.sort("time_ns"), on="time_ns", suffix="_index").drop_nulls()
        held = held.with_columns(basis=pl.col("price") / pl.col("price_index") - 1)
        if held.height:
            worst = held["basis"].abs().arg_max() or 0
            facts.basis, facts.basis_ns = held["basis"][worst], held["time_ns"][worst]
    return facts


class ForcedFacts(msgspec.Struct):
    """Trades of liquidation orders in the book, in contracts.

    In the ten seconds from ``burst_ns`` on most were traded, ``burst``, on the side ``burst_side``;
    ``met`` is what rested on the other side near the mid at the last sample before.
    """

    sold: float
    bought: float
    share: float
    burst: float
    burst_ns: int
    burst_side: int
    met: float | None


def forced_facts(contract: ContractData) -> ForcedFacts | None:
    """The facts of a contract's forced trades; None if there were none.

    A liquidation order takes, so a trade's side is the order's.
    """
    fills = contract.fills()
    if not fills.height:
        return None
    sold = _sum(fills.filter(pl.col("side") == SELL))
    bought = _sum(fills) - sold
    bursts = forced_by_burst(fills)
    top = bursts.row(bursts["contracts"].arg_max() or 0, named=True)
    side = "bid" if top["side"] == SELL else "ask"
    before = contract.size(f"depth_{side}_{NEAR_BPS}").filter(pl.col("time_ns") <= top["time_ns"])
    met = before["size"][-1] if before.height else None
    share = (sold + bought) / (contract.volume() or 1)
    return ForcedFacts(sold, bought, share, top["contracts"], top["time_ns"], top["side"], met)


def forced_by_burst(fills: pl.DataFrame) -> pl.DataFrame:
    """Forced contracts per ten seconds and side, as ``(time_ns, side, contracts)``."""
    start = pl.col("time_ns") // BURST_NS * BURST_NS
    return (
        fills.group_by(start.alias("time_ns"), "side")
        .agg(pl.col("contracts").sum())
        .sort("time_ns", "side")
    )


def _sum(fills: pl.DataFrame) -> float:
    return float(fills["contracts"].sum() or 0.0)
