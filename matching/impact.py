"""The price a standard size would trade at: the average over the levels it eats."""

from typing import Final

from matching.book_side import BookSide
from matching.level import Level

E6: Final[int] = 10**6
_E18: Final[int] = 10**18

_LOOKS: Final[tuple[int, ...]] = (8, 64, 0)
"""How many levels are looked at first, if these do not suffice, and last (0: all)."""


def impact_price_e6(side: BookSide, amount: int, by_value: bool, up: bool) -> int:
    """Millionths of a tick at which ``amount`` trades on average against a side; 0 if it has less.

    The amount is lots times ticks (``by_value``, a linear contract's value) or lots (an inverse
    contract's). The average is the amount over what it buys, level by level; rounded down, or
    with ``up`` rounded up. Source: funding pages of Hyperliquid, Binance and BitMEX.
    """
    for limit in _LOOKS:
        levels = side.best_first(limit)
        bought_e18 = _bought_e18(levels, amount, by_value, up)
        if bought_e18:
            price_e24 = amount * E6 * _E18
            return -(-price_e24 // bought_e18) if up else price_e24 // bought_e18
        if len(levels) < limit:
            break
    return 0


def _bought_e18(levels: list[Level], amount: int, by_value: bool, up: bool) -> int:
    """What the amount buys over these levels, times 10**18; 0 if they have less.

    Rounded so that the price errs to the side of its own rounding.
    """
    left = amount
    total_e18 = 0
    for level in levels:
        price_ticks: int = level.price_ticks
        worth: int = level.lots
        if by_value:
            # All orders of a level together may be worth more than a machine word holds.
            worth *= price_ticks
        taken_e18 = min(worth, left) * _E18
        # Down for a price that is rounded up, and up for one that is rounded down.
        total_e18 += taken_e18 // price_ticks if up else -(-taken_e18 // price_ticks)
        left -= worth
        if left <= 0:
            return total_e18
    return 0
