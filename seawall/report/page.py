"""The page: what happened, why, who lost, what people did, by which rules, and what if; in one file
that needs no network."""

import os
from collections.abc import Sequence
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from seawall.report.beside import beside_charts
from seawall.report.call_charts import call_charts
from seawall.report.cards import cards_html
from seawall.report.chart import Chart, Figure, Window
from seawall.report.collateral_chart import collateral_charts
from seawall.report.contract import ContractData
from seawall.report.data import ReportData, load_report_data
from seawall.report.house_charts import fund_charts, house_charts
from seawall.report.liquidation_charts import (
    cascade_chart,
    loss_charts,
    margin_ratio_chart,
    stages_chart,
)
from seawall.report.market_charts import (
    chain_chart,
    depth_chart,
    open_interest_chart,
    price_chart,
)
from seawall.report.market_table import market_chart
from seawall.report.origin import origin_html, rules_html, warnings_html
from seawall.report.palette import DARK, LIGHT
from seawall.report.result_charts import result_charts
from seawall.report.story import fund_sentences, what_happened, what_people_did, who, why
from seawall.report.stylised_charts import stylised_charts
from seawall.report.window import window_of

REPORT_FILE: Final[str] = "report.html"

ASSETS: Final[Path] = Path(__file__).parent / "assets"

HAPPENED: Final[str] = "What happened"
WHY: Final[str] = "Why"
BESIDE: Final[str] = "Beside the real market"
WHO: Final[str] = "Who lost and who won"
CALLS: Final[str] = "What people did about their calls"
RULES: Final[str] = "By which rules, and how to make it again"
WHAT_IF: Final[str] = "What if"

# Nothing may be fetched: the page would keep this promise even if a script tried.
_POLICY: Final[str] = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)

_NO_BESIDE: Final[str] = (
    "<p>Change a value, run again, and set the two beside each other:</p>"
    "<pre>seawall run SCENARIO --set house.fund=0 --out OTHER\n"
    "seawall report THIS --beside OTHER</pre>"
)


def write_report(data: ReportData, path: Path | str, beside: ReportData | None = None) -> Path:
    """Write the report as one HTML file and return its path. An interrupted write leaves none."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(report_html(data, beside), encoding="utf-8")
    os.replace(partial, target)
    return target


def rebuild_report(
    run_dir: Path | str,
    events: pl.DataFrame | None = None,
    beside: Path | str | None = None,
) -> Path:
    """Write ``report.html`` anew from what a run directory holds; ``events`` is its table of events
    where that is at hand, ``beside`` the directory of a run to set beside it.

    Raises:
        seawall.report.ReportDataError: a directory is incomplete or a file is malformed.
    """
    other = None if beside is None else load_report_data(beside)
    return write_report(load_report_data(run_dir, events), Path(run_dir) / REPORT_FILE, other)


def report_html(data: ReportData, beside: ReportData | None = None) -> str:
    """The whole page."""
    window = window_of(data)
    groups = report_charts(data, beside)
    extra = {
        HAPPENED: _told_html(data),
        RULES: f'<div class="rules">{rules_html(data.summary, data.rules)}</div>',
        WHAT_IF: _NO_BESIDE if beside is None else "",
    }
    links = "".join(
        f'<a href="#part-{number}">{escape(title)}</a>' for number, title in enumerate(groups)
    )
    parts = "".join(
        f'<h2 id="part-{number}">{escape(title)}</h2>\n{extra.get(title, "")}'
        + "".join(map(chart_html, charts))
        for number, (title, charts) in enumerate(groups.items())
    )
    every = [chart for charts in groups.values() for chart in charts]
    body = (
        f"{_head_html(data)}<nav>{links}</nav>\n{_range_html(window)}"
        f"{parts}<footer><p>All times are UTC. Drag over a chart to zoom: all charts over time "
        "follow. A double click shows the whole run.</p></footer>\n"
    )
    return document_html(data.scenario.title, body, every, window)


def document_html(
    title: str, body: str, charts: Sequence[Chart], window: Window | None = None
) -> str:
    """A page that needs no network, from its finished body and the charts to draw in it."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{_asset('style.css')}</style>\n</head>\n<body>\n<main>\n{body}</main>\n"
        f'<script type="application/json" id="charts">{_script_json(_drawn(charts, window))}'
        f"</script>\n<script>{_asset('plotly-basic.min.js')}</script>\n"
        f"<script>{_asset('draw.js')}</script>\n</body>\n</html>\n"
    )


