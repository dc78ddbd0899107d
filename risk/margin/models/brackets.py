"""Marginal brackets: each slice of notional pays its own rate (Binance, Bybit, Hyperliquid)."""

from decimal import Decimal
from typing import Final

from engine.instruments import MarginTier
from engine.units import PPB, Rate
from risk.margin.family import MARGIN_FAMILIES, MarginFamily
from risk.margin.model import MarginModel
from risk.margin.tier_rows import TierRow, check_deductions, check_rows
from risk.margin.tiers import validate_tiers, with_deductions


class _Bracket:
    """One tier of a table. From `clear_from_q` on, initial margin exceeds maintenance by a quantum
    at every leverage the tier allows, whatever is rounded: ``n / leverage >= n x rate - deduction +
    2``."""

    __slots__ = ("clear_from_q", "deduction_q", "floor_q", "max_leverage", "place", "rate")

    def __init__(self, place: int, tier: MarginTier) -> None:
        self.place = place
        self.floor_q: int = tier.floor_q
        self.rate = Rate(tier.maintenance_ppb)
        self.deduction_q: int = tier.deduction_q
        self.max_leverage: int = tier.max_leverage
        room = PPB - tier.maintenance_ppb * tier.max_leverage
        needed_q = max(0, 2 - tier.deduction_q) * tier.max_leverage * PPB
        self.clear_from_q: int = -(-needed_q // room) if room > 0 else tier.cap_q


class BracketMargin(MarginModel):
    """Maintenance ``ceil(notional x rate) - deduction`` of the tier the notional falls in.

    The deductions make the requirement continuous, so it does not matter for maintenance which
    tier owns a bound; for the maximum leverage it does, and a notional equal to a floor belongs to
    the higher tier. Beyond the cap of the last tier (inclusive) its rate goes on: prices can carry
    a position there, orders cannot. Initial margin is ``ceil(notional / min(chosen leverage,
    maximum of the tier))`` and always at least one quantum above maintenance, which matters only
    for notionals of a few quanta since `validate_tiers` keeps the rates apart.

    Raises:
        ValueError: the table breaks a rule of `risk.margin.tiers.validate_tiers`.
    """

    __slots__ = ("_brackets", "_first", "_first_cap_q")

    rate_rises = True

    def __init__(self, tiers: list[MarginTier]) -> None:
        validate_tiers(tiers)
        super().__init__(tiers[-1].cap_q)
        self._brackets: Final[list[_Bracket]] = [
            _Bracket(place, tier) for place, tier in enumerate(tiers)
        ]
        self._first: Final[_Bracket] = self._brackets[0]
        self._first_cap_q: Final[int] = tiers[0].cap_q

    def tier_of(self, notional_q: int) -> int:
        """Position in the table, from 0, of the tier that owns this notional."""
        return self._bracket_of(notional_q).place

    def _bracket_of(self, notional_q: int) -> _Bracket:
        """The tier that owns this notional."""
        found = self._first
        # Tables have about ten rows and most positions sit low: a scan beats bisection.
        for bracket in self._brackets:
            if notional_q < bracket.floor_q:
                break
            found = bracket
        return found

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional x rate) - deduction``, in quanta; the product is rounded up."""
        bracket = self._first
        if notional_q >= self._first_cap_q:
            bracket = self._bracket_of(notional_q)
        return bracket.rate.up(notional_q) - bracket.deduction_q

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional / leverage)``, at least one quantum above maintenance; 0 for 0."""
        if notional_q == 0:
            return 0
        bracket = self._first
        if notional_q >= self._first_cap_q:
            bracket = self._bracket_of(notional_q)
        limit = bracket.max_leverage
        if leverage < limit:
            limit = leverage
        initial = -(-notional_q // limit)
        if notional_q >= bracket.clear_from_q:
            return initial
        maintenance = bracket.rate.up(notional_q) - bracket.deduction_q
        return initial if initial > maintenance else maintenance + 1

    def max_leverage(self, notional_q: int) -> int:
        """Maximum leverage of the tier that owns the notional."""
        if notional_q < self._first_cap_q:
            return self._first.max_leverage
        return self._bracket_of(notional_q).max_leverage

    def less_leverage_from_q(self, notional_q: int, leverage: int) -> int:
        """Floor of the next tier that allows less than what counts now."""
        counts = min(leverage, self.max_leverage(notional_q))
        for bracket in self._brackets:
            if bracket.max_leverage < counts:
                return bracket.floor_q
        return 0

    def tier_floor_q(self, notional_q: int) -> int:
        """Floor of the tier that owns the notional."""
        return self._bracket_of(notional_q).floor_q

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """The last tier's rate: the highest there is. Rounding up may add one quantum."""
        return self._brackets[-1].rate.ppb


class Brackets(MarginFamily):
    """A table of brackets; its deductions are computed, and compared where they are printed."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """A table whose printed deductions are the continuous ones."""
        check_rows(rows)
        check_deductions(rows)

    def tiers(self, tiers: list[MarginTier]) -> list[MarginTier]:
        """With the continuous deductions."""
        return with_deductions(tiers)

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The table as a model."""
        return BracketMargin(tiers)


MARGIN_FAMILIES.add(Brackets("brackets", tiered=True))
