"""All counterparties in proportion to the size of their positions."""

from risk.liquidation.ranking import ADL_RANKINGS
from risk.liquidation.rankings.profit_leverage import ProfitLeverage

ADL_RANKINGS.add(
    ProfitLeverage("pro_rata", pro_rata=True, words="nothing: all give in proportion to their size")
)
