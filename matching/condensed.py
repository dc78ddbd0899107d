"""Matching's part of the state hash: the hashes of price levels and of positions."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from engine.record.hashing import digest_of, table_hash
from matching.order import OrderRow
from matching.positions import PositionRow

BookState = tuple[int, int, int, list[OrderRow], list[OrderRow], list[PositionRow]]
"""Instrument id, last trade id, last depth sequence, bids and asks in priority order, positions."""

CondensedBook = tuple[int, int, int, list[bytes], list[bytes], bytes]
"""The same with a hash for each price level and one for all positions."""

_PRICE: Final = itemgetter(2)
"""The price of an `OrderRow`."""


def condense_books(state: Sequence[Sequence[Any]]) -> list[CondensedBook]:
    """The state of books with the hashes of levels and positions in their place, from nothing."""
    return [
        (*counters, _levels(bids), _levels(asks), table_hash(positions))
        for *counters, bids, asks, positions in state
    ]


def _levels(rows: Sequence[OrderRow]) -> list[bytes]:
    """The hashes of the price levels of a side, best first."""
    return [digest_of(list(level)) for _, level in groupby(rows, _PRICE)]
