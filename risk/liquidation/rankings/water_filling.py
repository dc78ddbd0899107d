"""The highest leverage first, down to one level."""

from risk.liquidation.allocation import Claims, level_leverage
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class WaterFilling(ProfitLeverage):
    """``max(0, size - L x equity / mark)`` lots of each, ``L`` such that all lots are placed.

    The highest leverage comes down to ``L`` and nobody below it gives anything. An account split
    into several of the same leverage gives as much as before. Source: arXiv 2603.15963, the optimum
    for one asset and isolated margin.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """Rounded down, the rest by largest remainder; gains count for nothing."""
        return level_leverage(claims.sizes, claims.equities_q, lots)


ADL_RANKINGS.add(
    WaterFilling(
        "water_filling", splits=True, words="leverage: the highest comes down to one level"
    )
)
