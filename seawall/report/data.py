"""The data of a report, and its files in a run directory.

A run directory holds ``summary.json`` (with a `ScenarioBlock` under ``scenario``),
``events.parquet``, ``accounts.parquet``, ``series.parquet``, ``margin_ratio.parquet``, the rules in
``rulebook.toml`` and, when a real market was set beside the simulated one, ``real_trades.parquet``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from engine.toml_text import parse_toml
from risk.rulebook_file import load_rulebook
from seawall.records.account_table import SCHEMA as ACCOUNT_SCHEMA
from seawall.records.frames import Units, accounts_frame
from seawall.records.listed import ListedInstrument, ScenarioBlock
from seawall.report.facts import FORCED, REPORT_EVENTS, fund_series
from seawall.rulebook_words import rulebook_in_words

SUMMARY_FILE: Final[str] = "summary.json"
EVENTS_FILE: Final[str] = "events.parquet"
SERIES_FILE: Final[str] = "series.parquet"
MARGIN_RATIO_FILE: Final[str] = "margin_ratio.parquet"
ACCOUNTS_FILE: Final[str] = "accounts.parquet"
SCENARIO_FILE: Final[str] = "scenario.toml"
RULEBOOK_FILE: Final[str] = "rulebook.toml"
REAL_TRADES_FILE: Final[str] = "real_trades.parquet"

SERIES_COLUMNS: Final[tuple[str, ...]] = (
    "time_ns",
    "mark_ticks",
    "index_ticks",
    "last_ticks",
    "bid_ticks",
    "ask_ticks",
    "open_interest_lots",
)
PERCENTILES: Final[tuple[str, ...]] = ("p01", "p05", "p25", "p50", "p75", "p95")
MARGIN_RATIO_COLUMNS: Final[tuple[str, ...]] = ("time_ns", *PERCENTILES)
REAL_TRADES_COLUMNS: Final[tuple[str, ...]] = ("time_ns", "price")
EVENT_COLUMNS: Final[tuple[str, ...]] = (
    "seq",
    "time_ns",
    "type",
    "account_id",
    "instrument_id",
    "qty_lots",
    "price_ticks",
    "detail",
)

_WANTED: Final[pl.Expr] = pl.col("type").is_in(REPORT_EVENTS) | (
    (pl.col("type") == "OrderFilled") & FORCED
)
"""The rows a report uses."""


class ReportDataError(ValueError):
    """Report input is missing or malformed; the message names the file and the column."""


class ReportData(msgspec.Struct, kw_only=True):
    """Everything a report shows.

    ``series`` (by instrument id) has `SERIES_COLUMNS` and any number of depth columns
    ``depth_bid_<bps>`` and ``depth_ask_<bps>``: lots resting within that many basis points of the
    mid. A price of zero or less means there was none. ``fund`` has ``time_ns``, ``asset_id`` and
    ``wallet_q``; ``margin_ratio`` holds percentiles of equity over position value, as fractions;
    ``events`` is the table of `seawall.records.event_table`, ``accounts`` the frame of
    `seawall.records.frames.accounts_frame`. ``real_trades`` (by instrument id: ``time_ns`` and
    ``price`` in the quote currency; ``side`` and ``size`` in contracts where the file has them) are
    the prints of the real market, if there are any.
    ``rules`` is the rulebook in words, a line each, ``settings`` every setting of scenario and
    rulebook by its place, as text.
    """

    summary: dict[str, Any]
    scenario: ScenarioBlock
    series: dict[int, pl.DataFrame]
    fund: pl.DataFrame
    margin_ratio: pl.DataFrame
    events: pl.DataFrame
    accounts: pl.DataFrame
    real_trades: dict[int, pl.DataFrame] = {}
    rules: list[str] = []
    settings: dict[str, str] = {}

    @property
    def instruments(self) -> list[ListedInstrument]:
        """The contracts, in the scenario's order."""
        return self.scenario.instruments

    def asset_of(self, asset_id: int) -> tuple[str, int]:
        """Symbol and decimals of an asset; an unknown one is shown in quanta."""
        for asset in self.scenario.assets:
            if asset.asset_id == asset_id:
                return asset.symbol, asset.decimals
        return f"quanta of asset {asset_id}", 0


def save_series(
    run_dir: Path | str,
    series: dict[int, pl.DataFrame],
    margin_ratio: pl.DataFrame,
    real_trades: dict[int, pl.DataFrame] | None = None,
) -> None:
    """Write the sampled series of a run as parquet files into its directory.

    Raises:
        ReportDataError: a frame lacks a column.
    """
    directory = Path(run_dir)
    for instrument_id, frame in series.items():
        _require(frame, SERIES_COLUMNS, f"series of instrument {instrument_id}")
    _require(margin_ratio, MARGIN_RATIO_COLUMNS, "margin ratio samples")
    _stack(series, SERIES_COLUMNS).write_parquet(directory / SERIES_FILE)
    margin_ratio.write_parquet(directory / MARGIN_RATIO_FILE)
    if real_trades:
        for instrument_id, frame in real_trades.items():
            _require(frame, REAL_TRADES_COLUMNS, f"real trades of instrument {instrument_id}")
        _stack(real_trades, REAL_TRADES_COLUMNS).write_parquet(directory / REAL_TRADES_FILE)


