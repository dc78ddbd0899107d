"""Prices of auto-deleveraging: the value a position is closed at against its counterparties.

Each price is one file in ``risk/liquidation/adl_prices``.
"""

from typing import TYPE_CHECKING, Final

from engine.native import mypyc_attr
from engine.units import Rate
from risk.registry import Mechanism, Registry

if TYPE_CHECKING:
    from risk.accounts import Position


@mypyc_attr(allow_interpreted_subclasses=True)
class AdlPrice(Mechanism):
    """A price by name. ``uses_previous_mark``: contracts keep the mark before the present one."""

    __slots__ = ("uses_previous_mark",)

    def __init__(self, name: str, *, uses_previous_mark: bool = False, words: str = "") -> None:
        super().__init__(name, words=words)
        self.uses_previous_mark: Final[bool] = uses_previous_mark

    def value_q(self, position: "Position", bankrupt_q: int, distance: Rate) -> int:
        """What the position is closed at.

        ``bankrupt_q`` is the value that uses the account's equity up; ``distance`` is the share of
        the position's value that no price may lie further than from the mark.
        """
        raise NotImplementedError


ADL_PRICES: Final[Registry[AdlPrice]] = Registry("adl.price", "risk.liquidation.adl_prices")
