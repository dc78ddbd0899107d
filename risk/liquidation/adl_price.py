"""Prices of auto-deleveraging: the value a position is closed at against its counterparties.

Each price is one file in ``risk/liquidation/adl_prices``.
"""

from typing import Final

from engine.native import mypyc_attr
from engine.units import Rate
from risk.accounts import Position
from risk.registry import Mechanism, Registry


@mypyc_attr(allow_interpreted_subclasses=True)
class AdlPrice(Mechanism):
    """A price by name."""

    __slots__ = ()

    def value_q(self, position: Position, bankrupt_q: int, distance: Rate) -> int:
        """What the position is closed at.

        ``bankrupt_q`` is the value that uses the account's equity up; ``distance`` is the share of
        the position's value that no price may lie further than from the mark.
        """
        raise NotImplementedError


ADL_PRICES: Final[Registry[AdlPrice]] = Registry("adl.price", "risk.liquidation.adl_prices")
