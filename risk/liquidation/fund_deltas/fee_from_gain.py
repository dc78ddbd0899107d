"""What a fill brought beyond bankruptcy, no more than the liquidation fee (dYdX)."""

from risk.fund_delta import FUND_DELTAS, FundDelta


class FeeFromGain(FundDelta):
    """The smaller of both; the account keeps the rest.

    Source: dYdX v4-chain, ``GetLiquidationInsuranceFundDelta``.
    """

    __slots__ = ()

    def amount_q(self, fee_q: int, gain_q: int) -> int:
        """Nothing of a fill that brought no gain."""
        return max(0, min(fee_q, gain_q))


FUND_DELTAS.add(
    FeeFromGain(
        "fee_from_gain",
        by_gain=True,
        words="what they bring beyond bankruptcy, up to the liquidation fee",
    )
)
