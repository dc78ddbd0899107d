"""Marginal brackets: each slice of notional pays its own rate (Binance, Bybit, Hyperliquid)."""

from math import gcd
from typing import Final

from engine.instruments import MarginTier
from engine.units import PPB, scale_up
from risk.margin.model import MarginModel
from risk.margin.tiers import validate_tiers


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

    __slots__ = (
        "_clear_from",
        "_deductions",
        "_denominators",
        "_first_cap_q",
        "_floors",
        "_leverages",
        "_numerators",
        "_rates",
        "cap_q",
    )

    def __init__(self, tiers: list[MarginTier]) -> None:
        validate_tiers(tiers)
        self._first_cap_q: Final[int] = tiers[0].cap_q
        self._floors: Final[list[int]] = [tier.floor_q for tier in tiers]
        self._rates: Final[list[int]] = [tier.maintenance_ppb for tier in tiers]
        # The same rates as fractions in lowest terms (2 % is 1/50): products fit a machine word.
        self._numerators: Final[list[int]] = [rate // gcd(rate, PPB) for rate in self._rates]
        self._denominators: Final[list[int]] = [PPB // gcd(rate, PPB) for rate in self._rates]
        self._deductions: Final[list[int]] = [tier.deduction_q for tier in tiers]
        self._leverages: Final[list[int]] = [tier.max_leverage for tier in tiers]
        self._clear_from: Final[list[int]] = [self._clear_from_q(tier) for tier in tiers]
        self.cap_q: Final[int] = tiers[-1].cap_q

    @staticmethod
    def _clear_from_q(tier: MarginTier) -> int:
        """Notional from which initial margin exceeds maintenance by a quantum at every leverage the
        tier allows, whatever is rounded: ``n / leverage >= n x rate - deduction + 2``."""
        room = PPB - tier.maintenance_ppb * tier.max_leverage
        if room <= 0:
            return tier.cap_q
        needed_q = max(0, 2 - tier.deduction_q) * tier.max_leverage * PPB
        return -(-needed_q // room)

    def tier_of(self, notional_q: int) -> int:
        """Position in the table, from 0, of the tier that owns this notional."""
        if notional_q < self._first_cap_q:
            return 0
        floors = self._floors
        last = len(floors) - 1
        tier = 0
        # Tables have about ten rows and most positions sit in the first: a scan beats bisection.
        while tier < last and notional_q >= floors[tier + 1]:
            tier += 1
        return tier

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional x rate) - deduction``, in quanta; the product is rounded up."""
        tier = self.tier_of(notional_q)
        raw_q = scale_up(notional_q, self._numerators[tier], self._denominators[tier])
        return raw_q - self._deductions[tier]

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional / leverage)``, at least one quantum above maintenance; 0 for 0."""
        if notional_q == 0:
            return 0
        tier = self.tier_of(notional_q)
        limit = self._leverages[tier]
        if leverage < limit:
            limit = leverage
        initial = -(-notional_q // limit)
        if notional_q >= self._clear_from[tier]:
            return initial
        maintenance = scale_up(notional_q, self._numerators[tier], self._denominators[tier])
        maintenance -= self._deductions[tier]
        return initial if initial > maintenance else maintenance + 1

    def max_leverage(self, notional_q: int) -> int:
        """Maximum leverage of the tier that owns the notional."""
        return self._leverages[self.tier_of(notional_q)]

    def tier_floor_q(self, notional_q: int) -> int:
        """Floor of the tier that owns the notional."""
        return self._floors[self.tier_of(notional_q)]

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """The last tier's rate: the highest there is. Rounding up may add one quantum."""
        return self._rates[-1]
