"""Mark over entry price times leverage (Hyperliquid)."""

from engine.units import share_ppb
from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking, Standing


class MarkOverEntry(AdlRanking):
    """``(mark / entry) x (notional / account value)`` of those in profit.

    As printed also for shorts, whose score falls as they gain. Of an inverse contract the ratio is
    that of the values in coin. Source: Hyperliquid docs, auto-deleveraging.
    """

    __slots__ = ()

    def score(self, standing: Standing) -> int:
        """In squared parts per billion, both ratios rounded down; 0 without a profit. An account
        without equity ranks as leverage over one quantum."""
        if standing.gain_q <= 0:
            return 0
        ratio_ppb = share_ppb(standing.notional_q, max(1, standing.entry_value_q))
        return ratio_ppb * share_ppb(standing.notional_q, max(1, standing.equity_q))


ADL_RANKINGS.add(MarkOverEntry("mark_over_entry", words="mark over entry price, times leverage"))
