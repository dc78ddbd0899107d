"""Partial-close policies: which position a liquidation reduces next, and by how much.

Pure functions from the account's facts to one step. A step of None means the policy has nothing
(more) to reduce and the waterfall goes on.
"""

from typing import NamedTuple

from engine.instruments import Instrument
from engine.links import AccountFacts, PositionFacts
from engine.units import PPB, apply_rate_up
from risk.margin.model import MarginModel
from risk.rulebook import Rulebook


class Contract(NamedTuple):
    """An instrument with its margin model, as the liquidation engine knows it."""

    instrument: Instrument
    model: MarginModel


class Step(NamedTuple):
    """Close ``lots`` (positive) of a position."""

    position: PositionFacts
    lots: int


def notional_q(contract: Contract, position: PositionFacts) -> int:
    """Value of a position at its mark."""
    return contract.instrument.notional_q(position.qty_lots, position.mark_ticks)


def maintenance_after_q(contract: Contract, position: PositionFacts, lots: int) -> int:
    """Maintenance of what is left of a position after closing ``lots``.

    Its entry value shrinks in proportion (rounded down).
    """
    total = abs(position.qty_lots)
    left = total - lots
    if left == 0:
        return 0
    return contract.model.maintenance_q(
        left if position.qty_lots > 0 else -left,
        contract.instrument.notional_q(left, position.mark_ticks),
        abs(position.entry_value_q) * left // total,
        position.leverage,
    )


def largest_requirement(facts: AccountFacts) -> PositionFacts:
    """The position that frees the most margin: highest maintenance, then lowest id."""
    return min(facts.positions, key=lambda p: (-p.maintenance_q, p.instrument_id, p.leg))


def oldest(facts: AccountFacts) -> PositionFacts:
    """The position opened first, whatever its profit (Kraken spot)."""
    return min(facts.positions, key=lambda p: (p.opened_ns, p.instrument_id, p.leg))


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
    total = abs(position.qty_lots)
    others_q = facts.maintenance_q - position.maintenance_q

    def restored(lots: int) -> bool:
        closed_q = contract.instrument.notional_q(lots, position.mark_ticks)
        equity_q = facts.equity_q - apply_rate_up(closed_q, cost_ppb)
        maintenance_q = others_q + maintenance_after_q(contract, position, lots)
        return equity_q * PPB >= target_ppb * maintenance_q

    if not restored(total):
        return total
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        if restored(middle):
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
