"""Charts and tables of a study: intervals by cell, pairs, fans over time, sensitivities."""

from collections.abc import Sequence
from html import escape
from itertools import product
from statistics import median
from typing import Final

import polars as pl

from seawall.lab.fund_size import FundSize
from seawall.lab.precision import interval_of, values_of
from seawall.lab.sensitivity import sensitivities
from seawall.lab.study_directory import SERIES
from seawall.lab.study_file import Target
from seawall.lab.study_results import Pairing, StudyResults, by_cell
from seawall.report.chart import Chart, Figure, axis, layout
from seawall.report.palette import ADL, ANSWERED, FORCED, HOUSE, INDEX, INK, OTHER
from seawall.report.text import html_table

MOST_CELLS: Final[int] = 40
"""Cells a forest plot shows; the matrix of pairs shows at most `MOST_PAIRED`."""

MOST_PAIRED: Final[int] = 8
_COLOURS: Final[tuple[str, ...]] = (INDEX, FORCED, ANSWERED, HOUSE, OTHER, ADL)
"""Of the cells that fans are drawn of: here colours mean nothing but them."""

_FANS: Final[tuple[tuple[str, str], ...]] = (
    ("price", "Last price over the index at the beginning"),
    ("basis", "Last price over index, less one"),
    ("open_interest", "Open interest, contracts"),
    ("fund", "Insurance fund"),
)


def target_words(figure: str, target: Target) -> str:
    """A target in words: ``share of adl_fills above 0``."""
    if target.statistic == "share":
        return f"share of runs with {figure} above {target.above:g}"
    return f"{target.statistic} of {figure}"


def forest_chart(results: StudyResults, figure: str, target: Target) -> Chart:
    """Every cell's estimate with its interval."""
    cells = by_cell(results, figure, target.statistic, target.above)[:MOST_CELLS]
    cells.reverse()
    estimates = [each.interval.estimate for each in cells]
    up = [
        (each.interval.estimate if each.interval.high is None else each.interval.high) - estimate
        for each, estimate in zip(cells, estimates, strict=True)
    ]
    down = [
        estimate - (each.interval.estimate if each.interval.low is None else each.interval.low)
        for each, estimate in zip(cells, estimates, strict=True)
    ]
    trace: Figure = {
        "type": "scatter",
        "mode": "markers",
        "x": estimates,
        "y": [escape(f"{each.cell}: {each.label}") for each in cells],
        "marker": {"color": INK, "size": 8},
        "error_x": {"type": "data", "array": up, "arrayminus": down, "color": INK},
        "hovertemplate": "%{y}<br>%{x:,.6g}<extra></extra>",
    }
    words = target_words(figure, target)
    look = layout("", 120 + 26 * len(cells))
    look["xaxis"] = axis(words)
    open_ended = [each.cell for each in cells if each.interval.half_width == float("inf")]
    captions = [f"Bars are intervals of 95 % ({cells[0].interval.method})."] if cells else []
    if open_ended:
        captions.append(
            f"Cells {', '.join(map(str, sorted(open_ended)))} have too few runs to bound one side."
        )
    return Chart(
        key=f"forest-{figure}-{target.statistic}",
        heading=words[0].upper() + words[1:],
        sentences=[
            "Cells whose bars do not overlap differ; those whose bars do may: see the "
            "pairs, which share their seeds."
        ],
        figure={"data": [trace], "layout": look},
        captions=captions,
        time_axis=False,
    )


def pair_chart(results: StudyResults, figure: str) -> Chart | None:
    """The mean differences of all pairs of cells, and how often the sign holds."""
    numbers = results.cells["cell"].to_list()
    if not 2 <= len(numbers) <= MOST_PAIRED:
        return None
    rows = []
    ratios = []
    for one in numbers:
        rows.append([f"{one}: {results.label(one)}"])
        for other in numbers:
            pairing = _pairing(results, one, other)
            if one == other or not pairing.differences(figure):
                rows[-1].append("")
                continue
            ratio = pairing.variance_ratio(figure)
            if ratio is not None:
                ratios.append(ratio)
            interval = pairing.interval(figure)
            apart = interval.low is not None and interval.high is not None
            sure = apart and not (interval.low or 0) <= 0 <= (interval.high or 0)
            agreement = f"{pairing.agreement(figure):.0%}"
            rows[-1].append(f"{interval.estimate:+,.4g}{' *' if sure else ''}, {agreement}")
    return Chart(
        key=f"pairs-{figure}",
        heading=f"Pairs: {figure}",
        sentences=[
            "Column less row, over the seeds both have, and the share of seeds whose difference "
            "has that sign; half is chance. A star: the interval leaves out zero."
        ],
        table=html_table(["", *map(str, numbers)], rows),
        captions=[
            "What the common seeds gain: variance of the paired differences over that of "
            f"independent runs, median over pairs {median(ratios):.2f} (1 is nothing)."
        ]
        if ratios
        else [],
    )


