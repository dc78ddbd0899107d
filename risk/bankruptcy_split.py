"""Bankruptcy splits: how the equity of an account is shared out over its positions at its end.

The shares say at which value each position closes for the account to end at zero. Each split is one
file in ``risk/liquidation/splits``.
"""

from typing import TYPE_CHECKING, Final

from engine.native import mypyc_attr
from risk.registry import Mechanism, Registry

if TYPE_CHECKING:
    from risk.accounts import Position


@mypyc_attr(allow_interpreted_subclasses=True)
class BankruptcySplit(Mechanism):
    """A split by name."""

    __slots__ = ()

    def weight_q(self, position: "Position") -> int:
        """What a position's share is in proportion to, in quanta; 0 or more."""
        raise NotImplementedError


BANKRUPTCY_SPLITS: Final[Registry[BankruptcySplit]] = Registry(
    "liquidation.split", "risk.liquidation.splits"
)
