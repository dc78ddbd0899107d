"""The page: title, key figures, charts and their words, in one file that needs no network."""

import os
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl
from plotly.offline import get_plotlyjs

from seawall.report.chart import MS_NS, Chart
from seawall.report.data import ReportData, load_report_data
from seawall.report.market_charts import ContractData, depth_chart, open_interest_chart, price_chart
from seawall.report.money_charts import house_charts, result_charts
from seawall.report.origin import again_html, origin_html, warnings_html
from seawall.report.risk_charts import (
    call_charts,
    fund_chart,
    liquidation_charts,
    loss_charts,
    margin_ratio_chart,
)
from seawall.report.text import plain

REPORT_FILE: Final[str] = "report.html"

EVERY: Final[str] = "*"
"""In a place in the summary: of every asset."""

_Path = tuple[str, ...]
CARDS: Final[tuple[tuple[str, _Path, tuple[tuple[str, _Path], ...]], ...]] = (
    ("Accounts", ("accounts",), ()),
    ("Trades", ("trades",), ()),
    (
        "Margin calls",
        ("margin_calls", "issued"),
        (
            ("cured by deposit", ("margin_calls", "cured_by", "deposit")),
            ("cured by reduction", ("margin_calls", "cured_by", "reduction")),
            ("cured by both", ("margin_calls", "cured_by", "both")),
            ("cured by price", ("margin_calls", "cured_by", "price")),
            ("expired", ("margin_calls", "expired")),
            ("overtaken", ("margin_calls", "overtaken")),
        ),
    ),
    (
        "Accounts liquidated",
        ("liquidations", "accounts"),
        (
            ("partial", ("liquidations", "partial")),
            ("full", ("liquidations", "full")),
            ("takeovers", ("liquidations", "takeovers")),
        ),
    ),
    (
        "Insurance fund at the end",
        ("insurance_fund", "end"),
        (
            ("start", ("insurance_fund", "start")),
            *(
                (label, ("house_accounts", "insurance_fund", EVERY, name))
                for label, name in (
                    ("fees", "liquidation_fees"),
                    ("deficits", "deficits"),
                    ("takeovers", "takeovers"),
                    ("disposal", "disposal"),
                    ("unrealised", "unrealised"),
                )
            ),
        ),
    ),
    ("ADL closes", ("adl", "fills"), (("notional", ("adl", "notional")),)),
    ("Bad debt", ("bad_debt",), ()),
    ("Socialised", ("socialised",), ()),
    ("Conservation residue", ("conservation_residue",), ()),
    (
        "Commands",
        ("commands",),
        (
            ("events", ("events",)),
            ("per second", ("commands_per_second",)),
            ("seconds", ("wall_seconds",)),
        ),
    ),
)
"""Label, place in the summary, and the smaller figures below it."""

_STYLE: Final[str] = """
:root { --ink: #22303c; --soft: #566472; --line: #dfe5ea; --back: #f5f7f9; --blue: #1f5f99; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 22px; margin: 40px 0 12px; }
h3 { font-size: 17px; margin: 0 0 2px; }
p { margin: 0 0 8px; max-width: 80ch; }
nav { margin: 14px 0 0; } nav a { color: var(--blue); margin-right: 18px; }
.notes { margin: 8px 0 0; padding-left: 20px; color: var(--soft); max-width: 80ch; }
.made { margin: 10px 0 0; color: var(--soft); font-size: 15px; max-width: none;
  overflow-wrap: anywhere; }
.warnings { margin: 14px 0 0; padding: 10px 14px; background: #fff6e0; border: 1px solid #e5c46b;
  border-radius: 8px; overflow-wrap: anywhere; } .warnings ul { margin: 4px 0 0; }
.cards { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(272px, 1fr)); }
.card, section.chart { background: #fff; border: 1px solid var(--line); border-radius: 8px; }
.card { padding: 12px 14px; }
.card .label { color: var(--soft); font-size: 14px; }
.card .value { font-size: 22px; font-weight: 600; line-height: 1.25; white-space: pre-line;
  overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.card .value.many { font-size: 18px; }
.card dl { margin: 6px 0 0; font-size: 13px; color: var(--soft); display: grid;
  grid-template-columns: auto 1fr; column-gap: 10px; }
.card dd { margin: 0; text-align: right; white-space: pre-line; overflow-wrap: anywhere;
  color: var(--ink); font-variant-numeric: tabular-nums; }
section.chart { padding: 16px 18px; margin: 0 0 16px; }
.look { color: var(--soft); font-size: 15px; max-width: none; }
.caption { color: var(--soft); font-size: 13px; margin: 4px 0 0; max-width: none; }
.empty { padding: 18px; background: var(--back); border-radius: 6px; margin: 8px 0 0; }
.table { overflow-x: auto; margin: 12px 0 4px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
footer { margin-top: 36px; color: var(--soft); font-size: 14px; overflow-wrap: anywhere; }
"""

