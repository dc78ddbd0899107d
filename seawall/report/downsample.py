"""Thinning a line for drawing without losing its extremes."""

import polars as pl


def min_max_points(frame: pl.DataFrame, column: str, cap: int) -> pl.DataFrame:
    """At most ``cap`` rows of ``(time_ns, column)``, in time order; nulls are left out.

    A longer line is cut into equal runs of rows, and of each run the lowest and the highest row
    are kept, besides the first and the last row of all. The lowest and the highest value of the
    whole line always survive, at their own time.

    Raises:
        ValueError: ``cap`` is below 4, which leaves no room for two ends and two extremes.
    """
    if cap < 4:
        raise ValueError(f"cap is {cap}; at least 4 points are needed")
    line = frame.select("time_ns", column).drop_nulls()
    if line.height <= cap:
        return line
    runs = (cap - 2) // 2
    numbered = line.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64),
        # Row numbers are spread over the runs, rounded down.
        run=pl.col("row").cast(pl.Int64) * runs // line.height,
    )
    extremes = numbered.group_by("run", maintain_order=True).agg(
        low=pl.col("row").sort_by(column).first(),
        high=pl.col("row").sort_by(column).last(),
    )
    ends = pl.Series("row", [0, line.height - 1], dtype=pl.Int64)
    kept = pl.concat([ends, extremes["low"].alias("row"), extremes["high"].alias("row")])
    return line[kept.unique().sort()]
