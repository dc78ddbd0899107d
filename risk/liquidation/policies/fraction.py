"""Close a fraction of a position at a time (Hyperliquid, Deribit)."""

from engine.internal import AccountFacts
from risk.liquidation.policy import (
    CLOSE_POLICIES,
    ClosePolicy,
    MarginedContract,
    Reduction,
    fraction_lots,
    largest_requirement,
    notional_q,
)
from risk.rulebook import Rulebook


class Fraction(ClosePolicy):
    """``fraction`` of the position with the largest requirement; one that is smaller than
    ``fraction_min_notional`` is closed whole."""

    __slots__ = ()

    def next_step(
        self,
        contracts: dict[int, MarginedContract],
        facts: AccountFacts,
        rulebook: Rulebook,
        target_ppb: int,
    ) -> Reduction:
        """The fraction, rounded up to a lot, or the whole position."""
        rule = rulebook.liquidation
        position = largest_requirement(facts)
        value_q = notional_q(contracts[position.instrument_id], position)
        if value_q >= rule.fraction_min_notional * facts.asset_unit_q:
            return Reduction(position, fraction_lots(position, rule.fraction_ppb))
        return Reduction(position, abs(position.qty_lots))


CLOSE_POLICIES.add(Fraction("fraction", paced=True, words="a share of the position"))
