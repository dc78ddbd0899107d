"""Stylised facts of a contract's trades beside those of the real market, by one definition."""

import math
from collections.abc import Mapping
from html import escape
from typing import Final

import polars as pl

from engine.units import SECOND_NS
from seawall.records.stylised_facts import STEP_NS, autocorrelation, steps, stylised_facts
from seawall.report.chart import Chart, Figure, axis, layout
from seawall.report.contract import ContractData
from seawall.report.palette import INK, OTHER
from seawall.report.text import counted, html_table

Facts = Mapping[str, float | None]
Points = list[tuple[float, float]]

HERE: Final[str] = "Traded here"
_CLOSE: Final[float] = 1.5
"""A fact is called close within this factor of the real one."""

_ROWS: Final[dict[str, tuple[str, float, int]]] = {
    "per_minute": ("Trades per minute", 1.0, 1),
    "volatility": ("Volatility of 10 s returns, % per root hour", 100.0, 2),
    "kurtosis": ("Excess kurtosis of 10 s returns", 1.0, 1),
    "tail": ("Tail exponent of 10 s returns", 1.0, 2),
    "absolute_1": ("Autocorrelation of their size, 10 s apart", 1.0, 2),
    "absolute_6": ("Autocorrelation of their size, 60 s apart", 1.0, 2),
    "sign_1": ("Autocorrelation of signs, 1 trade apart", 1.0, 2),
    "sign_10": ("Autocorrelation of signs, 10 trades apart", 1.0, 2),
    "sign_100": ("Autocorrelation of signs, 100 trades apart", 1.0, 2),
    "spread_bp": ("Last buy over last sell, 0.01 %", 1.0, 1),
    "impact": ("Impact: exponent of price change by size", 1.0, 2),
    "flow_r2": ("Part of 10 s returns that flow explains (R2)", 1.0, 2),
}
"""What a fact is called, what it is multiplied by, and its decimals."""

_TRADES_APART: Final[tuple[int, ...]] = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300)
_STEPS_APART: Final[tuple[int, ...]] = (1, 2, 3, 4, 6, 9, 12, 18, 24, 30, 45, 60)
_TAIL_POINTS: Final[int] = 40


def stylised_charts(contract: ContractData) -> list[Chart]:
    """The table and what it was taken from, by distance; none without a real market."""
    if contract.real is None:
        return []
    tapes = {HERE: contract.tape(), contract.real_name: contract.real_tape()}
    within = pl.col("time_ns").is_between(contract.start_ns, contract.end_ns)
    tapes = {name: tape.filter(within) for name, tape in tapes.items()}
    return [_facts_chart(contract, tapes), *_distance_charts(contract, tapes)]


def _facts_chart(contract: ContractData, tapes: Mapping[str, pl.DataFrame]) -> Chart:
    here, real = (
        stylised_facts(tape, contract.start_ns, contract.end_ns) for tape in tapes.values()
    )
    rows = [
        [label, _told(here[name], name), _told(real[name], name), _ratio_told(here, real, name)]
        for name, (label, _, _) in _ROWS.items()
    ]
    counts = [tape.height for tape in tapes.values()]
    return Chart(
        f"stylised-{contract.instrument.instrument_id}",
        f"Stylised facts of {contract.instrument.symbol} beside {contract.real_name}",
        [
            f"After the warm-up there were {counted(counts[0], 'trade')} here and "
            f"{counts[1]:,} in the real market.",
            *_sentences(here, real),
        ],
        captions=[
            "Both by one definition; every print counts as one trade. Tail: Hill's estimate over "
            "the largest 5 % of returns. Impact: over runs of trades of one side, in ten groups by "
            "size. Ratio: here over real, where both have one sign.",
            *([] if _sided(tapes[contract.real_name]) else [_NO_SIDES]),
        ],
        table=html_table(["Fact", *tapes, "Ratio"], rows),
        time_axis=False,
    )


_NO_SIDES: Final[str] = (
    "The real market's file does not say which side took: what goes by sides is not known of it."
)


def _sided(tape: pl.DataFrame) -> bool:
    return bool((tape["side"] != 0).all())


