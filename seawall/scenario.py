"""A scenario: everything a run depends on, validated before anything starts.

`load_scenario` reads a built-in name or a TOML file with its overrides and answers a `Scenario`;
whatever is wrong is a `ScenarioError` that names file, key, value and what is allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.instruments import (
    INVERSE,
    AssetSpec,
    InstrumentSpec,
    MarginSpec,
    build_instrument_spec,
)
from engine.routing.bus import Latency
from engine.setting_layers import without_marks
from engine.settings import SettingFault, choice, refuse_unknown, told
from engine.units import to_ppb
from risk.collateral import CollateralAsset, collateral_assets
from risk.margin.ccxt_tiers import (
    CONTRACTS_AS_MONEY,
    counts_contracts,
    inverse_tiers,
    load_ccxt_tiers,
    read_ccxt_table,
)
from risk.rulebook import Rulebook
from risk.rulebook_file import RulebookFile
from seawall.agents import AgentPlan, AgentSettings, agent_plan
from seawall.calm import Coins, coins
from seawall.index_path import IndexPlan, IndexTable, PathTable, index_plan
from seawall.own_prices import NO_FRAMES, Prices, index_overrides, own_frames, with_frames
from seawall.population import PopulationPlan, population_plan
from seawall.price_files.price_table import PriceTable
from seawall.scaled_fields import mean_scale, scaled
from seawall.scenario_fields import (
    MAX_TIME_NS,
    ScenarioError,
    ScenarioReader,
    at_least_one,
    duration_text,
    shortened,
)
from seawall.scenario_file import apply_overrides, find_scenario, load_tables, told_where
from seawall.scenario_merge import RULES
from seawall.scenario_rulebook import read_rulebook
from seawall.scenario_tables import (
    KINDS,
    InstrumentTable,
    OutputPlan,
    ReferencePlan,
    ScenarioTables,
)
from seawall.scenario_window import time_plan
from seawall.time_plan import TimePlan
from seawall.toml_writer import toml_value

_QUOTE = AssetSpec(asset_id=0, symbol="quote", decimals=8)


class Scenario(msgspec.Struct, frozen=True):
    """A validated scenario. ``instruments`` and ``assets`` are keyed by their name in the file;
    fund and backstop seeds are in the quote currency, like the population's wealth. ``collateral``
    are the assets that count in another one, by id, at no price yet. ``source`` is the name or path
    it was asked for by; ``tables`` are all its values with the overrides laid on top, and
    ``rulebook_text`` is the TOML of its rules, so that it can be written down and run again.
    ``coins`` says by what figures were scaled; those here are scaled, those of ``tables`` as
    stated. ``warnings`` are for whoever runs it."""

    name: str
    title: str
    description: str
    file: str
    notes: tuple[str, ...]
    seed: int
    rulebook: Rulebook
    assets: Mapping[str, AssetSpec]
    collateral: Mapping[int, CollateralAsset]
    instruments: Mapping[str, InstrumentSpec]
    indices: Mapping[str, IndexPlan]
    asset_prices: Mapping[str, IndexPlan]
    time: TimePlan
    latency: Latency | None
    fund: Decimal
    backstop: Decimal
    coins: Coins
    population: tuple[PopulationPlan, ...]
    agents: tuple[AgentPlan, ...]
    output: OutputPlan
    reference: ReferencePlan | None
    source: str
    overrides: tuple[str, ...]
    tables: Mapping[str, object]
    rulebook_text: str
    warnings: tuple[str, ...] = ()

    @property
    def accounts(self) -> int:
        """How many margined accounts the population has."""
        return sum(group.accounts for group in self.population)


def load_scenario(
    name_or_path: str | Path,
    overrides: Sequence[str] | Mapping[str, object] = (),
    *,
    index: Prices | None = None,
) -> Scenario:
    """Read, merge and validate a scenario; ``overrides`` are ``key.path=value``, or values by key.

    ``index`` is a file of prices or a data frame (Polars, pandas, Arrow) in the place of the first
    instrument's index, or several by the instruments' names; the scenario then lasts as long as
    they do, unless an override says otherwise.

    Raises:
        ScenarioError: anything is wrong with it; nothing has run.
    """
    if isinstance(overrides, Mapping):
        overrides = [f"{key}={_written(value)}" for key, value in overrides.items()]
    path = find_scenario(name_or_path)
    below = load_tables(path)
    frames = own_frames(below, index)
    overrides = [*index_overrides(below, index), *overrides]
    tables = apply_overrides(below, overrides)
    rules = tables.get(RULES)
    tables = without_marks(tables)
    if rules is not None:
        tables[RULES] = rules  # its marks are for the rulebook that it is laid over
    try:
        scenario = parse_scenario(tables, str(path), path.stem, frames)
    except ScenarioError as error:
        if not error.place:
            raise
        text = told_where(path, overrides, error.place, error.problem)
        raise ScenarioError(text, error.place, error.problem) from None
    return msgspec.structs.replace(scenario, source=str(name_or_path), overrides=tuple(overrides))


def _written(value: object) -> str:
    """A value of Python as an override has it."""
    return value if isinstance(value, str) else toml_value(value)


def parse_scenario(
    tables: Mapping[str, object], file: str, name: str, frames: Mapping[str, PriceTable] = NO_FRAMES
) -> Scenario:
    """A scenario from tables (see `load_scenario`); ``file`` opens every message, ``frames`` are
    prices by instrument that come from no file.

    Raises:
        ScenarioError: a field is wrong, missing or unknown.
    """
    try:
        read = ScenarioReader().struct(ScenarioTables, dict(tables))
        return _checked(read, tables, file, name, frames)
    except SettingFault as fault:
        problem = shortened(fault.problem)
        raise ScenarioError(told(file, "", fault.place, problem), fault.place, problem) from None


def _checked(
    read: ScenarioTables,
    tables: Mapping[str, object],
    file: str,
    name: str,
    frames: Mapping[str, PriceTable],
) -> Scenario:
    """The scenario of tables of which each is right by itself."""
    rulebook, rulebook_text = read_rulebook(read.rulebook, read.rulebook_overrides, file)
    at_least_one(read.assets, "assets")
    at_least_one(read.instruments, "instruments")
    at_least_one(read.index, "index")
    assets = {
        key: AssetSpec(asset_id=number, symbol=table.symbol or key, decimals=table.decimals)
        for number, (key, table) in enumerate(read.assets.items())
    }
    instruments = {
        key: _instrument(number, key, table, assets, rulebook)
        for number, (key, table) in enumerate(read.instruments.items())
    }
    names = list(instruments)
    collateral = _collateral(rulebook.rulebook, assets, instruments)
    counted = {
        key: [
            name
            for name, asset in assets.items()
            if asset.asset_id in collateral
            and collateral[asset.asset_id].margin_asset_id == spec.settle_asset_id
        ]
        for key, spec in instruments.items()
    }
    by_id = {asset.asset_id: name for name, asset in assets.items()}
    settles = {key: by_id[spec.settle_asset_id] for key, spec in instruments.items()}
    indices = with_frames(_indices(read.index, names), frames)
    asset_prices = _asset_prices(read.asset_prices, assets, collateral)
    time = time_plan(read.time, [*indices.values(), *asset_prices.values()])
    _check_time(time)
    found = coins(read.calibrated, read.calm, indices, time)
    house = scaled(
        read.house, mean_scale([(scale, 1.0) for scale in found.scales.values()]), "house"
    )
    return Scenario(
        name=read.name or name,
        title=read.title or name,
        description=read.description,
        file=file,
        notes=(*read.notes, *found.notes),
        seed=read.seed,
        rulebook=rulebook.rulebook,
        assets=assets,
        collateral=collateral,
        instruments=instruments,
        indices=_scaled_indices(indices, read.index, found),
        asset_prices=asset_prices,
        time=time,
        latency=_latency(read.latency),
        fund=house.fund,
        backstop=house.backstop,
        coins=found,
        population=_population(read.population, settles, counted, found),
        agents=_agents(read.agents, settles, found),
        output=read.output,
        reference=_reference(read.reference, names),
        source=file,
        overrides=(),
        tables=_with_calms(tables, found),
        rulebook_text=rulebook_text,
        warnings=(*_contracts_as_money(read.instruments), *found.warnings),
    )


def _population(
    tables: Mapping[str, PopulationPlan],
    settles: Mapping[str, str],
    counted: Mapping[str, list[str]],
    found: Coins,
) -> tuple[PopulationPlan, ...]:
    """The groups, each with the figures of its coins by their shares."""
    groups: list[PopulationPlan] = []
    for name, table in tables.items():
        group = population_plan(name, table, settles, counted)
        scale = mean_scale([(found.scales[key], share) for key, share in group.instruments])
        groups.append(scaled(group, scale, f"population.{name}"))
    return tuple(groups)


def _agents(
    tables: Mapping[str, AgentSettings], settles: Mapping[str, str], found: Coins
) -> tuple[AgentPlan, ...]:
    """The agents, with the figures of their contracts' coins."""
    plans = [agent_plan(name, table, settles) for name, table in tables.items()]
    return tuple(plan.scaled(found.scales) for plan in plans)


