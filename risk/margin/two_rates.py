"""One initial and one maintenance rate at every size."""

from typing import Final

from engine.units import PPB
from risk.margin.model import MarginModel


class TwoRatesMargin(MarginModel):
    """Initial margin is ``ceil(notional x rate)``, at least ``ceil(notional / leverage)`` and one
    quantum above maintenance, which is ``ceil(notional x maintenance rate)``.
    """

    __slots__ = ("_initial_ppb", "_largest_leverage", "_maintenance_ppb")

    rate_rises = True

    def __init__(self, initial_ppb: int, maintenance_ppb: int, largest_leverage: int) -> None:
        super().__init__()
        self._initial_ppb: Final[int] = initial_ppb
        self._maintenance_ppb: Final[int] = maintenance_ppb
        self._largest_leverage: Final[int] = largest_leverage

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """``ceil(notional x maintenance rate)``."""
        return -(-notional_q * self._maintenance_ppb // PPB)

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """The larger of ``ceil(notional x rate)`` and ``ceil(notional / leverage)``; 0 for 0."""
        if notional_q == 0:
            return 0
        by_leverage_q = -(-notional_q // min(leverage, self._largest_leverage))
        initial_q = max(by_leverage_q, -(-notional_q * self._initial_ppb // PPB))
        return max(
            initial_q, self.maintenance_q(qty_lots, notional_q, entry_notional_q, leverage) + 1
        )

    def max_leverage(self, notional_q: int) -> int:
        """The largest that may be chosen; the initial rate may ask for more margin than it."""
        return self._largest_leverage

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """The maintenance rate. Rounding up may add one quantum."""
        return self._maintenance_ppb