def load_report_data(run_dir: Path | str, events: pl.DataFrame | None = None) -> ReportData:
    """Read a run directory; ``events`` is its table of events where that is at hand.

    Raises:
        ReportDataError: a file is missing or unreadable, or lacks a column or key.
    """
    directory = Path(run_dir)
    summary, scenario = _read_summary(directory / SUMMARY_FILE)
    events = _read_events(directory / EVENTS_FILE) if events is None else events.filter(_WANTED)
    series = _read_parquet(directory / SERIES_FILE, ("instrument_id", *SERIES_COLUMNS))
    accounts = _read_parquet(directory / ACCOUNTS_FILE, tuple(ACCOUNT_SCHEMA))
    real_path = directory / REAL_TRADES_FILE
    real_trades: dict[int, pl.DataFrame] = {}
    if real_path.exists():
        real_trades = _unstack(_read_parquet(real_path, ("instrument_id", *REAL_TRADES_COLUMNS)))
    rulebook = directory / RULEBOOK_FILE
    return ReportData(
        summary=summary,
        scenario=scenario,
        series=_unstack(series),
        fund=fund_series(events),
        margin_ratio=_read_parquet(directory / MARGIN_RATIO_FILE, MARGIN_RATIO_COLUMNS),
        events=events,
        accounts=accounts_frame(accounts, Units(scenario)),
        real_trades=real_trades,
        rules=list(rulebook_in_words(load_rulebook(str(rulebook)))) if rulebook.is_file() else [],
        settings=_settings(directory / SCENARIO_FILE, "") | _settings(rulebook, "rulebook."),
    )


def _read_summary(path: Path) -> tuple[dict[str, Any], ScenarioBlock]:
    try:
        summary = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise ReportDataError(f"{path}: cannot be read ({error.strerror})") from None
    except msgspec.DecodeError as error:
        raise ReportDataError(f"{path}: not a JSON object: {error}") from None
    try:
        scenario = msgspec.convert(summary.get("scenario"), ScenarioBlock)
    except msgspec.ValidationError as error:
        raise ReportDataError(f"{path}: key 'scenario': {error}") from None
    return summary, scenario


def _settings(path: Path, prefix: str) -> dict[str, str]:
    """Every setting of a TOML file by its place, as text; none of a file that is not there."""
    if not path.is_file():
        return {}
    return dict(_places(parse_toml(path.read_text(encoding="utf-8")), prefix))


def _places(tables: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _places(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)


def _read_events(path: Path) -> pl.DataFrame:
    """Only the event types the report uses: an event file may hold millions of others."""
    _require_file(path)
    try:
        scan = pl.scan_parquet(path)
        _require_names(scan.collect_schema().names(), EVENT_COLUMNS, str(path))
        return scan.filter(_WANTED).sort("seq").collect()
    except pl.exceptions.PolarsError as error:
        raise ReportDataError(f"{path}: not a readable parquet file: {error}") from None


def _read_parquet(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    _require_file(path)
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ReportDataError(f"{path}: not a readable parquet file: {error}") from None
    _require(frame, columns, str(path))
    return frame


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise ReportDataError(f"{path}: no such file; a complete run directory has one")


def _require(frame: pl.DataFrame, columns: tuple[str, ...], what: str) -> None:
    _require_names(frame.columns, columns, what)


def _require_names(present: list[str], columns: tuple[str, ...], what: str) -> None:
    missing = [name for name in columns if name not in present]
    if missing:
        raise ReportDataError(f"{what}: column {missing[0]!r} is missing; it has {present}")


def _stack(frames: dict[int, pl.DataFrame], columns: tuple[str, ...]) -> pl.DataFrame:
    """One long frame; instruments may differ in their depth columns."""
    if not frames:
        return pl.DataFrame(schema=dict.fromkeys(("instrument_id", *columns), pl.Int64))
    parts = [
        frame.select(pl.lit(instrument_id, pl.Int64).alias("instrument_id"), pl.all())
        for instrument_id, frame in frames.items()
    ]
    return pl.concat(parts, how="diagonal_relaxed")


def _unstack(frame: pl.DataFrame) -> dict[int, pl.DataFrame]:
    ids = frame["instrument_id"].unique(maintain_order=True).to_list()
    return {
        instrument_id: frame.filter(pl.col("instrument_id") == instrument_id).drop("instrument_id")
        for instrument_id in ids
    }
