"""Charts of the whole exchange: margin ratios, fund, losses, calls, liquidations."""

from collections import Counter
from html import escape
from statistics import median
from typing import Final

import polars as pl

from engine.events import CALL_EXPIRED, CALL_OVERTAKEN
from engine.units import MINUTE_NS, SECOND_NS
from risk.rulebook import STAGES
from seawall.report.chart import (
    AMBER,
    BLUE,
    BRICK,
    GREY,
    INK,
    MS_NS,
    PLUM,
    SERIES_COLOURS,
    SKY,
    TEAL,
    Chart,
    Figure,
    axis,
    layout,
    line,
    time_axis,
)
from seawall.report.data import ReportData
from seawall.report.downsample import min_max_points
from seawall.report.facts import (
    CURED_OUTCOMES,
    CallFacts,
    LossParts,
    call_facts,
    counts_by_group,
    loss_parts,
)
from seawall.report.text import duration, html_table, money

Span = tuple[int, int] | None

POINTS_MAX: Final[int] = 2_000
NO_LIQUIDATIONS: Final[str] = "No account was liquidated in this run."
NO_CALLS: Final[str] = "No margin call was issued in this run."

LOSS_NAMES: Final[dict[str, str]] = {
    "price_q": "Price",
    "slippage_q": "Slippage",
    "fee_q": "Fees",
    "funding_q": "Funding",
    "surrender_q": "Surrendered at takeover",
    "adl_q": "ADL",
    "haircut_q": "Socialised",
    "transfer_q": "Transfers",
}
BY_DEPOSIT, BY_REDUCTION, BY_BOTH, BY_PRICE = CURED_OUTCOMES
ANSWERED: Final[tuple[str, ...]] = (BY_DEPOSIT, BY_REDUCTION, BY_BOTH)
OUTCOME_COLOURS: Final[dict[str, str]] = {
    BY_DEPOSIT: TEAL,
    BY_REDUCTION: BLUE,
    BY_BOTH: PLUM,
    BY_PRICE: SKY,
    CALL_EXPIRED: AMBER,
    CALL_OVERTAKEN: BRICK,
}
WINDOW_EDGES_NS: Final[tuple[tuple[int, str], ...]] = (
    (MS_NS, "under 1 ms"),
    (10 * MS_NS, "1-10 ms"),
    (100 * MS_NS, "10-100 ms"),
    (SECOND_NS, "0.1-1 s"),
    (5 * SECOND_NS, "1-5 s"),
    (15 * SECOND_NS, "5-15 s"),
    (MINUTE_NS, "15-60 s"),
    (5 * MINUTE_NS, "1-5 min"),
    (15 * MINUTE_NS, "5-15 min"),
    (60 * MINUTE_NS, "15-60 min"),
)
WINDOW_LAST: Final[str] = "an hour or more"


def margin_ratio_chart(data: ReportData, span_ms: Span) -> Chart:
    """Percentile bands of equity over position value."""
    frame = data.margin_ratio
    heading = "Margin ratios of accounts with positions"
    if not frame.height:
        return Chart("margin-ratio", heading, "", None, empty="No margin ratio was sampled.")
    kept = min_max_points(frame, "p01", POINTS_MAX).select("time_ns")
    frame = frame.join(kept, on="time_ns", how="semi", maintain_order="left")
    band = {"width": 0}
    traces = [
        line(frame, "p05", "5 % line", SKY, line=band, showlegend=False, hoverinfo="skip"),
        line(frame, "p95", "5 to 95 %", SKY, line=band, fill="tonexty", fillcolor="#dcebf5"),
        line(frame, "p25", "25 % line", SKY, line=band, showlegend=False, hoverinfo="skip"),
        line(frame, "p75", "Middle half", SKY, line=band, fill="tonexty", fillcolor="#a9cde5"),
        line(frame, "p50", "Median", BLUE),
        line(frame, "p05", "Weakest 5 %", AMBER, yaxis="y2"),
        line(frame, "p01", "Weakest 1 %", BRICK, yaxis="y2"),
    ]
    for trace in traces:
        trace.pop("hovertemplate")
        trace["yhoverformat"] = ".2%"
        trace["line"] = trace["line"] | {"shape": "linear"}
    look = layout("", 480, xaxis=time_axis(span_ms, anchor="y2"), hovermode="x unified")
    look["yaxis"] = axis("All", tickformat=".0%", domain=[0.46, 1])
    look["yaxis2"] = axis("The weakest", tickformat=".1%", domain=[0, 0.38], rangemode="tozero")
    rule = (
        f"Of more than {POINTS_MAX:,} samples, those with the lowest and the highest weakest "
        "percentile of each run are drawn."
    )
    return Chart(
        "margin-ratio",
        heading,
        "Look for the lowest lines being squeezed towards zero, and rising again once the weakest "
        "accounts are gone. The ratio is equity over position value.",
        {"data": traces, "layout": look},
        captions=[rule] if data.margin_ratio.height > frame.height else [],
    )


