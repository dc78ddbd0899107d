"""One step of mirror descent: losses by the square of the size."""

from risk.liquidation.allocation import Claims, affordable_lots, proportional
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage


class MirrorDescent(ProfitLeverage):
    """The shares of positions ``x`` in 0 to 1 nearest to 0 whose losses ``x x size x gap`` add up
    to the budget, each loss then cut at the winner's capacity.

    ``x`` is in proportion to the size, so that large positions bear most. What the cut leaves is
    not taken from anyone: it stays with the account. Source: arXiv 2602.15182, vector mirror
    descent from 0.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """In proportion to the square of the size up to the size, then cut at the capacity."""
        squares = [size * size for size in claims.sizes]
        wanted = proportional(squares, claims.sizes, lots)
        return affordable_lots(wanted, claims.capacities_q(), lots, budget_q)


ADL_RANKINGS.add(
    MirrorDescent(
        "mirror_descent",
        splits=True,
        asks_rest=False,
        words="nothing: large positions give in proportion to the square of their size",
    )
)
