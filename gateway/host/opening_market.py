"""Opening a market from the services' settings: the commands that list it, in order.

They are ordinary commands of a client with the right ``admin``: nothing else lists or funds.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from engine.commands import (
    AddAsset,
    AddInstrument,
    AdvanceTime,
    Command,
    Deposit,
    IndexPrice,
    OpenAccount,
    SetLeverage,
    SetMarginMode,
    SetRulebook,
)
from engine.instruments import (
    KIND_NAMES,
    AssetSpec,
    InstrumentSpec,
    build_instrument_spec,
)
from engine.services.market_config import SOURCE_ID, AccountEntry, InstrumentEntry, MarketConfig
from engine.services.service_config import ConfigError, IndexConfig
from engine.units import to_grid, to_ppb
from risk.accounts import BACKSTOP, FIRST_TRADER, FUND
from risk.rulebook_file import RulebookFile, load_rulebook

MAX_ACCOUNTS: Final[int] = 100_000
"""Most accounts of one entry; more are a program's work."""

Spec = TypeVar("Spec")

KINDS: Final[dict[str, int]] = {name: kind for kind, name in KIND_NAMES.items()}


class SettingsCommand(NamedTuple):
    """A command and the place in the settings that asks for it."""

    place: str
    command: Command


class OpeningMarket:
    """What the settings list, checked and in integers.

    ``file`` opens every error; a rulebook's path is relative to it. ``assets`` and ``instruments``
    are those the accounts go by where something else lists them.

    Raises:
        ConfigError: a figure is no decimal or off its grid, a name is unknown or given twice.
    """

    def __init__(
        self,
        market: MarketConfig,
        file: str,
        assets: Mapping[str, AssetSpec] | None = None,
        instruments: Mapping[str, InstrumentSpec] | None = None,
    ) -> None:
        self._market = market
        self._file = file
        self.rulebook = self._load_rulebook()
        self.assets = self._read_assets() if assets is None else assets
        self.instruments = self._read_instruments() if instruments is None else instruments

    def steps(self) -> list[SettingsCommand]:
        """The commands, in the order they depend on each other.

        Raises:
            ConfigError: an account asks for what is not listed.
        """
        found = [
            SettingsCommand(f"assets.{symbol}", AddAsset(0, asset))
            for symbol, asset in self.assets.items()
        ]
        if self.rulebook is not None:
            rules = SetRulebook(0, self.rulebook.rulebook.to_json())
            found.append(SettingsCommand("rulebook", rules))
        for symbol, spec in self.instruments.items():
            found.append(SettingsCommand(f"instruments.{symbol}", AddInstrument(0, spec)))
        found += self._house()
        found += self._prices()
        return [*found, *self.account_steps()]

    def account_steps(self) -> Iterator[SettingsCommand]:
        """The commands that open the accounts.

        Raises:
            ConfigError: an account asks for what is not listed.
        """
        for number, entry in enumerate(self._market.accounts, 1):
            yield from self._accounts(f"accounts[{number}]", entry)

    def _fail(self, place: str, error: object) -> ConfigError:
        return ConfigError(f"{self._file}: {place}: {error}")

    def _load_rulebook(self) -> RulebookFile | None:
        name = self._market.rulebook
        if not name:
            if self._market.instruments:
                raise self._fail("rulebook", "is missing; instruments need one")
            return None
        if "/" in name or name.endswith(".toml"):
            name = str(Path(self._file).parent / name)
        try:
            return load_rulebook(name)
        except (OSError, ValueError) as error:
            raise self._fail("rulebook", error) from None

    def _read_assets(self) -> dict[str, AssetSpec]:
        found: dict[str, AssetSpec] = {}
        for number, entry in enumerate(self._market.assets, 1):
            place = f"assets[{number}]"
            if not entry.symbol or entry.symbol in found:
                raise self._fail(place, f"symbol {entry.symbol!r} is empty or there twice")
            if not 0 <= entry.decimals <= 18:
                raise self._fail(place, f"decimals is {entry.decimals}; allowed: 0 to 18")
            found[entry.symbol] = AssetSpec(entry.asset_id or number, entry.symbol, entry.decimals)
        return found

    def _read_instruments(self) -> dict[str, InstrumentSpec]:
        found: dict[str, InstrumentSpec] = {}
        for number, entry in enumerate(self._market.instruments, 1):
            place = f"instruments[{number}]"
            if not entry.symbol or entry.symbol in found:
                raise self._fail(place, f"symbol {entry.symbol!r} is empty or there twice")
            try:
                found[entry.symbol] = self._instrument(entry.instrument_id or number, entry)
            except ConfigError:
                raise
            except ValueError as error:
                raise self._fail(place, error) from None
        return found

    def _instrument(self, instrument_id: int, entry: InstrumentEntry) -> InstrumentSpec:
        asset = self._asset("settle", entry.settle or next(iter(self.assets), ""))
        assert self.rulebook is not None, "instruments were refused without a rulebook"
        return listed_instrument(instrument_id, entry, asset, self.rulebook)

    def _asset(self, place: str, symbol: str) -> AssetSpec:
        return _known(place, symbol, self.assets)

    def _amounts(self, place: str, amounts: Mapping[str, str]) -> Iterator[tuple[int, int]]:
        """Asset ids and quanta; amounts of 0 are left out."""
        for symbol, text in amounts.items():
            try:
                asset = self._asset(place, symbol)
                amount_q = to_grid(text, asset.quantum, f"{place}.{symbol}")
                if amount_q < 0:
                    raise ValueError(f"{place}.{symbol} is {text}; it must be 0 or more")
            except ValueError as error:
                raise ConfigError(f"{self._file}: {error}") from None
            if amount_q:
                yield asset.asset_id, amount_q

    def _house(self) -> Iterator[SettingsCommand]:
        for place, account_id, amounts in (
            ("fund", FUND, self._market.fund),
            ("backstop", BACKSTOP, self._market.backstop),
        ):
            for asset_id, amount_q in self._amounts(place, amounts):
                yield SettingsCommand(place, Deposit(0, account_id, asset_id, amount_q))

    def _prices(self) -> Iterator[SettingsCommand]:
        """First index prices, and a tick of the clock that makes marks of them."""
        priced = False
        for walk in self.walks():
            place = f"index of instrument {walk.instrument_id}"
            yield SettingsCommand(
                place, IndexPrice(0, walk.instrument_id, SOURCE_ID, walk.start_ticks)
            )
            priced = True
        if priced:
            yield SettingsCommand("index", AdvanceTime(0))

    def walks(self) -> Iterator[IndexConfig]:
        """The walk of the index of every contract that has a first price.

        Raises:
            ConfigError: a price is no decimal, off the grid or not positive.
        """
        for number, entry in enumerate(self._market.instruments, 1):
            if not entry.index:
                continue
            spec = self.instruments[entry.symbol]
            place = f"instruments[{number}].index"
            try:
                ticks = to_grid(entry.index, spec.tick_size, place)
            except ValueError as error:
                raise ConfigError(f"{self._file}: {error}") from None
            if ticks < 1:
                raise self._fail(place, f"is {entry.index}; it must be positive")
            yield IndexConfig(spec.instrument_id, ticks, entry.index_step_ppm)

    def _accounts(self, place: str, entry: AccountEntry) -> Iterator[SettingsCommand]:
        if entry.account_id < FIRST_TRADER:
            text = f"account_id is {entry.account_id}; ids below {FIRST_TRADER} are the house's"
            raise self._fail(place, text)
        if not 1 <= entry.count <= MAX_ACCOUNTS:
            raise self._fail(place, f"count is {entry.count}; allowed: 1 to {MAX_ACCOUNTS}")
        deposits = list(self._amounts(f"{place}.deposit", entry.deposit))
        try:
            settings = self._settings(entry)
        except ValueError as error:
            raise self._fail(place, error) from None
        for account_id in range(entry.account_id, entry.account_id + entry.count):
            yield SettingsCommand(place, OpenAccount(0, account_id))
            for asset_id, amount_q in deposits:
                yield SettingsCommand(place, Deposit(0, account_id, asset_id, amount_q))
            for make in settings:
                yield SettingsCommand(place, make(account_id))

    def _settings(self, entry: AccountEntry) -> list[Callable[[int], Command]]:
        """What each account chooses for its contracts; called with the account's id."""
        found: list[Callable[[int], Command]] = []
        for symbol in entry.isolated:
            spec = _known("isolated", symbol, self.instruments)
            found.append(_isolated(spec.instrument_id))
        for symbol, leverage in entry.leverage.items():
            spec = _known("leverage", symbol, self.instruments)
            found.append(_leverage(spec.instrument_id, leverage))
        return found