_SCRIPT: Final[str] = """
const charts = JSON.parse(document.getElementById("charts").textContent);
const config = {
  responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"],
  // plotly.js offers to upload a chart to its makers' service; a report stays where it is.
  showSendToCloud: false, plotlyServerURL: "",
};
const linked = [];
let following = false;
function follow(source, change) {
  if (following) return;
  const wanted = {};
  if (change["xaxis.autorange"]) wanted["xaxis.autorange"] = true;
  else if (change["xaxis.range[0]"] !== undefined)
    wanted["xaxis.range"] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
  else return;
  following = true;
  const others = linked.filter((plot) => plot !== source);
  Promise.all(others.map((plot) => Plotly.relayout(plot, wanted))).finally(() => {
    following = false;
  });
}
for (const chart of charts) {
  const plot = document.getElementById(chart.key);
  Plotly.newPlot(plot, chart.figure.data, chart.figure.layout, config);
  if (chart.time_axis) {
    linked.push(plot);
    plot.on("plotly_relayout", (change) => follow(plot, change));
  }
}
"""

# Nothing may be fetched: the page would keep this promise even if a script tried. Drawing many
# points needs 'unsafe-eval', because plotly.js compiles its WebGL code in the browser.
_POLICY: Final[str] = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)


def write_report(data: ReportData, path: Path | str) -> Path:
    """Write the report as one HTML file and return its path. An interrupted write leaves none."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(report_html(data), encoding="utf-8")
    os.replace(partial, target)
    return target


def rebuild_report(run_dir: Path | str, events: pl.DataFrame | None = None) -> Path:
    """Write ``report.html`` anew from what a run directory holds; ``events`` is its table of events
    where that is at hand.

    Raises:
        seawall.report.ReportDataError: the directory is incomplete or a file is malformed.
    """
    return write_report(load_report_data(run_dir, events), Path(run_dir) / REPORT_FILE)


def report_html(data: ReportData) -> str:
    """The whole page."""
    groups = report_charts(data)
    links = "".join(
        f'<a href="#part-{number}">{escape(title)}</a>' for number, (title, _) in enumerate(groups)
    )
    parts = "".join(
        f'<h2 id="part-{number}">{escape(title)}</h2>' + "".join(map(_chart_html, charts))
        for number, (title, charts) in enumerate(groups)
    )
    drawn = [
        {"key": chart.key, "time_axis": chart.time_axis, "figure": chart.figure}
        for _, charts in groups
        for chart in charts
        if chart.figure is not None
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(data.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{_head_html(data)}<nav>{links}</nav>\n"
        f'<h2>Key figures</h2><div class="cards">{_cards_html(data.summary)}</div>\n'
        f"{parts}{_foot_html(data.summary)}</main>\n"
        f'<script type="application/json" id="charts">{_script_json(drawn)}</script>\n'
        f"<script>{get_plotlyjs()}</script>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def report_charts(data: ReportData) -> list[tuple[str, list[Chart]]]:
    """All charts under the heading of their part, in the order of the page."""
    span_ms = _span_ms(data)
    groups: list[tuple[str, list[Chart]]] = []
    for instrument in data.instruments:
        market = ContractData(data, instrument)
        charts = [
            price_chart(market, span_ms),
            depth_chart(market, span_ms),
            open_interest_chart(market, span_ms),
        ]
        groups.append((f"{instrument.symbol} ({instrument.kind})", charts))
    groups.append(("Margin calls", call_charts(data, span_ms)))
    groups.append(("Liquidations", liquidation_charts(data, span_ms)))
    groups.append(("Who lost and who won", [*result_charts(data), *loss_charts(data)]))
    groups.append(("Insurance fund", [*house_charts(data), fund_chart(data, span_ms)]))
    groups.append(("Margin", [margin_ratio_chart(data, span_ms)]))
    return groups


def _span_ms(data: ReportData) -> tuple[int, int] | None:
    """From the first to the last sample of any instrument, rounded outwards."""
    times = [frame["time_ns"] for frame in data.series.values() if frame.height]
    if not times:
        times = [data.events["time_ns"]] if data.events.height else []
    bounds = [(series.min(), series.max()) for series in times]
    starts = [start for start, _ in bounds if isinstance(start, int)]
    ends = [end for _, end in bounds if isinstance(end, int)]
    if not starts or not ends:
        return None
    return min(starts) // MS_NS, -(-max(ends) // MS_NS)


def _head_html(data: ReportData) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in data.notes)
    paragraphs = "".join(
        f"<p>{escape(text)}</p>" for text in data.description.split("\n\n") if text
    )
    listed = f'<ul class="notes">{notes}</ul>' if notes else ""
    made = origin_html(data.summary) + warnings_html(data.summary)
    return f"<h1>{escape(data.title)}</h1>{paragraphs}{listed}{made}\n"


def _cards_html(summary: dict[str, Any]) -> str:
    cards = []
    for label, place, details in CARDS:
        value = plain(_look_up(summary, place))
        size = " many" if len(value) > 14 else ""
        rows = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(plain(_look_up(summary, at)))}</dd>"
            for name, at in details
        )
        cards.append(
            f'<div class="card"><div class="label">{escape(label)}</div>'
            f'<div class="value{size}">{escape(value)}</div>'
            + (f"<dl>{rows}</dl>" if rows else "")
            + "</div>"
        )
    return "".join(cards)


def _look_up(summary: dict[str, Any], place: _Path) -> Any:
    value: Any = summary
    for number, key in enumerate(place):
        if not isinstance(value, dict):
            return None
        if key == EVERY:
            found = {name: _look_up(inner, place[number + 1 :]) for name, inner in value.items()}
            return {name: inner for name, inner in found.items() if inner is not None}
        value = value.get(key)
    return value


def _chart_html(chart: Chart) -> str:
    if chart.figure is None:
        shown = f'<p class="empty">{escape(chart.empty)}</p>'
    else:
        height = chart.figure["layout"]["height"]
        shown = f'<div id="{escape(chart.key)}" style="height:{height}px"></div>'
    look = f'<p class="look">{escape(chart.explanation)}</p>' if chart.explanation else ""
    captions = "".join(f'<p class="caption">{escape(text)}</p>' for text in chart.captions)
    return (
        f'<section class="chart"><h3>{escape(chart.heading)}</h3>{look}{shown}{captions}'
        f"{chart.table}</section>\n"
    )


def _foot_html(summary: dict[str, Any]) -> str:
    state_hash = escape(str(summary.get("state_hash", "not recorded")))
    return (
        f"<footer><p>State hash: <code>{state_hash}</code>. The same scenario and seed give the "
        f"same hash on every run.</p>{again_html(summary)}<p>All times are UTC. Zoom by dragging; "
        "the charts over time follow each other; a double click shows the whole run again.</p>"
        "</footer>\n"
    )


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever texts it holds."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")
