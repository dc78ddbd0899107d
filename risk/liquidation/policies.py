"""Partial-close policies: which position a liquidation reduces next, and by how much.

Pure functions from the account's facts to one step. A step of None means the policy has nothing
(more) to reduce and the waterfall goes on.
"""

from engine.instruments import Instrument
from engine.internal import AccountFacts, PositionFacts
from engine.units import Rate, apply_rate_up, magnitude
from risk.margin.model import MarginModel
from risk.requirement import SUM_OF_POSITIONS, Requirement
from risk.rulebook import Rulebook


class Contract:
    """An instrument with its margin model, as the liquidation engine knows it; `requirement` is
    what the accounts that hold it must have."""

    __slots__ = ("instrument", "model", "requirement")

    def __init__(self, instrument: Instrument, model: MarginModel) -> None:
        self.instrument = instrument
        self.model = model
        self.requirement: Requirement = SUM_OF_POSITIONS


class Step:
    """Close ``lots`` (positive) of a position."""

    __slots__ = ("lots", "position")

    def __init__(self, position: PositionFacts, lots: int) -> None:
        self.position = position
        self.lots = lots


def notional_q(contract: Contract, position: PositionFacts) -> int:
    """Value of a position at its mark."""
    return contract.instrument.notional_q(position.qty_lots, position.mark_ticks)


def largest_requirement(facts: AccountFacts) -> PositionFacts:
    """The position that frees the most margin: highest maintenance, then lowest id."""
    positions = facts.positions
    if len(positions) == 1:
        return positions[0]
    return min(positions, key=lambda p: (-p.maintenance_q, p.instrument_id, p.leg))


def oldest(facts: AccountFacts) -> PositionFacts:
    """The position opened first, whatever its profit (Kraken spot)."""
    return min(facts.positions, key=lambda p: (p.opened_ns, p.instrument_id, p.leg))


class _Reduction:
    """What closing lots of a position at its mark does to the account."""

    __slots__ = ("_contract", "_cost_ppb", "_facts", "_position", "_target", "total")

    def __init__(
        self,
        contract: Contract,
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
    contract: Contract,
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
    reduction = _Reduction(contract, facts, position, target_ppb, cost_ppb)
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


def tier_step_lots(contract: Contract, position: PositionFacts) -> int:
    """Lots that bring the position down to the next lower tier of its margin table; all of it in
    the lowest tier (Binance, Bybit)."""
    total = abs(position.qty_lots)
    value_q = notional_q(contract, position)
    floor_q = contract.model.tier_floor_q(value_q)
    if floor_q <= 0:
        return total
    # The largest remainder strictly below the tier's floor.
    kept = total * (floor_q - 1) // value_q
    return total - kept


def fraction_lots(position: PositionFacts, fraction_ppb: int) -> int:
    """The given fraction of the position, rounded up, at least one lot."""
    return min(abs(position.qty_lots), apply_rate_up(abs(position.qty_lots), fraction_ppb))


def next_step(
    contracts: dict[int, Contract],
    facts: AccountFacts,
    rulebook: Rulebook,
    target_ppb: int,
) -> Step | None:
    """The reduction the rulebook's policy asks for now."""
    if not facts.positions:
        return None
    rule = rulebook.liquidation
    if rule.partial == "fifo":
        position = oldest(facts)
        return Step(position, abs(position.qty_lots))
    position = largest_requirement(facts)
    contract = contracts[position.instrument_id]
    if rule.partial == "restore":
        cost_ppb = rulebook.fees.liquidation_ppb
        return Step(position, restoring_lots(contract, facts, position, target_ppb, cost_ppb))
    if rule.partial == "tier_step":
        return Step(position, tier_step_lots(contract, position))
    if rule.partial == "fraction":
        if notional_q(contract, position) >= rule.fraction_min_notional * facts.asset_unit_q:
            return Step(position, fraction_lots(position, rule.fraction_ppb))
        return Step(position, abs(position.qty_lots))
    return Step(position, abs(position.qty_lots))