def _sentences(here: Facts, real: Facts) -> list[str]:
    """What agrees and what does not, in figures."""
    ratios = {name: ratio for name in _ROWS if (ratio := _ratio(here, real, name)) is not None}
    told = []
    if "volatility" in ratios:
        told.append(
            f"Prices moved {ratios['volatility']:.2f} times as much as the real ones: "
            f"{_told(here['volatility'], 'volatility')} % against "
            f"{_told(real['volatility'], 'volatility')} % per root hour."
        )
    if "sign_1" in ratios:
        told.append(
            f"The sides of neighbouring trades go together by {_told(here['sign_1'], 'sign_1')} "
            f"(real {_told(real['sign_1'], 'sign_1')}), of trades a hundred apart by "
            f"{_told(here['sign_100'], 'sign_100')} (real {_told(real['sign_100'], 'sign_100')})."
        )
    if ratios:
        close = [name for name in ratios if abs(math.log(ratios[name])) <= math.log(_CLOSE)]
        furthest = max(ratios, key=lambda name: abs(math.log(ratios[name])))
        told.append(
            f"Of {counted(len(ratios), 'fact')} that can be set against each other "
            f"{len(close)} {'is' if len(close) == 1 else 'are'} within a factor of {_CLOSE:g}; "
            f"furthest off is: {_ROWS[furthest][0]}, {ratios[furthest]:.2f} times the real one."
        )
    return told


def _ratio(here: Facts, real: Facts, name: str) -> float | None:
    this, that = here[name], real[name]
    if this is None or that is None or this * that <= 0:
        return None
    return this / that


def _ratio_told(here: Facts, real: Facts, name: str) -> str:
    ratio = _ratio(here, real, name)
    return "" if ratio is None else f"{ratio:.2f}"


def _told(value: float | None, name: str) -> str:
    _, factor, decimals = _ROWS[name]
    return "not known" if value is None else f"{value * factor:,.{decimals}f}"


def _distance_charts(contract: ContractData, tapes: Mapping[str, pl.DataFrame]) -> list[Chart]:
    signs, sizes, tails = {}, {}, {}
    for name, tape in tapes.items():
        moved = steps(tape, contract.start_ns)["log_return"].abs()
        if _sided(tape):
            signs[name] = _by_distance(tape["side"], _TRADES_APART, 1)
        sizes[name] = _by_distance(moved, _STEPS_APART, STEP_NS // SECOND_NS)
        tails[name] = _tail(moved)
    number, symbol = contract.instrument.instrument_id, contract.instrument.symbol
    return [
        _lines(
            f"signs-{number}",
            f"How long the sides of trades in {symbol} go together",
            signs,
            ("Trades apart", "Correlation of sides"),
        ),
        _lines(
            f"sizes-{number}",
            f"How long {symbol} stays calm or wild: sizes of its 10 s returns",
            sizes,
            ("Seconds apart", "Correlation of sizes"),
        ),
        _lines(
            f"tails-{number}",
            f"How often {symbol} moves far",
            tails,
            ("Move in 10 s, %", "Share of moves beyond"),
            log_shares=True,
        ),
    ]


def _by_distance(values: pl.Series, places: tuple[int, ...], unit: int) -> Points:
    found = [(place * unit, autocorrelation(values, place)) for place in places]
    return [(distance, round(value, 4)) for distance, value in found if value is not None]


def _tail(sizes: pl.Series) -> Points:
    """Move in percent and the share of moves above it, at points that are even in the log of the
    share."""
    ordered = sizes.filter(sizes > 0).sort(descending=True)
    count = ordered.len()
    if count < 2:
        return []
    places = {round(count ** (point / _TAIL_POINTS)) for point in range(_TAIL_POINTS)}
    return [
        (float(f"{ordered.item(place - 1) * 100:.4g}"), float(f"{place / sizes.len():.4g}"))
        for place in sorted(places)
    ]


def _lines(
    key: str,
    heading: str,
    points: Mapping[str, Points],
    titles: tuple[str, str],
    log_shares: bool = False,
) -> Chart:
    traces: list[Figure] = []
    for name, places in points.items():
        colour = INK if name == HERE else OTHER
        if places:
            across, up = zip(*places, strict=True)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": escape(name),
                    "x": list(across),
                    "y": list(up),
                    "line": {"color": colour, "width": 1.6},
                    "marker": {"color": colour, "size": 5},
                    "hovertemplate": "%{x}: %{y}<extra>" + escape(name) + "</extra>",
                }
            )
    if not traces:
        return Chart(key, heading, empty="There were too few trades.", time_axis=False)
    look = layout("", 280)
    look["xaxis"] = axis(titles[0], type="log")
    look["yaxis"] = axis(titles[1], **({"type": "log"} if log_shares else {"rangemode": "tozero"}))
    return Chart(key, heading, figure={"data": traces, "layout": look}, time_axis=False)