def fund_chart(data: ReportData, span_ms: Span) -> Chart:
    """The insurance fund's wallet, one panel per asset."""
    assets = data.fund["asset_id"].unique(maintain_order=True).to_list()
    heading = "The insurance fund's cash over time"
    if not assets:
        return Chart("fund", heading, "", None, empty="The insurance fund never moved in this run.")
    captions = [
        "Positions it took over and still holds are not in its cash; its account above has them."
    ]
    if data.fund.height > POINTS_MAX:
        captions.append(
            f"Of more than {POINTS_MAX:,} changes of an asset, the lowest and the highest of each "
            "run are drawn."
        )
    traces: list[Figure] = []
    look = layout("", 280 if len(assets) == 1 else 200 * len(assets), showlegend=False)
    for number, asset_id in enumerate(assets):
        symbol, decimals = asset_of(data, asset_id)
        wallet = data.fund.filter(pl.col("asset_id") == asset_id).select(
            "time_ns", wallet=pl.col("wallet_q").cast(pl.Float64) / 10**decimals
        )
        points = _hold_until(min_max_points(wallet, "wallet", POINTS_MAX), "wallet", span_ms)
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        suffix = "" if number == 0 else str(number + 1)
        style = {"color": colour, "width": 1.8, "shape": "hv"}
        traces.append(line(points, "wallet", symbol, colour, line=style, yaxis=f"y{suffix}"))
        top = 1 - number / len(assets)
        domain = [top - 0.88 / len(assets), top]
        look[f"yaxis{suffix}"] = axis(symbol, domain=domain)
    look["xaxis"] = time_axis(span_ms, anchor=f"y{suffix}")
    return Chart(
        "fund",
        heading,
        "Look for when it falls: while it pays for accounts that closed below zero, or later, when "
        "it sells what it took over. It rises by liquidation fees and by what it took over well.",
        {"data": traces, "layout": look},
        captions=captions,
    )


def loss_charts(data: ReportData) -> list[Chart]:
    """The waterfall of losses, one per settlement asset."""
    totals = loss_parts(data.events)
    if not totals:
        return [Chart("losses", "Losses in liquidation", "", None, empty=NO_LIQUIDATIONS)]
    return [_loss_chart(data, total) for total in totals]


