"""Margin calls: how they ended, through time and by leverage, and the time they left to answer."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from statistics import median
from typing import Final

import polars as pl

from engine.events import CALL_EXPIRED, CALL_OVERTAKEN
from engine.units import MINUTE_NS, SECOND_NS
from seawall.records.frames import Units, calls_frame
from seawall.report.buckets import bar_trace, bucket_width_ns, width_words
from seawall.report.chart import Chart, Window, axis, bars_across, layout, over_time
from seawall.report.data import ReportData
from seawall.report.facts import (
    CURED_OUTCOMES,
    CallFacts,
    call_facts,
    counts_by_group,
)
from seawall.report.palette import ANSWERED, BOOK, FORCED, INK
from seawall.report.text import duration, html_table

NO_CALLS: Final[str] = "No margin call was issued in this run."

BY_DEPOSIT, BY_REDUCTION, BY_BOTH, BY_PRICE = CURED_OUTCOMES
ANSWERED_OUTCOMES: Final[tuple[str, ...]] = (BY_DEPOSIT, BY_REDUCTION, BY_BOTH)
CLASSES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "Answered by the owner": (ANSWERED, ANSWERED_OUTCOMES),
    "Cured by price alone": (BOOK, (BY_PRICE,)),
    "Too late: expired or overtaken": (FORCED, (CALL_EXPIRED, CALL_OVERTAKEN)),
}
"""What the outcomes mean: the class's colour, and the outcomes that are in it."""

OUTCOMES: Final[tuple[str, ...]] = tuple(
    outcome for _, outcomes in CLASSES.values() for outcome in outcomes
)

WINDOW_EDGES_NS: Final[tuple[tuple[int, str], ...]] = (
    (SECOND_NS, "up to 1 s"),
    (5 * SECOND_NS, "up to 5 s"),
    (15 * SECOND_NS, "up to 15 s"),
    (MINUTE_NS, "up to 1 min"),
    (5 * MINUTE_NS, "up to 5 min"),
    (15 * MINUTE_NS, "up to 15 min"),
    (60 * MINUTE_NS, "up to 1 h"),
)
WINDOW_LAST: Final[str] = "more than 1 h"


def call_charts(data: ReportData, window: Window | None, sentences: Sequence[str]) -> list[Chart]:
    """Calls by outcome, through time, by leverage, and the windows they left."""
    facts = call_facts(data.events)
    if not facts.issued:
        return [Chart("outcomes", "How the calls ended", empty=NO_CALLS, time_axis=False)]
    return [
        _outcome_chart(facts, sentences),
        _through_time(data, window),
        _window_chart(facts),
        _leverage_chart(data),
    ]


def _outcome_chart(facts: CallFacts, sentences: Sequence[str]) -> Chart:
    counts = {outcome: len(facts.open_ns.get(outcome, [])) for outcome in OUTCOMES}
    colours = [colour for colour, outcomes in CLASSES.values() for _ in outcomes]
    names, values = list(counts), list(counts.values())
    if facts.still_open:
        names, values = [*names, "open at the end"], [*values, facts.still_open]
        colours.append(INK)
    texts = [f"{value:,} ({value / facts.issued:.1%})" for value in values]
    return Chart(
        "outcomes",
        "How the calls ended",
        list(sentences),
        bars_across([name.capitalize() for name in names], values, texts, colours, "calls"),
        captions=[
            "A call cured by price was not answered: the price came back before its owner had "
            "brought collateral or reduced the position. One overtaken was ended by the "
            "account's liquidation before its deadline."
        ],
        table=_call_table(facts),
        time_axis=False,
    )


def _call_table(facts: CallFacts) -> str:
    """Calls by outcome with the time they were open."""
    rows = []
    for outcome in OUTCOMES:
        times = facts.open_ns.get(outcome, [])
        rows.append([outcome, f"{len(times):,}", f"{len(times) / facts.issued:.1%}"])
        rows[-1] += [duration(int(median(times))), duration(max(times))] if times else ["", ""]
    share = f"{facts.still_open / facts.issued:.1%}"
    rows.append(["still open at the end", f"{facts.still_open:,}", share, "", ""])
    rows.append(["issued", f"{facts.issued:,}", "100.0%", "", ""])
    return html_table(["Outcome", "Calls", "Share", "Median time open", "Longest"], rows)


