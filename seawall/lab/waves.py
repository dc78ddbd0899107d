"""Waves of auto-deleveraging as a table: what each policy took, scored against what was needed.

A table has a row per wave and, for each policy ``p``, ``budget_p`` (what it takes from winners)
and ``max_pct_p`` (the largest share of a winner's equity); ``budget_needed`` is what the waves
needed, and ``max_pct_fixed_point_ilp_integer`` the smallest largest share there is. The scores are
those of arXiv 2602.15182, Table 2:

- tracking: the sum over waves of ``|budget - needed|``;
- fairness: the sum of ``needed x |max_pct - least max_pct|``;
- bound: ``sqrt((1 + 2 P) sum deficit^2)``, ``P`` the sum of ``|theta - theta before|`` of the
  column ``theta_needed_capped``; without these columns there is none.
"""

from decimal import Decimal, InvalidOperation, localcontext
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

LEAST: Final[str] = "fixed_point_ilp_integer"
"""The policy whose worst haircut is the least possible."""

_BUDGET: Final[str] = "budget_"
_WORST: Final[str] = "max_pct_"
_NEEDED: Final[str] = "budget_needed"
_DIGITS: Final[int] = 60


class WavesError(ValueError):
    """A table of waves cannot be read; the text names the file and what is missing."""


class WaveScore(msgspec.Struct, frozen=True):
    """One policy over all waves, in the money of the table. ``overshoot`` has a sign,
    ``overshoot_above`` counts only waves that took too much; ``of_bound`` is a share, None without
    a bound; ``worst`` is the largest share of equity of any winner in any wave."""

    policy: str
    budget: Decimal
    overshoot: Decimal
    overshoot_above: Decimal
    tracking: Decimal
    fairness: Decimal
    total: Decimal
    of_bound: Decimal | None
    worst: Decimal


def score_waves(path: str | Path) -> list[WaveScore]:
    """The scores of every policy of a table, a CSV file that may be gzipped.

    Raises:
        WavesError: it cannot be read, has no waves, lacks a column or holds what is no number.
    """
    table = _read(Path(path))
    names = [
        name.removeprefix(_BUDGET)
        for name in table.columns
        if name.startswith(_BUDGET) and f"{_WORST}{name.removeprefix(_BUDGET)}" in table.columns
    ]
    if _NEEDED not in table.columns or f"{_WORST}{LEAST}" not in table.columns or not names:
        raise WavesError(
            f"{path}: needs the columns {_NEEDED}, {_WORST}{LEAST} and, for each policy p, "
            f"{_BUDGET}p and {_WORST}p; it has {', '.join(table.columns[:8])}, ..."
        )
    with localcontext() as context:
        context.prec = _DIGITS
        columns = {
            name: _decimals(path, table, name)
            for name in table.columns
            if name.startswith((_BUDGET, _WORST)) or name in ("theta_needed_capped", "deficit_usd")
        }
        bound = _bound(columns)
        return [_score(name, columns, bound) for name in names]


def _read(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False)
    except OSError as error:
        raise WavesError(f"{path}: cannot be read: {error.strerror or error}") from None
    except pl.exceptions.PolarsError as error:
        problem = str(error).splitlines()[0]
        raise WavesError(f"{path}: not a CSV table: {problem}") from None
    if not table.height:
        raise WavesError(f"{path}: holds no waves")
    return table


def _decimals(path: str | Path, table: pl.DataFrame, name: str) -> list[Decimal]:
    values = []
    for row, text in enumerate(table[name].to_list(), start=1):
        try:
            values.append(Decimal(text))
        except (InvalidOperation, TypeError):
            raise WavesError(f"{path}: {name} of wave {row} is {text!r}, not a number") from None
    return values


def _bound(columns: dict[str, list[Decimal]]) -> Decimal | None:
    """The instance-calibrated bound of arXiv 2602.15182, section 5.3."""
    severity = columns.get("theta_needed_capped")
    deficits = columns.get("deficit_usd")
    if severity is None or deficits is None:
        return None
    path_length = sum((abs(after - before) for before, after in pairwise(severity)), Decimal())
    squares = sum((deficit * deficit for deficit in deficits), Decimal())
    return ((1 + 2 * path_length) * squares).sqrt()


def _score(name: str, columns: dict[str, list[Decimal]], bound: Decimal | None) -> WaveScore:
    nothing = Decimal()
    needed, least = columns[_NEEDED], columns[f"{_WORST}{LEAST}"]
    worst = columns[f"{_WORST}{name}"]
    over = [b - n for b, n in zip(columns[f"{_BUDGET}{name}"], needed, strict=True)]
    tracking = sum(map(abs, over), nothing)
    fairness = sum(
        (n * abs(m - best) for n, m, best in zip(needed, worst, least, strict=True)), nothing
    )
    total = tracking + fairness
    return WaveScore(
        policy=name,
        budget=sum(columns[f"{_BUDGET}{name}"], nothing),
        overshoot=sum(over, nothing),
        overshoot_above=sum((each for each in over if each > 0), nothing),
        tracking=tracking,
        fairness=fairness,
        total=total,
        of_bound=total / bound if bound else None,
        worst=max(worst),
    )


def waves_in_words(scores: list[WaveScore]) -> list[str]:
    """The scores as a table of text, the smallest total first."""
    lines = [
        f"{'policy':<24} {'budget':>14} {'overshoot':>14} {'above 0':>14} {'tracking':>16} "
        f"{'fairness':>16} {'total':>16} {'of bound':>9} {'worst':>7}"
    ]
    for each in sorted(scores, key=lambda score: score.total):
        share = "" if each.of_bound is None else f"{100 * each.of_bound:.2f} %"
        lines.append(
            f"{each.policy:<24} {each.budget:>14,.0f} {each.overshoot:>+14,.0f} "
            f"{each.overshoot_above:>14,.0f} {each.tracking:>16,.2f} {each.fairness:>16,.2f} "
            f"{each.total:>16,.2f} {share:>9} {each.worst:>7.4f}"
        )
    return lines
