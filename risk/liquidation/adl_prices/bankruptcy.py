"""Deleverage at the bankruptcy price: counterparties bear the deficit through their price."""

from engine.units import Rate
from risk.accounts import Position
from risk.adl_price import ADL_PRICES, AdlPrice
from risk.check.bankruptcy import within_distance_q


class Bankruptcy(AdlPrice):
    """The value that uses the account's equity up, within the distance from the mark."""

    __slots__ = ()

    def value_q(self, position: Position, bankrupt_q: int, distance: Rate) -> int:
        """Rounded towards the mark where the distance bounds it."""
        return within_distance_q(position, bankrupt_q, distance)


ADL_PRICES.add(Bankruptcy("bankruptcy", words="price that uses the account's equity up"))
