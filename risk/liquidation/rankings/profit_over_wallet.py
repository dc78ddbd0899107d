"""Profit over wallet times margin ratio (Binance)."""

from engine.units import share_ppb
from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking, Standing


class ProfitOverWallet(AdlRanking):
    """``max(0, UP) / max(1, WB) x MM / (WB + UP)`` of the account.

    ``UP`` is what its equity has beyond the wallet ``WB``; 1 is a whole unit of the asset. Source:
    Binance FAQ 360033525471.
    """

    __slots__ = ()

    def score(self, standing: Standing) -> int:
        """In squared parts per billion, both ratios rounded down; 0 without profit or equity."""
        profit_q = standing.equity_q - standing.wallet_q
        if profit_q <= 0 or standing.equity_q <= 0:
            return 0
        percent_ppb = share_ppb(profit_q, max(standing.unit_q, standing.wallet_q))
        return percent_ppb * share_ppb(standing.maintenance_q, standing.equity_q)


ADL_RANKINGS.add(
    ProfitOverWallet(
        "profit_over_wallet",
        uses_maintenance=True,
        words="profit over wallet, times the margin ratio",
    )
)
