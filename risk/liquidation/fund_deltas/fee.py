"""The liquidation fee, whatever the price of the fill was."""

from risk.fund_delta import FUND_DELTAS, FundDelta


class Fee(FundDelta):
    """A share of the value."""

    __slots__ = ()

    def amount_q(self, fee_q: int, gain_q: int) -> int:
        """The fee."""
        return fee_q


FUND_DELTAS.add(Fee("fee", words="the liquidation fee"))
