"""Depth as differences: what changed since the event before, counted with the book's own numbers.

Quantities are those of the book at the moment of the event. After a gap in the exchange's own
stream the whole new book is compared with the old one, so that subscribers see no gap.
"""

from typing import Any

from doors.exchange.contracts import Contract
from engine.commands import BUY, SELL
from engine.events import BookLevel
from matching.market_data import DepthBook


class DepthDifferences:
    """The differences of one contract at one speed, from a book on."""

    def __init__(self, contract: Contract, book: DepthBook | None) -> None:
        self._contract = contract
        self._book = book
        self._last = 0 if book is None else book.sequence
        self._dirty: dict[tuple[int, int], None] = {}

    def changed(self, level: BookLevel) -> None:
        """A level has another size."""
        self._dirty[level.side, level.price_ticks] = None

    def take(self, book: DepthBook | None, now_ms: int) -> dict[str, Any] | None:
        """The event for what changed since the last one; None when nothing did, or while the book
        is not known."""
        if book is None:
            return None
        if book is not self._book:
            self._compare(book)
        if book.sequence == self._last:
            return None
        event = depth_event(
            self._contract,
            now_ms,
            (self._last + 1, book.sequence, self._last),
            self._levels(book, BUY),
            self._levels(book, SELL),
        )
        self._last = book.sequence
        self._dirty.clear()
        return event

    def _compare(self, book: DepthBook) -> None:
        """Another book took the place of the one that was followed."""
        for one in (self._book, book):
            if one is not None:
                for side in (BUY, SELL):
                    self._dirty.update(((side, ticks), None) for ticks, _ in one.depth(side))
        if self._book is None or book.sequence < self._last:
            # The first one, or the exchange began anew.
            self._last = min(self._last or book.sequence, book.sequence)
        self._book = book

    def _levels(self, book: DepthBook, side: int) -> list[tuple[int, int]]:
        return [(ticks, book.lots_at(side, ticks)) for where, ticks in self._dirty if where == side]


def depth_event(
    contract: Contract,
    now_ms: int,
    numbers: tuple[int, int, int],
    bids: list[tuple[int, int]],
    asks: list[tuple[int, int]],
) -> dict[str, Any]:
    """An event of levels; ``numbers`` are the first and last change in it and the last before."""
    first, last, before = numbers
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": contract.symbol,
        "ps": contract.symbol,
        "U": first,
        "u": last,
        "pu": before,
        "b": [[contract.price(ticks), contract.qty(lots)] for ticks, lots in bids],
        "a": [[contract.price(ticks), contract.qty(lots)] for ticks, lots in asks],
        "st": 1,
    }
