"""A scenario: everything a run depends on, validated before anything starts.

`load_scenario` reads a built-in name or a TOML file with its overrides and answers a `Scenario`;
whatever is wrong is a `ScenarioError` that names file, key, value and what is allowed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    InstrumentSpec,
    MarginSpec,
    build_instrument_spec,
)
from engine.routing.bus import Latency
from engine.settings import told
from engine.toml_lines import find_line
from engine.units import to_ppb
from risk.collateral import CollateralAsset, collateral_assets
from risk.margin.ccxt_tiers import inverse_tiers, load_ccxt_tiers
from risk.rulebook import Rulebook
from risk.rulebook_file import RulebookFile
from seawall.agents import AgentPlan, read_agent_plan
from seawall.index_csv import CANDLES_CSV, TRADES_CSV
from seawall.index_path import IndexPlan, TimePlan, read_index_plan
from seawall.population import PopulationPlan, read_population_plan
from seawall.scenario_fields import MAX_TIME_NS, Fields, ScenarioError
from seawall.scenario_file import apply_overrides, find_scenario, load_tables
from seawall.scenario_merge import RULES, without_marks
from seawall.scenario_rulebook import read_rulebook
from seawall.toml_writer import toml_value

KINDS = {"linear": LINEAR, "inverse": INVERSE}
_QUOTE = AssetSpec(asset_id=0, symbol="quote", decimals=8)


class OutputPlan(msgspec.Struct, frozen=True):
    """What is recorded and how often; the ratio sample is a fixed draw of accounts."""

    sample_ns: int
    ratio_sample_ns: int
    ratio_sample_accounts: int
    publish_depth: bool
    check_invariants_every: int


class ReferencePlan(msgspec.Struct, frozen=True):
    """Real trades of the contract, which the report sets beside the simulated ones."""

    label: str
    instrument: str
    file: Path
    kind: str


class Scenario(msgspec.Struct, frozen=True):
    """A validated scenario. ``instruments`` and ``assets`` are keyed by their name in the file;
    fund and backstop seeds are in the quote currency, like the population's wealth. ``collateral``
    are the assets that count in another one, by id, at no price yet. ``source`` is the name or path
    it was asked for by; ``tables`` are all its values with the overrides laid on top, and
    ``rulebook_text`` is the TOML of its rules, so that it can be written down and run again."""

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
    population: tuple[PopulationPlan, ...]
    agents: tuple[AgentPlan, ...]
    output: OutputPlan
    reference: ReferencePlan | None
    source: str
    overrides: tuple[str, ...]
    tables: Mapping[str, object]
    rulebook_text: str

    @property
    def accounts(self) -> int:
        """How many margined accounts the population has."""
        return sum(group.accounts for group in self.population)


def load_scenario(
    name_or_path: str | Path, overrides: Sequence[str] | Mapping[str, object] = ()
) -> Scenario:
    """Read, merge and validate a scenario; ``overrides`` are ``key.path=value``, or values by key.

    Raises:
        ScenarioError: anything is wrong with it; nothing has run.
    """
    if isinstance(overrides, Mapping):
        overrides = [f"{key}={_written(value)}" for key, value in overrides.items()]
    path = find_scenario(name_or_path)
    tables = apply_overrides(load_tables(path), overrides)
    rules = tables.get(RULES)
    tables = without_marks(tables)
    if rules is not None:
        tables[RULES] = rules  # its marks are for the rulebook that it is laid over
    try:
        scenario = parse_scenario(tables, str(path), path.stem)
    except ScenarioError as error:
        text = path.read_text(encoding="utf-8")
        set_by_hand = any(each.startswith(error.place) for each in overrides)
        if not error.place or set_by_hand or find_line(text, "extends"):
            raise  # what is wrong may stand in another place than this file
        raise ScenarioError(
            told(str(path), text, error.place, error.problem), error.place, error.problem
        ) from None
    return msgspec.structs.replace(scenario, source=str(name_or_path), overrides=tuple(overrides))


def _written(value: object) -> str:
    """A value of Python as an override has it."""
    return value if isinstance(value, str) else toml_value(value)


def parse_scenario(tables: Mapping[str, object], file: str, name: str) -> Scenario:
    """A scenario from tables (see `load_scenario`); ``file`` opens every message.

    Raises:
        ScenarioError: a field is wrong, missing or unknown.
    """
    fields = Fields(tables, file)
    rulebook, rulebook_text = read_rulebook(fields)
    assets = _read_assets(fields)
    instruments = {
        key: _read_instrument(number, part, assets, rulebook)
        for number, (key, part) in enumerate(fields.tables("instruments", required=True).items())
    }
    names = list(instruments)
    collateral = _read_collateral(fields, rulebook.rulebook, assets, instruments)
    counted = {
        key: [
            name
            for name, asset in assets.items()
            if asset.asset_id in collateral
            and collateral[asset.asset_id].margin_asset_id == spec.settle_asset_id
        ]
        for key, spec in instruments.items()
    }
    time = _read_time(fields.table("time"))
    house = fields.table("house")
    scenario = Scenario(
        name=fields.text("name", name),
        title=fields.text("title", name),
        description=fields.text("description", ""),
        file=file,
        notes=tuple(fields.texts("notes")),
        seed=fields.integer("seed", 1, low=0, high=2**63 - 1),
        rulebook=rulebook.rulebook,
        assets=assets,
        collateral=collateral,
        instruments=instruments,
        indices=_read_indices(fields, names),
        asset_prices=_read_asset_prices(fields, assets, collateral),
        time=time,
        latency=_read_latency(fields),
        fund=_money(house, "fund"),
        backstop=_money(house, "backstop"),
        population=tuple(
            read_population_plan(key, part, names, counted)
            for key, part in fields.tables("population").items()
        ),
        agents=tuple(
            read_agent_plan(key, part, names) for key, part in fields.tables("agents").items()
        ),
        output=_read_output(fields.table("output")),
        reference=_read_reference(fields, names),
        source=file,
        overrides=(),
        tables={key: value for key, value in tables.items() if key != RULES},
        rulebook_text=rulebook_text,
    )
    house.close()
    fields.close()
    return scenario


def _read_assets(fields: Fields) -> dict[str, AssetSpec]:
    assets: dict[str, AssetSpec] = {}
    for number, (key, part) in enumerate(fields.tables("assets", required=True).items()):
        assets[key] = AssetSpec(
            asset_id=number,
            symbol=part.text("symbol", key),
            decimals=part.integer("decimals", 6, high=18),
        )
        part.close()
    return assets


def _read_instrument(
    number: int,
    fields: Fields,
    assets: Mapping[str, AssetSpec],
    rulebook: RulebookFile,
) -> InstrumentSpec:
    asset = assets[fields.choice("settle", list(assets), next(iter(assets)))]
    kind = KINDS[fields.choice("kind", tuple(KINDS), "linear")]
    symbol = fields.text("symbol")
    lot = fields.decimal("lot", "1")
    given = {
        key: fields.decimal(key)
        for key in ("multiplier", "min_qty", "max_qty", "min_notional", "max_notional")
        if fields.raw(key) is not None
    }
    try:
        spec = build_instrument_spec(
            instrument_id=number,
            symbol=symbol,
            kind=kind,
            asset=asset,
            tick=fields.decimal("tick"),
            lot=lot,
            margin=_read_margin(fields.table("margin"), kind, asset, rulebook, (symbol, lot)),
            band_ppb=to_ppb(fields.decimal("band", "0"), "band"),
            max_open_orders=fields.integer("max_open_orders", 200, low=1, high=100_000),
            **given,
        )
    except ScenarioError:
        raise
    except ValueError as error:
        raise fields.fail("", str(error)) from None
    fields.close()
    return spec


def _read_margin(
    fields: Fields, kind: int, asset: AssetSpec, rulebook: RulebookFile, listing: tuple[str, str]
) -> MarginSpec:
    """The rulebook's margin table, or the tiers of a ccxt file (inverse: converted at a price)."""
    if not fields.has("ccxt_file"):
        symbol, lot = listing
        spec = rulebook.margin_spec(asset, fields.text("symbol", symbol), lot)
        fields.close(["ccxt_file", "ccxt_symbol", "convert_at"])
        return spec
    path = Path(fields.text("ccxt_file"))
    symbol = fields.text("ccxt_symbol")
    price = Decimal(fields.decimal("convert_at", "0"))
    fields.close()
    try:
        if kind == INVERSE:
            tiers = inverse_tiers(load_ccxt_tiers(path, symbol, _QUOTE), _QUOTE, asset, price)
        else:
            tiers = load_ccxt_tiers(path, symbol, asset)
    except (OSError, ValueError) as error:
        raise fields.fail("ccxt_file", f"{path}: {error}") from None
    return MarginSpec(model="brackets", tiers=tiers)