def report_charts(data: ReportData, beside: ReportData | None = None) -> dict[str, list[Chart]]:
    """All charts by the heading of their part, in the order of the page."""
    window = window_of(data)
    contracts = [ContractData(data, instrument) for instrument in data.instruments]
    happened, reasons, real = [], [], []
    for contract in contracts:
        happened += [market_chart(contract), price_chart(contract, window)]
        reasons += [
            chain_chart(contract, window, why(contract)),
            depth_chart(contract, window),
            open_interest_chart(contract, window),
        ]
        real += stylised_charts(contract)
    return {
        HAPPENED: happened,
        WHY: [
            *reasons,
            *collateral_charts(data, window),
            stages_chart(data, window),
            cascade_chart(data, window),
            margin_ratio_chart(data, window),
        ],
        **({BESIDE: real} if real else {}),
        WHO: [
            *result_charts(data, who(data)),
            *loss_charts(data),
            *house_charts(data, fund_sentences(data)),
            *fund_charts(data, window),
        ],
        CALLS: call_charts(data, window, what_people_did(data)),
        RULES: [],
        WHAT_IF: [] if beside is None else beside_charts(data, beside, window),
    }


def _told_html(data: ReportData) -> str:
    contracts = [ContractData(data, instrument) for instrument in data.instruments]
    told = "".join(f'<p class="told">{escape(text)}</p>' for text in what_happened(data, contracts))
    return told + cards_html(data, contracts)


def _head_html(data: ReportData) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.scenario.notes)
    paragraphs = "".join(
        f"<p>{escape(text)}</p>" for text in data.scenario.description.split("\n\n") if text
    )
    listed = f'<ul class="notes">{notes}</ul>' if notes else ""
    made = origin_html(data.summary) + warnings_html(data.summary)
    return f"<h1>{escape(data.scenario.title)}</h1>{paragraphs}{listed}{made}\n"


def _range_html(window: Window | None) -> str:
    """Buttons for the part of the run that the charts show, if there are two to choose from."""
    if window is None or window.action_ns == (window.begin_ns, window.end_ns):
        return ""
    return (
        '<div class="range" role="group" aria-label="Part of the run the charts show">'
        '<button type="button" data-range="action" aria-pressed="true">The action</button>'
        '<button type="button" data-range="whole" aria-pressed="false">The whole run</button></div>'
    )


def chart_html(chart: Chart) -> str:
    """A chart's section: heading, sentences, where it is drawn, table and captions."""
    key = escape(chart.key)
    shown = ""
    if chart.figure is not None:
        height = chart.figure["layout"]["height"]
        shown = (
            f'<ul class="legend" id="legend-{key}"></ul><div class="plot" id="{key}" role="img" '
            f'aria-label="{escape(chart.heading)}" style="height:{height}px"></div>'
        )
    elif chart.empty:
        shown = f'<p class="empty">{escape(chart.empty)}</p>'
    sentences = "".join(f"<p>{escape(text)}</p>" for text in chart.sentences)
    captions = "".join(f'<p class="caption">{escape(text)}</p>' for text in chart.captions)
    return (
        f'<section class="chart" data-chart="{key}"><div class="whole">'
        f"<h3>{escape(chart.heading)}</h3>{sentences}{shown}</div>{chart.table}{captions}</section>\n"
    )


def _drawn(charts: Sequence[Chart], window: Window | None) -> dict[str, Any]:
    """What the page's script draws."""
    return {
        "light": LIGHT,
        "dark": DARK,
        "action": None if window is None else list(window.action_ms),
        "whole": None if window is None else list(window.whole_ms),
        "charts": [
            {"key": chart.key, "time_axis": chart.time_axis, "figure": packed(chart.figure)}
            for chart in charts
            if chart.figure is not None
        ],
    }


def packed(figure: Figure) -> Figure:
    """The figure with times as steps from the one before: half as long, and most of a page."""
    return figure | {"data": [_packed(trace) for trace in figure["data"]]}


def _packed(trace: Figure) -> Figure:
    times = trace.get("x")
    if not times or not all(isinstance(each, int) for each in times) or times[0] < 10**12:
        return trace
    steps = [times[0], *(later - earlier for earlier, later in pairwise(times))]
    return {name: value for name, value in trace.items() if name != "x"} | {"dx_ms": steps}


@cache
def _asset(name: str) -> str:
    text = (ASSETS / name).read_text(encoding="utf-8")
    if "</script" in text or "</style" in text:
        raise ValueError(f"{name} would end the element it is put into")
    return text


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever texts it holds."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")
