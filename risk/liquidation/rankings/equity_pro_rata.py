"""Winners in proportion to their accounts' equity."""

from risk.liquidation.allocation import Claims, affordable_lots, proportional
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class EquityProRata(ProfitLeverage):
    """Losses by equity, within each winner's capacity; what one cannot bear goes to the others.

    Source: the per-wave table to arXiv 2602.15182, ``eq_pr``.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """In proportion to equity, and no more than capacity pays for; losers give nothing."""
        capacities_q = claims.capacities_q()
        caps = affordable_lots(claims.sizes, capacities_q, lots, budget_q)
        weights = [
            equity_q if capacity_q else 0
            for equity_q, capacity_q in zip(claims.equities_q, capacities_q, strict=True)
        ]
        return proportional(weights, caps, lots)


ADL_RANKINGS.add(
    EquityProRata(
        "equity_pro_rata", splits=True, words="nothing: winners give in proportion to equity"
    )
)
