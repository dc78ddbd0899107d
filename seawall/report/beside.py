"""Two runs beside each other: what was different, and what came of it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

import polars as pl

from engine.units import SECOND_NS
from seawall.report.chart import Chart, Window, layout, line, over_time
from seawall.report.contract import ContractData
from seawall.report.data import ReportData
from seawall.report.downsample import min_max_points
from seawall.report.facts import counts_by_group
from seawall.report.market_charts import thinned
from seawall.report.market_facts import forced_facts
from seawall.report.market_table import market_facts
from seawall.report.palette import FORCED, INDEX, INK, OTHER
from seawall.report.result_charts import split
from seawall.report.text import html_table, plain, rounded

THIS: Final[str] = "This run"
THAT: Final[str] = "The run beside"
_SETTINGS_MAX: Final[int] = 60
_POINTS_MAX: Final[int] = 500

Figure = Decimal | float | int | None


def beside_charts(data: ReportData, other: ReportData, window: Window | None) -> list[Chart]:
    """What was different, the figures of both, their marks and their liquidations."""
    return [
        _settings_chart(data, other),
        _figures_chart(data, other),
        *mark_charts(data, other, window),
        _liquidations_chart(data, other, window),
    ]


def _settings_chart(data: ReportData, other: ReportData) -> Chart:
    """Every setting of scenario and rulebook that the two do not share."""
    names = list(dict.fromkeys([*data.settings, *other.settings]))
    rows = [
        [name, data.settings.get(name, "not set"), other.settings.get(name, "not set")]
        for name in names
        if data.settings.get(name) != other.settings.get(name)
    ]
    heading = "What is different"
    if not rows:
        empty = "Nothing: both ran the same scenario by the same rules with the same seed."
        return Chart("different", heading, empty=empty, time_axis=False)
    captions = []
    if len(rows) > _SETTINGS_MAX:
        captions.append(f"The first {_SETTINGS_MAX} of {len(rows)} settings are shown.")
    table = html_table(["Setting", THIS, THAT], rows[:_SETTINGS_MAX])
    told = [f"{name}: {_command(run)}" for name, run in ((THIS, data), (THAT, other))]
    return Chart("different", heading, told, captions=captions, table=table, time_axis=False)


def _command(data: ReportData) -> str:
    """The command that makes a run."""
    return str((data.summary.get("run") or {}).get("command", "no command was recorded"))


def _figures_chart(data: ReportData, other: ReportData) -> Chart:
    these, those = dict(_figures(data)), dict(_figures(other))
    rows = []
    for name in dict.fromkeys([*these, *those]):
        this, that = these.get(name), those.get(name)
        rows.append([name, _told(this), _told(that), _difference(this, that)])
    return Chart(
        "beside",
        "What came of it",
        captions=["The difference is the run beside less this run."],
        table=html_table(["Figure", THIS, THAT, "Difference"], rows),
        time_axis=False,
    )


def _figures(data: ReportData) -> Iterator[tuple[str, Figure]]:
    """The figures two runs are compared by."""
    for instrument in data.instruments:
        contract = ContractData(data, instrument)
        markets, forced = market_facts(contract), forced_facts(contract)
        symbol = instrument.symbol
        for name in ("Mark", "Index"):
            facts = markets[name]
            fall = None if facts is None else round(facts.fall * 100, 2)
            yield f"{symbol}: {name.lower()}, first to low, %", fall
        here = markets["Traded here"]
        basis = None if here is None or here.basis is None else round(here.basis * 100, 2)
        yield f"{symbol}: largest basis, %", basis
        yield f"{symbol}: forced, contracts", forced.sold + forced.bought if forced else 0
    summary = data.summary
    yield "Accounts that traded", summary.get("entered")
    calls = summary.get("margin_calls") or {}
    yield "Margin calls", calls.get("issued")
    for name, count in (calls.get("cured_by") or {}).items():
        yield f"Calls cured by {name}", count
    yield "Calls expired", calls.get("expired")
    yield "Calls overtaken", calls.get("overtaken")
    for name, count in (summary.get("liquidations") or {}).items():
        yield _LIQUIDATIONS.get(name, name), count
    yield "Positions closed by ADL", (summary.get("adl") or {}).get("fills")
    for key, name in (("bad_debt", "Bad debt"), ("socialised", "Socialised")):
        yield from _money(name, summary.get(key) or {})
    fund = summary.get("insurance_fund") or {}
    yield from _money("Insurance fund at the start", fund.get("start") or {})
    yield from _money("Insurance fund at the end", fund.get("end") or {})
    for (symbol,), accounts in data.accounts.group_by("asset", maintain_order=True):
        for row in split(accounts, "group").rows(named=True):
            yield f"Result of {row['name']}, {symbol}", Decimal(row["result"])


_LIQUIDATIONS: Final[dict[str, str]] = {
    "accounts": "Accounts liquidated",
    "partial": "Liquidations that left a position",
    "full": "Liquidations that left none",
    "takeovers": "Takeovers",
}


def _money(name: str, amounts: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    for symbol, amount in amounts.items():
        yield f"{name}, {symbol}", Decimal(str(amount))


def _told(figure: Figure) -> str:
    if figure is None:
        return "none"
    return plain(figure) if isinstance(figure, int) else rounded(figure)


def _difference(this: Figure, that: Figure) -> str:
    if this is None or that is None:
        return ""
    change = Decimal(str(that)) - Decimal(str(this))
    if not change:
        return "0"
    whole = isinstance(this, int) and isinstance(that, int)
    return f"{change:+,.0f}" if whole else f"{'+' if change > 0 else ''}{rounded(change)}"


def mark_charts(data: ReportData, other: ReportData, window: Window | None) -> Iterator[Chart]:
    """The marks of every contract both have."""
    others = {each.symbol: each for each in other.instruments}
    for instrument in data.instruments:
        if instrument.symbol not in others:
            continue
        here = ContractData(data, instrument)
        there = ContractData(other, others[instrument.symbol])
        traces = []
        for name, frame, colour, dash in (
            ("Index, this run", here.price("index_ticks"), INDEX, "dot"),
            (f"Mark, {THIS.lower()}", here.price("mark_ticks"), INK, "solid"),
            (f"Mark, {THAT.lower()}", there.price("mark_ticks"), OTHER, "solid"),
        ):
            points = thinned(frame, "price", _POINTS_MAX, window)
            style = {"color": colour, "width": 1.8, "dash": dash}
            traces.append(line(points, "price", name, colour, line=style))
        look = over_time(layout(f"Price, {here.price_unit}", 360), window)
        yield Chart(
            f"marks-{instrument.instrument_id}",
            f"The marks of both runs, {instrument.symbol}",
            figure={"data": traces, "layout": look},
        )


def _liquidations_chart(data: ReportData, other: ReportData, window: Window | None) -> Chart:
    traces = []
    for name, run, colour in ((THIS, data, FORCED), (THAT, other, OTHER)):
        counts = counts_by_group(run.events, "LiquidationStarted", SECOND_NS)
        steps = _added_up(counts.get("LiquidationStarted", Counter()), window)
        style = {"color": colour, "width": 2, "shape": "hv"}
        points = min_max_points(steps, "count", _POINTS_MAX)
        traces.append(line(points, "count", name, colour, line=style))
    look = over_time(layout("Liquidations so far", 280), window)
    return Chart(
        "liquidations-beside",
        "Liquidations of both runs, added up",
        figure={"data": traces, "layout": look},
    )


def _added_up(counts: Counter[int], window: Window | None) -> pl.DataFrame:
    times = sorted(counts)
    sums = list(accumulate(counts[each] for each in times))
    if window is not None:
        times = [window.begin_ns, *times, max([window.end_ns, *times])]
        sums = [0, *sums, sums[-1] if sums else 0]
    schema = {"time_ns": pl.Int64, "count": pl.Int64}
    return pl.DataFrame({"time_ns": times, "count": sums}, schema=schema)
