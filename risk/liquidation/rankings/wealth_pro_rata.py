"""Winners in proportion to what they may lose."""

from risk.liquidation.allocation import Claims, affordable_lots, proportional
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class WealthProRata(ProfitLeverage):
    """Every winner loses the same share of its capacity: its gain, and no more than its equity.

    Source: arXiv 2602.15182, wealth-space pro rata.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """In proportion to capacity, and no more than it pays for."""
        capacities_q = claims.capacities_q()
        caps = affordable_lots(claims.sizes, capacities_q, lots, budget_q)
        return proportional(capacities_q, caps, lots)


ADL_RANKINGS.add(
    WealthProRata(
        "wealth_pro_rata", splits=True, words="nothing: winners give in proportion to capacity"
    )
)