def _read_indices(fields: Fields, names: list[str]) -> dict[str, IndexPlan]:
    tables = fields.tables("index", required=True)
    for key, part in tables.items():
        if key not in names:
            raise part.fail("", f"no instrument of that name; instruments: {', '.join(names)}")
    for key in names:
        if key not in tables:
            raise fields.fail(f"index.{key}", "is missing: every instrument needs an index path")
    return {key: read_index_plan(tables[key]) for key in names}


def _read_collateral(
    fields: Fields,
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
        raise fields.fail("rulebook", str(error)) from None


def _read_asset_prices(
    fields: Fields, assets: Mapping[str, AssetSpec], collateral: Mapping[int, CollateralAsset]
) -> dict[str, IndexPlan]:
    """A price path for every asset that counts as collateral, by its name in the file."""
    tables = fields.tables("asset_prices")
    counted = [name for name, asset in assets.items() if asset.asset_id in collateral]
    for key, part in tables.items():
        if key not in counted:
            allowed = ", ".join(counted) or "none by this rulebook"
            raise part.fail("", f"no collateral of that name; assets that count: {allowed}")
    for key in counted:
        if key not in tables:
            raise fields.fail(
                f"asset_prices.{key}", "is missing: collateral counts for nothing without a price"
            )
    return {key: read_index_plan(tables[key]) for key in counted}


def _read_time(fields: Fields) -> TimePlan:
    start = _read_start(fields)
    tick_ns = fields.duration("tick", "1s", low_ns=1_000_000)
    time = TimePlan(
        start_ns=start,
        warm_up_ns=fields.duration("warm_up", "0s"),
        duration_ns=fields.duration("duration", low_ns=tick_ns),
        tick_ns=tick_ns,
    )
    for key, value in (("warm_up", time.warm_up_ns), ("duration", time.duration_ns)):
        if value % tick_ns:
            raise fields.fail(key, f"{value} ns is not a whole number of ticks of {tick_ns} ns")
    if time.begin_ns < 0:
        raise fields.fail("warm_up", "starts before 1970; choose a later start")
    if time.end_ns > MAX_TIME_NS:
        raise fields.fail("start", "the run would end after 2261; choose an earlier start")
    fields.close()
    return time


def _read_start(fields: Fields) -> int:
    text = fields.text("start", "2025-01-01T00:00:00Z")
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise fields.fail(
            "start", f"{text!r} must be a UTC time like 2025-10-10T20:45:00Z"
        ) from None
    if start.tzinfo is None or start.utcoffset() != UTC.utcoffset(None):
        raise fields.fail("start", f"{text!r} must be UTC: end it with Z")
    whole = start.replace(microsecond=0)
    return int(whole.timestamp()) * 10**9 + start.microsecond * 1_000


def _read_latency(fields: Fields) -> Latency | None:
    if not fields.has("latency"):
        return None
    part = fields.table("latency")
    links = [name.removesuffix("_ns") for name in Latency.__struct_fields__]
    latency = Latency(*(part.duration(link, "0s") for link in links))
    part.close()
    return latency


def _read_output(fields: Fields) -> OutputPlan:
    plan = OutputPlan(
        sample_ns=fields.duration("sample_every", "5s", low_ns=1_000_000),
        ratio_sample_ns=fields.duration("ratio_sample_every", "60s", low_ns=1_000_000),
        ratio_sample_accounts=fields.integer("ratio_sample_accounts", 300, high=100_000),
        publish_depth=fields.flag("publish_depth"),
        check_invariants_every=fields.integer("check_invariants_every", 0),
    )
    fields.close()
    return plan


def _read_reference(fields: Fields, names: list[str]) -> ReferencePlan | None:
    if not fields.has("reference"):
        return None
    part = fields.table("reference")
    plan = ReferencePlan(
        label=part.text("label"),
        instrument=part.choice("instrument", names, names[0]),
        file=Path(part.text("file")),
        kind=part.choice("kind", (TRADES_CSV, CANDLES_CSV), TRADES_CSV),
    )
    part.close()
    return plan


def _money(fields: Fields, key: str) -> Decimal:
    value = Decimal(fields.decimal(key, "0"))
    if value < 0:
        raise fields.fail(key, f"{value} must be 0 or more, in the quote currency")
    return value
