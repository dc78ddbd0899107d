"""Unrealised profit."""

from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking, Standing


class Profit(AdlRanking):
    """The largest unrealised profit first."""

    __slots__ = ()

    def score(self, standing: Standing) -> int:
        """The profit in quanta; 0 at a loss."""
        return max(0, standing.gain_q)


ADL_RANKINGS.add(Profit("profit", words="unrealised profit"))
