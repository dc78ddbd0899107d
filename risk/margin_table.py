"""A margin table in decimals, as a rulebook states it, before an asset gives it quanta."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.commands import MAX_AMOUNT_Q
from engine.instruments import AssetSpec, MarginSpec, MarginTier
from engine.units import to_grid, to_ppb
from risk.margin import build_margin_model, with_deductions
from risk.rulebook_check import RuleFault

TABLE_MODEL: Final[str] = "brackets"

MODEL_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "brackets": ("tiers",),
    "flat": ("maintenance", "max_leverage"),
    "linear_in_size": (
        "initial",
        "maintenance",
        "initial_slope",
        "maintenance_slope",
        "slope_size",
    ),
    "used_margin": ("maintenance_of_used", "max_leverage"),
}
"""What each model needs besides its name; all of it is required."""

TIER_KEYS: Final[tuple[str, ...]] = ("maintenance", "max_leverage", "up_to", "deduction")
TIER_REQUIRED: Final[tuple[str, ...]] = ("maintenance", "max_leverage")
COUNTS: Final[tuple[str, ...]] = ("max_leverage",)
"""Keys that hold whole numbers; all others hold decimals."""


class TierRow(msgspec.Struct, frozen=True):
    """One bracket: notionals in whole units of the asset, ``up_to`` None for no end.

    ``deduction`` is what the venue prints, where it does; the one in force is always computed.
    """

    up_to: Decimal | None
    maintenance: Decimal
    max_leverage: int
    deduction: Decimal | None = None


class MarginTable(msgspec.Struct, frozen=True):
    """One instrument's margin model in decimals."""

    model: str
    tiers: list[TierRow] = []
    figures: dict[str, Decimal] = {}

    def spec(self, asset: AssetSpec, lot: str | None) -> MarginSpec:
        """The table in quanta of ``asset``.

        Raises:
            RuleFault: a notional is finer than a quantum or too large, or the model counts lots and
                ``lot`` is missing or does not divide its size.
            ValueError: the margin model refuses its figures.
        """
        if self.model == TABLE_MODEL:
            spec = MarginSpec(model=self.model, tiers=self._tiers(asset))
        else:
            params = sorted(self._param(name, lot) for name in self.figures)
            spec = MarginSpec(model=self.model, params=params)
        build_margin_model(spec)
        return spec

    def _param(self, name: str, lot: str | None) -> tuple[str, int]:
        value = self.figures[name]
        if name == "slope_size":
            if lot is None:
                raise RuleFault(
                    name, f"model {self.model!r} counts lots; give the lot of the instrument"
                )
            return "slope_lots", to_grid(str(value), Decimal(lot), f"{name} in lots")
        if name in COUNTS:
            return name, int(value)
        return f"{name}_ppb", to_ppb(str(value), name)

    def _tiers(self, asset: AssetSpec) -> list[MarginTier]:
        tiers: list[MarginTier] = []
        floor_q = 0
        for number, row in enumerate(self.tiers, 1):
            place = f"tiers[{number}].up_to"
            cap_q = MAX_AMOUNT_Q
            if row.up_to is not None:
                cap_q = to_grid(str(row.up_to), asset.quantum, f"{place} in {asset.symbol}")
            if cap_q > MAX_AMOUNT_Q:
                raise RuleFault(
                    place,
                    f"{row.up_to} {asset.symbol} is too large; at most "
                    f"{MAX_AMOUNT_Q * asset.quantum:f}",
                )
            rate_ppb = to_ppb(str(row.maintenance), f"tiers[{number}].maintenance")
            tiers.append(MarginTier(floor_q, cap_q, rate_ppb, row.max_leverage, 0))
            floor_q = cap_q
        return with_deductions(tiers)


def check_margin_table(table: MarginTable) -> None:
    """Refuse a table no margin can be computed from; places are relative to the table.

    Raises:
        RuleFault: the first broken rule, with place, value and what is allowed.
    """
    if table.model == TABLE_MODEL:
        _check_tiers(table.tiers)
        return
    for name in table.figures:
        _check_figure(name, table.figures[name])
    if table.model == "flat":
        _check_below_initial(
            "maintenance", table.figures["maintenance"], int(table.figures["max_leverage"])
        )
    if table.model == "linear_in_size":
        _check_not_above(table.figures, "maintenance", "initial", strictly=True)
        _check_not_above(table.figures, "maintenance_slope", "initial_slope", strictly=False)


def _check_figure(name: str, value: Decimal) -> None:
    if name in COUNTS:
        _check_leverage(name, int(value))
    elif name == "slope_size":
        if value <= 0:
            raise RuleFault(name, f"{value} is not allowed; it must be positive")
    elif name.endswith("_slope"):
        if not 0 <= value < 1:
            raise RuleFault(name, f"{value} is out of range; allowed are 0 to below 1")
    elif not 0 < value < 1:
        raise RuleFault(name, f"{value} is out of range; it must lie strictly between 0 and 1")


def _check_leverage(place: str, leverage: int) -> None:
    if not 1 <= leverage <= 1_000:
        raise RuleFault(place, f"{leverage} is out of range; allowed are 1 to 1000")


def _check_below_initial(place: str, rate: Decimal, max_leverage: int) -> None:
    if rate * max_leverage >= 1:
        raise RuleFault(
            place,
            f"{rate} is not below the initial margin 1/{max_leverage}; maintenance must be "
            "strictly below initial",
        )


def _check_not_above(figures: dict[str, Decimal], name: str, limit: str, *, strictly: bool) -> None:
    value, highest = figures[name], figures[limit]
    if value > highest or (strictly and value == highest):
        rule = "strictly below" if strictly else "at most"
        raise RuleFault(name, f"{value} must be {rule} {limit} {highest}")


def _check_tiers(tiers: list[TierRow]) -> None:
    if not tiers:
        raise RuleFault("tiers", "is empty; give at least one tier")
    floor = Decimal(0)
    deduction = Decimal(0)
    for number, row in enumerate(tiers, 1):
        place = f"tiers[{number}]"
        _check_figure(f"{place}.maintenance", row.maintenance)
        _check_leverage(f"{place}.max_leverage", row.max_leverage)
        _check_below_initial(f"{place}.maintenance", row.maintenance, row.max_leverage)
        if number > 1:
            before = tiers[number - 2]
            _check_step(place, before, row)
            deduction += floor * (row.maintenance - before.maintenance)
        if row.deduction is not None and row.deduction != deduction:
            raise RuleFault(
                f"{place}.deduction",
                f"{row.deduction} makes the margin jump at {floor}; it must be {deduction:f}, or "
                "a rate or bound is wrong",
            )
        if row.up_to is None and number < len(tiers):
            raise RuleFault(f"{place}.up_to", "is missing; only the last tier may have no end")
        if row.up_to is not None:
            if row.up_to <= floor:
                raise RuleFault(
                    f"{place}.up_to", f"{row.up_to} must be above the tier's start, {floor}"
                )
            floor = row.up_to


def _check_step(place: str, before: TierRow, row: TierRow) -> None:
    if row.maintenance < before.maintenance:
        raise RuleFault(
            f"{place}.maintenance",
            f"{row.maintenance} falls; rates rise with size, so it must be at least "
            f"{before.maintenance}",
        )
    if row.max_leverage > before.max_leverage:
        raise RuleFault(
            f"{place}.max_leverage",
            f"{row.max_leverage} rises; leverage falls with size, so it may be at most "
            f"{before.max_leverage}",
        )
