"""Losers and winners: every owner's result, split in five ways, and each way adds up to zero."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from seawall.report.chart import Chart, bars_across
from seawall.report.data import ReportData
from seawall.report.palette import HOUSE, INK
from seawall.report.text import html_table, plain, short

AGENTS: Final[str] = "agents"
THE_HOUSE: Final[str] = "the house"
_REST: Final[dict[str, str]] = {"agent": AGENTS, "house": THE_HOUSE}

FATES: Final[dict[str, str]] = {
    "liquidated": "liquidated at least once",
    "deleveraged": "a position closed by ADL",
    "called": "called, none of these",
    "held": "none of these",
    "idle": "never had a position",
}
WAYS: Final[dict[str, str]] = {
    "group": "By group",
    "fate": "By what became of them",
    "leverage": "By leverage",
    "side": "By side",
    "mode": "By margin mode",
}
"""The ways results are split, by column of the accounts; but for the groups, agents and the house
are one row each."""


def split(accounts: pl.DataFrame, way: str) -> pl.DataFrame:
    """The results of one asset by `WAYS`: ``(name, kind, accounts, deposit, end, result)``.

    Agents have no leverage a trader would choose, no side and no mode, the house has nothing of it.
    """
    traders = pl.col("kind") == "group"
    value = pl.col(way).cast(pl.String).fill_null("not recorded")
    if way == "leverage":
        value = pl.format("{}x", value)
    name = pl.when(traders).then(value).otherwise(pl.col("kind").replace_strict(_REST, default=""))
    if way == "group":
        name = pl.col("group")
    if way == "fate":
        named = value.replace(FATES)
        name = (
            pl.when(traders).then(named).otherwise(pl.col("kind").replace_strict(_REST, default=""))
        )
    rows = accounts.with_columns(name.alias("name"), _order(way).alias("order"))
    return (
        rows.group_by("kind", "name")
        .agg(
            pl.col("order").min(),
            pl.col("account").n_unique().alias("accounts"),
            *(pl.col(column).sum() for column in ("deposit", "end", "result")),
        )
        .with_columns(pl.col("kind").replace_strict(_KINDS, default=len(_KINDS)).alias("rank"))
        .sort("rank", "order", "name")
        .select("name", "kind", "accounts", "deposit", "end", "result")
    )


_LEAST_BAR: Final[int] = 1_000
_KINDS: Final[dict[str, int]] = {"group": 0, "agent": 1, "house": 2}


def _order(way: str) -> pl.Expr:
    """What sorts the rows of a way: the number of a leverage, the place of a fate."""
    if way == "leverage":
        return pl.col("leverage")
    if way == "fate":
        places = {fate: place for place, fate in enumerate(FATES)}
        return pl.col("fate").replace_strict(places, default=None, return_dtype=pl.Int64)
    return pl.lit(0, pl.Int64)


def result_charts(data: ReportData, sentences: Sequence[str]) -> list[Chart]:
    """Results by owner, one chart and its tables per asset in which there are any."""
    charts = []
    for (symbol,), accounts in data.accounts.group_by("asset", maintain_order=True):
        if accounts["result"].abs().sum():
            charts.append(_result_chart(str(symbol), accounts))
    if not charts:
        empty = "Nobody lost or won anything in this run."
        return [Chart("results", "Results", empty=empty, time_axis=False)]
    charts[0].sentences = list(sentences)
    charts[0].captions.extend(_hedge_caption(row) for row in data.summary.get("hedges", []))
    return charts


def _hedge_caption(row: Mapping[str, Any]) -> str:
    return (
        f"The spot legs of {row['name']} brought {row['result']:+,.2f} after costs of "
        f"{row['costs']:,.2f}, at a spot venue that is no part of the run: no result here has it."
    )


def _result_chart(symbol: str, accounts: pl.DataFrame) -> Chart:
    every = split(accounts, "group")
    # What would be drawn narrower than a line is left to the table.
    visible = pl.col("result").abs().cast(pl.Float64) * _LEAST_BAR > every["result"].abs().max()
    rows = every.filter(visible).rows(named=True)
    values = [float(row["result"]) for row in rows]
    figure = bars_across(
        [_label(row) for row in rows],
        values,
        [short(value) for value in values],
        [HOUSE if row["kind"] == "house" else INK for row in rows],
        symbol,
    )
    tables = "".join(_table(heading, split(accounts, way)) for way, heading in WAYS.items())
    return Chart(
        f"results-{symbol}",
        f"Results, {symbol}",
        [],
        figure,
        captions=[
            "A result is what an owner has at the end (wallets, and positions at their marks) less "
            "what it paid in. A trader is in the first row of its fate that is true."
        ],
        table=tables,
        time_axis=False,
    )


def _label(row: dict[str, Any]) -> str:
    return f"{row['name']} (agents)" if row["kind"] == "agent" else str(row["name"])


def _table(heading: str, rows: pl.DataFrame) -> str:
    cells = [
        [_label(row) if heading == WAYS["group"] else row["name"], *_figures(row)]
        for row in rows.rows(named=True)
    ]
    total: dict[str, Any] = {
        "accounts": rows["accounts"].sum(),
        **{name: rows[name].sum() for name in ("deposit", "end", "result")},
    }
    cells.append(["Total", *_figures(total)])
    return html_table([heading, "Result", "Accounts", "Paid in", "At the end"], cells)


def _figures(row: dict[str, Any]) -> list[str]:
    amounts = (Decimal(row[name]) for name in ("result", "deposit", "end"))
    result, deposit, end = (plain(f"{amount:f}") for amount in amounts)
    return [result, f"{row['accounts']:,}", deposit, end]
