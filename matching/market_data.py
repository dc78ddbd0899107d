"""Market data as a client sees it: level prices first (L1), totals (L2), single orders (L3).

`Book` itself answers depth and order queries; this module holds the snapshot the exchange hands
out and the client's side, which keeps a copy of the depth from a snapshot and the stream of
`engine.events.BookLevel`.
"""

from itertools import islice

from sortedcontainers import SortedDict

from engine.commands import BUY, SELL
from engine.events import BookLevel
from matching.book import Book
from matching.depth import DepthSnapshot as DepthSnapshot
from matching.depth import SequenceGap as SequenceGap


def depth_snapshot(book: Book, instrument_id: int, sequence: int) -> DepthSnapshot:
    """The whole depth of a book, best levels first."""
    return DepthSnapshot(
        instrument_id,
        sequence,
        [(price, lots) for price, lots, _ in book.depth(BUY)],
        [(price, lots) for price, lots, _ in book.depth(SELL)],
    )


class DepthBook:
    """A client's copy of one instrument's depth: a snapshot, then updates without a gap."""

    def __init__(self, snapshot: DepthSnapshot) -> None:
        self.instrument_id = snapshot.instrument_id
        self.sequence = snapshot.sequence
        # Lots by price, from the lowest price to the highest.
        self._lots: dict[int, SortedDict[int, int]] = {
            BUY: SortedDict(snapshot.bids),
            SELL: SortedDict(snapshot.asks),
        }

    def apply(self, update: BookLevel) -> None:
        """Take in the next update; a total of zero removes the level.

        Raises:
            SequenceGap: the update is not the one after the last; nothing was changed.
            ValueError: the update is for another instrument, or its side is unknown.
        """
        if update.instrument_id != self.instrument_id:
            raise ValueError(
                f"depth update for instrument {update.instrument_id} on the book of "
                f"{self.instrument_id}"
            )
        self.set_level(update.sequence, update.side, update.price_ticks, update.qty_lots)

    def set_level(self, sequence: int, side: int, price_ticks: int, qty_lots: int) -> None:
        """`apply` with the fields of an update of this instrument.

        Raises:
            SequenceGap: as `apply`.
            ValueError: the side is unknown.
        """
        levels = self._lots.get(side)
        if levels is None:
            raise ValueError(f"depth update side {side}: must be {BUY} or {SELL}")
        if sequence != self.sequence + 1:
            raise SequenceGap(
                f"instrument {self.instrument_id}: depth update {sequence} follows "
                f"{self.sequence}; expected {self.sequence + 1}, take a new snapshot"
            )
        self.sequence = sequence
        if qty_lots:
            levels[price_ticks] = qty_lots
        else:
            levels.pop(price_ticks, None)

    def depth(self, side: int, levels: int = 0) -> list[tuple[int, int]]:
        """(price_ticks, lots) of the best ``levels`` prices, best first (0: all)."""
        lots = self._lots[side]
        best_first = reversed(lots) if side == BUY else iter(lots)
        return [(price, lots[price]) for price in islice(best_first, levels or None)]

    def lots_at(self, side: int, price_ticks: int) -> int:
        """Lots at a price, 0 if there are none."""
        return self._lots[side].get(price_ticks, 0)

    def best_bid_ticks(self) -> int:
        """Highest bid, 0 if there is none."""
        bids = self._lots[BUY]
        return bids.peekitem(-1)[0] if bids else 0

    def best_ask_ticks(self) -> int:
        """Lowest ask, 0 if there is none."""
        asks = self._lots[SELL]
        return asks.peekitem(0)[0] if asks else 0
