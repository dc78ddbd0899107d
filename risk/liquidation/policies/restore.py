"""Close just enough to lift the account back to its target."""

from engine.internal import AccountFacts, PositionFacts
from engine.units import Rate, apply_rate_up, magnitude
from risk.liquidation.policy import (
    CLOSE_POLICIES,
    Candidate,
    ClosePolicy,
    MarginedContract,
)


class _Effect:
    """What closing lots of a position at its mark does to the account."""

    __slots__ = ("_contract", "_cost_ppb", "_facts", "_position", "_target", "total")

    def __init__(
        self,
        contract: MarginedContract,
        facts: AccountFacts,
        position: PositionFacts,
        target_ppb: int,
        cost_ppb: int,
    ) -> None:
        self.total = magnitude(position.qty_lots)
        self._contract = contract
        self._facts = facts
        self._position = position
        self._target = Rate(target_ppb)
        self._cost_ppb = cost_ppb

    def restores(self, lots: int) -> bool:
        """Whether closing ``lots`` lifts equity to the target."""
        contract = self._contract
        closed_q = contract.instrument.notional_q(lots, self._position.mark_ticks)
        equity_q = self._facts.equity_q - apply_rate_up(closed_q, self._cost_ppb)
        left_q = contract.requirement.left_q(contract, self._facts, self._position, lots)
        return not self._target.is_above(equity_q, left_q)


def restoring_lots(
    contract: MarginedContract,
    facts: AccountFacts,
    position: PositionFacts,
    target_ppb: int,
    cost_ppb: int,
) -> int:
    """Fewest lots whose closing at mark lifts equity to ``target x maintenance``; else all.

    ``cost_ppb`` of the closed notional is expected to be lost to fees and slippage (rounded up).
    Closing more always helps as long as the cost rate is below the maintenance rate, so the answer
    is found by bisection; otherwise only the whole position might help and is returned.
    """
    reduction = _Effect(contract, facts, position, target_ppb, cost_ppb)
    total = reduction.total
    if not reduction.restores(total):
        return total
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        if reduction.restores(middle):
            high = middle
        else:
            low = middle
    return high


class Restore(ClosePolicy):
    """Just enough of the position with the largest requirement."""

    __slots__ = ()

    def lots(self, candidate: Candidate) -> int:
        """The fewest lots; the liquidation fee is expected to be lost on them."""
        contract = candidate.contract
        _, _, cost_ppb = candidate.rulebook.fees.rates_of(contract.symbol)
        return restoring_lots(
            contract, candidate.account, candidate.position, candidate.target_ppb, cost_ppb
        )


CLOSE_POLICIES.add(Restore("restore", words="just enough to bring the account back"))
