"""Many messages to one book in one call: for replays and studies that need no margin.

A call from interpreted Python costs as much as the book's own work; here the loop runs beside it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from engine.commands import GTC, IOC
from matching.book import Book
from matching.step import STEP_FILL

if TYPE_CHECKING:
    from mypy_extensions import i64

LIMIT: Final[int] = 0
CANCEL: Final[int] = 1
MARKET: Final[int] = 2
AMEND: Final[int] = 3

BatchTrade = tuple[int, int, int, int]
"""Taker order id, maker order id, price in ticks, lots."""


def run_batch(book: Book, rows: Sequence[tuple[int, ...]], stp: int) -> list[BatchTrade]:
    """Apply the messages in order and return the trades.

    A message has six numbers: kind, order id, account id, side, price in ticks, lots. A cancel uses
    only the id; a market order's price is the worst one it takes.

    Cancels and amends of orders that do not rest (any more) change nothing. ``stp`` is the
    self-trade mode of every order.

    Raises:
        ValueError: a size or price is not positive, or an order id rests already.
    """
    trades: list[BatchTrade] = []
    # A list is walked as it is: a copy would touch every message once more, cold in memory.
    listed: list[tuple[int, ...]] = rows if isinstance(rows, list) else list(rows)
    # The numbers are taken out one by one: a cancel needs two of the six.
    for row in listed:
        kind: i64 = row[0]
        if kind == CANCEL:
            book.cancel(row[1])
        elif kind == AMEND:
            if row[1] not in book:
                continue
            book.change(row[1], row[4], row[5])
        else:
            tif = GTC if kind == LIMIT else IOC
            book.submit(row[1], row[2], row[3], row[4], row[5], tif, False, stp)
        if book.steps:
            for step in book.steps:
                if step.kind == STEP_FILL:
                    trades.append((row[1], step.maker_id, step.price_ticks, step.lots))
    return trades
