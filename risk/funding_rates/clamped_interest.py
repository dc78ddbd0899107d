"""The premium is pulled towards an interest rate, no further than a clamp (most venues)."""

from risk.prices.funding import FUNDING_METHODS, FundingMethod, clamp
from risk.rulebook import FundingRule


class ClampedInterest(FundingMethod):
    """``P + clamp(I - P, +-clamp)``. Source: funding pages of Binance, Bybit, BitMEX and
    Hyperliquid."""

    __slots__ = ()

    def period_rate_ppb(self, mean_premium_ppb: int, rule: FundingRule, figures: list[int]) -> int:
        """Exact."""
        pull = clamp(rule.interest_ppb - mean_premium_ppb, -rule.clamp_ppb, rule.clamp_ppb)
        return mean_premium_ppb + pull


FUNDING_METHODS.add(
    ClampedInterest("clamped_interest", words="premium pulled towards the interest, to the clamp")
)
