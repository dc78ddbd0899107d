"""The market an exchange opens with, as the services' settings have it: decimals in quotes."""

from typing import Final

import msgspec

SOURCE_ID: Final[int] = 1
"""The source of index and asset prices that the clock speaks for."""


class AssetEntry(msgspec.Struct):
    """An asset to be listed. Without ``asset_id`` it is its place in the list, from 1."""

    symbol: str
    decimals: int = 6
    asset_id: int = 0


class InstrumentEntry(msgspec.Struct):
    """A perpetual contract to be listed; the fields are those of a scenario's instrument.

    Without ``instrument_id`` it is its place in the list, from 1. ``settle`` is an asset's symbol,
    the first asset when empty. ``margin_symbol`` names the margin table of the rulebook, the
    contract's own symbol when empty. ``index`` is the first index price; from there the clock
    walks it with ``index_step_ppm`` unless ``[[clock.index]]`` has the contract.
    """

    symbol: str
    tick: str
    lot: str = "1"
    instrument_id: int = 0
    kind: str = "linear"
    settle: str = ""
    multiplier: str = "1"
    min_qty: str | None = None
    max_qty: str | None = None
    min_notional: str = "0"
    max_notional: str = "0"
    band: str = "0"
    max_open_orders: int = 200
    margin_symbol: str = ""
    index: str = ""
    index_step_ppm: int = 300


class AccountEntry(msgspec.Struct):
    """Traders' accounts to be opened: ``count`` of them, from ``account_id`` on, all alike.

    ``deposit`` is an amount for each asset's symbol, ``leverage`` a whole number for each
    contract's, ``isolated`` the contracts held in pots of their own.
    """

    account_id: int
    count: int = 1
    deposit: dict[str, str] = {}
    leverage: dict[str, int] = {}
    isolated: list[str] = []


class MarketConfig(msgspec.Struct):
    """All of it. ``fund`` and ``backstop`` are what the house starts with, by asset."""

    rulebook: str = ""
    assets: list[AssetEntry] = []
    instruments: list[InstrumentEntry] = []
    accounts: list[AccountEntry] = []
    fund: dict[str, str] = {}
    backstop: dict[str, str] = {}

    @property
    def given(self) -> bool:
        """Whether there is anything to open."""
        return bool(
            self.rulebook
            or self.assets
            or self.instruments
            or self.accounts
            or self.fund
            or self.backstop
        )