def listed_instrument(
    instrument_id: int, entry: InstrumentEntry, asset: AssetSpec, rulebook: RulebookFile
) -> InstrumentSpec:
    """A contract in integers, with its margin table from a rulebook.

    Raises:
        ValueError: a figure is no decimal or off its grid, or the table does not fit.
    """
    if entry.kind not in KINDS:
        raise ValueError(f"kind is {entry.kind!r}; allowed: {', '.join(KINDS)}")
    return build_instrument_spec(
        instrument_id=instrument_id,
        symbol=entry.symbol,
        kind=KINDS[entry.kind],
        asset=asset,
        tick=entry.tick,
        lot=entry.lot,
        multiplier=entry.multiplier,
        min_qty=entry.min_qty,
        max_qty=entry.max_qty,
        min_notional=entry.min_notional,
        max_notional=entry.max_notional,
        band_ppb=to_ppb(entry.band, "band"),
        max_open_orders=entry.max_open_orders,
        margin=rulebook.margin_spec(asset, entry.margin_symbol or entry.symbol, entry.lot),
    )


def _isolated(instrument_id: int) -> Callable[[int], Command]:
    return lambda account_id: SetMarginMode(0, account_id, instrument_id, True)


def _leverage(instrument_id: int, leverage: int) -> Callable[[int], Command]:
    return lambda account_id: SetLeverage(0, account_id, instrument_id, leverage)


def _known(place: str, symbol: str, listed: Mapping[str, Spec]) -> Spec:
    if symbol not in listed:
        allowed = ", ".join(listed) or "none is listed"
        raise ValueError(f"{place}: {symbol!r} is not listed; allowed: {allowed}")
    return listed[symbol]
