"""Run a small crash into a temporary directory and read it back as data frames."""

import tempfile
from pathlib import Path

import polars as pl

from seawall import load_run, load_scenario, run_scenario

SCENARIO = Path(__file__).parent / "small_crash.toml"


def liquidations_per_minute(events: pl.DataFrame) -> pl.DataFrame:
    """Liquidations started and lots sold by force, by minute of the run."""
    minute = (pl.col("time_ns") - pl.col("time_ns").min()) // 60_000_000_000
    forced = pl.col("detail").str.json_path_match("$.liquidation") == "true"
    return (
        events.with_columns(minute.alias("minute"))
        .group_by("minute")
        .agg(
            (pl.col("type") == "LiquidationStarted").sum().alias("liquidations"),
            pl.col("qty_lots")
            .filter((pl.col("type") == "Trade") & forced)
            .sum()
            .alias("forced_lots"),
            pl.col("price_ticks").filter(pl.col("type") == "MarkUpdated").min().alias("low_mark"),
        )
        .sort("minute")
    )


def losses_by_part(events: pl.DataFrame) -> pl.DataFrame:
    """Where the equity of liquidated accounts went; the parts add up to the whole exactly."""
    parts = ["price_q", "slippage_q", "fee_q", "funding_q", "surrender_q", "adl_q", "haircut_q"]
    ended = events.filter(pl.col("type") == "LiquidationEnded")
    return ended.select(
        pl.col("detail").str.json_path_match(f"$.{part}").cast(pl.Int64).sum().alias(part)
        for part in parts
    )


def main() -> None:
    """Run, load, print."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "run"
        run_scenario(load_scenario(SCENARIO), out)
        run = load_run(out)
        print(f"state hash {run.summary['state_hash']}, {len(run.events):,} events")
        print(liquidations_per_minute(run.events))
        print(losses_by_part(run.events))


if __name__ == "__main__":
    main()
