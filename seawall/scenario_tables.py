"""The tables of a scenario file: their keys, the units and ranges of the values, the defaults.

A new key is a field here, or in the tables of agents, population and index. `seawall.scenario`
checks what tables say of one another.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec

from engine.instruments import INVERSE, LINEAR
from engine.setting_units import OneOf
from engine.settings import Key
from engine.units import SECOND_NS
from seawall.agents import AgentSettings
from seawall.calm import CalibratedTable, CalmTable
from seawall.index_csv import CANDLES_CSV, FILE, TRADES_CSV
from seawall.index_path import IndexTable, PathTable
from seawall.population import PopulationPlan
from seawall.scaled_fields import ExactMoney
from seawall.scenario_fields import A_MILLISECOND, Count, Duration, Exact, File, Filled
from seawall.time_plan import TimeTable

KINDS = {"linear": LINEAR, "inverse": INVERSE}


class OutputPlan(msgspec.Struct, frozen=True):
    """What is recorded and how often; the ratio sample is a fixed draw of accounts."""

    sample_ns: Annotated[int, A_MILLISECOND, Key("sample_every")] = 5 * SECOND_NS
    ratio_sample_ns: Annotated[int, A_MILLISECOND, Key("ratio_sample_every")] = 60 * SECOND_NS
    ratio_sample_accounts: Annotated[int, Count(0, 100_000)] = 300
    publish_depth: bool = False
    check_invariants_every: Annotated[int, Count()] = 0


class ReferencePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Real trades of the contract, which the report sets beside the simulated ones."""

    label: Annotated[str, Filled()]
    instrument: Annotated[str, Filled()] = ""
    file: Annotated[Path, File()]
    kind: Annotated[str, OneOf(FILE, TRADES_CSV, CANDLES_CSV)] = TRADES_CSV


class AssetTable(msgspec.Struct, frozen=True):
    """An asset; its symbol is its name where none is given."""

    symbol: Annotated[str, Filled()] = ""
    decimals: Annotated[int, Count(0, 18)] = 6


class TiersTable(msgspec.Struct, frozen=True):
    """Where margin tiers come from: the rulebook's table of a symbol (none: the instrument's), or
    a file of ccxt, converted at a price for an inverse contract, and at a contract's value where
    it counts contracts."""

    symbol: Annotated[str, Filled()] = ""
    ccxt_file: Annotated[Path | None, File()] = None
    ccxt_symbol: Annotated[str, Filled()] = ""
    convert_at: Annotated[str, Exact()] = ""
    contract_value: Annotated[str, Exact()] = ""


class InstrumentTable(msgspec.Struct, frozen=True, kw_only=True):
    """A contract, settled in the first asset where none is named."""

    settle: Annotated[str, Filled()] = ""
    kind: Annotated[str, OneOf(*KINDS)] = "linear"
    symbol: Annotated[str, Filled()]
    lot: Annotated[str, Exact()] = "1"
    multiplier: Annotated[str | None, Exact()] = None
    min_qty: Annotated[str | None, Exact()] = None
    max_qty: Annotated[str | None, Exact()] = None
    min_notional: Annotated[str | None, Exact()] = None
    max_notional: Annotated[str | None, Exact()] = None
    tick: Annotated[str, Exact()]
    margin: TiersTable = TiersTable()
    band: Annotated[str, Exact()] = "0"
    max_open_orders: Annotated[int, Count(1, 100_000)] = 200


class HouseTable(msgspec.Struct, frozen=True):
    """What the house begins with."""

    fund: Annotated[Decimal, ExactMoney()] = Decimal(0)
    backstop: Annotated[Decimal, ExactMoney()] = Decimal(0)


class ScenarioTables(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario file, read; what tables say of one another is checked by `parse_scenario`."""

    name: Annotated[str, Filled()] = ""
    title: Annotated[str, Filled()] = ""
    description: str = ""
    notes: list[str] = []
    seed: Annotated[int, Count(0, 2**63 - 1)] = 1
    rulebook: Annotated[str, Filled()]
    rulebook_overrides: dict[str, Any] = {}
    assets: dict[str, AssetTable] = {}
    instruments: dict[str, InstrumentTable] = {}
    index: dict[str, IndexTable] = {}
    asset_prices: dict[str, PathTable] = {}
    time: TimeTable
    latency: dict[str, Annotated[int, Duration()]] | None = None
    house: HouseTable = HouseTable()
    calibrated: CalibratedTable | None = None
    calm: dict[str, CalmTable] = {}
    population: dict[str, PopulationPlan] = {}
    agents: dict[str, AgentSettings] = {}
    output: OutputPlan = OutputPlan()
    reference: ReferencePlan | None = None
