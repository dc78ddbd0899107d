"""All counterparties in proportion to the size of their positions."""

from risk.liquidation.allocation import Claims, proportional
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class ProRata(ProfitLeverage):
    """Lots by size; what is left is asked for by return times leverage, as in all that split."""

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """Rounded down, the rest by largest remainder."""
        return proportional(claims.sizes, claims.sizes, lots)


ADL_RANKINGS.add(
    ProRata("pro_rata", splits=True, words="nothing: all give in proportion to their size")
)