def _scaled_indices(
    indices: Mapping[str, IndexPlan], tables: Mapping[str, IndexTable], found: Coins
) -> dict[str, IndexPlan]:
    """The indices, each with the warm-up of its coin."""
    result: dict[str, IndexPlan] = {}
    for name, plan in indices.items():
        table = scaled(tables[name], found.scales[name], f"index.{name}")
        result[name] = msgspec.structs.replace(plan, warm_up_volatility=table.warm_up_volatility)
    return result


def _with_calms(tables: Mapping[str, object], found: Coins) -> dict[str, object]:
    """The tables of the scenario with every calm that was measured, but without its rules."""
    calms = {name: msgspec.structs.asdict(calm) for name, calm in found.calms.items()}
    kept = {key: value for key, value in tables.items() if key != RULES}
    return {**kept, "calm": calms} if calms else kept


def _instrument(
    number: int,
    key: str,
    table: InstrumentTable,
    assets: Mapping[str, AssetSpec],
    rulebook: RulebookFile,
) -> InstrumentSpec:
    place = f"instruments.{key}"
    settle = table.settle or next(iter(assets))
    choice(f"{place}.settle", settle, assets)
    bounds = ("multiplier", "min_qty", "max_qty", "min_notional", "max_notional")
    given = {name: getattr(table, name) for name in bounds if getattr(table, name) is not None}
    try:
        return build_instrument_spec(
            instrument_id=number,
            symbol=table.symbol,
            kind=KINDS[table.kind],
            asset=assets[settle],
            tick=table.tick,
            lot=table.lot,
            margin=_margin(table, assets[settle], rulebook, f"{place}.margin"),
            band_ppb=to_ppb(table.band, "band"),
            max_open_orders=table.max_open_orders,
            **given,
        )
    except SettingFault:
        raise
    except ValueError as error:
        raise SettingFault(place, str(error)) from None


