"""Close a fraction of a position at a time (Hyperliquid, Deribit)."""

from risk.liquidation.policy import (
    CLOSE_POLICIES,
    Candidate,
    ClosePolicy,
    fraction_lots,
    notional_q,
)


class Fraction(ClosePolicy):
    """``fraction`` of the position with the largest requirement; one that is smaller than
    ``fraction_min_notional`` is closed whole."""

    __slots__ = ()

    def lots(self, candidate: Candidate) -> int:
        """The fraction, rounded up to a lot, or the whole position."""
        rule = candidate.rulebook.liquidation
        position = candidate.position
        value_q = notional_q(candidate.contract, position)
        if value_q >= rule.fraction_min_notional * candidate.account.asset_unit_q:
            return fraction_lots(position, rule.fraction_ppb)
        return abs(position.qty_lots)


CLOSE_POLICIES.add(Fraction("fraction", paced=True, words="a share of the position"))
