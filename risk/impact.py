"""How large an order the impact prices of a contract are for, in the book's own units."""

from fractions import Fraction
from typing import Final

from engine.instruments import INVERSE, InstrumentSpec
from risk.rulebook import FundingRule

MOST: Final[int] = 2**62


def impact_amount(spec: InstrumentSpec, decimals: int, rule: FundingRule, leverage: int) -> int:
    """Lots times ticks of a linear contract, lots of an inverse one; 0 where the rulebook takes the
    best prices.

    The notional is in whole units of the quote currency: the contract's own, that of all, or a
    margin times the highest ``leverage`` (Binance: 200 USDT over the initial rate at the maximum
    leverage). Rounded up to a lot or tick, so that a positive one is never nothing. One that no
    message carries is cut; no book has so much either.
    """
    notional = rule.impact_notional or rule.impact_margin * leverage
    for own in rule.contracts:
        if spec.symbol in own.symbols:
            notional = own.notional
    unit = Fraction(spec.unit_q, 10**decimals)
    if spec.kind == INVERSE:
        unit *= Fraction(spec.tick)
    return min(MOST, -(-Fraction(notional) // unit))
