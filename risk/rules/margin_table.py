"""A margin table in decimals, as a rulebook states it, before an asset gives it quanta."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import AssetSpec, MarginSpec, MarginTier
from engine.settings import SettingFault
from engine.units import to_grid, to_ppb
from risk.margin.family import LEVERAGE, MARGIN_FAMILIES, build_margin_model
from risk.margin.tier_rows import TierRow
from risk.registry import AMOUNT, RATE, SIZE, Figure

TIER_FIGURES: Final[tuple[Figure, ...]] = (
    Figure("maintenance", RATE, above="0", below="1"),
    LEVERAGE,
    Figure("up_to", AMOUNT, default="none"),
    Figure("deduction", AMOUNT, default="none"),
)
"""The keys of a row; the last two may be left out."""


class MarginTable(msgspec.Struct, frozen=True):
    """One instrument's margin model in decimals."""

    model: str
    tiers: list[TierRow] = []
    figures: dict[str, Decimal] = {}

    def spec(self, asset: AssetSpec, lot: str | None) -> MarginSpec:
        """The table in quanta of ``asset``.

        Raises:
            SettingFault: a notional is finer than a quantum or too large, or the model counts lots
                and ``lot`` is missing or does not divide its size.
            ValueError: the margin model refuses its figures.
        """
        family = MARGIN_FAMILIES.get(self.model)
        params = sorted(self._param(figure, asset, lot) for figure in family.figures)
        spec = MarginSpec(self.model, family.tiers(self._tiers(asset)), params)
        build_margin_model(spec)
        return spec

    def _param(self, figure: Figure, asset: AssetSpec, lot: str | None) -> tuple[str, int]:
        name = figure.key
        value = self.figures[name]
        if figure.unit == SIZE:
            if lot is None:
                raise SettingFault(
                    name, f"model {self.model!r} counts lots; give the lot of the instrument"
                )
            return figure.field, to_grid(str(value), Decimal(lot), f"{name} in lots")
        if figure.unit == AMOUNT:
            return figure.field, _amount_q(name, value, asset)
        return figure.field, figure.inside(value)

    def _tiers(self, asset: AssetSpec) -> list[MarginTier]:
        tiers: list[MarginTier] = []
        floor_q = 0
        for number, row in enumerate(self.tiers, 1):
            cap_q = MAX_AMOUNT_Q
            if row.up_to is not None:
                cap_q = _amount_q(f"tiers[{number}].up_to", row.up_to, asset)
            rate_ppb = to_ppb(str(row.maintenance), f"tiers[{number}].maintenance")
            tiers.append(MarginTier(floor_q, cap_q, rate_ppb, row.max_leverage, 0))
            floor_q = cap_q
        return tiers


def _amount_q(place: str, value: Decimal, asset: AssetSpec) -> int:
    amount_q = to_grid(str(value), asset.quantum, f"{place} in {asset.symbol}")
    if amount_q > MAX_AMOUNT_Q:
        raise SettingFault(
            place,
            f"{value} {asset.symbol} is too large; at most {MAX_AMOUNT_Q * asset.quantum:f}",
        )
    return amount_q


def check_margin_table(table: MarginTable) -> None:
    """Refuse a table no margin can be computed from; places are relative to the table.

    Raises:
        SettingFault: the first broken rule, with place, value and what is allowed.
    """
    family = MARGIN_FAMILIES.get(table.model)
    for figure in family.figures:
        figure.check(figure.key, table.figures[figure.key])
    rate, leverage = TIER_FIGURES[:2]
    for number, row in enumerate(table.tiers, 1):
        rate.check(f"tiers[{number}].maintenance", row.maintenance)
        leverage.check(f"tiers[{number}].max_leverage", Decimal(row.max_leverage))
    family.check(table.figures, table.tiers)
