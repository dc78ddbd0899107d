"""Used margin: value over leverage, with margin levels counted against it (Kraken spot)."""

from typing import Final

from engine.instruments import MarginTier
from engine.units import PPB
from risk.margin.family import LEVERAGE, MARGIN_FAMILIES, MarginFamily
from risk.margin.model import MarginModel
from risk.registry import RATE, Figure


class UsedMargin(MarginModel):
    """Used margin is value over leverage; maintenance is a share of it.

    A long borrows quote currency, so its used margin stands at the opening value; a short borrows
    the coin, so its used margin follows the price. Initial margin is the used margin, rounded up;
    maintenance is ``maintenance_of_used_ppb`` of that, rounded up again (Kraken liquidates at a
    margin level of about 40 %, and calls at about 80 %: a level with factor 2).
    Source: Kraken support, "Margin level, margin call level and liquidation level".

    Raises:
        ValueError: the share is not strictly between 0 and 1, or the leverage is below 1.
    """

    __slots__ = ("_maintenance_of_used_ppb", "_max_leverage")

    by_entry = True

    def __init__(self, maintenance_of_used_ppb: int, max_leverage: int) -> None:
        if not 0 < maintenance_of_used_ppb < PPB:
            raise ValueError(
                f"used_margin: maintenance_of_used_ppb {maintenance_of_used_ppb} must lie strictly "
                f"between 0 and {PPB}"
            )
        if max_leverage < 1:
            raise ValueError(f"used_margin: max_leverage {max_leverage} must be 1 or more")
        super().__init__()
        self._maintenance_of_used_ppb: Final[int] = maintenance_of_used_ppb
        self._max_leverage: Final[int] = max_leverage

    def used_q(self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int) -> int:
        """``ceil(value / leverage)``: opening value for a long, present value for a short."""
        value_q = notional_q if qty_lots < 0 else entry_notional_q
        if leverage > self._max_leverage:
            leverage = self._max_leverage
        return -(-value_q // leverage)

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """The maintenance share of used margin, rounded up."""
        used = self.used_q(qty_lots, notional_q, entry_notional_q, leverage)
        return -(-used * self._maintenance_of_used_ppb // PPB)

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """Used margin, at least one quantum above maintenance; 0 for 0."""
        used = self.used_q(qty_lots, notional_q, entry_notional_q, leverage)
        if used == 0:
            return 0
        maintenance = -(-used * self._maintenance_of_used_ppb // PPB)
        return used if used > maintenance else maintenance + 1

    def max_leverage(self, notional_q: int) -> int:
        """The same at every size."""
        return self._max_leverage

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """0 for a long, whose margin stands still; for a short the maintenance share at leverage 1.
        Rounding the requirement up may add two quanta."""
        return self._maintenance_of_used_ppb if qty_lots < 0 else 0


class Used(MarginFamily):
    """Value over leverage, and the share of it that is maintenance."""

    __slots__ = ()

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The model of the two figures."""
        share_ppb, leverage = values
        return UsedMargin(share_ppb, leverage)


MARGIN_FAMILIES.add(
    Used("used_margin", (Figure("maintenance_of_used", RATE, above="0", below="1"), LEVERAGE))
)
