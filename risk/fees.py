"""What the trades of one contract cost: its own rates, or those of all contracts."""

from engine.units import Rate
from risk.rulebook import Rulebook


class Fees:
    """Rates of one contract by the rulebook.

    `held` is the most that a fill can cost: what an open order must be able to pay. `liquidation`
    is for what is liquidated, `borrow_long` and `borrow_short` are for what a position borrows, at
    its opening and in every period of a rollover.
    """

    __slots__ = ("borrow_long", "borrow_short", "held", "liquidation", "maker", "taker")

    def __init__(self, rulebook: Rulebook, symbol: str) -> None:
        maker_ppb, taker_ppb, liquidation_ppb = rulebook.fees.rates_of(symbol)
        borrow = rulebook.borrow
        self.maker = Rate(maker_ppb)
        self.taker = Rate(taker_ppb)
        self.held = Rate(max(maker_ppb, taker_ppb) + max(borrow.long_ppb, borrow.short_ppb))
        self.liquidation = Rate(liquidation_ppb)
        self.borrow_long = Rate(borrow.long_ppb)
        self.borrow_short = Rate(borrow.short_ppb)

    def of_fill(self, notional_q: int, opened_q: int, side: int, is_maker: bool) -> int:
        """The fee of a fill that opens a position of value ``opened_q``; each part is rounded up.
        Negative where the maker's rebate is larger."""
        fee_q: int = (self.maker if is_maker else self.taker).up(notional_q)
        if opened_q:
            fee_q += (self.borrow_long if side > 0 else self.borrow_short).up(opened_q)
        return fee_q
