"""A margin rate that rises in a straight line with the size of the position (Deribit)."""

from decimal import Decimal
from typing import Final

from engine.instruments import MarginTier
from engine.units import PPB
from risk.margin.family import MARGIN_FAMILIES, MarginFamily, check_not_above
from risk.margin.model import MarginModel
from risk.margin.tier_rows import TierRow
from risk.registry import RATE, SIZE, Figure


class LinearInSizeMargin(MarginModel):
    """Rate ``base + slope x |lots| / slope_lots``, for initial and maintenance each.

    ``slope_ppb`` is what the rate gains with every ``slope_lots`` lots, so that "0.005 % per BTC"
    stays exact whatever the lot. Requirements are ``ceil(notional x rate)``, rounded once. A chosen
    leverage below `max_leverage` raises initial margin to ``ceil(notional / leverage)``; at that
    largest leverage, which is rounded down to a whole number, the rate alone decides.
    Margin is quadratic in size: two accounts of half the size need less than one.
    Source: Deribit support, "Initial margin and maintenance margin" of linear perpetuals.

    Raises:
        ValueError: maintenance is not positive or not strictly below initial at every size, a slope
            is negative, or ``slope_lots`` is not positive.
    """

    __slots__ = (
        "_initial_ppb",
        "_initial_slope_ppb",
        "_largest_leverage",
        "_maintenance_ppb",
        "_maintenance_slope_ppb",
        "_slope_lots",
    )

    may_exceed_notional = True
    rate_rises = True

    def __init__(
        self,
        initial_ppb: int,
        maintenance_ppb: int,
        initial_slope_ppb: int,
        maintenance_slope_ppb: int,
        slope_lots: int,
    ) -> None:
        if slope_lots <= 0:
            raise ValueError(f"linear_in_size: slope_lots {slope_lots} must be positive")
        if not 0 < maintenance_ppb < initial_ppb <= PPB:
            raise ValueError(
                f"linear_in_size: maintenance_ppb {maintenance_ppb} must be positive and strictly "
                f"below initial_ppb {initial_ppb}, which may be at most {PPB}"
            )
        if not 0 <= maintenance_slope_ppb <= initial_slope_ppb:
            raise ValueError(
                f"linear_in_size: maintenance_slope_ppb {maintenance_slope_ppb} must lie between 0 "
                f"and initial_slope_ppb {initial_slope_ppb}"
            )
        super().__init__()
        self._initial_ppb: Final[int] = initial_ppb
        self._largest_leverage: Final[int] = PPB // initial_ppb
        self._maintenance_ppb: Final[int] = maintenance_ppb
        self._initial_slope_ppb: Final[int] = initial_slope_ppb
        self._maintenance_slope_ppb: Final[int] = maintenance_slope_ppb
        self._slope_lots: Final[int] = slope_lots

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional x maintenance rate at this size)``."""
        lots = qty_lots if qty_lots >= 0 else -qty_lots
        scaled = self._maintenance_ppb * self._slope_lots + self._maintenance_slope_ppb * lots
        return -(-notional_q * scaled // (PPB * self._slope_lots))

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """The larger of ``ceil(notional x initial rate)`` and, below the largest leverage,
        ``ceil(notional / leverage)``; at least one quantum above maintenance; 0 for 0."""
        if notional_q == 0:
            return 0
        lots = qty_lots if qty_lots >= 0 else -qty_lots
        scaled = self._initial_ppb * self._slope_lots + self._initial_slope_ppb * lots
        initial = -(-notional_q * scaled // (PPB * self._slope_lots))
        if leverage < self._largest_leverage:
            chosen = -(-notional_q // leverage)
            if chosen > initial:
                initial = chosen
        maintenance = self.maintenance_q(qty_lots, notional_q, entry_notional_q, leverage)
        return initial if initial > maintenance else maintenance + 1

    def max_leverage(self, notional_q: int) -> int:
        """Leverage of the smallest position, rounded down; larger ones are held back by
        `initial_q` itself."""
        return self._largest_leverage

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """The maintenance rate at this size, rounded up: price does not change size.
        Rounding the requirement up may add one quantum."""
        lots = qty_lots if qty_lots >= 0 else -qty_lots
        return self._maintenance_ppb + -(-self._maintenance_slope_ppb * lots // self._slope_lots)


class LinearInSize(MarginFamily):
    """Rates that rise by a slope with every ``slope_size`` of contracts."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """Maintenance is below initial margin at every size."""
        check_not_above(figures, "maintenance", "initial", strictly=True)
        check_not_above(figures, "maintenance_slope", "initial_slope", strictly=False)

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The model of the five figures."""
        initial_ppb, maintenance_ppb, initial_slope_ppb, maintenance_slope_ppb, slope_lots = values
        return LinearInSizeMargin(
            initial_ppb, maintenance_ppb, initial_slope_ppb, maintenance_slope_ppb, slope_lots
        )


MARGIN_FAMILIES.add(
    LinearInSize(
        "linear_in_size",
        (
            Figure("initial", RATE, above="0", below="1"),
            Figure("maintenance", RATE, above="0", below="1"),
            Figure("initial_slope", RATE, least="0", below="1"),
            Figure("maintenance_slope", RATE, least="0", below="1"),
            Figure("slope_size", SIZE, above="0", default="1"),
        ),
    )
)
