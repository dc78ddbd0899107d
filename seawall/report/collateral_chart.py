"""The prices of collateral: what assets other than the contracts' own were worth as margin."""

import polars as pl

from engine.units import PPB
from seawall.records.event_fields import event_columns
from seawall.report.chart import Chart, Window, layout, line, over_time
from seawall.report.data import ReportData
from seawall.report.market_charts import thinned
from seawall.report.market_facts import price_facts
from seawall.report.palette import INDEX
from seawall.report.text import clock, rounded

_POINTS_MAX = 500


def collateral_charts(data: ReportData, window: Window | None) -> list[Chart]:
    """The price of every collateral asset in every asset it is margin for; none where no balance
    in another asset counts."""
    fields = ("time_ns", "asset_id", "margin_asset_id", "price_ppb")
    columns = event_columns(data.events, "CollateralPriceChanged", *fields)
    schema = dict.fromkeys(fields, pl.Int64)
    prices = pl.DataFrame(columns, schema=schema).with_columns(
        price=(pl.col("price_ppb") / PPB).round(9)
    )
    return [
        _chart(data, window, frame)
        for _, frame in prices.group_by("asset_id", "margin_asset_id", maintain_order=True)
    ]


def _chart(data: ReportData, window: Window | None, frame: pl.DataFrame) -> Chart:
    symbol, _ = data.asset_of(frame["asset_id"][0])
    unit, _ = data.asset_of(frame["margin_asset_id"][0])
    points = thinned(frame, "price", _POINTS_MAX, window)
    name = f"Price of {symbol}"
    look = over_time(layout(f"Price, {unit}", 280), window)
    facts = price_facts(frame.select("time_ns", "price"), data.scenario.start_ns)
    sentences = []
    if facts is not None:
        low = f"a low of {rounded(facts.low)} ({facts.fall:+.1%}) at {clock(facts.low_ns)} UTC"
        sentences.append(
            f"{symbol} counts as margin in {unit}. It went from {rounded(facts.first)} to {low} "
            f"and ended at {rounded(facts.last)}."
        )
    return Chart(
        f"collateral-{frame['asset_id'][0]}-{frame['margin_asset_id'][0]}",
        f"{name} as collateral, {unit}",
        sentences,
        {"data": [line(points, "price", name, INDEX)], "layout": look},
    )
