"""First in, first out: the oldest position is closed whole (Kraken spot)."""

from engine.internal import AccountFacts, PositionFacts
from risk.liquidation.policy import CLOSE_POLICIES, Candidate, ClosePolicy


class Fifo(ClosePolicy):
    """All of the position opened first, whatever its profit."""

    __slots__ = ()

    def position(self, account: AccountFacts) -> PositionFacts:
        """The oldest position; of equal age the lowest id."""
        return min(account.positions, key=lambda p: (p.opened_ns, p.instrument_id, p.leg))

    def lots(self, candidate: Candidate) -> int:
        """The whole position."""
        return abs(candidate.position.qty_lots)


CLOSE_POLICIES.add(Fifo("fifo", words="the oldest position"))
