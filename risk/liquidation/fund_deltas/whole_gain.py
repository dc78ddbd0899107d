"""All that a fill brought beyond bankruptcy (BitMEX)."""

from risk.fund_delta import FUND_DELTAS, FundDelta


class WholeGain(FundDelta):
    """The gain; the account keeps nothing of what was closed.

    Source: BitMEX, liquidation examples.
    """

    __slots__ = ()

    def amount_q(self, fee_q: int, gain_q: int) -> int:
        """Nothing of a fill that brought no gain."""
        return max(0, gain_q)


FUND_DELTAS.add(
    WholeGain("whole_gain", by_gain=True, restores=False, words="all they bring beyond bankruptcy")
)
