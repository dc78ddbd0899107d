"""Return times leverage."""

from engine.units import magnitude, share_ppb
from risk.liquidation.ranking import ADL_RANKINGS, AdlRanking, Standing


def profit_leverage_score(
    unrealised_q: int, entry_value_q: int, notional_q: int, equity_q: int
) -> int:
    """Return on the position times the account's effective leverage, in squared ppb.

    ``max(0, profit) / entry notional x notional / equity``, both rounded down. ``entry_value_q``
    counts without its sign. An account without equity ranks as leverage over one quantum.
    """
    if unrealised_q <= 0:
        return 0
    return_ppb = share_ppb(unrealised_q, max(1, magnitude(entry_value_q)))
    return return_ppb * share_ppb(notional_q, max(1, equity_q))


class ProfitLeverage(AdlRanking):
    """The largest product of return and leverage first."""

    __slots__ = ()

    def score(self, standing: Standing) -> int:
        """`profit_leverage_score`."""
        return profit_leverage_score(
            standing.gain_q, standing.entry_value_q, standing.notional_q, standing.equity_q
        )


ADL_RANKINGS.add(ProfitLeverage("profit_leverage", words="return times leverage"))
