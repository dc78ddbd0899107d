"""Close positions whole, the largest requirement first."""

from risk.liquidation.policy import CLOSE_POLICIES, Candidate, ClosePolicy


class All(ClosePolicy):
    """All of the position with the largest requirement."""

    __slots__ = ()

    def lots(self, candidate: Candidate) -> int:
        """The whole position."""
        return abs(candidate.position.qty_lots)


CLOSE_POLICIES.add(All("all", words="everything"))