def _margin(
    table: InstrumentTable, asset: AssetSpec, rulebook: RulebookFile, place: str
) -> MarginSpec:
    """The rulebook's margin table, or the tiers of a ccxt file (inverse: converted at a price)."""
    tiers = table.margin
    path, symbol = tiers.ccxt_file, tiers.ccxt_symbol
    if path is None:
        for key in ("ccxt_symbol", "convert_at", "contract_value"):
            if getattr(tiers, key):
                raise SettingFault(f"{place}.{key}", "has no effect without ccxt_file")
        return rulebook.margin_spec(asset, tiers.symbol or table.symbol, table.lot)
    if not symbol:
        raise SettingFault(f"{place}.ccxt_symbol", "is missing; it must be given with ccxt_file")
    if tiers.symbol:
        raise SettingFault(f"{place}.symbol", "has no effect beside ccxt_file; give ccxt_symbol")
    price, worth = Decimal(tiers.convert_at or 0), Decimal(tiers.contract_value or 1)
    inverse = KINDS[table.kind] == INVERSE
    try:
        found = load_ccxt_tiers(path, symbol, _QUOTE if inverse else asset, worth)
        if inverse:
            found = inverse_tiers(found, _QUOTE, asset, price)
    except (OSError, ValueError) as error:
        raise SettingFault(f"{place}.ccxt_file", f"{path}: {error}") from None
    return MarginSpec(model="brackets", tiers=found)


