"""The accounts of the house: what the insurance fund and the backstop had, got and lost.

The figures are those of the summary, exact decimals; only the drawings are made of floats.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

import polars as pl

from seawall.records.house_accounts import END, START
from seawall.report.chart import Chart, Window, axis, bars_across, layout, line, over_time
from seawall.report.data import ReportData
from seawall.report.downsample import min_max_points
from seawall.report.palette import HOUSE
from seawall.report.text import html_table, plain, short

POINTS_MAX: Final[int] = 800

HOUSE_HEADINGS: Final[dict[str, str]] = {
    "insurance_fund": "Account of the insurance fund",
    "backstop": "Account of the backstop",
}
LINE_NAMES: Final[dict[str, str]] = {
    START: "At the start",
    "deposits": "Deposits",
    "liquidation_fees": "Liquidation fees",
    "deficits": "Deficits paid",
    "socialised": "Own deficits, socialised",
    "collateral_exchanged": "Collateral for debts",
    "funding": "Funding",
    "takeovers": "Gain at takeover",
    "disposal": "Since then, if sold",
    "unrealised": "Since then, if held",
    END: "At the end",
}


def house_charts(data: ReportData, sentences: Sequence[str]) -> list[Chart]:
    """The accounts of fund and backstop, one chart per asset in which something happened."""
    houses: dict[str, dict[str, dict[str, str]]] = data.summary.get("house_accounts", {})
    charts = [
        _house_chart(house, symbol, lines)
        for house, accounts in houses.items()
        for symbol, lines in accounts.items()
        if any(float(amount) for name, amount in lines.items() if name not in (START, END))
    ]
    if charts:
        charts[0].sentences = list(sentences)
    return charts


def _house_chart(house: str, symbol: str, lines: Mapping[str, str]) -> Chart:
    names = [name for name in lines if name in (START, END) or float(lines[name])]
    values = [float(lines[name]) for name in names]
    levels = [0.0, *accumulate(values[:-1])]
    bases = [0.0 if name in (START, END) else levels[at] for at, name in enumerate(names)]
    titles = [LINE_NAMES.get(name, name.replace("_", " ").capitalize()) for name in names]
    figure = bars_across(
        titles, values, [short(value) for value in values], [HOUSE] * len(names), symbol, bases
    )
    rows = [[title, plain(lines[name])] for title, name in zip(titles, names, strict=True)]
    return Chart(
        f"account-{house}-{symbol}",
        f"{HOUSE_HEADINGS.get(house, house)}, {symbol}",
        [],
        figure,
        captions=[
            "The lines add up to the end exactly. Gain at takeover: what positions were worth "
            "against the mark when they came; since then: what became of them until they were sold "
            "or closed, or to the end. What was taken of another asset is in that asset's account."
        ],
        table=html_table(["Line", symbol], rows),
        time_axis=False,
    )


def fund_charts(data: ReportData, window: Window | None) -> list[Chart]:
    """The insurance fund's wallet over time, one chart per asset."""
    assets = data.fund["asset_id"].unique(maintain_order=True).to_list()
    if not assets:
        empty = "The insurance fund never moved in this run."
        return [Chart("fund", "The insurance fund's cash over time", empty=empty)]
    return [_fund_chart(data, window, asset_id) for asset_id in assets]


def _fund_chart(data: ReportData, window: Window | None, asset_id: int) -> Chart:
    symbol, decimals = data.asset_of(asset_id)
    wallet = data.fund.filter(pl.col("asset_id") == asset_id).select(
        "time_ns", wallet=pl.col("wallet_q").cast(pl.Float64) / 10**decimals
    )
    points = _hold_until(min_max_points(wallet, "wallet", POINTS_MAX), "wallet", window)
    style = {"color": HOUSE, "width": 2, "shape": "hv"}
    name = f"Cash of the insurance fund, {symbol}"
    look = layout("", 260, yaxis=axis(f"Cash, {symbol}", rangemode="tozero"), showlegend=False)
    captions = [
        "Positions it took over and still holds are not in its cash; its account above has them."
    ]
    if wallet.height > POINTS_MAX:
        captions.append(
            f"Of more than {POINTS_MAX:,} changes, the lowest and the highest of each run are "
            "drawn."
        )
    return Chart(
        f"fund-{asset_id}",
        f"The insurance fund's cash over time, {symbol}",
        [],
        {
            "data": [line(points, "wallet", name, HOUSE, line=style)],
            "layout": over_time(look, window),
        },
        captions=captions,
    )


def _hold_until(frame: pl.DataFrame, column: str, window: Window | None) -> pl.DataFrame:
    """A balance stays what it was: draw it from the start to the end of the run."""
    if window is None:
        return frame
    first, last = frame.row(0), frame.row(-1)
    rows = [(min(first[0], window.begin_ns), first[1]), *frame.iter_rows()]
    rows.append((max(last[0], window.end_ns), last[1]))
    return pl.DataFrame(rows, schema=frame.schema, orient="row")
