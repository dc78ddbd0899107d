"""Whole lots for which the largest loss by equity is least."""

from risk.liquidation.allocation import Claims, least_worst
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class MinMax(ProfitLeverage):
    """No other whole lots with the same sum have a smaller largest share of equity.

    Source: arXiv 2602.15182, min-max integer program; of one contract it needs no solver.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """Lot by lot from whom it burdens least; gains count for nothing."""
        return least_worst(claims.sizes, claims.equities_q, lots)


ADL_RANKINGS.add(
    MinMax("min_max", splits=True, words="nothing: the largest loss by equity is made least")
)
