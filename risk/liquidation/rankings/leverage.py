"""Effective leverage of those in profit."""

from engine.units import share_ppb
from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking, Standing


class Leverage(AdlRanking):
    """The largest position by equity first, among those in profit."""

    __slots__ = ()

    def score(self, standing: Standing) -> int:
        """In parts per billion, rounded down; 0 at a loss. An account without equity ranks as
        leverage over one quantum."""
        if standing.gain_q <= 0:
            return 0
        return share_ppb(standing.notional_q, max(1, standing.equity_q))


ADL_RANKINGS.add(Leverage("leverage", words="leverage of those in profit"))
