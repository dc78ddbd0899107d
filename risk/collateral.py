"""Assets that count as collateral in another one: their price, their haircut, their value.

A price is what one whole unit of the asset costs in whole units of the margin asset, in parts per
billion. A balance counts at its value less the haircut, rounded down; a debt at its full value,
rounded against the account: a haircut never makes a debt smaller.
"""

from collections.abc import Collection, Mapping
from math import gcd
from typing import Any, Final

from engine.instruments import AssetSpec
from engine.units import PPB, scale_down, scale_up
from risk.frontier import Frontier
from risk.prices.index_price import Index
from risk.rulebook import IndexRule, Rulebook

MAX_PRICE_PPB: Final[int] = 10**9 * PPB
"""A whole unit may cost at most a thousand million units of the margin asset."""

NO_PRICE: Final[int] = -1
NO_LIMIT: Final[int] = -1


class CollateralAsset:
    """An asset that counts in the accounts of `margin_asset_id`, with its price and frontier.

    `price_ppb` is 0 while unknown: the asset then counts for nothing. `place` is the asset's place
    in the rulebook's list, in which collateral is exchanged; `debt_limit_q` the debt in the margin
    asset beyond which that is done at once (`NO_LIMIT`: only in liquidation).
    """

    __slots__ = (
        "_credit",
        "_credit_per",
        "_debit",
        "_debit_per",
        "_unit",
        "_unit_per",
        "asset_id",
        "debt_limit_q",
        "frontier",
        "haircut_ppb",
        "index",
        "margin_asset_id",
        "place",
        "price_ppb",
    )

    def __init__(
        self,
        asset: AssetSpec,
        margin_asset: AssetSpec,
        haircut_ppb: int,
        index: IndexRule,
        place: int = 0,
        debt_limit: int = 0,
    ) -> None:
        self.asset_id: int = asset.asset_id
        self.margin_asset_id: int = margin_asset.asset_id
        self.haircut_ppb = haircut_ppb
        self.place = place
        self.debt_limit_q = debt_limit * 10**margin_asset.decimals if debt_limit else NO_LIMIT
        self.index = Index(index)
        self.frontier = Frontier()
        # A quantum of the asset is worth price x unit / unit_per quanta of the margin asset.
        self._unit: int = 10**margin_asset.decimals
        self._unit_per: int = PPB * 10**asset.decimals
        self.set_price(0)

    def index_with(self, source_id: int, price_ppb: int, time_ns: int, rule: IndexRule) -> Index:
        """A copy of the index that has one more price."""
        index = Index(rule)
        index.restore(self.index.state())
        index.update(source_id, price_ppb, time_ns)
        return index

    def set_price(self, price_ppb: int) -> None:
        """Put a price in force (0: unknown)."""
        self.price_ppb = price_ppb
        value = price_ppb * self._unit
        self._debit, self._debit_per = _lowest(value, self._unit_per)
        kept_ppb = PPB - self.haircut_ppb
        self._credit, self._credit_per = _lowest(value * kept_ppb, self._unit_per * PPB)

    def value_q(self, amount_q: int) -> int:
        """What a balance counts for in quanta of the margin asset, rounded down.

        ``min(value, value x (1 - haircut))``, after Binance's portfolio margin.
        """
        if amount_q > 0:
            return scale_down(amount_q, self._credit, self._credit_per)
        return scale_down(amount_q, self._debit, self._debit_per)

    def full_value_q(self, amount_q: int) -> int:
        """Value at the index, without the haircut, rounded down."""
        return scale_down(amount_q, self._debit, self._debit_per)

    def value_at_q(self, amount_q: int, price_ppb: int) -> int:
        """The same at another price."""
        return scale_down(amount_q, price_ppb * self._unit, self._unit_per)

    def amount_for_q(self, value_q: int) -> int:
        """The smallest balance that counts for at least ``value_q`` (not negative).

        Needs a price.
        """
        return scale_up(value_q, self._credit_per, self._credit)

    def band(self, amount_q: int, fall_q: int, rise_q: int) -> tuple[int, int]:
        """Prices between which a balance loses at most ``fall_q`` and gains at most ``rise_q``.

        Both are in parts per billion and rounded towards the price; a negative room, and a low
        price that no price is below, gives -1.
        """
        per = self._unit_per * PPB
        each = amount_q * self._unit * (PPB - self.haircut_ppb)
        low_ppb = high_ppb = NO_PRICE
        if fall_q >= 0:
            low_ppb = self.price_ppb - scale_down(fall_q, per, each)
        if rise_q >= 0:
            high_ppb = self.price_ppb + scale_down(rise_q, per, each)
        return (low_ppb if low_ppb > 0 else NO_PRICE), high_ppb

    def first_price_below(self, amount_q: int, value_q: int) -> int:
        """The highest price at which a balance counts for less than ``value_q``; -1 if none."""
        if value_q <= 0:
            return NO_PRICE
        each = amount_q * self._unit * (PPB - self.haircut_ppb)
        price_ppb = scale_up(value_q, self._unit_per * PPB, each) - 1
        return price_ppb if price_ppb > 0 else NO_PRICE

    def state(self) -> list[Any]:
        """Price and samples, for hashes and snapshots."""
        return [self.asset_id, self.margin_asset_id, self.price_ppb, self.index.state()]


def _lowest(numerator: int, denominator: int) -> tuple[int, int]:
    """A fraction in lowest terms, so that its products fit a machine word where they can."""
    common = gcd(numerator, denominator)
    return numerator // common, denominator // common


def collateral_assets(
    rulebook: Rulebook,
    assets: Mapping[int, AssetSpec],
    settled: Collection[int],
    before: Mapping[int, CollateralAsset],
) -> dict[int, CollateralAsset]:
    """The rulebook's collateral by asset id, as far as its assets are known; prices are kept.

    ``settled`` are the assets that instruments settle in, ``before`` is what was in force.

    Raises:
        ValueError: a name stands for two assets, or an asset of the list settles an instrument.
    """
    found: dict[int, CollateralAsset] = {}
    for rule in rulebook.collateral:
        margin_asset = _named(rule.margin_asset, assets)
        for place, entry in enumerate(rule.assets):
            asset = _named(entry.asset, assets)
            if asset is None or margin_asset is None:
                continue
            if asset.asset_id in settled:
                raise ValueError(
                    f"collateral: {entry.asset} settles an instrument; an asset is either "
                    "collateral in another one or margin of its own"
                )
            found[asset.asset_id] = CollateralAsset(
                asset, margin_asset, entry.haircut_ppb, rulebook.index, place, rule.debt_limit
            )
    for asset_id, known in before.items():
        again = found.get(asset_id)
        if again is not None and again.margin_asset_id == known.margin_asset_id:
            again.index.restore(known.index.state())
            again.set_price(known.price_ppb)
    return found


def _named(symbol: str, assets: Mapping[int, AssetSpec]) -> AssetSpec | None:
    same = [asset for asset in assets.values() if asset.symbol == symbol]
    if len(same) > 1:
        ids = " and ".join(str(asset.asset_id) for asset in same)
        raise ValueError(f"collateral: {symbol} is the name of assets {ids}; it must be of one")
    return same[0] if same else None
