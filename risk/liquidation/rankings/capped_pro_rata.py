"""Winners in proportion to what they may lose, and never more than a share of their equity."""

from engine.units import apply_rate_down
from risk.liquidation.allocation import Claims, affordable_lots, proportional
from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage
from risk.registry import RATE, Figure


class CappedProRata(ProfitLeverage):
    """Wealth pro rata that takes at most ``equity_cap`` of an account's equity at a time.

    What the caps leave is not taken from anyone: it stays with the account, and what that owes is
    socialised. Source: arXiv 2512.01112, capped pro rata.
    """

    __slots__ = ()

    def shares(self, claims: Claims, lots: int, budget_q: int, values: list[int]) -> list[int]:
        """In proportion to capacity within the caps; the share of equity is rounded down."""
        (cap_ppb,) = values
        capacities_q = [
            min(capacity_q, apply_rate_down(max(0, equity_q), cap_ppb))
            for capacity_q, equity_q in zip(claims.capacities_q(), claims.equities_q, strict=True)
        ]
        caps = affordable_lots(claims.sizes, capacities_q, lots, budget_q)
        return proportional(capacities_q, caps, lots)


ADL_RANKINGS.add(
    CappedProRata(
        "capped_pro_rata",
        (Figure("equity_cap", RATE, above="0", most="1"),),
        splits=True,
        asks_rest=False,
        words="nothing: winners give in proportion to capacity, up to a share of their equity",
    )
)