def _loss_chart(data: ReportData, total: LossParts) -> Chart:
    symbol, decimals = asset_of(data, total.asset_id)
    amounts = [total.equity_before_q, *total.parts.values(), total.equity_after_q]
    names = [
        "Equity at the start",
        *(LOSS_NAMES[name] for name in total.parts),
        "Equity at the end",
    ]
    texts = [money(amount_q, decimals) for amount_q in amounts]
    trace: Figure = {
        "type": "waterfall",
        "x": names,
        "y": [amount_q / 10**decimals for amount_q in amounts],
        "measure": ["absolute", *["relative"] * len(total.parts), "total"],
        "text": [_short(amount_q / 10**decimals) for amount_q in amounts],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": texts,
        "hovertemplate": "%{x}: %{customdata} " + escape(symbol) + "<extra></extra>",
        "connector": {"line": {"color": GREY, "width": 1}},
        "decreasing": {"marker": {"color": BRICK}},
        "increasing": {"marker": {"color": TEAL}},
        "totals": {"marker": {"color": BLUE}},
    }
    look = layout(symbol, 400, showlegend=False)
    look["xaxis"] = axis("", type="category", tickangle=0, tickmode="array", tickvals=names)
    look["xaxis"]["ticktext"] = [name.replace(" at ", "<br>at ") for name in names]
    rows = [[name, text] for name, text in zip(names[1:-1], texts[1:-1], strict=True)]
    rows.append(["Sum of the parts", money(sum(total.parts.values()), decimals)])
    rows.append(["Change in equity", money(total.change_q, decimals)])
    if total.unexplained_q:
        verdict = (
            f"The parts do NOT add up: {money(total.unexplained_q, decimals)} {symbol} of the "
            "change in equity is unexplained."
        )
    else:
        verdict = "The parts add up to the change in equity exactly."
    return Chart(
        f"losses-{total.asset_id}",
        f"Losses in liquidation, {symbol}",
        "Look for the longest bar down: what cost most between the start and the end of the "
        f"{total.liquidations:,} finished liquidations in {symbol}. A bar up at takeover, ADL or "
        "socialised is a deficit that others bore; a bar down is equity that others got, the fund "
        "at takeover, winners at ADL.",
        {"data": [trace], "layout": look},
        captions=[
            verdict,
            "Only what happened during liquidations is here; what these accounts had lost before, "
            "they lost to others in the market. An account that was liquidated twice is in it "
            "twice.",
        ],
        table=html_table(["Part", symbol], rows),
        time_axis=False,
    )


def call_charts(data: ReportData, span_ms: Span) -> list[Chart]:
    """Calls through time by outcome, and the windows they left."""
    facts = call_facts(data.events)
    if not facts.issued:
        return [Chart("calls", "Margin calls", "", None, empty=NO_CALLS)]
    issued = counts_by_group(data.events, "MarginCallIssued", MINUTE_NS)
    ended = counts_by_group(data.events, "MarginCallEnded", MINUTE_NS, "outcome")
    traces = [
        _bars(ended[outcome], MINUTE_NS, outcome, colour)
        for outcome, colour in OUTCOME_COLOURS.items()
        if outcome in ended
    ]
    steps = _steps(issued["MarginCallIssued"], MINUTE_NS, span_ms)
    traces.append(
        line(steps, "count", "issued", INK, line={"color": INK, "width": 1.5, "shape": "hv"})
    )
    look = layout("Calls per minute", 320, xaxis=time_axis(span_ms), barmode="stack", bargap=0)
    through_time = Chart(
        "calls",
        "Margin calls and how they ended",
        "Look for calls overtaken by liquidation: those accounts had no chance to answer in time. "
        "A call cured by price was not answered: the price came back before its owner had brought "
        "collateral or reduced the position.",
        {"data": traces, "layout": look},
        table=call_table(facts),
    )
    return [through_time, _window_chart(facts)]


def call_table(facts: CallFacts) -> str:
    """Calls by outcome with the time they were open."""
    rows = []
    for outcome in OUTCOME_COLOURS:
        times = facts.open_ns.get(outcome, [])
        rows.append([outcome, f"{len(times):,}", f"{len(times) / max(1, facts.issued):.1%}"])
        rows[-1] += [duration(int(median(times))), duration(max(times))] if times else ["", ""]
    share = f"{facts.still_open / max(1, facts.issued):.1%}"
    rows.append(["still open at the end", f"{facts.still_open:,}", share, "", ""])
    rows.append(["issued", f"{facts.issued:,}", "", "", ""])
    return html_table(["Outcome", "Calls", "Share", "Median time open", "Longest"], rows)


