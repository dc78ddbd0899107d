"""First in, first out: the oldest position is closed whole (Kraken spot)."""

from engine.internal import AccountFacts
from risk.liquidation.policy import CLOSE_POLICIES, ClosePolicy, MarginedContract, Reduction
from risk.rulebook import Rulebook


class Fifo(ClosePolicy):
    """All of the position opened first, whatever its profit."""

    __slots__ = ()

    def next_step(
        self,
        contracts: dict[int, MarginedContract],
        facts: AccountFacts,
        rulebook: Rulebook,
        target_ppb: int,
    ) -> Reduction:
        """The oldest position; of equal age the lowest id."""
        position = min(facts.positions, key=lambda p: (p.opened_ns, p.instrument_id, p.leg))
        return Reduction(position, abs(position.qty_lots))


CLOSE_POLICIES.add(Fifo("fifo", words="the oldest position"))
