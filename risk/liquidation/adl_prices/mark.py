"""Deleverage at the mark: counterparties keep their profit, the deficit is socialised."""

from engine.units import Rate
from risk.accounts import Position
from risk.adl_price import ADL_PRICES, AdlPrice
from risk.check.bankruptcy import mark_value_q


class Mark(AdlPrice):
    """The value at the mark."""

    __slots__ = ()

    def value_q(self, position: Position, bankrupt_q: int, distance: Rate) -> int:
        """Whatever the account owes."""
        return mark_value_q(position)


ADL_PRICES.add(Mark("mark", words="mark"))
