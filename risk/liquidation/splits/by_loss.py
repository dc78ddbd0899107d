"""Each position answers by what it lost: a position that gains closes at its mark."""

from risk.accounts import Position
from risk.bankruptcy_split import BANKRUPTCY_SPLITS, BankruptcySplit
from risk.health import unrealised_q


class ByLoss(BankruptcySplit):
    """In proportion to unrealised loss; in equal parts where none of them lost."""

    __slots__ = ()

    def weight_q(self, position: Position) -> int:
        """Unrealised loss at the mark; 0 for a gain."""
        return max(0, -unrealised_q(position))


BANKRUPTCY_SPLITS.add(ByLoss("by_loss", words="unrealised loss"))
