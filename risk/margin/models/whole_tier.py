"""Tiers of which the whole position pays one rate: that of the tier it lies in (BitMEX, OKX)."""

from decimal import Decimal
from typing import Final

from engine.instruments import MarginTier
from engine.units import Rate
from risk.margin.family import MARGIN_FAMILIES, MarginFamily
from risk.margin.model import MarginModel
from risk.margin.tier_rows import TierRow, check_rows, refuse_deductions
from risk.margin.tiers import validate_whole_tiers


class _Tier:
    """One row of the table."""

    __slots__ = ("floor_q", "max_leverage", "rate")

    def __init__(self, tier: MarginTier) -> None:
        self.floor_q: int = tier.floor_q
        self.rate = Rate(tier.maintenance_ppb)
        self.max_leverage: int = tier.max_leverage


class WholeTierMargin(MarginModel):
    """Maintenance ``ceil(notional x rate)`` with the rate of the tier the notional falls in.

    The requirement jumps at the floor of a tier, and a notional equal to a floor belongs to the
    higher tier. Beyond the cap of the last tier (inclusive) its rate goes on. Initial margin is
    ``ceil(notional / min(chosen leverage, maximum of the tier))``, and at least one quantum above
    maintenance.
    Source: BitMEX, risk limit examples.

    Raises:
        ValueError: the table breaks a rule of `risk.margin.tiers.validate_whole_tiers`.
    """

    __slots__ = ("_tiers",)

    rate_rises = True
    jumps = True

    def __init__(self, tiers: list[MarginTier]) -> None:
        validate_whole_tiers(tiers)
        super().__init__(tiers[-1].cap_q)
        self._tiers: Final[list[_Tier]] = [_Tier(tier) for tier in tiers]

    def _tier_of(self, notional_q: int) -> _Tier:
        """The tier that owns this notional."""
        found = self._tiers[0]
        for tier in self._tiers:
            if notional_q < tier.floor_q:
                break
            found = tier
        return found

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional x rate)``, in quanta."""
        return self._tier_of(notional_q).rate.up(notional_q)

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional / leverage)``, at least one quantum above maintenance; 0 for 0."""
        if notional_q == 0:
            return 0
        tier = self._tier_of(notional_q)
        limit = tier.max_leverage
        if leverage < limit:
            limit = leverage
        return max(-(-notional_q // limit), tier.rate.up(notional_q) + 1)

    def max_leverage(self, notional_q: int) -> int:
        """Maximum leverage of the tier that owns the notional."""
        return self._tier_of(notional_q).max_leverage

    def less_leverage_from_q(self, notional_q: int, leverage: int) -> int:
        """Floor of the next tier that allows less than what counts now."""
        counts = min(leverage, self.max_leverage(notional_q))
        for tier in self._tiers:
            if tier.max_leverage < counts:
                return tier.floor_q
        return 0

    def tier_floor_q(self, notional_q: int) -> int:
        """Floor of the tier that owns the notional."""
        return self._tier_of(notional_q).floor_q

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """The last tier's rate, which holds within each tier. Rounding up may add one quantum."""
        return self._tiers[-1].rate.ppb


class WholeTier(MarginFamily):
    """A table of tiers without deductions."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """A table; deductions would make the margin continuous and are refused."""
        check_rows(rows)
        refuse_deductions(rows)

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The table as a model."""
        return WholeTierMargin(tiers)


MARGIN_FAMILIES.add(WholeTier("whole_tier", tiered=True))
