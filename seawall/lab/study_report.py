"""The report of a study: one HTML page that needs no network, from the study's directory alone."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import msgspec
import polars as pl
from plotly.offline import get_plotlyjs

from seawall.lab.again import again_path
from seawall.lab.fund_size import FUND, fund_curve
from seawall.lab.study_charts import (
    fan_charts,
    forest_chart,
    heat_chart,
    pair_chart,
    seeds_of_interest,
    sensitivity_chart,
)
from seawall.lab.study_directory import REPORT
from seawall.lab.study_file import MEAN, SHARE, Target
from seawall.lab.study_results import StudyResults
from seawall.report.chart import Chart

USUAL: Final[dict[str, Target]] = {
    "low": Target(MEAN),
    "liquidated": Target(MEAN),
    "bad_debt": Target(MEAN),
    "adl_fills": Target(SHARE),
}
"""What is shown of a study without targets."""

_STYLE: Final[str] = """
body { margin: 0; background: #f5f7f9; color: #22303c; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 30px; margin: 0 0 8px; } h2 { font-size: 22px; margin: 36px 0 12px; }
h3 { font-size: 17px; margin: 0; }
p { margin: 0 0 8px; } .truth { font-size: 17px; font-weight: 600; max-width: 90ch; }
section { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px; padding: 16px 18px;
  margin: 0 0 16px; overflow-x: auto; }
.look { color: #566472; font-size: 15px; } .caption { color: #566472; font-size: 13px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 16px 5px 0; border-bottom: 1px solid #dfe5ea; text-align: right; }
th:first-child, td:first-child { text-align: left; } code { font-size: 13px; }
"""

_SCRIPT: Final[str] = """
for (const chart of JSON.parse(document.getElementById("charts").textContent))
  Plotly.newPlot(chart.key, chart.figure.data, chart.figure.layout,
    { responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: "" });
"""

# As in the report of a run: nothing may be fetched.
_POLICY: Final[str] = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)


def write_study_report(directory: str | Path) -> Path:
    """Write ``report.html`` of a study, finished or not, and return its path.

    Raises:
        LabError: the directory holds no study or no runs, or a target is no figure.
    """
    results = StudyResults(directory)
    target = results.path / REPORT
    partial = target.with_name(f".{REPORT}.{os.getpid()}")
    partial.write_text(_page(results), encoding="utf-8")
    os.replace(partial, target)
    return target


def truth(results: StudyResults) -> str:
    """One line of truth: how many runs, which seeds are common, why it stopped."""
    runs, cells = results.rows.height, results.cells.height
    common = results.rows.group_by("seed").len().filter(pl.col("len") == cells).height
    state = results.state
    looks = ", ".join(map(str, state.looks)) or "none"
    why = f"stopped because {state.stopped}" if state.stopped else "not finished"
    return (
        f"{runs:,} runs, {common:,} seeds common to all {cells:,} cells, looks at {looks} seeds, "
        f"{why}; {len(state.checked):,} runs done twice with the same state hash."
    )


def _page(results: StudyResults) -> str:
    targets = results.study.targets or {
        name: target for name, target in USUAL.items() if name in results.rows.columns
    }
    parts: list[tuple[str, list[Chart]]] = []
    parts.append(("Figures by cell", [forest_chart(results, *each) for each in targets.items()]))
    pairs = [pair_chart(results, figure) for figure in targets]
    heats = [heat_chart(results, figure, target) for figure, target in targets.items()]
    bars = [sensitivity_chart(results, figure) for figure in targets]
    for title, charts in (
        ("Pairs over the same seeds", pairs),
        ("Two keys", heats),
        ("Sensitivity", bars),
        ("Over time", fan_charts(results)),
    ):
        there = [chart for chart in charts if chart is not None]
        if there:
            parts.append((title, there))
    drawn = [{"key": chart.key, "figure": chart.figure} for _, charts in parts for chart in charts]
    body = "".join(
        f"<h2>{escape(title)}</h2>" + "".join(map(_chart_html, charts)) for title, charts in parts
    )
    title = escape(results.study.title)
    data = msgspec.json.encode(drawn).decode().replace("<", "\\u003c")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{title}</h1><p class="truth">{escape(truth(results))}</p>\n'
        f"{body}{_fund_html(results)}{_seeds_html(results, next(iter(targets)))}"
        f"{_not_varied_html(results)}</main>\n"
        f'<script type="application/json" id="charts">{data}</script>\n'
        f"<script>{get_plotlyjs()}</script>\n<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def _chart_html(chart: Chart) -> str:
    assert chart.figure is not None
    height = chart.figure["layout"]["height"]
    captions = "".join(f'<p class="caption">{escape(text)}</p>' for text in chart.captions)
    return (
        f'<section><h3>{escape(chart.heading)}</h3><p class="look">{escape(chart.explanation)}</p>'
        f'<div id="{escape(chart.key)}" style="height:{height}px"></div>{captions}</section>\n'
    )


def _fund_html(results: StudyResults) -> str:
    """The curve over the fund's size, where the study varies it."""
    if FUND not in results.keys:
        return ""
    curve = fund_curve(results)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("fund", *curve[0].columns))
    rows = "".join(
        f"<tr><td>{escape(each.fund)}</td>"
        + "".join(f"<td>{escape(str(interval))}</td>" for interval in each.columns.values())
        + "</tr>"
        for each in curve
    )
    return (
        f"<h2>Size of the fund</h2><section><table><tr>{head}</tr>{rows}</table>"
        '<p class="caption">Estimate [interval of 95 %]; a dash where there are too few runs to '
        "bound it. Other keys are taken together.</p></section>\n"
    )


def _seeds_html(results: StudyResults, figure: str) -> str:
    """Typical and extreme runs of each cell, with the way to see them whole."""
    lines = []
    for (cell,), rows in results.rows.group_by("cell", maintain_order=True):
        number = int(str(cell))
        typical, furthest = seeds_of_interest(rows, figure)
        lines.append(
            f"<tr><td>{escape(f'{number}: {results.label(number)}')}</td>"
            f"<td>{_links(results, number, typical)}</td>"
            f"<td>{_links(results, number, furthest)}</td></tr>"
        )
    command = escape(f"seawall lab again {results.path} --cell C --seed S")
    return (
        f"<h2>Runs to look at</h2><section><p>By {escape(figure)}: the seeds nearest to the median "
        f"of their cell, and the furthest. <code>{command}</code> makes the whole run, which is "
        "linked here once it is there and this report is written anew.</p>"
        "<table><tr><th>cell</th><th>typical</th><th>furthest</th></tr>"
        f"{''.join(lines)}</table></section>\n"
    )


def _links(results: StudyResults, cell: int, seeds: Sequence[int]) -> str:
    shown = []
    for seed in seeds:
        report = again_path(results.path, cell, seed) / "report.html"
        place = report.relative_to(results.path).as_posix()
        shown.append(f'<a href="{place}">{seed}</a>' if report.is_file() else str(seed))
    return ", ".join(shown)


def _not_varied_html(results: StudyResults) -> str:
    study = results.study
    fixed = "".join(
        f"<li><code>{escape(key)} = {escape(value)}</code></li>"
        for key, value in study.fixed.items()
    )
    return (
        "<h2>What was not varied</h2><section><p>Everything else is as in "
        f"<code>{escape(study.scenario)}</code>, whole in <code>scenario.toml</code> and "
        "<code>rulebook.toml</code> beside this page: index path, population, agents and their "
        "behaviour. The index does not react to the market. Intervals are about seeds only: they "
        f"say nothing of another scenario.</p><ul>{fixed}</ul></section>\n"
    )
