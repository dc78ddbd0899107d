"""Liquidations: who bore them stage by stage, second by second, and what they cost."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import polars as pl

from engine.units import SECOND_NS
from seawall.report.buckets import bar_trace, bucket_width_ns, step_frame, width_words
from seawall.report.chart import (
    Chart,
    Window,
    axis,
    bars_across,
    layout,
    line,
    over_time,
    panels,
)
from seawall.report.data import ReportData
from seawall.report.downsample import min_max_points
from seawall.report.facts import LossParts, counts_by_group, loss_parts
from seawall.report.palette import ADL, ANSWERED, BOOK, FORCED, HOUSE, INK, SOCIALISED
from seawall.report.text import clock, html_table, money, short

NO_LIQUIDATIONS: Final[str] = "No account was liquidated in this run."
POINTS_MAX: Final[int] = 800

STAGE_CLASSES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "In the book: cancel, reduce, close": (FORCED, ("cancel", "reduce", "close")),
    "Backstop or fund": (HOUSE, ("backstop", "fund")),
    "Auto-deleveraging": (ADL, ("adl",)),
    "Socialised": (SOCIALISED, ("socialise",)),
}
"""Who bears what at the stages of the waterfall."""

LOSSES: Final[dict[str, tuple[str, str]]] = {
    "price_q": ("Price", BOOK),
    "slippage_q": ("Slippage", BOOK),
    "fee_q": ("Fees", BOOK),
    "funding_q": ("Funding", BOOK),
    "surrender_q": ("Surrendered at takeover", HOUSE),
    "adl_q": ("ADL", ADL),
    "haircut_q": ("Socialised", SOCIALISED),
    "transfer_q": ("Transfers", ANSWERED),
}


def stages_chart(data: ReportData, window: Window | None) -> Chart:
    """Liquidations by stage of the waterfall, and how they ended."""
    width_ns = bucket_width_ns(window)
    entered = counts_by_group(data.events, "LiquidationStage", width_ns, "stage")
    heading = "Stages the liquidations went through"
    known = {stage for _, stages in STAGE_CLASSES.values() for stage in stages}
    classes = STAGE_CLASSES | {stage: (INK, (stage,)) for stage in entered if stage not in known}
    traces, rows = [], []
    for name, (colour, stages) in classes.items():
        counts: Counter[int] = sum((entered.get(each, Counter()) for each in stages), Counter())
        if counts:
            traces.append(bar_trace(counts, width_ns, f"{name} ({counts.total():,})", colour))
        rows += [[each, f"{entered[each].total():,}"] for each in stages if each in entered]
    if not traces:
        return Chart("stages", heading, empty=NO_LIQUIDATIONS)
    look = layout(f"Entered per {width_words(width_ns)}", 300, barmode="stack", bargap=0)
    table = html_table(["Stage", "Liquidations that entered it"], rows)
    return Chart(
        "stages",
        heading,
        ["Late stages appear when the book can no longer take what the early ones sell."],
        {"data": traces, "layout": over_time(look, window)},
        table=table + _outcome_table(data),
    )


def _outcome_table(data: ReportData) -> str:
    """How many liquidations ended in which way."""
    outcomes = counts_by_group(data.events, "LiquidationEnded", SECOND_NS, "outcome")
    rows = [[name.replace("_", " "), f"{counts.total():,}"] for name, counts in outcomes.items()]
    rows.sort()
    return html_table(["Outcome", "Liquidations that ended so"], rows) if rows else ""


def cascade_chart(data: ReportData, window: Window | None) -> Chart:
    """Liquidations started and ADL closes in every second."""
    started = counts_by_group(data.events, "LiquidationStarted", SECOND_NS)
    deleveraged = counts_by_group(data.events, "Deleveraged", SECOND_NS)
    first = started.get("LiquidationStarted", Counter())
    traces = []
    look = panels(layout("", 380), ["Liquidations / s", "ADL closes / s"])
    for name, counts, colour, y_axis in (
        ("Liquidations started", first, FORCED, "y"),
        ("Positions closed by ADL", deleveraged.get("Deleveraged", Counter()), ADL, "y2"),
    ):
        steps = min_max_points(step_frame(counts, SECOND_NS, window), "count", 2 * POINTS_MAX)
        style = {"color": colour, "width": 1.2, "shape": "hv"}
        filled = {"fill": "tozeroy", "fillcolor": f"{colour}/25", "yaxis": y_axis}
        title = f"{name} ({counts.total():,})"
        traces.append(line(steps, "count", title, colour, line=style, **filled))
    sentences = []
    if first:
        peak_ns, peak = max(first.items(), key=lambda item: (item[1], -item[0]))
        sentences.append(
            f"Most liquidations started in one second: {peak:,}, at {clock(peak_ns)} UTC."
        )
    figure = {"data": traces, "layout": over_time(look, window, "y2")}
    return Chart("cascade", "The cascade, second by second", sentences, figure)


def loss_charts(data: ReportData) -> list[Chart]:
    """What liquidated accounts lost while they were liquidated, one chart per settlement asset."""
    totals = loss_parts(data.events)
    if not totals:
        return [Chart("losses", "Losses in liquidation", empty=NO_LIQUIDATIONS, time_axis=False)]
    return [_loss_chart(data, total) for total in totals]


def _loss_chart(data: ReportData, total: LossParts) -> Chart:
    symbol, decimals = data.asset_of(total.asset_id)
    amounts = [total.equity_before_q, *total.parts.values(), total.equity_after_q]
    names = ["Equity at the start", *(LOSSES[each][0] for each in total.parts), "Equity at the end"]
    colours = [INK, *(LOSSES[each][1] for each in total.parts), INK]
    shown = [
        number
        for number, amount_q in enumerate(amounts)
        if amount_q or number in (0, len(amounts) - 1)
    ]
    texts = [money(amount_q, decimals) for amount_q in amounts]
    bases = list(_bases(amounts))
    scale = 10**decimals
    figure = bars_across(
        [names[each] for each in shown],
        [amounts[each] / scale for each in shown],
        [short(amounts[each] / scale) for each in shown],
        [colours[each] for each in shown],
        symbol,
        [bases[each] / scale for each in shown],
    )
    rows = [[name, text] for name, text in zip(names[1:-1], texts[1:-1], strict=True)]
    rows.append(["Sum of the parts", money(sum(total.parts.values()), decimals)])
    rows.append(["Change in equity", money(total.change_q, decimals)])
    verdict = "The parts add up to the change in equity exactly."
    if total.unexplained_q:
        verdict = (
            f"The parts do NOT add up: {money(total.unexplained_q, decimals)} {symbol} of the "
            "change in equity is unexplained."
        )
    return Chart(
        f"losses-{total.asset_id}",
        f"Losses in liquidation, {symbol}",
        [
            f"From the start to the end of {total.liquidations:,} finished liquidations. A plus at "
            "takeover, ADL or socialised is a deficit that others bore; a minus is equity that "
            "others got: the fund at takeover, winners at ADL."
        ],
        figure,
        captions=[
            verdict,
            "Only what happened during liquidations is here; what these accounts had lost before, "
            "they lost to others in the market. An account that was liquidated twice is in it "
            "twice.",
        ],
        table=html_table(["Part", symbol], rows),
        time_axis=False,
    )


def _bases(amounts: list[int]) -> Iterator[int]:
    """Where the bars of a waterfall begin: totals at zero, parts where the last one ended."""
    level = amounts[0]
    yield 0
    for amount in amounts[1:-1]:
        yield level
        level += amount
    yield 0


def margin_ratio_chart(data: ReportData, window: Window | None) -> Chart:
    """Percentile bands of equity over position value."""
    frame = data.margin_ratio
    heading = "Margin ratios of accounts with positions"
    if not frame.height:
        return Chart("margin-ratio", heading, empty="No margin ratio was sampled.")
    kept = min_max_points(frame, "p01", POINTS_MAX // 2).select("time_ns")
    frame = frame.join(kept, on="time_ns", how="semi", maintain_order="left")
    percent = frame.select("time_ns", (pl.exclude("time_ns") * 100).round(3))
    hidden = {"showlegend": False, "hoverinfo": "skip"}
    band = {"width": 0}
    weakest = {"yaxis": "y2"}
    dotted = {"color": FORCED, "width": 1.6, "dash": "dot"}
    traces = [
        line(percent, "p05", "5 %", INK, line=band, **hidden),
        line(percent, "p95", "5 to 95 %", INK, line=band, fill="tonexty", fillcolor=f"{INK}/12"),
        line(percent, "p25", "25 %", INK, line=band, **hidden),
        line(percent, "p75", "Middle half", INK, line=band, fill="tonexty", fillcolor=f"{INK}/22"),
        line(percent, "p50", "Median", INK),
        line(percent, "p05", "Weakest 5 %", FORCED, line=dotted, **weakest),
        line(percent, "p01", "Weakest 1 %", FORCED, **weakest),
    ]
    look = panels(layout("", 420), ["All, %", "Weakest, %"])
    look["yaxis2"] = axis("Weakest, %", domain=[0, 0.4], rangemode="tozero")
    look["yaxis"]["domain"] = [0.48, 1]
    rule = (
        f"Of more than {POINTS_MAX // 2:,} samples, those with the lowest and the highest weakest "
        "percentile of each run are drawn."
    )
    return Chart(
        "margin-ratio",
        heading,
        [
            "Equity over position value, in per cent. The lowest lines are squeezed towards zero, "
            "and rise again once the weakest accounts are gone."
        ],
        {"data": traces, "layout": over_time(look, window, "y2")},
        captions=[rule] if data.margin_ratio.height > frame.height else [],
    )
