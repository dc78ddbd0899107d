"""Stylised facts of a tape of trades, of which every print counts as one: the same definitions for
a simulated market and a real one.

| fact | meaning |
| --- | --- |
| ``per_minute`` | trades per minute |
| ``volatility`` | deviation of the 10 s log returns, per square root of an hour |
| ``kurtosis`` | excess kurtosis of the 10 s log returns, 0 for a normal distribution |
| ``tail`` | tail exponent of their sizes: Hill (1975) over the largest 5 %, at least ten |
| ``absolute_1``, ``absolute_6`` | correlation of a return's size with that 10 and 60 s before |
| ``sign_1``, ``sign_10``, ``sign_100`` | correlation of takers' sides so many trades apart |
| ``spread_bp`` | median over trades of last bought over last sold price, less one, in 0.01 % |
| ``impact`` | exponent of price change by size over runs of trades of one side |
| ``flow_r2`` | part of the variance of the 10 s returns that contracts bought less sold explain |
"""

import math
from typing import Any, Final

import polars as pl

from engine.units import HOUR_NS, MINUTE_NS, SECOND_NS

TAPE: Final[dict[str, type[pl.DataType]]] = {
    "time_ns": pl.Int64,
    "price": pl.Float64,
    "side": pl.Int8,
    "size": pl.Float64,
}
"""Trades in time order: ``side`` is the taker's, 1 bought and -1 sold, 0 where it is not known;
``size`` in contracts."""

STEP_NS: Final[int] = 10 * SECOND_NS
"""Returns are over so long."""

_BASIS_POINTS: Final[float] = 10_000.0
_TAIL_SHARE: Final[float] = 0.05
_TAIL_LEAST: Final[int] = 10
_RETURNS_LEAST: Final[int] = 30
_GROUPS: Final[int] = 10
"""Runs are sorted by size into so many groups of equal number."""

_GROUPS_LEAST: Final[int] = 5


def stylised_facts(tape: pl.DataFrame, start_ns: int, end_ns: int) -> dict[str, float | None]:
    """The facts of a stretch by name; None where too little is known."""
    trades = tape.filter(pl.col("time_ns").is_between(start_ns, end_ns))
    every = steps(trades, start_ns)
    returns = every["log_return"]
    sizes = returns.abs()
    sided = trades if (trades["side"] != 0).all() else trades.clear()
    lasted_ns = end_ns - start_ns
    return {
        "per_minute": trades.height * MINUTE_NS / lasted_ns if lasted_ns > 0 else None,
        "volatility": _volatility(returns),
        "kurtosis": _number(returns.kurtosis()) if returns.len() >= _RETURNS_LEAST else None,
        "tail": _tail(sizes),
        "absolute_1": autocorrelation(sizes, 1),
        "absolute_6": autocorrelation(sizes, 6),
        "sign_1": autocorrelation(sided["side"], 1),
        "sign_10": autocorrelation(sided["side"], 10),
        "sign_100": autocorrelation(sided["side"], 100),
        "spread_bp": _spread_bp(sided),
        "impact": _impact(sided),
        "flow_r2": _explained(every) if sided.height else None,
    }


def autocorrelation(values: pl.Series, lag: int) -> float | None:
    """Correlation of the values with those ``lag`` places before; None where nothing varies or
    there are too few."""
    known = values.cast(pl.Float64)
    pairs = pl.DataFrame({"now": known, "then": known.shift(lag)}).drop_nulls()
    return _correlation(pairs, "now", "then")


def steps(trades: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """``log_return`` and ``flow``, contracts bought less sold, of every `STEP_NS` from the second
    with a trade to the last."""
    step = (pl.col("time_ns") - start_ns) // STEP_NS
    by_step = (
        trades.group_by(step.alias("step"), maintain_order=True)
        .agg(price=pl.col("price").last(), flow=(pl.col("size") * pl.col("side")).sum())
        .sort("step")
    )
    if not by_step.height:
        return pl.DataFrame(schema={"log_return": pl.Float64, "flow": pl.Float64})
    every = pl.int_range(by_step["step"].item(0), by_step["step"].item(-1) + 1, eager=True)
    return (
        pl.DataFrame({"step": every})
        .join(by_step, on="step", how="left", maintain_order="left")
        .select(
            log_return=pl.col("price").forward_fill().log().diff(),
            flow=pl.col("flow").fill_null(0.0),
        )
        .drop_nulls()
    )


def _volatility(returns: pl.Series) -> float | None:
    deviation = _number(returns.std())
    return None if deviation is None else deviation * math.sqrt(HOUR_NS / STEP_NS)


def _tail(sizes: pl.Series) -> float | None:
    """Hill's estimate: one over the mean log of the largest sizes over the next one."""
    count = max(_TAIL_LEAST, int(sizes.len() * _TAIL_SHARE))
    largest = sizes.filter(sizes > 0).sort(descending=True).head(count + 1)
    if largest.len() <= count:
        return None
    mean = _number((largest.head(count) / largest.item(-1)).log().mean())
    return None if not mean else 1.0 / mean


def _spread_bp(trades: pl.DataFrame) -> float | None:
    bought = pl.when(pl.col("side") > 0).then(pl.col("price")).forward_fill()
    sold = pl.when(pl.col("side") < 0).then(pl.col("price")).forward_fill()
    shares = trades.select(share=bought / sold - 1)["share"].drop_nulls()
    middle = _number(shares.median())
    return None if middle is None else middle * _BASIS_POINTS


def _impact(trades: pl.DataFrame) -> float | None:
    """Slope of log mean price change (first to last trade of a run) by log mean size, over groups
    of runs of about one size in which the price moved."""
    runs = (
        trades.group_by(pl.col("side").rle_id().alias("run"), maintain_order=True)
        .agg(
            size=pl.col("size").sum(),
            moved=(pl.col("price").last() / pl.col("price").first()).log().abs(),
        )
        .sort("size", maintain_order=True)
        .with_row_index("place")
    )
    group = pl.col("place") * _GROUPS // max(1, runs.height)
    means = (
        runs.group_by(group.alias("group"), maintain_order=True)
        .agg(pl.col("size").mean(), pl.col("moved").mean())
        .filter((pl.col("size") > 0) & (pl.col("moved") > 0))
        .select(pl.col("size").log(), pl.col("moved").log())
    )
    if means.height < _GROUPS_LEAST:
        return None
    slope = pl.cov("size", "moved") / pl.col("size").var()
    return _number(means.select(slope).item())


def _explained(every: pl.DataFrame) -> float | None:
    correlation = _correlation(every, "log_return", "flow")
    return None if correlation is None else correlation**2


def _correlation(frame: pl.DataFrame, one: str, other: str) -> float | None:
    if frame.height < 3:
        return None
    return _number(frame.select(pl.corr(one, other)).item())


def _number(value: Any) -> float | None:
    """A figure that is one: where nothing varies there is no correlation."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
