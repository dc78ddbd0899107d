"""The directory a run leaves behind: complete, or not there at all.

| file | content |
| --- | --- |
| ``summary.json`` | the run's figures; written last, so only a complete directory has one |
| ``events.parquet`` | the table of `seawall.records.event_table` |
| ``journal.sqlite`` | the commands of `engine.record.journal` |
| ``accounts.parquet`` | the table of `seawall.records.account_table` |
| ``series.parquet`` | prices, depth and open interest, sampled |
| ``report.html`` | the page for people |
| ``scenario.toml``, ``rulebook.toml`` | what it ran, complete: see `seawall.runs.run_origin` |
"""

import os
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import polars as pl

from seawall.records import frames
from seawall.records.listed import ScenarioBlock

RUN_FORMAT: Final[int] = 1
"""Version of the directory's layout, kept in the summary."""

SUMMARY: Final[str] = "summary.json"
EVENTS: Final[str] = "events.parquet"
ACCOUNTS: Final[str] = "accounts.parquet"
SERIES: Final[str] = "series.parquet"
JOURNAL: Final[str] = "journal.sqlite"
REPORT: Final[str] = "report.html"
WAITING: Final[str] = "waiting"


class RunDirectoryError(ValueError):
    """A run directory cannot be written or read; the text names it and what is wrong."""


