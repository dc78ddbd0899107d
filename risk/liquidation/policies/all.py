"""Close positions whole, the largest requirement first."""

from engine.internal import AccountFacts
from risk.liquidation.policy import (
    CLOSE_POLICIES,
    ClosePolicy,
    MarginedContract,
    Reduction,
    largest_requirement,
)
from risk.rulebook import Rulebook


class All(ClosePolicy):
    """All of the position with the largest requirement."""

    __slots__ = ()

    def next_step(
        self,
        contracts: dict[int, MarginedContract],
        facts: AccountFacts,
        rulebook: Rulebook,
        target_ppb: int,
    ) -> Reduction:
        """The whole position."""
        position = largest_requirement(facts)
        return Reduction(position, abs(position.qty_lots))


CLOSE_POLICIES.add(All("all", words="everything"))