def _through_time(data: ReportData, window: Window | None) -> Chart:
    width_ns = bucket_width_ns(window)
    ended = counts_by_group(data.events, "MarginCallEnded", width_ns, "outcome")
    traces = []
    for name, (colour, outcomes) in CLASSES.items():
        counts: Counter[int] = sum((ended.get(each, Counter()) for each in outcomes), Counter())
        if counts:
            traces.append(bar_trace(counts, width_ns, f"{name} ({counts.total():,})", colour))
    look = layout(f"Calls ended per {width_words(width_ns)}", 280, barmode="stack", bargap=0)
    figure = {"data": traces, "layout": over_time(look, window)}
    empty = "No call ended in this run."
    return Chart("calls", "Calls through time", [], figure if traces else None, empty=empty)


def _window_chart(facts: CallFacts) -> Chart:
    names = [name for _, name in WINDOW_EDGES_NS] + [WINDOW_LAST]
    answered_ns = [each for name in ANSWERED_OUTCOMES for each in facts.open_ns.get(name, [])]
    groups = [
        (name, Counter(map(_window, times)), colour)
        for name, times, colour in (
            ("Liquidated after", facts.response_ns, FORCED),
            ("Answered and cured after", answered_ns, ANSWERED),
            ("Cured by price after", facts.open_ns.get(BY_PRICE, []), BOOK),
        )
    ]
    used = [name for name in names if any(counts[name] for _, counts, _ in groups)]
    heading = "The time a call left"
    if not used:
        empty = "No call was cured or followed by a liquidation in this run."
        return Chart("windows", heading, empty=empty, time_axis=False)
    shown = names[names.index(used[0]) : names.index(used[-1]) + 1]
    traces = [
        {
            "type": "bar",
            "name": escape(f"{name} ({counts.total():,})"),
            "x": shown,
            "y": [counts[each] for each in shown],
            "marker": {"color": colour},
        }
        for name, counts, colour in groups
    ]
    look = layout("Calls", 280, barmode="group")
    look["xaxis"] = axis("Time since the call", type="category")
    sentence = (
        "Liquidations left of the answers: the market gave less time than answering takes. Calls "
        "that the price alone cured say nothing about that."
    )
    figure = {"data": traces, "layout": look}
    return Chart("windows", heading, [sentence], figure, time_axis=False)


def _window(time_ns: int) -> str:
    for edge_ns, name in WINDOW_EDGES_NS:
        if time_ns <= edge_ns:
            return name
    return WINDOW_LAST


def _leverage_chart(data: ReportData) -> Chart:
    """Of the traders of each leverage: how many were called, and what became of their calls."""
    heading = "Calls by leverage"
    traders = data.accounts.filter(pl.col("kind") == "group").unique("account")
    calls = calls_frame(data.events, Units(data.scenario), data.accounts)
    called = calls.group_by("leverage").agg(
        pl.col("account").n_unique().alias("called"),
        pl.len().alias("calls"),
        *(_outcomes(name, outcomes) for name, (_, outcomes) in CLASSES.items()),
    )
    by_leverage = (
        traders.drop_nulls("leverage")
        .group_by("leverage")
        .agg(pl.len().alias("traders"))
        .join(called, on="leverage", how="left")
        .fill_null(0)
        .sort("leverage")
    )
    if not by_leverage.height:
        empty = "Nobody's leverage was recorded."
        return Chart("leverage", heading, empty=empty, time_axis=False)
    rows = by_leverage.rows(named=True)
    names = [f"{row['leverage']}x" for row in rows]
    shares = [row["called"] / row["traders"] for row in rows]
    figure = bars_across(
        names,
        [round(share * 100, 2) for share in shares],
        [f"{share:.1%}" for share in shares],
        [INK] * len(rows),
        "traders called at least once, %",
    )
    header = ["Leverage", "Traders", "Called", "Calls", *CLASSES]
    counts = by_leverage.drop("leverage").rows()
    cells = [
        [name, *(f"{count:,}" for count in row)] for name, row in zip(names, counts, strict=True)
    ]
    return Chart("leverage", heading, [], figure, table=html_table(header, cells), time_axis=False)


def _outcomes(name: str, outcomes: tuple[str, ...]) -> pl.Expr:
    """How many calls ended in one of these ways."""
    cured = pl.format("{} by {}", pl.col("outcome"), pl.col("cured_by"))
    how = pl.coalesce(cured, pl.col("outcome"))
    return how.is_in(list(outcomes)).sum().alias(name)
