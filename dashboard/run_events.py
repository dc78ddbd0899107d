"""The events of a finished run as the page's model takes them."""

from typing import Any, Final, get_args

import msgspec
import polars as pl

from engine.events import (
    Event,
    InstrumentReport,
    MarginLevelChanged,
    MarketReport,
    MarkUpdated,
    Trade,
)
from engine.forms import struct_form
from engine.instruments import INVERSE, LINEAR, AssetSpec, InstrumentSpec, MarginSpec
from engine.reports import AssetReport
from risk.rulebook_file import load_rulebook
from seawall.records.event_table import COLUMN_FIELDS
from seawall.records.listed import ListedInstrument
from seawall.runs.run_directory import Run
from seawall.terminal.watch_model import TapeEvent

SHOWN: Final[tuple[type, ...]] = (*get_args(TapeEvent), MarginLevelChanged, MarkUpdated, Trade)
"""What the page shows; the rest of a run, and most of it, is left out."""


def shown_events(run: Run) -> list[Event]:
    """The events the page shows, in order.

    Raises:
        RunDirectoryError: a file is missing or damaged.
    """
    names = [kind.__name__ for kind in SHOWN]
    rows = run.events.filter(pl.col("type").cast(pl.String).is_in(names))
    makers = {kind.__name__: _Maker(kind) for kind in SHOWN}
    return [makers[row["type"]].event(row) for row in rows.iter_rows(named=True)]


class _Maker:
    """Makes events of one type from rows of the table."""

    def __init__(self, kind: type) -> None:
        self._kind: Any = kind
        self._columns: dict[str, str] = {}
        names = [field.name for field in msgspec.structs.fields(struct_form(kind))]
        taken = {"time_ns": "time_ns"}
        for column, candidates in COLUMN_FIELDS.items():
            field = next((name for name in candidates if name in names), None)
            if field is not None:
                taken[field] = column
        self._columns = taken

    def event(self, row: dict[str, Any]) -> Event:
        """The event of a row."""
        fields = {name: row[column] for name, column in self._columns.items()}
        if row["detail"]:
            fields |= msgspec.json.decode(row["detail"])
        found: Event = self._kind(**fields)
        return found


def market_of(run: Run) -> MarketReport:
    """What was listed, and the margin levels; no price yet.

    Raises:
        RunDirectoryError: the summary is damaged.
        ValueError: the rulebook cannot be read.
    """
    listed = run.scenario
    levels: list[tuple[str, int]] = []
    name = ""
    rulebook = run.path / "rulebook.toml"
    if rulebook.is_file():
        rules = load_rulebook(str(rulebook)).rulebook
        name = rules.name
        levels = [(level.name, level.factor_ppb) for level in rules.levels]
    assets = [
        AssetReport(AssetSpec(each.asset_id, each.symbol, each.decimals), 0, 0)
        for each in listed.assets
    ]
    instruments = [InstrumentReport(_spec(each), 0, 0, 0, 0, 0, 0) for each in listed.instruments]
    return MarketReport(listed.begin_ns, name, levels, assets, instruments)


def _spec(listed: ListedInstrument) -> InstrumentSpec:
    return InstrumentSpec(
        instrument_id=listed.instrument_id,
        symbol=listed.symbol,
        kind=INVERSE if listed.kind == "inverse" else LINEAR,
        settle_asset_id=listed.settle_asset_id,
        tick=listed.tick_size,
        lot=listed.lot_size,
        unit_q=1,
        margin=MarginSpec(model="brackets", tiers=[]),
    )
