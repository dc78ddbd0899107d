"""Prices of one's own in the place of a scenario's index: a file, or a data frame.

A file becomes overrides like any other. A data frame is no text: the scenario carries it, and the
run directory keeps it in a file beside its scenario, so that the run can be made again from there.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from engine.setting_layers import REMOVED
from engine.settings import SettingFault, choice
from seawall.index_csv import FILE
from seawall.index_path import Columns, IndexPlan
from seawall.price_files.price_table import PriceTable, read_price_file, read_price_frame
from seawall.price_files.recognise import Reading
from seawall.price_files.shapes import ROLES, TIME
from seawall.price_files.times import UNITS
from seawall.scenario_fields import ScenarioError
from seawall.toml_writer import toml_value

Prices = Any
"""A path, a data frame, or a mapping of instruments' names to them."""

OWN: Final[str] = "own"
"""The source that stands in the place of all others."""

_FRAME: Final[str] = "data frame of"
"""How the place of a file is called that is none."""

NO_FRAMES: Final[Mapping[str, PriceTable]] = {}


def load_prices(
    prices: Any,
    *,
    columns: Mapping[str, str | int] | None = None,
    time_unit: str = "",
    symbol: str = "",
) -> PriceTable:
    """The prices of a file, or of a data frame of Polars, pandas or Arrow.

    ``columns`` says which count, by name or by number from 1: time and price, bid and ask, or open,
    high, low and close; ``time_unit`` is s, ms, us, ns or date, ``symbol`` the contract whose rows
    count. What is left out is recognised.

    Raises:
        ScenarioError: no such file, no known shape, or a row that is wrong.
    """
    try:
        chosen = Columns().read(dict(columns), "columns") if columns else ()
        if time_unit:
            choice("time_unit", time_unit, UNITS)
    except SettingFault as fault:
        raise ScenarioError(str(fault)) from None
    reading = Reading("", chosen, time_unit, symbol)
    if _is_path(prices):
        return read_price_file(str(prices), reading)
    return read_price_frame(prices, reading=reading)


def _by_instrument(tables: Mapping[str, Any], index: Prices | None) -> dict[str, Any]:
    """The prices by the instrument whose index they are."""
    if index is None:
        return {}
    names = list(_table(tables, "instruments"))
    if not names:
        raise ScenarioError("index: the scenario has no instrument to be priced")
    given = dict(index) if isinstance(index, Mapping) else {names[0]: index}
    for name in given:
        if name not in names:
            raise ScenarioError(f"index: no instrument {name!r}; instruments: {', '.join(names)}")
    return given


def _table(tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = tables.get(name)
    return table if isinstance(table, dict) else {}


def _is_path(prices: Any) -> bool:
    return isinstance(prices, str | Path)


def index_overrides(tables: Mapping[str, Any], index: Prices | None) -> list[str]:
    """The overrides that put the prices in the place of indices; the scenario lasts as long.

    Raises:
        ScenarioError: there is no such instrument.
    """
    given = _by_instrument(tables, index)
    overrides = []
    for name, prices in given.items():
        file = str(prices) if _is_path(prices) else _where(name)
        sources = {"replace": True, OWN: {"kind": FILE, "file": file}}
        overrides.append(f"index.{name}.sources={toml_value(sources)}")
        if name in _table(tables, "calm"):
            overrides.append(f"calm.{name}={REMOVED}")  # it is that of the prices before
    if overrides:
        overrides += [f"time.start={FILE}", f"time.duration={FILE}"]
        overrides += [f"{key}={toml_value(value)}" for key, value in _about(tables, given).items()]
    return overrides


def _about(tables: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, object]:
    """What the scenario says of itself, which was about another index."""
    named = [Path(p).name if _is_path(p) else "a data frame" for p in given.values()]
    title = str(tables.get("title", "the scenario"))
    return {
        "title": f"{title} on {' and '.join(named)}",
        "description": f"The accounts and agents of {title!r} under other prices as index.",
        "notes": [],
    }


def _where(name: str) -> str:
    return f"{_FRAME} {name}"


def own_frames(tables: Mapping[str, Any], index: Prices | None) -> dict[str, PriceTable]:
    """The prices that are data frames, read.

    Raises:
        ScenarioError: one is no data frame, or is wrong.
    """
    return {
        name: read_price_frame(prices, _where(name))
        for name, prices in _by_instrument(tables, index).items()
        if not _is_path(prices)
    }


def with_frames(
    indices: Mapping[str, IndexPlan], frames: Mapping[str, PriceTable]
) -> dict[str, IndexPlan]:
    """The indices, with the prices that come from no file in their source."""
    result = dict(indices)
    for name, frame in frames.items():
        sources = tuple(
            msgspec.structs.replace(source, frame=frame) if source.name == OWN else source
            for source in result[name].sources
        )
        result[name] = msgspec.structs.replace(result[name], sources=sources)
    return result


def _frames(indices: Mapping[str, IndexPlan]) -> dict[str, PriceTable]:
    return {
        name: source.frame
        for name, plan in indices.items()
        for source in plan.sources
        if source.frame is not None
    }


def made_of_frames(overrides: Iterable[str]) -> bool:
    """Whether overrides put prices in the place of an index that come from no file."""
    return any(f'"{_FRAME} ' in override for override in overrides)


def write_frames(directory: Path, tables: dict[str, Any], indices: Mapping[str, IndexPlan]) -> None:
    """Write prices that come from no file into ``directory``, and name them in a scenario's
    ``tables``; they are kept as the exact decimals they were read as."""
    for name, frame in _frames(indices).items():
        columns: dict[str, Any] = {
            TIME: pl.Series(frame.times_ns, dtype=pl.Datetime("ns", "UTC")),
        }
        for role, prices in zip(ROLES[frame.kind], frame.prices, strict=True):
            columns[role] = [str(price) for price in prices]
        file = f"index_{name}.parquet"
        pl.DataFrame(columns).write_parquet(directory / file)
        tables["index"][name]["sources"][OWN]["file"] = file
