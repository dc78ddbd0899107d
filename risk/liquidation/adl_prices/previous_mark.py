"""Deleverage at the mark before the present one (Hyperliquid)."""

from engine.units import Rate
from risk.accounts import Position
from risk.adl_price import ADL_PRICES, AdlPrice
from risk.check.bankruptcy import mark_value_q, within_distance_q


class PreviousMark(AdlPrice):
    """The value at the mark before the last change, within the distance from the mark.

    No less than at the present mark: what a mark that recovers gives back would be another loss of
    the account, and its counterparties' gain at the expense of whoever bears its deficit. No more
    than uses the account's equity up: else a jump that ruins it would give back all that
    it lost, a free option at its counterparties' expense. So an account ruined in one step leaves
    with nothing and owes nothing, and one that has equity left closes at the present mark and keeps
    it. Source: Hyperliquid docs, auto-deleveraging, which names neither
    bound.
    """

    __slots__ = ()

    def value_q(self, position: Position, bankrupt_q: int, distance: Rate) -> int:
        """Rounded towards the mark where the distance bounds it; the mark if it never changed."""
        listing = position.listing
        before_ticks = listing.previous_mark_ticks or listing.mark_ticks
        before_q = listing.instrument.position_value_q(position.qty_lots, before_ticks)
        value_q = max(mark_value_q(position), min(before_q, bankrupt_q))
        return within_distance_q(position, value_q, distance)


ADL_PRICES.add(
    PreviousMark("previous_mark", uses_previous_mark=True, words="mark before the present one")
)
