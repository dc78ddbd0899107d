"""Auto-deleveraging: who must close when a bankrupt position finds no taker, and how much.

How lots and values are shared out. Rankings are in `risk.liquidation.ranking`.
"""

RANKS = 5
"""Number of rank groups shown to traders, 1 is the first fifth of the queue."""


def rank_group(position_in_queue: int, queue_length: int) -> int:
    """Rank shown to a trader: 1 (next to be deleveraged) to 5; positions count from 0."""
    return position_in_queue * RANKS // queue_length + 1


def split_pro_rata(lots: int, sizes: list[int]) -> list[int]:
    """Share ``lots`` in proportion to sizes, never more than each size, all of it if they suffice.

    Cumulative shares are rounded down, so the parts add up exactly and no part is off by more
    than one lot.
    """
    total = sum(sizes)
    if total == 0:
        return [0] * len(sizes)
    lots = min(lots, total)
    shares: list[int] = []
    seen = 0
    given = 0
    for size in sizes:
        seen += size
        upto = lots * seen // total
        shares.append(upto - given)
        given = upto
    return shares


def split_value(value_q: int, total_lots: int, lots_before: int, lots: int) -> int:
    """The part of a value that belongs to ``lots`` of ``total_lots`` after ``lots_before``.

    Cumulative and rounded down: over all parts the value is used up exactly.
    """
    return value_q * (lots_before + lots) // total_lots - value_q * lots_before // total_lots
