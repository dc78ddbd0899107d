"""One contract of a report, in the units of the charts: prices and contracts."""

from decimal import Decimal
from typing import Final

import polars as pl

from seawall.records.listed import ListedInstrument
from seawall.records.stylised_facts import TAPE
from seawall.report.data import ReportData
from seawall.report.facts import liquidation_trades
from seawall.report.text import rounded

LINE_POINTS_MAX: Final[int] = 1_000
MARKS_MAX: Final[int] = 400


def line_points_max(instruments: int) -> int:
    """Points per line; the contracts share them, so that a page stays small (rounded down)."""
    return max(150, LINE_POINTS_MAX // max(1, instruments))


def marks_max(instruments: int) -> int:
    """Marks per kind and chart, by the same rule (rounded down)."""
    return max(60, MARKS_MAX // max(1, instruments))


class ContractData:
    """One contract's series and events. Prices are in `price_unit`."""

    def __init__(self, data: ReportData, instrument: ListedInstrument) -> None:
        self.instrument = instrument
        self.start_ns = data.scenario.start_ns
        self.tick = float(instrument.tick_size)
        self.lot = float(instrument.lot_size)
        self.multiplier = float(instrument.multiplier)
        self.digits = _decimals(instrument.tick_size)
        self.points_max = line_points_max(len(data.instruments))
        self.marks_max = marks_max(len(data.instruments))
        self.series = data.series.get(instrument.instrument_id, pl.DataFrame())
        if "time_ns" not in self.series.columns:
            self.series = pl.DataFrame(schema={"time_ns": pl.Int64})
        # runs of earlier versions do not say when they end
        self.end_ns = data.scenario.end_ns or _last(self.series["time_ns"]) or self.start_ns
        self.events = data.events.filter(pl.col("instrument_id") == instrument.instrument_id)
        self.real = data.real_trades.get(instrument.instrument_id)
        self.real_name = data.settings.get("reference.label", "Real perpetual")

    @property
    def price_unit(self) -> str:
        """What a price is in; of an inverse contract the quote currency has no name of its own."""
        linear = self.instrument.kind == "linear"
        return self.instrument.settle_asset if linear else "quote currency"

    def worth(self, value: float) -> str:
        """A notional in words."""
        linear = self.instrument.kind == "linear"
        unit = self.instrument.settle_asset if linear else "in the quote currency"
        return f"{rounded(value)} {unit}"

    def price(self, column: str) -> pl.DataFrame:
        """A tick column of the series as ``(time_ns, price)``, without the moments it had none."""
        if column not in self.series.columns:
            return pl.DataFrame(schema={"time_ns": pl.Int64, "price": pl.Float64})
        return self._to_price(self.series, column)

    def traded(self) -> pl.DataFrame:
        """Every trade's price, or the sampled last price if trades were not recorded."""
        trades = self.events.filter(pl.col("type") == "Trade")
        return self._to_price(trades, "price_ticks") if trades.height else self.price("last_ticks")

    def tape(self) -> pl.DataFrame:
        """Every trade, as a tape of `seawall.records.stylised_facts`."""
        trades = self.events.filter(pl.col("type") == "Trade")
        return self._to_tape(
            trades, pl.col("price_ticks") * self.tick, pl.col("qty_lots") * self.lot
        )

    def real_tape(self) -> pl.DataFrame:
        """The same of the real market's trades; empty without a real market."""
        if self.real is None:
            return pl.DataFrame(schema=TAPE)
        return self._to_tape(self.real, pl.col("price"), pl.col("size"))

    def volume(self) -> float:
        """Contracts traded in the book."""
        lots = self.events.filter(pl.col("type") == "Trade")["qty_lots"].abs().sum()
        return float(lots or 0) * self.lot

    def notional(self, price: pl.Expr, qty_lots: pl.Expr) -> pl.Expr:
        """Contract value in the quote currency; an inverse contract's does not depend on price."""
        contracts = qty_lots.abs() * (self.lot * self.multiplier)
        return contracts if self.instrument.kind == "inverse" else contracts * price

    def fills(self) -> pl.DataFrame:
        """Trades of liquidation orders as ``(time_ns, side, price, contracts, notional)``; the side
        is that of the taker."""
        return self._marks(liquidation_trades(self.events), "price_ticks")

    def forced(self, event_type: str) -> pl.DataFrame:
        """`TakenOver` or `Deleveraged` events, like `fills`; their price is the mark."""
        return self._marks(self.events.filter(pl.col("type") == event_type), "price_ticks")

    def size(self, column: str) -> pl.DataFrame:
        """A column of lots as ``(time_ns, size)`` in contracts, empty if it was not sampled."""
        if column not in self.series.columns:
            return pl.DataFrame(schema={"time_ns": pl.Int64, "size": pl.Float64})
        return self.series.select("time_ns", size=(pl.col(column) * self.lot).round(8))

    def _to_tape(self, trades: pl.DataFrame, price: pl.Expr, size: pl.Expr) -> pl.DataFrame:
        """In the tape's columns; where sides were not recorded, sizes do not count."""
        sided = "side" in trades.columns
        columns = {
            "time_ns": pl.col("time_ns"),
            "price": price,
            "side": pl.col("side") if sided else pl.lit(0),
            "size": size if sided else pl.lit(0.0),
        }
        return trades.select(each.cast(TAPE[name]).alias(name) for name, each in columns.items())

    def _to_price(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        known = frame.filter(pl.col(column) > 0)
        return known.select("time_ns", price=(pl.col(column) * self.tick).round(self.digits))

    def _marks(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        price = (pl.col(column) * self.tick).round(self.digits)
        side = pl.col("side") if "side" in frame.columns else pl.lit(None, pl.Int64)
        return frame.select(
            "time_ns",
            side=side,
            price=price,
            contracts=(pl.col("qty_lots").abs() * self.lot).round(8),
            notional=self.notional(price, pl.col("qty_lots")),
        )


def _last(times: pl.Series) -> int:
    """The last of the times, 0 without any."""
    return int(times.item(-1)) if times.len() else 0


def _decimals(step: str) -> int:
    """Decimals needed to write multiples of a step: 2 for 0.01, 0 for 5."""
    exponent = Decimal(step).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