def _contracts_as_money(instruments: Mapping[str, InstrumentTable]) -> Iterator[str]:
    """Margin tables that count contracts, without what a contract is worth."""
    for key, table in instruments.items():
        tiers = table.margin
        if tiers.ccxt_file is None or tiers.contract_value:
            continue
        if counts_contracts(read_ccxt_table(tiers.ccxt_file, tiers.ccxt_symbol)):
            yield f"instruments.{key}.margin: {tiers.ccxt_file}: {CONTRACTS_AS_MONEY}"


def _indices(tables: Mapping[str, IndexTable], names: list[str]) -> dict[str, IndexPlan]:
    unknown = f"no instrument of that name; instruments: {', '.join(names)}"
    return _paths(tables, "index", names, unknown, "every instrument needs an index path")


def _paths(
    tables: Mapping[str, PathTable], place: str, names: list[str], unknown: str, needed: str
) -> dict[str, IndexPlan]:
    """A path for every name, and for no other."""
    for key in tables:
        if key not in names:
            raise SettingFault(f"{place}.{key}", unknown)
    for key in names:
        if key not in tables:
            raise SettingFault(f"{place}.{key}", f"is missing: {needed}")
    return {key: index_plan(tables[key], f"{place}.{key}") for key in names}


def _collateral(
    rulebook: Rulebook,
    assets: Mapping[str, AssetSpec],
    instruments: Mapping[str, InstrumentSpec],
) -> dict[int, CollateralAsset]:
    """The rulebook's collateral among the scenario's assets, by asset id."""
    by_id = {asset.asset_id: asset for asset in assets.values()}
    settled = [spec.settle_asset_id for spec in instruments.values()]
    try:
        return collateral_assets(rulebook, by_id, settled, {})
    except ValueError as error:
        raise SettingFault("rulebook", str(error)) from None


def _asset_prices(
    tables: Mapping[str, PathTable],
    assets: Mapping[str, AssetSpec],
    collateral: Mapping[int, CollateralAsset],
) -> dict[str, IndexPlan]:
    """A price path for every asset that counts as collateral, by its name in the file."""
    counted = [name for name, asset in assets.items() if asset.asset_id in collateral]
    allowed = ", ".join(counted) or "none by this rulebook"
    unknown = f"no collateral of that name; assets that count: {allowed}"
    needed = "collateral counts for nothing without a price"
    return _paths(tables, "asset_prices", counted, unknown, needed)


def _check_time(time: TimePlan) -> None:
    tick_ns = time.tick_ns
    if time.duration_ns < tick_ns:
        problem = f"is too short; the least is a tick, {duration_text(tick_ns)}"
        raise SettingFault("time.duration", problem)
    for key, value in (("warm_up", time.warm_up_ns), ("duration", time.duration_ns)):
        if value % tick_ns:
            raise SettingFault(
                f"time.{key}", f"{value} ns is not a whole number of ticks of {tick_ns} ns"
            )
    if time.begin_ns < 0:
        raise SettingFault("time.warm_up", "starts before 1970; choose a later start")
    if time.end_ns > MAX_TIME_NS:
        raise SettingFault("time.start", "the run would end after 2261; choose an earlier start")


def _reference(plan: ReferencePlan | None, names: list[str]) -> ReferencePlan | None:
    if plan is None:
        return None
    instrument = plan.instrument or names[0]
    choice("reference.instrument", instrument, names)
    return msgspec.structs.replace(plan, instrument=instrument)


def _latency(table: dict[str, int] | None) -> Latency | None:
    if table is None:
        return None
    links = [name.removesuffix("_ns") for name in Latency.__struct_fields__]
    refuse_unknown(table, links, "latency")
    return Latency(*(table.get(link, 0) for link in links))