class RunDirectory:
    """Writes a run directory: ``with RunDirectory(out) as run: ...; run.write_summary(...)``.

    Everything goes to a directory beside ``out``, which takes that name when the block ends. If the
    block fails, or ends without a summary, it is removed (unless the run is `saved` in it) and
    ``out`` stays as it was. With ``overwrite`` a complete run at ``out`` is replaced; other
    directories never are.

    Raises:
        RunDirectoryError: on entering, if ``out`` is taken or cannot be made; on leaving, if the
            block wrote no summary.
    """

    def __init__(self, out: str | Path, overwrite: bool = False) -> None:
        self.out = Path(out).resolve()
        if not self.out.name:
            raise RunDirectoryError(f"{self.out}: is no place for a run directory")
        self.overwrite = overwrite
        self.saved = False
        self.partial = self._sibling("partial")

    @property
    def events_path(self) -> Path:
        """Where to write the events."""
        return self.partial / EVENTS

    @property
    def accounts_path(self) -> Path:
        """Where to write the accounts."""
        return self.partial / ACCOUNTS

    @property
    def waiting_events(self) -> Path:
        """A folder for events that wait to be written; it is no part of the run directory."""
        folder = self.partial / WAITING
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def complete(self) -> bool:
        """Whether every file is there: the report comes last, and is written whole or not."""
        return self.report_path.is_file()

    @property
    def journal_path(self) -> Path:
        """Where to write the journal."""
        return self.partial / JOURNAL

    @property
    def report_path(self) -> Path:
        """Where to write the report."""
        return self.partial / REPORT

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write the run's figures; the last thing to do.

        Raises:
            RunDirectoryError: the summary uses the reserved name ``run_format``, or a value has no
                JSON form.
        """
        if "run_format" in summary:
            raise RunDirectoryError(f"{self.out}: 'run_format' is written by the directory itself")
        try:
            data = msgspec.json.encode({"run_format": RUN_FORMAT, **summary})
        except TypeError as error:
            raise RunDirectoryError(f"{self.out}: the summary has no JSON form: {error}") from None
        (self.partial / SUMMARY).write_bytes(msgspec.json.format(data, indent=2) + b"\n")

    def __enter__(self) -> Self:
        self._require_free()
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._begin()
        except OSError as error:
            raise RunDirectoryError(f"{self.out}: cannot be made: {error.strerror}") from None
        return self

    def _begin(self) -> None:
        # Only a dead process can have left a directory with this process's number.
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._end()

    def _end(self) -> None:
        if not self.saved:
            shutil.rmtree(self.partial, ignore_errors=True)

    def _publish(self) -> None:
        if not (self.partial / SUMMARY).is_file():
            raise RunDirectoryError(f"{self.out}: the run wrote no {SUMMARY}")
        self._require_free()
        shutil.rmtree(self.partial / WAITING, ignore_errors=True)
        if not _is_run(self.out):
            os.rename(self.partial, self.out)
            return
        replaced = self._sibling("replaced")
        os.rename(self.out, replaced)
        os.rename(self.partial, self.out)
        shutil.rmtree(replaced, ignore_errors=True)

    def _require_free(self) -> None:
        if not os.path.lexists(self.out):
            return
        if not self.out.is_dir():
            raise RunDirectoryError(f"{self.out}: exists and is not a directory")
        if _is_run(self.out):
            if not self.overwrite:
                raise RunDirectoryError(
                    f"{self.out}: holds a run already; overwrite it or choose another directory "
                    "(--overwrite, in Python overwrite=True)"
                )
        elif any(self.out.iterdir()):
            raise RunDirectoryError(
                f"{self.out}: is not empty and holds no complete run; choose another directory"
            )

    def _sibling(self, purpose: str) -> Path:
        return self.out.with_name(f"{self.out.name}.{purpose}-{os.getpid()}")


class Run:
    """A complete run read back: its figures, and its frames, each loaded when first asked for.

    `summary` is a dictionary, `events` the table as it stands in the file. The other frames are
    for people: exact decimals in whole units, times in UTC, and symbols for ids.

    Raises:
        RunDirectoryError: a file is missing or damaged (from every frame).
    """

    def __init__(self, path: Path, summary: dict[str, Any]) -> None:
        self.path = path
        self.summary = summary

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """The run in a notebook: what it was, and its main figures."""
        from seawall.report.run_card import run_card

        return run_card(self.path, self.summary)

    @cached_property
    def scenario(self) -> ScenarioBlock:
        """What was simulated: title, assets, contracts, times."""
        try:
            return msgspec.convert(self.summary.get("scenario"), ScenarioBlock)
        except msgspec.ValidationError as error:
            raise RunDirectoryError(f"{self.path / SUMMARY}: key 'scenario': {error}") from None

    @cached_property
    def events(self) -> pl.DataFrame:
        """The table of `seawall.records.event_table`: everything that happened, in raw units."""
        return self._table(EVENTS)

    @cached_property
    def trades(self) -> pl.DataFrame:
        """Every trade in the book, see `seawall.records.frames.trades_frame`."""
        return frames.trades_frame(self.events, self._units)

    @cached_property
    def series(self) -> pl.DataFrame:
        """Prices, open interest and depth, sampled: `seawall.records.frames.series_frame`."""
        return frames.series_frame(self._table(SERIES), self._units)

    @cached_property
    def accounts(self) -> pl.DataFrame:
        """Every owner with what became of it: `seawall.records.frames.accounts_frame`."""
        return frames.accounts_frame(self._table(ACCOUNTS), self._units)

    @cached_property
    def calls(self) -> pl.DataFrame:
        """Every margin call and how it ended: `seawall.records.frames.calls_frame`."""
        return frames.calls_frame(self.events, self._units, self.accounts)

    @cached_property
    def liquidations(self) -> pl.DataFrame:
        """Every liquidation and what it cost: `seawall.records.frames.liquidations_frame`."""
        return frames.liquidations_frame(self.events, self._units, self.accounts)

    @cached_property
    def adl(self) -> pl.DataFrame:
        """Every auto-deleveraged position: `seawall.records.frames.adl_frame`."""
        return frames.adl_frame(self.events, self._units, self.accounts)

    @cached_property
    def fund(self) -> pl.DataFrame:
        """Every change of the insurance fund: `seawall.records.frames.fund_frame`."""
        return frames.fund_frame(self.events, self._units)

    @cached_property
    def _units(self) -> frames.Units:
        return frames.Units(self.scenario)

    def _table(self, name: str) -> pl.DataFrame:
        path = self._require(name)
        try:
            return pl.read_parquet(path)
        except pl.exceptions.PolarsError as error:
            raise RunDirectoryError(f"{path}: not a table: {error}") from None

    @property
    def journal_path(self) -> Path:
        """The journal's file, for `engine.record.journal.JournalReader`.

        Raises:
            RunDirectoryError: the file is missing.
        """
        return self._require(JOURNAL)

    @property
    def report_path(self) -> Path:
        """The report's file.

        Raises:
            RunDirectoryError: the file is missing.
        """
        return self._require(REPORT)

    def _require(self, name: str) -> Path:
        path = self.path / name
        if not path.is_file():
            raise RunDirectoryError(f"{self.path}: {name} is missing from this run")
        return path


def load_run(path: str | Path) -> Run:
    """Open a run directory.

    Raises:
        RunDirectoryError: no such directory, an incomplete or foreign one, or a layout this
            version does not read.
    """
    path = Path(path)
    if not path.is_dir():
        raise RunDirectoryError(f"{path}: no such run directory")
    summary = _read_summary(path)
    if summary is None:
        raise RunDirectoryError(f"{path}: not a complete run: {SUMMARY} is missing or damaged")
    found = summary.get("run_format")
    if found != RUN_FORMAT:
        raise RunDirectoryError(f"{path}: run format {found}; this version reads {RUN_FORMAT}")
    return Run(path, summary)


def _is_run(path: Path) -> bool:
    """Whether the directory is a complete run of some version, and so ours to replace."""
    summary = _read_summary(path)
    return summary is not None and "run_format" in summary


def _read_summary(path: Path) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode((path / SUMMARY).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
