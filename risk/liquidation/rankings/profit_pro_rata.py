"""Winners in proportion to their unrealised profit."""

from risk.liquidation.allocation import Claims, affordable_lots, proportional
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class ProfitProRata(ProfitLeverage):
    """Losses by profit, within each winner's capacity; what one cannot bear goes to the others.

    Source: the per-wave table to arXiv 2602.15182, ``pnl_pr``.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """In proportion to unrealised profit, and no more than capacity pays for."""
        caps = affordable_lots(claims.sizes, claims.capacities_q(), lots, budget_q)
        return proportional([max(0, gain_q) for gain_q in claims.gains_q], caps, lots)


ADL_RANKINGS.add(
    ProfitProRata(
        "profit_pro_rata", splits=True, words="nothing: winners give in proportion to profit"
    )
)
