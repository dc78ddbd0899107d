"""The report of a study: one HTML page that needs no network, from the study's directory alone."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import polars as pl

from seawall.lab.again import again_path
from seawall.lab.fund_size import FUND, fund_curve
from seawall.lab.intervals import LabError
from seawall.lab.study_charts import (
    fan_charts,
    forest_chart,
    fund_charts,
    heat_chart,
    pair_chart,
    seeds_of_interest,
    sensitivity_chart,
)
from seawall.lab.study_directory import REPORT
from seawall.lab.study_file import MEAN, SHARE, Target
from seawall.lab.study_results import StudyResults
from seawall.report.chart import Chart
from seawall.report.page import chart_html, document_html

USUAL: Final[dict[str, Target]] = {
    "low": Target(MEAN),
    "liquidated": Target(MEAN),
    "bad_debt": Target(MEAN),
    "adl_fills": Target(SHARE),
}
"""What is shown of a study without targets."""


def write_study_report(directory: str | Path) -> Path:
    """Write ``report.html`` of a study, finished or not, and return its path.

    Raises:
        LabError: the directory holds no study or no runs, or a target is no figure.
    """
    results = StudyResults(directory)
    if not results.rows.height:
        raise LabError(f"{results.path}: has no runs yet")
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
        (
            "Size of the fund",
            fund_charts(fund_curve(results)) if FUND in results.study.vary else [],
        ),
        ("Sensitivity", bars),
        ("Over time", fan_charts(results)),
    ):
        there = [chart for chart in charts if chart is not None]
        if there:
            parts.append((title, there))
    parted = "".join(
        f"<h2>{escape(title)}</h2>\n" + "".join(map(chart_html, charts)) for title, charts in parts
    )
    title = results.study.title
    head = f'<h1>{escape(title)}</h1>\n<p class="told">{escape(truth(results))}</p>\n'
    seeds = _seeds_html(results, next(iter(targets)))
    body = f"{head}{parted}{seeds}{_not_varied_html(results)}"
    return document_html(title, body, [chart for _, charts in parts for chart in charts])


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
        '<h2>Runs to look at</h2>\n<section class="chart"><p>'
        f"By {escape(figure)}: the seeds nearest to the median of their cell, and the furthest. "
        f"<code>{command}</code> makes the whole run, which is "
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
        '<h2>What was not varied</h2>\n<section class="chart"><p>Everything else is as in '
        f"<code>{escape(study.scenario)}</code>, whole in <code>scenario.toml</code> and "
        "<code>rulebook.toml</code> beside this page: index path, population, agents and their "
        "behaviour. The index does not react to the market. Intervals are about seeds only: they "
        f"say nothing of another scenario.</p><ul>{fixed}</ul></section>\n"
    )
