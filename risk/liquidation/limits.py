"""The worst price an order of a liquidation, or of the house, may take.

The liquidation engine asks when it decides and risk asks again when it sends, so a mark that moved
in between is heeded. A limit is reached by the fills of one order; a fee is no part of it, since a
liquidation fee never takes more than the equity a fill leaves.
"""

from engine.commands import MAX_TICKS
from engine.instruments import Instrument
from engine.internal import AccountFacts, PositionFacts
from engine.units import PPB, apply_rate_down, apply_rate_up, magnitude
from risk.rulebook import FundRule, LiquidationRule
from risk.solve import bankruptcy_price_ticks


def liquidation_limit_ticks(
    instrument: Instrument, facts: AccountFacts, position: PositionFacts, rule: LiquidationRule
) -> int:
    """Where the position's share of the account's equity is used up; with ``slippage`` no further
    from the mark than that either.

    Each position has its share by maintenance (rounded down). A short of an inverse contract keeps
    a quantum per lot back: buying lot by lot, every fill may cost that much by rounding.
    """
    qty_lots = position.qty_lots
    value_q = instrument.position_value_q(qty_lots, position.mark_ticks)
    # Rounded down, so the shares together are never more than the equity.
    share_q = facts.equity_q * position.maintenance_q // max(1, facts.maintenance_q)
    if instrument.inverse and qty_lots < 0:
        share_q -= magnitude(qty_lots)
    other_equity_q = share_q - (value_q - position.entry_value_q)
    bankrupt_ticks = _bankrupt_ticks(instrument, position, other_equity_q)
    if rule.order_price != "slippage":
        return bankrupt_ticks
    return _nearer_ticks(position, bankrupt_ticks, slipped_ticks(position, rule.slippage_ppb))


def house_limit_ticks(instrument: Instrument, position: PositionFacts, rule: FundRule) -> int:
    """The rulebook's slippage from the mark, but never beyond the mark at a loss.

    What the house gave for a position is the worst it sells at while the mark is better than that;
    otherwise the mark is. So the owner of an account taken over cannot buy its position back for
    less than the house got with it.
    """
    cost_ticks = _bankrupt_ticks(instrument, position, 0)
    mark_ticks = position.mark_ticks
    if position.qty_lots > 0:
        cost_ticks = min(mark_ticks, cost_ticks)
    else:
        cost_ticks = max(mark_ticks, cost_ticks)
    slipped = slipped_ticks(position, rule.disposal_slippage_ppb)
    return _nearer_ticks(position, cost_ticks, slipped)


def slipped_ticks(position: PositionFacts, slippage_ppb: int) -> int:
    """The mark, worsened by the slippage a closing order may take (at least one tick)."""
    if position.qty_lots > 0:
        return max(1, apply_rate_up(position.mark_ticks, PPB - slippage_ppb))
    return max(1, apply_rate_down(position.mark_ticks, PPB + slippage_ppb))


def nearer_ticks(sells: bool, one_ticks: int, other_ticks: int) -> int:
    """The stricter of two limits: the higher for a sale, the lower for a purchase."""
    return max(one_ticks, other_ticks) if sells else min(one_ticks, other_ticks)


def _nearer_ticks(position: PositionFacts, one_ticks: int, other_ticks: int) -> int:
    return nearer_ticks(position.qty_lots > 0, one_ticks, other_ticks)


def _bankrupt_ticks(instrument: Instrument, position: PositionFacts, other_equity_q: int) -> int:
    """The last price at which this much beside the position is not used up; any price if none is
    bad enough."""
    found = bankruptcy_price_ticks(
        instrument, position.qty_lots, position.entry_value_q, other_equity_q
    )
    if found is None:
        return 1 if position.qty_lots > 0 else MAX_TICKS
    return found
