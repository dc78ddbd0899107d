"""Losers, winners and the accounts of the house: the money of a run as tables that add up.

The figures are those of the summary, exact decimals; only the bars are drawn from floats.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from seawall.records.house_accounts import END, START
from seawall.records.results import TOTAL
from seawall.report.chart import BLUE, BRICK, GREY, TEAL, Chart, Figure, axis, layout
from seawall.report.data import ReportData
from seawall.report.text import html_table, plain

HOUSE_HEADINGS: Final[dict[str, str]] = {
    "insurance_fund": "Account of the insurance fund",
    "backstop": "Account of the backstop",
}
LINE_NAMES: Final[dict[str, str]] = {
    START: "At the start",
    "deposits": "Deposits",
    "liquidation_fees": "Liquidation fees",
    "deficits": "Deficits paid for accounts",
    "socialised": "Its own deficits, paid by winners",
    "collateral_exchanged": "Collateral exchanged for debts",
    "funding": "Funding",
    "takeovers": "Gained or lost at takeover, against the mark",
    "disposal": "Since then, on what it sold or closed",
    "unrealised": "Since then, on what it still holds",
    END: "At the end",
}
RESULT_COLUMNS: Final[dict[str, str]] = {
    "accounts": "Accounts",
    "paid_in": "Paid in",
    "result": "Result",
}
SPLIT_COLUMNS: Final[dict[str, str]] = {
    "accounts_liquidated": "Liquidated",
    "liquidated": "Their result",
    "accounts_deleveraged": "Deleveraged",
    "deleveraged": "Their result",
    "other": "Result of the others",
}


def result_charts(data: ReportData) -> list[Chart]:
    """Results by group, agents and house, one chart and table per asset in which there are any."""
    rows: list[dict[str, Any]] = data.summary.get("results", [])
    charts = []
    for symbol in dict.fromkeys(row["asset"] for row in rows):
        chosen = [row for row in rows if row["asset"] == symbol]
        if any(float(row["result"]) for row in chosen):
            charts.append(_result_chart(symbol, chosen))
    if not charts:
        empty = "Nobody lost or won anything in this run."
        return [Chart("results", "Who lost and who won", "", None, empty=empty, time_axis=False)]
    return charts


def _result_chart(symbol: str, rows: Sequence[Mapping[str, Any]]) -> Chart:
    drawn = [row for row in rows if row["kind"] != TOTAL and float(row["result"])]
    names = [str(row["name"]) for row in drawn]
    values = [float(row["result"]) for row in drawn]
    trace: Figure = {
        "type": "bar",
        "orientation": "h",
        "x": values,
        "y": [escape(name) for name in names],
        "marker": {"color": [BRICK if value < 0 else TEAL for value in values]},
        "customdata": [plain(row["result"]) for row in drawn],
        "hovertemplate": "%{y}: %{customdata} " + escape(symbol) + "<extra></extra>",
    }
    look = layout("", 80 + 26 * len(drawn), showlegend=False)
    look["xaxis"] = axis(symbol, zeroline=True)
    look["yaxis"] = axis("", type="category", autorange="reversed")
    return Chart(
        f"results-{symbol}",
        f"Who lost and who won, {symbol}",
        "Look for whose bars face each other: what some lost, others won, and all of it adds up to "
        "zero.",
        {"data": [trace], "layout": look},
        captions=[
            "A result is what an owner has at the end (wallets, and positions at their marks) less "
            "what it paid in. The second table splits the results by what happened to the owners: "
            "at least one liquidation, or else a position closed by auto-deleveraging."
        ],
        table=_table(RESULT_COLUMNS, rows) + _table(SPLIT_COLUMNS, rows),
        time_axis=False,
    )


def _table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The results' named figures, a row each."""
    cells = [[str(row["name"]), *(plain(row[name]) for name in columns)] for row in rows]
    return html_table(["", *columns.values()], cells)


def house_charts(data: ReportData) -> list[Chart]:
    """The accounts of fund and backstop, a column per asset; those in which nothing happened are
    left out."""
    houses: dict[str, dict[str, dict[str, str]]] = data.summary.get("house_accounts", {})
    charts = []
    for house, accounts in houses.items():
        used = {
            symbol: lines
            for symbol, lines in accounts.items()
            if any(float(amount) for name, amount in lines.items() if name not in (START, END))
        }
        if used:
            charts.append(_house_chart(house, used))
    return charts


def _house_chart(house: str, accounts: Mapping[str, Mapping[str, str]]) -> Chart:
    names = list(dict.fromkeys(line for lines in accounts.values() for line in lines))
    # A line that only some assets have still comes before the end.
    names = [name for name in names if name != END] + [END]
    rows = [
        [
            LINE_NAMES.get(name, name.replace("_", " ").capitalize()),
            *(plain(lines.get(name, "0")) for lines in accounts.values()),
        ]
        for name in names
        if name in (START, END) or any(float(lines.get(name, "0")) for lines in accounts.values())
    ]
    return Chart(
        f"account-{house}",
        HOUSE_HEADINGS.get(house, house),
        "Look for the largest line: a fund can lose more by selling what it took over, or by still "
        "holding it, than by the deficits it pays.",
        _house_figure(accounts),
        captions=[
            "The lines add up to the end exactly. Positions are valued at their marks; what was "
            "taken of another asset is in that asset's column, at its amount."
        ],
        table=html_table(["", *accounts], rows),
        time_axis=False,
    )


def _house_figure(accounts: Mapping[str, Mapping[str, str]]) -> Figure:
    """Bars from the start to the end, one panel per asset."""
    traces: list[Figure] = []
    look = layout("", 320 * len(accounts), showlegend=False)
    for number, (symbol, lines) in enumerate(accounts.items()):
        shown = [name for name in lines if name in (START, END) or float(lines[name])]
        suffix = "" if number == 0 else str(number + 1)
        top = 1 - number / len(accounts)
        traces.append(
            {
                "type": "waterfall",
                "x": [escape(name.replace("_", " ")) for name in shown],
                "y": [float(lines[name]) for name in shown],
                "measure": [_MEASURES.get(name, "relative") for name in shown],
                "customdata": [plain(lines[name]) for name in shown],
                "hovertemplate": "%{x}: %{customdata} " + escape(symbol) + "<extra></extra>",
                "connector": {"line": {"color": GREY, "width": 1}},
                "decreasing": {"marker": {"color": BRICK}},
                "increasing": {"marker": {"color": TEAL}},
                "totals": {"marker": {"color": BLUE}},
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
            }
        )
        look[f"xaxis{suffix}"] = axis("", type="category", anchor=f"y{suffix}")
        # Below all but the last there is room for the names of the bars.
        share = 1.0 if len(accounts) == 1 else 0.8
        domain = [top - share / len(accounts), top]
        look[f"yaxis{suffix}"] = axis(symbol, domain=domain, anchor=f"x{suffix}")
    return {"data": traces, "layout": look}


_MEASURES: Final[dict[str, str]] = {START: "absolute", END: "total"}
