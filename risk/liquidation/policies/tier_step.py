"""Close down to the next lower tier of the margin table (Binance, Bybit)."""

from engine.internal import AccountFacts, PositionFacts
from risk.liquidation.policy import (
    CLOSE_POLICIES,
    ClosePolicy,
    MarginedContract,
    Reduction,
    largest_requirement,
    notional_q,
)
from risk.rulebook import Rulebook


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

    def next_step(
        self,
        contracts: dict[int, MarginedContract],
        facts: AccountFacts,
        rulebook: Rulebook,
        target_ppb: int,
    ) -> Reduction:
        """What lies in the highest tier the position reaches."""
        position = largest_requirement(facts)
        return Reduction(position, tier_step_lots(contracts[position.instrument_id], position))


CLOSE_POLICIES.add(TierStep("tier_step", needs_tiers=True, words="down to the next lower tier"))