def _pairing(results: StudyResults, one: int, other: int) -> Pairing:
    rows = results.rows
    figures = [name for name in rows.columns if name not in results.keys and name != "cell"]
    first = rows.filter(rows["cell"] == one).select(figures)
    second = rows.filter(rows["cell"] == other).select(figures)
    pairs = first.join(second, on="seed", how="inner", suffix="_other")
    return Pairing(pairs, "cell", str(one), str(other))


def fan_charts(results: StudyResults) -> list[Chart]:
    """Median and 5 to 95 % over seeds, second by second, of the first cells."""
    numbers = results.cells["cell"].to_list()[: len(_COLOURS)]
    tables = {}
    for number in numbers:
        files = sorted((results.path / SERIES / f"cell={number}").glob("seed=*.parquet"))
        if files:
            frames = [pl.read_parquet(file, hive_partitioning=False) for file in files]
            tables[number] = pl.concat(frames)
    if not tables:
        return []
    columns = next(iter(tables.values())).columns
    return [
        _fan(results, tables, column, title + (f" of {symbol}" if symbol else ""))
        for name, title in _FANS
        for column in columns
        for given, _, symbol in (column.partition("."),)
        if given == name
    ]


def _fan(results: StudyResults, tables: dict[int, pl.DataFrame], column: str, title: str) -> Chart:
    traces: list[Figure] = []
    for (number, table), colour in zip(tables.items(), _COLOURS, strict=False):
        by_second = (
            table.group_by("second")
            .agg(
                pl.col(column).quantile(0.05).alias("low"),
                pl.col(column).median().alias("middle"),
                pl.col(column).quantile(0.95).alias("high"),
            )
            .sort("second")
        )
        name = escape(f"{number}: {results.label(number)}")
        seconds = by_second["second"].to_list()
        both = [*seconds, *reversed(seconds)]
        edge = [*by_second["high"].to_list(), *reversed(by_second["low"].to_list())]
        shared = {"type": "scatter", "legendgroup": name, "hoverinfo": "skip"}
        traces.append(
            {
                **shared,
                "x": both,
                "y": edge,
                "fill": "toself",
                "fillcolor": f"{colour}/18",
                "line": {"width": 0, "color": colour},
                "showlegend": False,
            }
        )
        traces.append(
            {
                **shared,
                "mode": "lines",
                "name": name,
                "x": seconds,
                "y": by_second["middle"].to_list(),
                "line": {"color": colour, "width": 1.8},
            }
        )
    look = layout("", 360)
    look["xaxis"] = axis("Seconds after the beginning of the window")
    return Chart(
        key=f"fan-{column}",
        heading=title,
        sentences=["Median over seeds, and from the 5th to the 95th percentile of each second."],
        figure={"data": traces, "layout": look},
        captions=["A percentile of each second is no path: no run stays on an edge."],
        time_axis=False,
    )


def heat_chart(results: StudyResults, figure: str, target: Target) -> Chart | None:
    """A statistic over the values of two keys, of a study that varies just these."""
    if results.study.sample is not None or len(results.keys) != 2:
        return None
    first, second = results.keys
    xs = results.cells[first].unique(maintain_order=True).to_list()
    ys = results.cells[second].unique(maintain_order=True).to_list()
    if len(xs) < 2 or len(ys) < 2:
        return None
    values: dict[tuple[str, str], float] = {}
    for x, y in product(xs, ys):
        there = values_of(results.chosen({first: x, second: y}), figure)
        if there:
            values[x, y] = interval_of(there, target.statistic, target.above).estimate
    words = f"{target_words(figure, target)} by {first} (across) and {second} (down)"
    return Chart(
        key=f"heat-{figure}",
        heading=words[0].upper() + words[1:],
        sentences=["Estimates; their intervals are above. The darker, the larger."],
        table=_heat_table(xs, ys, values),
    )


