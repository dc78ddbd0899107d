"""What the flow of trades looks like, of which every print counts as one.

| figure | meaning |
| --- | --- |
| ``sign_1``, ``sign_100`` | correlation of a taker's side with that 1 and 100 trades before |
| ``spread_bp`` | median over trades of last bought over last sold price, less one, in 0.01 % |
| ``flow_r2`` | part of the variance of 10 s log returns that contracts bought less sold explain |
| ``volatility`` | deviation of the log returns over 10 s, per square root of an hour |
| ``per_minute`` | trades per minute |
"""

import math
from typing import Final

import polars as pl

from engine.units import HOUR_NS, MINUTE_NS, SECOND_NS
from seawall.lab.realism.market_day import MarketDay

STEP_NS: Final[int] = 10 * SECOND_NS
_BASIS_POINTS: Final[float] = 10_000.0


def flow_figures(day: MarketDay) -> dict[str, float | None]:
    """The figures by name; None where there are too few trades."""
    trades = day.window()
    steps = _steps(trades, day.start_ns)
    volatility = _number(steps["log_return"].std())
    return {
        "sign_1": _sign(trades, 1),
        "sign_100": _sign(trades, 100),
        "spread_bp": _spread_bp(trades),
        "flow_r2": _explained(steps),
        "volatility": None if volatility is None else volatility * math.sqrt(HOUR_NS / STEP_NS),
        "per_minute": trades.height * MINUTE_NS / (day.end_ns - day.start_ns),
    }


def _sign(trades: pl.DataFrame, lag: int) -> float | None:
    sides = trades["side"].cast(pl.Float64)
    pairs = pl.DataFrame({"now": sides, "then": sides.shift(lag)}).drop_nulls()
    return _correlation(pairs, "now", "then")


def _spread_bp(trades: pl.DataFrame) -> float | None:
    bought = pl.when(pl.col("side") > 0).then(pl.col("price")).forward_fill()
    sold = pl.when(pl.col("side") < 0).then(pl.col("price")).forward_fill()
    shares = trades.select(share=bought / sold - 1)["share"].drop_nulls()
    middle = _number(shares.median())
    return None if middle is None else middle * _BASIS_POINTS


def _steps(trades: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Log return and signed size of every 10 seconds from the first with a trade to the last."""
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
        .join(by_step, on="step", how="left")
        .select(
            log_return=pl.col("price").forward_fill().log().diff(),
            flow=pl.col("flow").fill_null(0.0),
        )
        .drop_nulls()
    )


def _explained(steps: pl.DataFrame) -> float | None:
    correlation = _correlation(steps, "log_return", "flow")
    return None if correlation is None else correlation**2


def _correlation(frame: pl.DataFrame, one: str, other: str) -> float | None:
    if frame.height < 3:
        return None
    return _number(frame.select(pl.corr(one, other)).item())


def _number(value: object) -> float | None:
    """A figure that is one: where nothing varies there is no correlation."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
