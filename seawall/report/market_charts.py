"""Charts of a contract: prices and forced trades, a cascade's chain, depth, open interest."""

import re
from collections.abc import Sequence
from html import escape
from typing import Final

import polars as pl

from engine.commands import BUY, SELL
from engine.units import SECOND_NS
from seawall.report.chart import (
    MS_NS,
    Chart,
    Figure,
    Window,
    axis,
    layout,
    line,
    over_time,
    panels,
    time_ms,
)
from seawall.report.contract import ContractData
from seawall.report.downsample import min_max_points
from seawall.report.market_facts import BURST_NS, NEAR_BPS, forced_by_burst
from seawall.report.palette import ADL, BOOK, FORCED, HOUSE, INDEX, INK, OTHER

BUBBLE_PIXELS_MAX: Final[int] = 22
NO_FORCED: Final[str] = "No position of this instrument was liquidated in this run."

_DEPTH = re.compile(r"depth_(bid|ask)_(\d+)")
_DASHES: Final[tuple[str, ...]] = ("solid", "dash", "dot", "dashdot", "longdash")
_KINDS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("Position taken over by fund or backstop", "TakenOver", HOUSE, "diamond"),
    ("Winner's position closed by ADL", "Deleveraged", ADL, "x-thin-open"),
)


def price_chart(market: ContractData, window: Window | None) -> Chart:
    """Prices, the real market if given, and a bubble for every forced trade."""
    instrument = market.instrument
    key = f"price-{instrument.instrument_id}"
    lines = [
        ("Traded", market.traded(), BOOK, 1.0),
        ("Index", market.price("index_ticks"), INDEX, 2.0),
        ("Mark", market.price("mark_ticks"), INK, 2.0),
    ]
    if market.real is not None:
        lines.insert(0, (market.real_name, market.real, OTHER, 1.4))
    traces: list[Figure] = []
    longest = max(frame.height for _, frame, _, _ in lines)
    for name, frame, colour, width in lines:
        points = thinned(frame, "price", market.points_max, window)
        if points.height:
            style = {"color": colour, "width": width}
            traces.append(line(points, "price", name, colour, line=style))
    if not traces:
        empty = "No price was recorded for this instrument."
        return Chart(key, f"Price of {instrument.symbol}", empty=empty)
    captions = [_thinning_rule(market.points_max)] if longest > market.points_max else []
    marks, mark_captions = _mark_traces(market)
    look = layout(f"Price, {market.price_unit}", 460)
    figure = {"data": traces + marks, "layout": over_time(look, window)}
    return Chart(
        key,
        f"Price of {instrument.symbol}",
        ["Bubbles are forced trades; their area is their value."] if marks else [],
        figure,
        captions=captions + mark_captions,
    )


def _mark_traces(market: ContractData) -> tuple[list[Figure], list[str]]:
    kinds = [(name, market.forced(kind), colour, symbol) for name, kind, colour, symbol in _KINDS]
    kinds.append(("Liquidation order filled", market.fills(), FORCED, "circle"))
    largest = max((value for _, frame, _, _ in kinds for value in frame["notional"]), default=0.0)
    traces: list[Figure] = []
    captions: list[str] = []
    for name, frame, colour, symbol in kinds:
        if not frame.height:
            continue
        shown = frame.top_k(market.marks_max, by="notional").sort("time_ns")
        if shown.height < frame.height:
            captions.append(
                f"{name}: the {shown.height:,} largest of {frame.height:,} by value are drawn; "
                "all of them are counted in the other charts and tables."
            )
        # Twice the largest value over the square of its diameter (plotly's rule).
        size = {"sizemode": "area", "sizeref": 2 * largest / BUBBLE_PIXELS_MAX**2 or 1}
        # The default white outline of bubbles would hide the lines below; an x is its outline.
        outline = {"width": 1.5 if symbol.endswith("-open") else 0, "color": colour}
        size |= {"size": [float(f"{value:.3g}") for value in shown["notional"]], "sizemin": 3}
        marker = {"color": colour, "symbol": symbol, "opacity": 0.55, "line": outline}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": escape(f"{name} ({frame.height:,})"),
                "x": time_ms(shown),
                "y": shown["price"].to_list(),
                "customdata": [float(f"{value:.6g}") for value in shown["contracts"]],
                "marker": marker | size,
                "hovertemplate": "%{y:,}, %{customdata:,} contracts<extra>"
                + escape(name)
                + "</extra>",
            }
        )
    if not traces:
        captions.append(NO_FORCED)
    elif any(frame.height for _, frame, _, _ in kinds[:-1]):
        captions.append(
            "Takeovers and auto-deleveraging happen off the book; they are placed at the mark."
        )
    return traces, captions


