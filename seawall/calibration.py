"""A scenario carried over to another coin: measured in files of trades, written as a file to run.

The new scenario extends the old one and says only what differs: the coin's calm, the file of its
index, and the steps of price and size that fit its price.
"""

import math
import os
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.instruments import LINEAR
from engine.settings import SettingFault, choice
from engine.units import MINUTE_NS
from seawall.calm import Calm
from seawall.index_csv import FILE
from seawall.index_path import IndexPlan, source_table
from seawall.own_prices import OWN
from seawall.price_files.price_table import PriceTable
from seawall.price_files.times import utc
from seawall.scaled_fields import AS_STATED, Scale
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.scenario_file import built_in_scenarios, find_scenario
from seawall.scenario_tables import KINDS
from seawall.toml_writer import toml_text
from seawall.trade_measures import (
    Stretch,
    WrongStretchError,
    trade_spread,
    trades_per_minute,
    volatility,
    volume_per_minute,
)

_FINEST: Final[int] = 6
"""Digits of a price above its tick, at most: a middle of quotes has more than any venue's grid."""


class Measured(msgspec.Struct, frozen=True):
    """What a stretch of a file shows. Volume is in quote currency, volatility per root second; the
    spread is a share, None where the file has no sides."""

    stretch: Stretch
    volume_per_minute: float
    volatility: float
    trades_per_minute: float
    spread: float | None

    @property
    def calm(self) -> Calm:
        """What scales a scenario's figures."""
        return Calm(self.volume_per_minute, self.volatility)


def measure(
    table: PriceTable,
    begin_ns: int | None = None,
    length_ns: int | None = None,
    contract_value: float = 0.0,
) -> Measured:
    """The measures of a stretch of a file: from ``begin_ns``, else from the minute in which the
    file begins; ``length_ns`` long, else to its end.

    Raises:
        ScenarioError: the stretch is too short, or the file has no amounts.
    """
    first_ns = table.times_ns[0]
    start_ns = first_ns - first_ns % MINUTE_NS if begin_ns is None else begin_ns
    end_ns = table.end_ns if length_ns is None else min(start_ns + length_ns, table.end_ns)
    stretch = Stretch(table, start_ns, max(start_ns, end_ns))
    try:
        return Measured(
            stretch,
            float(f"{volume_per_minute(stretch, contract_value):.6g}"),
            float(f"{volatility(stretch):.6g}"),
            trades_per_minute(stretch),
            trade_spread(stretch),
        )
    except WrongStretchError as error:
        reach = f"the file reaches from {utc(first_ns)} to {utc(table.end_ns)}"
        raise ScenarioError(f"{error}; {reach}, --from and --for choose a stretch of it") from None


