"""Run a small crash into a temporary directory and read it back as data frames."""

import tempfile
from pathlib import Path

import polars as pl

from seawall import Run, load_run, load_scenario, run_scenario

SCENARIO = Path(__file__).parent / "small_crash.toml"


def forced_sales_per_minute(run: Run) -> pl.DataFrame:
    """Liquidations that started, contracts traded by force and the low of the mark, by minute."""
    minute = pl.col("time").dt.truncate("1m").alias("minute")
    forced = run.trades.filter("liquidation").group_by(minute).agg(pl.col("contracts").sum())
    started = run.liquidations.group_by(minute).agg(pl.len().alias("liquidations"))
    lows = run.series.group_by(minute).agg(pl.col("mark").min().alias("low_mark"))
    return (
        lows.join(started, on="minute", how="left")
        .join(forced, on="minute", how="left")
        .sort("minute")
    )


def results(run: Run) -> pl.DataFrame:
    """Who lost and who won; it adds up to zero."""
    amounts = (pl.col(name).sum() for name in ("deposit", "end", "result"))
    return run.accounts.group_by("kind", "group", maintain_order=True).agg(pl.len(), *amounts)


def calls_by_leverage(run: Run) -> pl.DataFrame:
    """Margin calls by leverage and by how they ended."""
    return run.calls.group_by("leverage", "outcome", "cured_by").len().sort("leverage", "outcome")


def main() -> None:
    """Run, load, print."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "run"
        run_scenario(load_scenario(SCENARIO), out)
        run = load_run(out)
        print(f"state hash {run.summary['state_hash']}, {len(run.trades):,} trades")
        print(forced_sales_per_minute(run))
        print(results(run))
        print(calls_by_leverage(run))


if __name__ == "__main__":
    main()
