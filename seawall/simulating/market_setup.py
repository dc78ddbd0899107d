"""Opening a market: the commands that list it, fund the house and open every account."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from engine.commands import (
    AddAsset,
    AddInstrument,
    Command,
    Deposit,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetRulebook,
)
from engine.instruments import INVERSE, AssetSpec, Instrument
from engine.units import PPB
from risk.accounts import BACKSTOP, FUND
from risk.margin import build_margin_model
from risk.margin.model import MarginModel
from seawall.agents.base import Agent
from seawall.agents.view import MarketView
from seawall.profiles import TraderProfile
from seawall.scenario import Scenario


class Entry:
    """What a trader brings and wants: deposit and reserve in quanta; leverage and target in lots of
    each of its contracts.

    ``collateral_q`` is what it brings in its collateral asset (0 without one).
    """

    __slots__ = ("collateral_q", "deposit_q", "leverages", "reserve_q", "target_lots")

    def __init__(
        self,
        deposit_q: int,
        collateral_q: int,
        reserve_q: int,
        leverages: list[int],
        target_lots: list[int],
    ) -> None:
        self.deposit_q = deposit_q
        self.collateral_q = collateral_q
        self.reserve_q = reserve_q
        self.leverages = leverages
        self.target_lots = target_lots


class EntryPlanner:
    """Turns profiles into entries at the first index prices of their instruments, and the first
    price of their collateral (parts per billion, by name)."""

    def __init__(
        self,
        scenario: Scenario,
        first_ticks: Mapping[str, int],
        first_prices_ppb: Mapping[str, int],
    ) -> None:
        self._first_ticks = first_ticks
        self._first_prices_ppb = first_prices_ppb
        self._assets = scenario.assets
        self._collateral = scenario.collateral
        self._contracts = {name: Instrument(spec) for name, spec in scenario.instruments.items()}
        self._models: dict[str, MarginModel] = {
            name: build_margin_model(spec.margin) for name, spec in scenario.instruments.items()
        }

    def plan(self, profile: TraderProfile, views: Mapping[str, MarketView]) -> Entry:
        """Size the positions; money is in the asset that all of them settle in."""
        first = profile.instruments[0][0]
        view = views[first]
        price = self._first_ticks[first]
        held = profile.wealth * profile.collateral_share
        counted = profile.wealth - held * self._haircut(profile)
        leverages: list[int] = []
        target_lots: list[int] = []
        for name, share in profile.instruments:
            margin = counted * profile.utilisation * share
            leverage, lots = self._sized(name, views[name], margin, profile.leverage)
            leverages.append(leverage)
            target_lots.append(lots)
        deposit_q = view.settle_q(profile.wealth - held, price)
        collateral_q = self._collateral_q(profile, view.settle_q(held, price), view.asset)
        reserve_q = view.settle_q(profile.reserve, price)
        return Entry(deposit_q, collateral_q, reserve_q, leverages, target_lots)

    def _sized(self, name: str, view: MarketView, margin: float, leverage: int) -> tuple[int, int]:
        """Leverage and lots of a position for so much margin in quote currency; leverage is cut to
        what the margin table allows for that size."""
        price = self._first_ticks[name]
        contract = self._contracts[name]
        model = self._models[name]
        while True:
            lots = view.lots(margin * leverage, price)
            allowed = model.max_leverage(contract.notional_q(lots, price)) if lots else leverage
            if allowed >= leverage:
                break
            leverage = max(1, allowed)
        return leverage, lots if lots >= contract.min_lots else 0

    def _haircut(self, profile: TraderProfile) -> float:
        if not profile.collateral:
            return 0.0
        asset = self._collateral[self._assets[profile.collateral].asset_id]
        return asset.haircut_ppb / PPB

    def _collateral_q(self, profile: TraderProfile, value_q: int, settle: AssetSpec) -> int:
        """Quanta of the trader's collateral worth ``value_q`` of the settlement asset, rounded
        down."""
        if not profile.collateral:
            return 0
        unit_q: int = 10 ** self._assets[profile.collateral].decimals
        price_q: int = self._first_prices_ppb[profile.collateral] * 10**settle.decimals
        return value_q * PPB * unit_q // price_q


def market_commands(scenario: Scenario, time_ns: int) -> Iterator[Command]:
    """Assets, rulebook and instruments, in the order they depend on each other."""
    for asset in scenario.assets.values():
        yield AddAsset(time_ns, asset)
    yield SetRulebook(time_ns, scenario.rulebook.to_json())
    for spec in scenario.instruments.values():
        yield AddInstrument(time_ns, spec)


def house_commands(
    scenario: Scenario, time_ns: int, first_ticks: Mapping[str, int]
) -> Iterator[Command]:
    """Seed money of fund and backstop in each settlement asset, at the first index price."""
    funded: dict[int, str] = {}
    for name, spec in scenario.instruments.items():
        funded.setdefault(spec.settle_asset_id, name)
    for asset in scenario.assets.values():
        if asset.asset_id not in funded:
            continue
        name = funded[asset.asset_id]
        spec = scenario.instruments[name]
        price = first_ticks[name] * spec.tick_size if spec.kind == INVERSE else Decimal(1)
        for account_id, amount in ((FUND, scenario.fund), (BACKSTOP, scenario.backstop)):
            amount_q = int(amount / price / asset.quantum)  # rounded down
            if amount_q:
                yield Deposit(time_ns, account_id, asset.asset_id, amount_q)


def trader_commands(
    profile: TraderProfile,
    entry: Entry,
    views: Mapping[str, MarketView],
    assets: Mapping[str, AssetSpec],
    time_ns: int,
) -> Iterator[Command]:
    """Open and fund one trader's account, with its margin mode and leverages."""
    account_id = profile.account_id
    traded = [views[name] for name, _ in profile.instruments]
    yield OpenAccount(time_ns, account_id)
    if entry.deposit_q > 0:
        yield Deposit(time_ns, account_id, traded[0].asset.asset_id, entry.deposit_q)
    if entry.collateral_q > 0:
        asset_id = assets[profile.collateral].asset_id
        yield Deposit(time_ns, account_id, asset_id, entry.collateral_q)
    for view, leverage in zip(traded, entry.leverages, strict=True):
        if profile.isolated:
            yield SetMarginMode(time_ns, account_id, view.instrument_id, True)
        yield SetLeverage(time_ns, account_id, view.instrument_id, leverage)


def agent_commands(agent: Agent, first_ticks: int, time_ns: int) -> Iterator[Command]:
    """Open and fund one agent's account."""
    view = agent.view
    yield OpenAccount(time_ns, agent.account_id)
    amount_q = view.settle_q(agent.capital, first_ticks)
    if amount_q > 0:
        yield Deposit(time_ns, agent.account_id, view.asset.asset_id, amount_q)
    for traded, leverage in agent.markets():
        yield SetLeverage(time_ns, agent.account_id, traded.instrument_id, leverage)