def _window_chart(facts: CallFacts) -> Chart:
    names = [name for _, name in WINDOW_EDGES_NS] + [WINDOW_LAST]
    answered_ns = [time_ns for name in ANSWERED for time_ns in facts.open_ns.get(name, [])]
    groups = [
        (name, Counter(map(_window, times)), colour)
        for name, times, colour in (
            ("Liquidated after", facts.response_ns, BRICK),
            ("Answered and cured after", answered_ns, TEAL),
            ("Cured by price after", facts.open_ns.get(BY_PRICE, []), SKY),
        )
    ]
    used = [name for name in names if any(counts[name] for _, counts, _ in groups)]
    heading = "Response window"
    if not used:
        empty = "No call was cured or followed by a liquidation in this run."
        return Chart("windows", heading, "", None, empty=empty)
    shown = names[names.index(used[0]) : names.index(used[-1]) + 1]
    traces: list[Figure] = []
    for name, counts, colour in groups:
        traces.append(
            {
                "type": "bar",
                "name": escape(f"{name} ({counts.total():,})"),
                "x": shown,
                "y": [counts[window] for window in shown],
                "marker": {"color": colour},
            }
        )
    captions = []
    if facts.response_ns:
        captions.append(
            f"Median response window, call to liquidation: "
            f"{duration(int(median(facts.response_ns)))}."
        )
    look = layout("Calls", 300, barmode="group")
    look["xaxis"] = axis("Time since the call", type="category")
    return Chart(
        "windows",
        heading,
        "Look for liquidations left of the answers: the market gave less time than answering "
        "takes. Calls that the price alone cured say nothing about that.",
        {"data": traces, "layout": look},
        captions=captions,
        time_axis=False,
    )


def liquidation_charts(data: ReportData, span_ms: Span) -> list[Chart]:
    """Liquidations per minute by stage and by outcome, and the cascade second by second."""
    entered = counts_by_group(data.events, "LiquidationStage", MINUTE_NS, "stage")
    order = [*STAGES, *(name for name in entered if name not in STAGES)]
    stages = {name: entered[name] for name in order if name in entered}
    outcomes = counts_by_group(data.events, "LiquidationEnded", MINUTE_NS, "outcome")
    started = counts_by_group(data.events, "LiquidationStarted", SECOND_NS)
    deleveraged = counts_by_group(data.events, "Deleveraged", SECOND_NS)
    return [
        _stacked(
            "stages",
            "Liquidations by stage of the waterfall",
            "Look for late stages (fund, ADL, socialise): they appear when the book can no longer "
            "absorb the orders of the early ones.",
            "Entered per minute",
            stages,
            span_ms,
        ),
        _stacked(
            "outcomes",
            "Liquidations by outcome",
            "Look for how many accounts kept a position (partial) and how many lost everything.",
            "Ended per minute",
            outcomes,
            span_ms,
        ),
        _cascade_chart(
            started.get("LiquidationStarted", Counter()),
            deleveraged.get("Deleveraged", Counter()),
            span_ms,
        ),
    ]


def _stacked(
    key: str,
    heading: str,
    explanation: str,
    y_title: str,
    groups: dict[str, Counter[int]],
    span_ms: Span,
) -> Chart:
    if not groups:
        return Chart(key, heading, "", None, empty=NO_LIQUIDATIONS)
    traces = []
    for number, (name, counts) in enumerate(groups.items()):
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        traces.append(_bars(counts, MINUTE_NS, f"{name} ({counts.total():,})", colour))
    look = layout(y_title, 300, xaxis=time_axis(span_ms), barmode="stack", bargap=0)
    return Chart(key, heading, explanation, {"data": traces, "layout": look})


