"""Close down to the next lower tier of the margin table (Binance, Bybit)."""

from engine.internal import PositionFacts
from risk.liquidation.policy import (
    CLOSE_POLICIES,
    Candidate,
    ClosePolicy,
    MarginedContract,
    notional_q,
)


def tier_step_lots(contract: MarginedContract, position: PositionFacts) -> int:
    """Lots that bring the position down to the next lower tier; all of it in the lowest tier."""
    total = abs(position.qty_lots)
    value_q = notional_q(contract, position)
    floor_q = contract.model.tier_floor_q(value_q)
    if floor_q <= 0:
        return total
    # The largest remainder strictly below the tier's floor.
    kept = total * (floor_q - 1) // value_q
    return total - kept


class TierStep(ClosePolicy):
    """One tier of the position with the largest requirement."""

    __slots__ = ()

    def lots(self, candidate: Candidate) -> int:
        """What lies in the highest tier the position reaches."""
        return tier_step_lots(candidate.contract, candidate.position)


CLOSE_POLICIES.add(TierStep("tier_step", needs_tiers=True, words="down to the next lower tier"))