class NewCoin(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the coin beside its calm; empty: as in the scenario it comes from, or as the
    prices show. ``brackets`` is its symbol in the base's file of brackets."""

    instrument: str = ""
    symbol: str = ""
    tick: str = ""
    lot: str = ""
    max_qty: str = ""
    brackets: str = ""


class Written(msgspec.Struct, frozen=True):
    """A scenario that was written, by what its figures are scaled, and what is left to do."""

    scenario: Scenario
    scale: Scale
    warnings: tuple[str, ...]


def write_scenario(
    out: Path, base: str, prices: PriceTable, found: Measured, coin: NewCoin
) -> Written:
    """Write a scenario that is ``base`` on ``prices`` as the index of one contract, for a coin of
    the calm that was found, as far as ``base`` has it count.

    Raises:
        ScenarioError: there is no such scenario, the file exists, or what would be written does not
            run.
    """
    if out.exists():
        raise ScenarioError(f"{out}: exists already; choose another name, or remove it")
    stated = load_scenario(base)
    name = coin.instrument or next(iter(stated.instruments))
    try:
        choice("--instrument", name, stated.instruments)
    except SettingFault as fault:
        raise ScenarioError(str(fault)) from None
    calm = stated.coins.counted(found.calm, found.stretch.length_ns)
    tables = _tables(out, base, stated, name, prices, calm, coin)
    try:
        out.write_text(toml_text(tables), encoding="utf-8")
        written = load_scenario(out)
    except ScenarioError:
        out.unlink()
        raise
    return Written(written, written.coins.scales[name], tuple(_left(stated, name, base, coin)))


def _tables(
    out: Path,
    base: str,
    stated: Scenario,
    name: str,
    prices: PriceTable,
    calm: Calm,
    coin: NewCoin,
) -> dict[str, Any]:
    """What the new scenario says."""
    scaled_from = stated.coins.stated
    scale = AS_STATED if scaled_from is None else calm.times(scaled_from)
    symbol = coin.symbol or stated.instruments[name].symbol
    tables: dict[str, Any] = {
        "extends": base if base in built_in_scenarios() else _relative(find_scenario(base), out),
        "title": f"{stated.title}: {symbol} on {Path(prices.where).name}",
        "description": f"The accounts and agents of {stated.title!r} in the measure of {symbol}.",
        "notes": [],
        "instruments": {name: _contract(stated, name, prices, scale, coin)},
        "index": {
            name: {
                "sources": {
                    "replace": True,
                    OWN: {"kind": FILE, "file": _relative(Path(prices.where), out)},
                }
            }
        },
    }
    if not _covers(prices, stated):
        tables["time"] = {"start": FILE, "duration": FILE}
    if scaled_from is not None:
        tables["calm"] = {name: msgspec.structs.asdict(calm)}
    if stated.reference is not None:
        tables["reference"] = "none"
    return tables


def _relative(path: Path, out: Path) -> str:
    """A path as the new file has it."""
    return Path(os.path.relpath(path.resolve(), out.resolve().parent)).as_posix()


def _covers(prices: PriceTable, stated: Scenario) -> bool:
    """Whether the prices reach over all of a scenario's time, but for a minute of silence."""
    time = stated.time
    begins = prices.times_ns[0] <= time.start_ns + MINUTE_NS
    return begins and prices.end_ns >= time.end_ns - MINUTE_NS


def _contract(
    stated: Scenario, name: str, prices: PriceTable, scale: Scale, coin: NewCoin
) -> dict[str, Any]:
    """The contract's steps and its largest order: the values in money stay those of the base, times
    the coin's scale, and sizes follow from the price."""
    tables = stated.tables["instruments"]
    assert isinstance(tables, Mapping)  # it was read
    given: Mapping[str, Any] = tables[name]
    linear = KINDS[str(given.get("kind", "linear"))] == LINEAR
    cheaper = _first_price(stated.indices[name]) / float(prices.prices[0][0]) if linear else 1.0
    lot = coin.lot or f"{_power_of_ten(float(given.get('lot', 1)) * cheaper):f}"
    contract: dict[str, Any] = {"tick": coin.tick or f"{_tick(prices):f}", "lot": lot}
    if coin.symbol:
        contract["symbol"] = coin.symbol
    if coin.max_qty or "max_qty" in given:
        most = float(given.get("max_qty", 0)) * cheaper * scale.money
        contract["max_qty"] = coin.max_qty or f"{_multiple(most, Decimal(lot)):f}"
    if "min_qty" in given:
        contract["min_qty"] = lot
    margin = {"ccxt_symbol": coin.brackets} if coin.brackets else {}
    if "convert_at" in given.get("margin", {}):  # brackets in money, of a coin with another price
        margin["convert_at"] = f"{prices.prices[0][0]:f}"
    if margin:
        contract["margin"] = margin
    return contract


def _first_price(plan: IndexPlan) -> float:
    """The price at which an index begins."""
    source = plan.sources[0]
    if source.file is not None:
        return float(source_table(source).prices[0][0])
    return source.anchors[0][1] if source.anchors else source.start_price


def _power_of_ten(size: float) -> Decimal:
    """The power of ten at or below a size; a hair above the size counts as it."""
    return Decimal(10) ** math.floor(math.log10(size) + 1e-9) if size > 0 else Decimal(1)


def _tick(prices: PriceTable) -> Decimal:
    """The step of the prices as they are written, but none finer than contracts have."""
    finest = min(int(price.normalize().as_tuple().exponent) for price in prices.prices[0])
    least = math.floor(math.log10(float(prices.prices[0][0]))) - _FINEST
    return Decimal(1).scaleb(min(0, max(finest, least)))


def _multiple(size: float, lot: Decimal) -> Decimal:
    """The largest whole number of lots in a size, one at least."""
    lots = (Decimal(size) / lot).to_integral_value(ROUND_FLOOR)
    return max(Decimal(1), lots) * lot


def _left(stated: Scenario, name: str, base: str, coin: NewCoin) -> list[str]:
    """What whoever runs the new scenario should know."""
    found = []
    if stated.coins.stated is None:
        found.append(
            f"{base} has no [calibrated], so its figures stay as they are; state the calm of the "
            "coin they are for"
        )
    if not coin.brackets:
        found.append(f"the margin brackets are those of {base}; --brackets names the coin's own")
    return found
