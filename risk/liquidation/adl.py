"""Auto-deleveraging: who must close when nobody else takes a bankrupt position, and how much.

Rankings are pure functions over what each counterparty gains and risks. The queue is the same one
traders see as their rank.
"""

from engine.units import magnitude, share_ppb

RANKS = 5
"""Number of rank groups shown to traders, 1 is the first fifth of the queue."""


def profit_leverage_score(
    unrealised_q: int, entry_value_q: int, notional_q: int, equity_q: int
) -> int:
    """Return on the position times the account's effective leverage, in squared ppb.

    ``max(0, profit) / entry notional x notional / equity``, both rounded down: the form of
    Hyperliquid's and (up to scale) Binance's index. ``entry_value_q`` counts without its sign. An
    account without equity ranks as leverage over one quantum.
    """
    if unrealised_q <= 0:
        return 0
    return_ppb = share_ppb(unrealised_q, max(1, magnitude(entry_value_q)))
    return return_ppb * share_ppb(notional_q, max(1, equity_q))


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
