"""Each position answers by its size: all close at the same distance from their marks."""

from risk.accounts import Position
from risk.bankruptcy_split import BANKRUPTCY_SPLITS, BankruptcySplit


class ByNotional(BankruptcySplit):
    """In proportion to notional."""

    __slots__ = ()

    def weight_q(self, position: Position) -> int:
        """Notional at the mark."""
        listing = position.listing
        return listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)


BANKRUPTCY_SPLITS.add(ByNotional("by_notional", words="notional"))