def _cascade_chart(started: Counter[int], deleveraged: Counter[int], span_ms: Span) -> Chart:
    heading = "The cascade, second by second"
    if not started and not deleveraged:
        return Chart("cascade", heading, "", None, empty=NO_LIQUIDATIONS)
    traces = []
    for name, counts, colour, fill, y_axis in (
        ("Liquidations started", started, BRICK, "#ecd0c8", "y"),
        ("ADL closes", deleveraged, PLUM, "#d8cfe2", "y2"),
    ):
        steps = _steps(counts, SECOND_NS, span_ms)
        style = {"color": colour, "width": 1.2, "shape": "hv"}
        title = f"{name} ({counts.total():,})"
        filled = {"fill": "tozeroy", "fillcolor": fill, "yaxis": y_axis}
        traces.append(line(steps, "count", title, colour, line=style, **filled))
    look = layout("", 400, xaxis=time_axis(span_ms, anchor="y2"))
    look["yaxis"] = axis("Liquidations / s", domain=[0.54, 1], rangemode="tozero")
    look["yaxis2"] = axis("ADL closes / s", domain=[0, 0.46], rangemode="tozero")
    captions = []
    if started:
        peak_ns, peak = max(started.items(), key=lambda item: (item[1], -item[0]))
        at = _clock(peak_ns)
        captions.append(f"Most liquidations started in one second: {peak:,}, at {at} UTC.")
    return Chart(
        "cascade",
        heading,
        "Look for bursts: each is a wave of liquidations that pushed the next accounts over.",
        {"data": traces, "layout": look},
        captions=captions,
    )


def asset_of(data: ReportData, asset_id: int) -> tuple[str, int]:
    """Symbol and decimals of an asset; an unknown one is shown in quanta."""
    for asset in data.assets:
        if asset.asset_id == asset_id:
            return asset.symbol, asset.decimals
    return f"quanta of asset {asset_id}", 0


def _bars(counts: Counter[int], bucket_ns: int, name: str, colour: str) -> Figure:
    starts = sorted(counts)
    return {
        "type": "bar",
        "name": escape(name),
        "x": [start_ns // MS_NS for start_ns in starts],
        "y": [counts[start_ns] for start_ns in starts],
        "width": bucket_ns // MS_NS,
        "offset": 0,
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{y:,}<extra>" + escape(name) + "</extra>",
    }


def _steps(counts: Counter[int], bucket_ns: int, span_ms: Span) -> pl.DataFrame:
    """Counts as a step line that returns to zero where nothing happened."""
    points: dict[int, int] = {}
    if span_ms is not None:
        points[span_ms[0] * MS_NS] = 0
    for start_ns in counts:
        points.setdefault(start_ns + bucket_ns, 0)
        points[start_ns] = counts[start_ns]
    if span_ms is not None:
        points.setdefault(span_ms[1] * MS_NS, 0)
    times = sorted(points)
    return pl.DataFrame(
        {"time_ns": times, "count": [points[time_ns] for time_ns in times]},
        schema={"time_ns": pl.Int64, "count": pl.Int64},
    )


def _hold_until(frame: pl.DataFrame, column: str, span_ms: Span) -> pl.DataFrame:
    """A balance stays what it was: draw it from the start to the end of the run."""
    if span_ms is None:
        return frame
    first, last = frame.row(0), frame.row(-1)
    rows = [(min(first[0], span_ms[0] * MS_NS), first[1]), *frame.iter_rows()]
    rows.append((max(last[0], span_ms[1] * MS_NS), last[1]))
    return pl.DataFrame(rows, schema=frame.schema, orient="row")


def _window(time_ns: int) -> str:
    for edge_ns, name in WINDOW_EDGES_NS:
        if time_ns < edge_ns:
            return name
    return WINDOW_LAST


def _short(value: float) -> str:
    for scale, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:,.1f}{suffix}"
    return f"{value:,.4g}"


def _clock(time_ns: int) -> str:
    seconds = time_ns // SECOND_NS % 86_400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
