"""Charts of one instrument: prices with liquidations, depth, open interest."""

import re
from decimal import Decimal
from html import escape
from typing import Final

import polars as pl

from seawall.records.listed import ListedInstrument
from seawall.report.chart import (
    AMBER,
    BLUE,
    BRICK,
    GREY,
    INK,
    PLUM,
    SERIES_COLOURS,
    TEAL,
    Chart,
    Figure,
    axis,
    layout,
    line,
    time_axis,
    time_ms,
)
from seawall.report.data import ReportData
from seawall.report.downsample import min_max_points
from seawall.report.facts import liquidation_trades
from seawall.report.text import html_table, utc

LINE_POINTS_MAX: Final[int] = 5_000
MARKS_MAX: Final[int] = 4_000
BUBBLE_PIXELS_MAX: Final[int] = 22
GL_INSTRUMENTS_MAX: Final[int] = 4
"""Browsers allow few WebGL canvases on a page; beyond that, marks are drawn as SVG."""

_DEPTH = re.compile(r"depth_(bid|ask)_(\d+)")


def line_points_max(instruments: int) -> int:
    """Points per line, so that a page with many instruments stays small (rounded down)."""
    return max(500, min(LINE_POINTS_MAX, 2 * LINE_POINTS_MAX // max(1, instruments)))


def marks_max(instruments: int) -> int:
    """Marks per kind and chart, by the same rule (rounded down)."""
    return max(500, min(MARKS_MAX, 2 * MARKS_MAX // max(1, instruments)))


class ContractData:
    """One instrument's series and events in the units of the charts: prices and contracts."""

    def __init__(self, data: ReportData, instrument: ListedInstrument) -> None:
        self.instrument = instrument
        self.tick = float(instrument.tick_size)
        self.lot = float(instrument.lot_size)
        self.multiplier = float(instrument.multiplier)
        self.digits = _decimals(instrument.tick_size)
        self.points_max = line_points_max(len(data.instruments))
        self.marks_max = marks_max(len(data.instruments))
        self.use_gl = len(data.instruments) <= GL_INSTRUMENTS_MAX
        self.series = data.series.get(instrument.instrument_id, pl.DataFrame())
        if "time_ns" not in self.series.columns:
            self.series = pl.DataFrame(schema={"time_ns": pl.Int64})
        self.events = data.events.filter(pl.col("instrument_id") == instrument.instrument_id)
        self.real = data.real_trades.get(instrument.instrument_id)

    def price(self, column: str) -> pl.DataFrame:
        """A tick column of the series as ``(time_ns, price)``, without the moments it had none."""
        if column not in self.series.columns:
            return pl.DataFrame(schema={"time_ns": pl.Int64, "price": pl.Float64})
        return self._to_price(self.series, column)

    def traded(self) -> pl.DataFrame:
        """Every trade's price, or the sampled last price if trades were not recorded."""
        trades = self.events.filter(pl.col("type") == "Trade")
        return self._to_price(trades, "price_ticks") if trades.height else self.price("last_ticks")

    def notional(self, price: pl.Expr, qty_lots: pl.Expr) -> pl.Expr:
        """Contract value in the quote currency; an inverse contract's does not depend on price."""
        contracts = qty_lots.abs() * (self.lot * self.multiplier)
        return contracts if self.instrument.kind == "inverse" else contracts * price

    def fills(self) -> pl.DataFrame:
        """Trades of liquidation orders as ``(time_ns, price, contracts, notional)``."""
        return self._marks(liquidation_trades(self.events), "price_ticks")

    def forced(self, event_type: str) -> pl.DataFrame:
        """`TakenOver` or `Deleveraged` events, like `fills`; their price is the mark."""
        return self._marks(self.events.filter(pl.col("type") == event_type), "price_ticks")

    def _to_price(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        known = frame.filter(pl.col(column) > 0)
        return known.select("time_ns", price=(pl.col(column) * self.tick).round(self.digits))

    def _marks(self, frame: pl.DataFrame, column: str) -> pl.DataFrame:
        price = (pl.col(column) * self.tick).round(self.digits)
        return frame.select(
            "time_ns",
            price=price,
            contracts=pl.col("qty_lots").abs() * self.lot,
            notional=self.notional(price, pl.col("qty_lots")),
        )


def price_chart(market: ContractData, span_ms: tuple[int, int] | None) -> Chart:
    """Prices, the real market if given, and a bubble for every forced trade."""
    instrument = market.instrument
    lines = [
        ("Traded", market.traded(), GREY, 1.0),
        ("Index", market.price("index_ticks"), TEAL, 1.8),
        ("Mark", market.price("mark_ticks"), BLUE, 1.8),
    ]
    if market.real is not None:
        lines.insert(0, ("Real perpetual, traded", market.real, AMBER, 1.0))
    traces: list[Figure] = []
    captions: list[str] = []
    longest = max(frame.height for _, frame, _, _ in lines)
    for name, frame, colour, width in lines:
        points = min_max_points(frame, "price", market.points_max)
        if points.height:
            style = {"color": colour, "width": width}
            traces.append(line(points, "price", name, colour, line=style))
    if not traces:
        empty = "No price was recorded for this instrument."
        return Chart(f"price-{instrument.instrument_id}", "Price", "", None, empty=empty)
    if longest > market.points_max:
        captions.append(_thinning_rule(market.points_max))
    marks, mark_captions = _mark_traces(market)
    figure = {
        "data": traces + marks,
        "layout": layout("Price", 480, xaxis=time_axis(span_ms)),
    }
    return Chart(
        f"price-{instrument.instrument_id}",
        "Price, mark and index",
        "Look for trades running away from the index: bubbles are forced trades (area by "
        "notional), and where they pile up, liquidations are moving the price themselves.",
        figure,
        captions=captions + mark_captions,
        table=_comparison(market) if market.real is not None else "",
    )


def _mark_traces(market: ContractData) -> tuple[list[Figure], list[str]]:
    kinds = [
        ("Auto-deleveraged (ADL)", market.forced("Deleveraged"), INK, "x", "mark"),
        ("Taken over by fund or backstop", market.forced("TakenOver"), PLUM, "diamond", "mark"),
        ("Liquidation order filled", market.fills(), BRICK, "circle", "filled at"),
    ]
    notionals = pl.concat([frame["notional"] for _, frame, _, _, _ in kinds])
    largest = max(notionals.to_list(), default=0.0)
    traces: list[Figure] = []
    captions: list[str] = []
    for name, frame, colour, symbol, where in kinds:
        if not frame.height:
            continue
        shown = frame.top_k(market.marks_max, by="notional").sort("time_ns")
        if shown.height < frame.height:
            captions.append(
                f"{name}: the {shown.height:,} largest of {frame.height:,} by notional are drawn; "
                "all of them are counted in the charts and tables below."
            )
        traces.append(
            {
                "type": "scattergl" if market.use_gl else "scatter",
                "mode": "markers",
                "name": escape(f"{name} ({frame.height:,})"),
                "x": time_ms(shown),
                "y": shown["price"].to_list(),
                "customdata": _pairs(shown),
                "marker": {
                    "color": colour,
                    "symbol": symbol,
                    "opacity": 0.4,
                    # The default white outline of bubbles would hide the lines below.
                    "line": {"width": 0},
                    "sizemode": "area",
                    "size": [float(f"{value:.4g}") for value in shown["notional"].to_list()],
                    # Twice the largest value over the square of its diameter (plotly's rule).
                    "sizeref": 2 * largest / BUBBLE_PIXELS_MAX**2 or 1,
                    "sizemin": 2,
                },
                "hovertemplate": f"{where} %{{y:,}}<br>%{{customdata[0]:,}} contracts"
                "<br>notional %{customdata[1]:,.0f}<extra>" + escape(name) + "</extra>",
            }
        )
    if not traces:
        captions.append("No position of this instrument was liquidated in this run.")
    elif len(traces) > 1:
        captions.append(
            "Takeovers and auto-deleveraging happen off the book; they are placed at the mark."
        )
    return traces, captions


def _pairs(frame: pl.DataFrame) -> list[list[float]]:
    return [
        [float(f"{contracts:.6g}"), float(f"{notional:.6g}")]
        for contracts, notional in zip(
            frame["contracts"].to_list(), frame["notional"].to_list(), strict=True
        )
    ]


def _comparison(market: ContractData) -> str:
    """Low, its time and the largest basis: simulated, real, and the index both are held to."""
    index = market.price("index_ticks")
    assert market.real is not None
    rows = [
        _comparison_row("Simulated perpetual", market.traded(), index, market.digits),
        _comparison_row("Real perpetual", market.real, index, market.digits),
        _comparison_row("Index", index, None, market.digits),
    ]
    header = ["", "First", "Low", "Time of low (UTC)", "Fall", "Largest basis", "At (UTC)"]
    note = (
        '<p class="caption">Fall: first price to low. Basis: a trade over the last index sample '
        "before it, minus one; the largest in size, with its sign.</p>"
    )
    return html_table(header, rows) + note


def _comparison_row(
    name: str, prices: pl.DataFrame, index: pl.DataFrame | None, digits: int
) -> list[str]:
    known = prices.drop_nulls().sort("time_ns")
    if not known.height:
        return [name, *["none"] * 6]
    low_row = known["price"].arg_min() or 0
    low_ns, low = known.row(low_row)[0], known["price"][low_row]
    first = known["price"][0]
    row = [
        name,
        f"{first:,.{digits}f}",
        f"{low:,.{digits}f}",
        utc(low_ns),
        f"{low / first - 1:.1%}",
    ]
    if index is None or not index.height:
        return [*row, "", ""]
    held = known.join_asof(index.sort("time_ns"), on="time_ns", suffix="_index").drop_nulls()
    held = held.with_columns(basis=pl.col("price") / pl.col("price_index") - 1)
    if not held.height:
        return [*row, "none", "none"]
    worst = held["basis"].abs().arg_max() or 0
    return [*row, f"{held['basis'][worst]:+.1%}", utc(held["time_ns"][worst])]


def depth_chart(market: ContractData, span_ms: tuple[int, int] | None) -> Chart:
    """Resting size near the mid, bids above and asks below, one line per distance."""
    key = f"depth-{market.instrument.instrument_id}"
    found = [match for name in market.series.columns if (match := _DEPTH.fullmatch(name))]
    distances = sorted({int(match[2]) for match in found})
    traces: list[Figure] = []
    points_max = market.points_max // 2
    for number, bps in enumerate(distances):
        for side, y_axis in (("bid", "y"), ("ask", "y2")):
            column = f"depth_{side}_{bps}"
            if column not in market.series.columns:
                continue
            size = market.series.select("time_ns", size=pl.col(column) * market.lot)
            points = min_max_points(size, "size", points_max)
            traces.append(
                line(
                    points,
                    "size",
                    f"within {bps / 100:g} %",
                    SERIES_COLOURS[number % len(SERIES_COLOURS)],
                    yaxis=y_axis,
                    legendgroup=str(bps),
                    showlegend=side == "bid",
                )
            )
    if not any(trace["x"] for trace in traces):
        return Chart(key, "Depth", "", None, empty="No depth was recorded for this instrument.")
    look = layout("Bids, contracts", 440, xaxis=time_axis(span_ms, anchor="y2"))
    look["yaxis"] = axis("Bids, contracts", domain=[0.54, 1], rangemode="tozero")
    look["yaxis2"] = axis("Asks, contracts", domain=[0, 0.46], rangemode="tozero")
    thinned = market.series.height > points_max
    return Chart(
        key,
        "Depth near the mid",
        "Look for the moment the bids vanish: a liquidation order of the same size then moves the "
        "price much further.",
        {"data": traces, "layout": look},
        captions=[_thinning_rule(points_max)] if thinned else [],
    )


def open_interest_chart(market: ContractData, span_ms: tuple[int, int] | None) -> Chart:
    """Open contracts, one side."""
    key = f"open-interest-{market.instrument.instrument_id}"
    column = "open_interest_lots"
    if column not in market.series.columns or not market.series.height:
        empty = "No open interest was recorded for this instrument."
        return Chart(key, "Open interest", "", None, empty=empty)
    contracts = market.series.select("time_ns", open=pl.col(column) * market.lot)
    points = min_max_points(contracts, "open", market.points_max)
    trace = line(points, "open", "Open interest", BLUE)
    look = layout("Contracts", 260, xaxis=time_axis(span_ms), showlegend=False)
    look["yaxis"] = axis("Contracts", rangemode="tozero")
    return Chart(
        key,
        "Open interest",
        "Look for steps down: each is leverage leaving the market, by liquidation or by choice.",
        {"data": [trace], "layout": look},
        captions=[_thinning_rule(market.points_max)] if contracts.height > points.height else [],
    )


def _thinning_rule(points_max: int) -> str:
    return (
        f"Lines longer than {points_max:,} points are thinned: of each run of samples the lowest "
        "and the highest are drawn, so no low or high is lost."
    )


def _decimals(step: str) -> int:
    """Decimals needed to write multiples of a step: 2 for 0.01, 0 for 5."""
    exponent = Decimal(step).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