def _heat_table(xs: list[str], ys: list[str], values: dict[tuple[str, str], float]) -> str:
    """A table whose cells are the darker, the larger their value; text stays readable on each."""
    low, high = min(values.values(), default=0.0), max(values.values(), default=0.0)
    head = "".join(f'<th scope="col">{escape(x)}</th>' for x in xs)
    body = ""
    for y in ys:
        body += f'<tr><th scope="row">{escape(y)}</th>'
        for x in xs:
            value = values.get((x, y))
            if value is None:
                body += "<td></td>"
                continue
            share = round(45 * (value - low) / (high - low)) if high > low else 0
            shade = f"color-mix(in srgb, var(--link) {share}%, transparent)"
            body += f'<td style="background:{shade}">{value:,.4g}</td>'
        body += "</tr>"
    return (
        '<div class="table" tabindex="0" role="group"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def sensitivity_chart(results: StudyResults, figure: str) -> Chart | None:
    """Bars of the Sobol' indices of the mean and of the 95th percentile."""
    if results.study.sample is None or not results.study.sample.indices:
        return None
    traces: list[Figure] = []
    for statistic, first_colour, total_colour in (
        ("mean", INDEX, f"{INDEX}/45"),
        ("p95", FORCED, f"{FORCED}/45"),
    ):
        found = sensitivities(results, figure, statistic)
        keys = [escape(each.key) for each in found]
        for name, values, colour in (
            ("first", [each.first for each in found], first_colour),
            ("total", [each.total for each in found], total_colour),
        ):
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": f"{name}, {statistic}",
                    "y": keys,
                    "x": values,
                    "marker": {"color": colour},
                }
            )
    look = layout("", 140 + 90 * len(results.keys), barmode="group")
    look["xaxis"] = axis("Part of the variance")
    return Chart(
        key=f"sobol-{figure}",
        heading=f"What {figure} depends on",
        sentences=[
            "First-order indices count what a key does alone, total ones also what it does "
            "together with others."
        ],
        figure={"data": traces, "layout": look},
        captions=["With few points an index is rough, and may fall below 0."],
        time_axis=False,
    )


def fund_charts(curve: Sequence[FundSize]) -> list[Chart]:
    """Chance of deleveraging, bad debt and liquidated volume by the size of the fund, and all
    columns as a table."""
    rows = [
        [f"{each.fund} {each.others}".strip(), *map(str, each.columns.values())] for each in curve
    ]
    charts = [
        _fund(curve, key, column, title)
        for key, column, title in (
            ("adl", "P(ADL)", "Chance that anyone is deleveraged"),
            ("debt", "bad debt", "Expected bad debt"),
            ("volume", "liquidations at risk", "Liquidated volume, 95th percentile"),
        )
    ]
    charts.append(
        Chart(
            key="fund-table",
            heading="All figures by the size of the fund",
            table=html_table(["fund", *curve[0].columns], rows),
            captions=[
                "Estimate [interval of 95 %]; a dash where there are too few runs to bound it."
            ],
        )
    )
    return charts


def _fund(curve: Sequence[FundSize], key: str, column: str, title: str) -> Chart:
    traces: list[Figure] = []
    groups = dict.fromkeys(each.others for each in curve)
    for others, colour in zip(groups, _COLOURS, strict=False):
        cells = [each for each in curve if each.others == others]
        intervals = [each.columns[column] for each in cells]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": escape(others),
                "x": [float(each.fund) for each in cells],
                "y": [each.estimate for each in intervals],
                "line": {"color": colour, "width": 1.6},
                "marker": {"color": colour, "size": 8},
                "error_y": {
                    "type": "data",
                    "array": [(each.high or each.estimate) - each.estimate for each in intervals],
                    "arrayminus": [
                        each.estimate - (each.estimate if each.low is None else each.low)
                        for each in intervals
                    ],
                    "color": colour,
                },
                "hovertemplate": "fund %{x:,}: %{y:,.6g}<extra></extra>",
            }
        )
    look = layout("", 300)
    look["xaxis"] = axis("Size of the fund")
    return Chart(
        key=f"fund-{key}",
        heading=title,
        sentences=["Bars are intervals of 95 %."],
        figure={"data": traces, "layout": look},
        time_axis=False,
    )


def seeds_of_interest(rows: pl.DataFrame, figure: str) -> tuple[Sequence[int], Sequence[int]]:
    """Of one cell the three seeds nearest to the median of a figure, and the three furthest."""
    known = rows.drop_nulls(figure)
    middle = known[figure].median()
    ordered = known.with_columns((pl.col(figure) - middle).abs().alias("_far")).sort("_far", "seed")
    seeds = ordered["seed"].to_list()
    return seeds[:3], seeds[::-1][:3]
