"""Each position answers by what it is required to have (dYdX)."""

from risk.accounts import Position
from risk.bankruptcy_split import BANKRUPTCY_SPLITS, BankruptcySplit


class ByMaintenance(BankruptcySplit):
    """In proportion to maintenance.

    Source: dYdX v4-chain, ``GetBankruptcyPriceInQuoteQuantums``.
    """

    __slots__ = ()

    def weight_q(self, position: Position) -> int:
        """Maintenance at the mark."""
        return position.account.requirement.share_q(position)


BANKRUPTCY_SPLITS.add(ByMaintenance("by_maintenance", words="maintenance"))
