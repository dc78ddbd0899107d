"""What a market trades in: its assets and contracts, by name and by number."""

from typing import TypeVar

from engine.instruments import AssetSpec, InstrumentSpec
from engine.settings import unknown
from risk.accounts import pot_of

Spec = TypeVar("Spec", AssetSpec, InstrumentSpec)


class Listed:
    """The assets and contracts of a market, in the order in which they were added.

    Where no name is given the first one is meant.
    """

    def __init__(self) -> None:
        self.assets: dict[str, AssetSpec] = {}
        self.contracts: dict[str, InstrumentSpec] = {}

    def asset(self, name: str | None = None) -> AssetSpec:
        """An asset by its symbol.

        Raises:
            ValueError: there is none of that name.
        """
        if name is None:
            return next(iter(self.assets.values()))
        return _found("asset", name, self.assets)

    def contract(self, name: str | None = None) -> InstrumentSpec:
        """A contract by its symbol.

        Raises:
            ValueError: there is none of that name.
        """
        if name is None:
            return next(iter(self.contracts.values()))
        return _found("contract", name, self.contracts)

    def asset_of_id(self, asset_id: int) -> AssetSpec:
        """The asset with this number."""
        return list(self.assets.values())[asset_id]

    def contract_of_id(self, instrument_id: int) -> InstrumentSpec:
        """The contract with this number."""
        return list(self.contracts.values())[instrument_id]

    def settled_in(self, instrument_id: int) -> AssetSpec:
        """The asset a contract settles in."""
        return self.asset_of_id(self.contract_of_id(instrument_id).settle_asset_id)

    def asset_of_pot(self, margin_account_id: int) -> AssetSpec:
        """The asset a margin account is kept in."""
        asset_id, instrument_id = pot_of(margin_account_id)
        return self.settled_in(instrument_id) if asset_id < 0 else self.asset_of_id(asset_id)

    def isolated_contract(self, margin_account_id: int) -> str | None:
        """The contract of an isolated pot; None for a cross account."""
        _, instrument_id = pot_of(margin_account_id)
        return None if instrument_id < 0 else self.contract_of_id(instrument_id).symbol


def _found(what: str, name: str, there: dict[str, Spec]) -> Spec:
    if name not in there:
        raise ValueError(f"{what} {name!r} {unknown(name, there)}")
    return there[name]