def chain_chart(market: ContractData, window: Window | None, sentences: Sequence[str]) -> Chart:
    """The chain of a cascade on one axis of time: how far trades and mark are from the index, what
    liquidations sell, what rests in the book to meet it, and how many liquidations begin."""
    key = f"chain-{market.instrument.instrument_id}"
    heading = f"The chain in {market.instrument.symbol}"
    fills = market.fills()
    basis = _basis(market)
    if not fills.height or not basis.height:
        return Chart(key, heading, list(sentences), empty=NO_FORCED)
    near = f"within {NEAR_BPS / 100:g} %"
    titles = ["Mark over index, %", "Forced, contracts", "Near, contracts"]
    look = panels(layout("", 640, barmode="relative", bargap=0), titles)
    look["yaxis"].pop("rangemode")
    points = thinned(basis, "basis", market.points_max, window)
    traces = [line(points, "basis", "Mark over index", INK)]
    bursts = forced_by_burst(fills)
    for name, side in (("Bought by liquidations", BUY), ("Sold by liquidations", SELL)):
        chosen = bursts.filter(pl.col("side") == side)
        if chosen.height:
            colour = FORCED if side == SELL else f"{FORCED}/55"
            traces.append(_burst_bars(chosen, name, colour, side))
    for book, dash in (("bid", "solid"), ("ask", "dot")):
        depth = market.size(f"depth_{book}_{NEAR_BPS}")
        points = thinned(depth, "size", market.points_max, window)
        name = "Bids" if book == "bid" else "Offers"
        style = {"color": BOOK, "width": 1.6, "dash": dash}
        traces.append(line(points, "size", f"{name} {near}", BOOK, line=style, yaxis="y3"))
    figure = {"data": traces, "layout": over_time(look, window, "y3")}
    captions = [
        f"Forced trades are added up over {BURST_NS // SECOND_NS} s; what is sold points down."
    ]
    return Chart(key, heading, list(sentences), figure, captions=captions)


def _burst_bars(bursts: pl.DataFrame, name: str, colour: str, side: int) -> Figure:
    return {
        "type": "bar",
        "name": name,
        "x": time_ms(bursts),
        "y": [side * float(f"{value:.6g}") for value in bursts["contracts"]],
        "width": BURST_NS // MS_NS,
        "offset": 0,
        "yaxis": "y2",
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{y:,} contracts<extra>" + name + "</extra>",
    }


def _basis(market: ContractData) -> pl.DataFrame:
    """The mark over the index less one, in per cent, at every sample that has both."""
    mark, index = market.price("mark_ticks"), market.price("index_ticks")
    both = mark.join(index, on="time_ns", suffix="_index", maintain_order="left")
    basis = pl.col("price") / pl.col("price_index") - 1
    return both.select("time_ns", basis=(basis * 100).round(3))


def depth_chart(market: ContractData, window: Window | None) -> Chart:
    """Resting size near the mid, bids above and asks below, one line per distance."""
    key = f"depth-{market.instrument.instrument_id}"
    heading = "Depth near the mid"
    found = [match for name in market.series.columns if (match := _DEPTH.fullmatch(name))]
    distances = sorted({int(match[2]) for match in found})
    traces: list[Figure] = []
    points_max = market.points_max // 3
    for number, bps in enumerate(distances):
        for side, y_axis in (("bid", "y"), ("ask", "y2")):
            size = market.size(f"depth_{side}_{bps}")
            points = thinned(size, "size", points_max, window)
            dash = _DASHES[number % len(_DASHES)]
            style = {"color": BOOK, "width": 1 + 0.5 * number, "dash": dash}
            more = {"legendgroup": str(bps), "showlegend": side == "bid"}
            name = f"within {bps / 100:g} %"
            traces.append(line(points, "size", name, BOOK, line=style, yaxis=y_axis, **more))
    if not any(trace["x"] for trace in traces):
        return Chart(key, heading, empty="No depth was recorded for this instrument.")
    look = panels(layout("", 420), ["Bids, contracts", "Offers, contracts"])
    return Chart(
        key,
        heading,
        ["Where few orders rest, an order of the same size moves the price further."],
        {"data": traces, "layout": over_time(look, window, "y2")},
        captions=[_thinning_rule(points_max)] if market.series.height > points_max else [],
    )


def open_interest_chart(market: ContractData, window: Window | None) -> Chart:
    """Open contracts, one side."""
    key = f"open-interest-{market.instrument.instrument_id}"
    heading = "Open interest"
    contracts = market.size("open_interest_lots")
    if not contracts.height:
        return Chart(key, heading, empty="No open interest was recorded for this instrument.")
    points = thinned(contracts, "size", market.points_max, window)
    look = layout("", 240, yaxis=axis("Open, contracts", rangemode="tozero"))
    figure = {
        "data": [line(points, "size", "Open interest", INK)],
        "layout": over_time(look, window),
    }
    captions = [_thinning_rule(market.points_max)] if contracts.height > points.height else []
    sentence = "Each step down is leverage leaving the market, by liquidation or by choice."
    return Chart(key, heading, [sentence], figure, captions=captions)


def thinned(frame: pl.DataFrame, column: str, cap: int, window: Window | None) -> pl.DataFrame:
    """At most so many points of a line, three quarters of them where the action is."""
    if window is None or frame.height <= cap:
        return min_max_points(frame, column, cap)
    first, last = window.action_ns
    inside = pl.col("time_ns").is_between(first, last)
    few = max(4, cap // 8)
    parts = [
        min_max_points(frame.filter(pl.col("time_ns") < first), column, few),
        min_max_points(frame.filter(inside), column, max(4, cap - 2 * few)),
        min_max_points(frame.filter(pl.col("time_ns") > last), column, few),
    ]
    return pl.concat(parts)


def _thinning_rule(points_max: int) -> str:
    return (
        f"Lines longer than {points_max:,} points are thinned: of each run of samples the lowest "
        "and the highest are drawn, so no low or high is lost."
    )
