"""A margin rate with a premium that grows with the square root of the size (Drift)."""

from decimal import Decimal
from math import isqrt
from typing import Final

from engine.instruments import MarginTier
from engine.units import PPB
from risk.margin.family import MARGIN_FAMILIES, MarginFamily, check_not_above
from risk.margin.model import MarginModel
from risk.margin.tier_rows import TierRow
from risk.registry import RATE, SIZE, Figure

_ROOT: Final[int] = 10**5
"""The root has five decimals."""


class RootOfSizeMargin(MarginModel):
    """Rate ``max(r, 4/5 r + premium x sqrt(|lots| / unit_lots))``, initial and maintenance each.

    A fifth of the rate, the root (to five decimals) and its product with the premium are rounded
    down as the venue rounds them; the requirement ``notional x rate`` is rounded up. A chosen
    leverage below `max_leverage` raises initial margin to ``ceil(notional / leverage)``.
    Source: Drift protocol-v2, ``calculate_size_premium_liability_weight``.

    Raises:
        ValueError: maintenance is not positive or not strictly below initial, which is at most 1;
            the premium is negative; or ``unit_lots`` is not positive.
    """

    __slots__ = (
        "_initial_ppb",
        "_largest_leverage",
        "_maintenance_ppb",
        "_premium_ppb",
        "_unit_lots",
    )

    may_exceed_notional = True

    def __init__(
        self, initial_ppb: int, maintenance_ppb: int, premium_ppb: int, unit_lots: int
    ) -> None:
        if unit_lots <= 0:
            raise ValueError(f"root_of_size: unit_lots {unit_lots} must be positive")
        if premium_ppb < 0:
            raise ValueError(f"root_of_size: premium_ppb {premium_ppb} must be 0 or more")
        if not 0 < maintenance_ppb < initial_ppb <= PPB:
            raise ValueError(
                f"root_of_size: maintenance_ppb {maintenance_ppb} must be positive and strictly "
                f"below initial_ppb {initial_ppb}, which may be at most {PPB}"
            )
        super().__init__()
        self._initial_ppb: Final[int] = initial_ppb
        self._largest_leverage: Final[int] = PPB // initial_ppb  # rounded down to a whole one
        self._maintenance_ppb: Final[int] = maintenance_ppb
        self._premium_ppb: Final[int] = premium_ppb
        self._unit_lots: Final[int] = unit_lots

    def _with_premium_ppb(self, rate_ppb: int, qty_lots: int) -> int:
        """The rate at this size; every part is rounded down."""
        lots = qty_lots if qty_lots >= 0 else -qty_lots
        root = isqrt(lots * _ROOT * _ROOT // self._unit_lots + 1)
        premium_ppb = root * self._premium_ppb // _ROOT
        return max(rate_ppb, rate_ppb - rate_ppb // 5 + premium_ppb)

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional x maintenance rate at this size)``."""
        rate_ppb = self._with_premium_ppb(self._maintenance_ppb, qty_lots)
        return -(-notional_q * rate_ppb // PPB)

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """The larger of ``ceil(notional x initial rate)`` and, below the largest leverage,
        ``ceil(notional / leverage)``; at least one quantum above maintenance; 0 for 0."""
        if notional_q == 0:
            return 0
        rate_ppb = self._with_premium_ppb(self._initial_ppb, qty_lots)
        initial = -(-notional_q * rate_ppb // PPB)
        if leverage < self._largest_leverage:
            initial = max(initial, -(-notional_q // leverage))
        return max(
            initial, self.maintenance_q(qty_lots, notional_q, entry_notional_q, leverage) + 1
        )

    def max_leverage(self, notional_q: int) -> int:
        """Leverage of the smallest position, rounded down; larger ones are held back by
        `initial_q` itself."""
        return self._largest_leverage

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """The maintenance rate at this size: price does not change size.
        Rounding the requirement up may add one quantum."""
        return self._with_premium_ppb(self._maintenance_ppb, qty_lots)


class RootOfSize(MarginFamily):
    """Rates with a premium by the square root of the size in ``unit_size``."""

    __slots__ = ()

    def check(self, figures: dict[str, Decimal], rows: list[TierRow]) -> None:
        """Maintenance is below initial margin at every size."""
        check_not_above(figures, "maintenance", "initial", strictly=True)

    def build(self, values: list[int], tiers: list[MarginTier]) -> MarginModel:
        """The model of the four figures."""
        initial_ppb, maintenance_ppb, premium_ppb, unit_lots = values
        return RootOfSizeMargin(initial_ppb, maintenance_ppb, premium_ppb, unit_lots)


MARGIN_FAMILIES.add(
    RootOfSize(
        "root_of_size",
        (
            Figure("initial", RATE, above="0", below="1"),
            Figure("maintenance", RATE, above="0", below="1"),
            Figure("premium", RATE, least="0", below="1"),
            Figure("unit_size", SIZE, above="0"),
        ),
    )
)
