"""How large an insurance fund should be: what it prevents, by its size.

A study that varies the fund gives a row per size: the chance that anyone is deleveraged, expected
bad debt, its quantiles (value at risk of the fund), the 95th percentile of liquidated volume
(liquidations at risk), and the deficits of the one and the two largest accounts, which central
counterparties size their funds by (cover 1, cover 2).

The newsvendor's size: a unit of fund costs ``r``, a unit of deficit that it does not cover ``k``.
The least expected cost is at the quantile of the deficit at ``1 - r / k`` (arXiv 2512.01112).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from seawall.lab.intervals import Interval, LabError, quantile_interval
from seawall.lab.precision import interval_of, values_of
from seawall.lab.study_results import StudyResults

FUND: Final[str] = "house.fund"
_COLUMNS: Final[tuple[tuple[str, str, str], ...]] = (
    ("P(ADL)", "adl_fills", "share"),
    ("bad debt", "bad_debt", "mean"),
    ("VaR 95 %", "bad_debt", "p95"),
    ("VaR 99 %", "bad_debt", "p99"),
    ("VaR 99.9 %", "bad_debt", "p99.9"),
    ("liquidations at risk", "forced_volume", "p95"),
    ("cover 1, 99 %", "cover_1", "p99"),
    ("cover 2, 99 %", "cover_2", "p99"),
)
"""Heading, figure and statistic."""


class FundSize(msgspec.Struct, frozen=True):
    """A cell of a study that varies the fund, with the interval of each column. ``others`` are the
    values of its other keys in words."""

    fund: str
    others: str
    runs: int
    columns: dict[str, Interval]


def newsvendor_size(deficits: Sequence[float], cost_ratio: float) -> Interval:
    """The fund of least expected cost: the quantile of the deficit at ``1 - cost_ratio``.

    ``cost_ratio`` is the cost of a unit of fund over that of a unit of deficit it does not cover.

    Raises:
        LabError: the ratio is not between 0 and 1, there are no deficits, or SciPy is missing.
    """
    if not 0 < cost_ratio < 1:
        raise LabError(f"cost ratio {cost_ratio:g}: must lie between 0 and 1")
    return quantile_interval(deficits, 1 - cost_ratio)


def fund_curve(results: StudyResults) -> list[FundSize]:
    """A row for each cell, those that are alike but for the fund together, smallest fund first.

    Raises:
        LabError: the study does not vary the fund, or has no runs.
    """
    key = results.key(FUND)
    if not results.rows.height:
        raise LabError(f"{results.path}: has no runs yet")
    curve = []
    for (cell,), rows in results.rows.group_by("cell", maintain_order=True):
        columns = {
            name: interval_of(values_of(rows, figure), statistic)
            for name, figure, statistic in _COLUMNS
        }
        others = results.label(int(str(cell)), without=key)
        curve.append(FundSize(str(rows[key][0]), others, rows.height, columns))
    curve.sort(key=lambda each: (each.others, float(each.fund)))
    return curve


def curve_in_words(curve: Sequence[FundSize]) -> list[str]:
    """The curve as blocks of text: a line per column of a cell, with its interval."""
    lines = []
    for each in curve:
        others = f", {each.others}" if each.others else ""
        lines.append(f"fund {float(each.fund):,.6g}{others} ({each.runs:,} runs)")
        lines += [f"  {name:<22} {interval}" for name, interval in each.columns.items()]
    return lines
