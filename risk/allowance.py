"""How much a position may borrow: no order leads beyond it (Kraken)."""

from fractions import Fraction

from engine.instruments import InstrumentSpec
from risk.rulebook import BorrowRule


class Allowance:
    """Of one contract by the rulebook: `long_q` is the most a long may be worth at the mark, in
    quanta, `short_lots` the most lots of a short; 0 is no limit."""

    __slots__ = ("long_q", "short_lots")

    def __init__(self, rule: BorrowRule, spec: InstrumentSpec, decimals: int) -> None:
        self.long_q: int = rule.allowance * 10**decimals
        self.short_lots: int = 0
        for own in rule.contracts:
            if spec.symbol in own.symbols:
                # Rounded down: a lot that is allowed in part only is not.
                self.short_lots = own.coins // Fraction(spec.lot_size)

    def refuses(self, lots: int, notional_q: int) -> bool:
        """Whether a position of these signed lots and this value borrows more than is allowed."""
        if lots > 0:
            return 0 < self.long_q < notional_q
        return 0 < self.short_lots < -lots
