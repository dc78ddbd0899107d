"""A real morning through the book: 999 LOBSTER events of AAPL, 21 June 2012, ten levels a side.

The file starts in the middle of trading and shows ten levels, so orders exist that it never
introduced. How they are handled:

- Before the first message, each level of the first published book (less what that message adds)
  is seeded with one anonymous order. It stands for everybody there and is first in the queue.
- A message about an order id the file never introduced reduces the anonymous order at its price.
- A level beyond the tenth is invisible, and so are messages about it. When a row reveals prices
  worse than the tenth of the row before, exactly those prices are brought in line with the row:
  what is missing joins as an anonymous order, what is too much leaves from the back of the queue
  (whole orders cancelled out of sight).
  Every price that was visible before is compared untouched.
- A visible execution is an IOC order of the other side at the message's price. It must trade once,
  for the whole size, with exactly the order the message names (or the anonymous one at that price).
- A hidden execution trades with an order the visible book does not hold: nothing happens.
"""

import csv
import gzip
import os
from pathlib import Path

import pytest

from engine.commands import BUY, IOC, SELL
from matching.book import FILLED, RESTED, Book
from matching.step import STEP_FILL

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SEAWALL_SHARED", REPOSITORY.parent / "shared"))
FOLDER = SHARED / "data" / "l3_lobster_aapl"

NEW, PARTIAL_CANCEL, DELETE, VISIBLE_EXECUTION, HIDDEN_EXECUTION = range(1, 6)

MAKER, TAKER = 1, 2
Levels = list[tuple[int, int]]


def read_rows(name: str) -> list[list[str]]:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"LOBSTER sample not found: {path}")
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.reader(file))


def published(row: list[str]) -> dict[int, Levels]:
    """The (price, size) levels of a published book row, best first; columns ask, bid by level."""
    numbers = [int(field) for field in row]
    return {
        SELL: list(zip(numbers[0::4], numbers[1::4], strict=True)),
        BUY: list(zip(numbers[2::4], numbers[3::4], strict=True)),
    }


class Replay:
    """The book, fed from the files, with the anonymous orders under negative ids."""

    def __init__(self) -> None:
        self.book = Book()
        self.anonymous: dict[tuple[int, int], int] = {}
        self.last_id = 0
        self.adjusted_levels = 0
        self.named_executions = 0

    def next_id(self) -> int:
        self.last_id -= 1
        return self.last_id

    def add_anonymous(self, side: int, price: int, lots: int) -> None:
        order_id = self.next_id()
        self.anonymous[side, price] = order_id
        assert self.book.submit(order_id, MAKER, side, price, lots) == RESTED

    def named(self, order_id: int, side: int, price: int) -> int:
        return order_id if order_id in self.book else self.anonymous[side, price]

    def apply(self, kind: int, order_id: int, lots: int, price: int, side: int) -> None:
        book = self.book
        if kind == HIDDEN_EXECUTION:
            return
        if kind == NEW:
            assert book.submit(order_id, MAKER, side, price, lots) == RESTED
            return
        resting = book.order(self.named(order_id, side, price))
        assert resting is not None
        assert (resting.side, resting.price_ticks) == (side, price)
        left = resting.remaining_lots
        if kind == VISIBLE_EXECUTION:
            assert book.submit(self.next_id(), TAKER, -side, price, lots, IOC) == FILLED
            (step,) = book.steps
            assert (step.kind, step.maker_id, step.lots) == (STEP_FILL, resting.order_id, lots)
            assert (step.price_ticks, step.left_lots) == (price, left - lots)
            self.named_executions += resting.order_id > 0
        elif resting.remaining_lots > lots:
            assert kind == PARTIAL_CANCEL or resting.order_id < 0
            assert book.change(resting.order_id, price, resting.remaining_lots - lots) == RESTED
        else:
            assert kind == DELETE and resting.remaining_lots == lots
            book.cancel(resting.order_id)

    def reveal(self, side: int, before: Levels, after: Levels) -> None:
        """Bring the prices between the last visible one before and after in line with the row."""
        shown = {price: lots for price, lots in after if side * (before[-1][0] - price) > 0}
        hidden = {
            price
            for price, _, _ in self.book.depth(side)
            if side * (before[-1][0] - price) > 0 and side * (price - after[-1][0]) >= 0
        }
        for price in sorted(shown.keys() | hidden):
            self.set_level(side, price, shown.get(price, 0))

    def set_level(self, side: int, price: int, lots: int) -> None:
        missing = lots - self.book.level_lots(side, price)
        self.adjusted_levels += missing != 0
        if missing > 0:
            self.add_anonymous(side, price, missing)
        queue = [order for order in self.book.orders(side) if order.price_ticks == price]
        while missing < 0:
            missing += queue[-1].remaining_lots
            self.book.cancel(queue.pop().order_id)
        assert self.book.level_lots(side, price) == lots


@pytest.mark.data
def test_the_visible_book_equals_the_published_one_after_every_message() -> None:
    messages = read_rows("AAPL_2012-06-21_message_10_first999.csv.gz")
    rows = [published(row) for row in read_rows("AAPL_2012-06-21_orderbook_10_first999.csv.gz")]
    assert len(messages) == len(rows) == 999
    replay = Replay()
    _, kind, _, first_lots, first_price, first_side = (int(float(field)) for field in messages[0])
    assert kind == NEW
    for side in (BUY, SELL):
        for price, lots in rows[0][side]:
            added = first_lots if (side, price) == (first_side, first_price) else 0
            if lots > added:
                replay.add_anonymous(side, price, lots - added)
    for number, (message, row) in enumerate(zip(messages, rows, strict=True)):
        replay.apply(*(int(field) for field in message[1:]))
        for side in (BUY, SELL):
            if number:
                replay.reveal(side, rows[number - 1][side], row[side])
            visible = [(price, lots) for price, lots, _ in replay.book.depth(side, 10)]
            assert visible == row[side], f"side {side} differs after message {number + 1}"
        replay.book.check()
    # Of 19,980 published levels 14 came from outside the view; 94 of 98 executions named an order
    # the file had introduced.
    assert (replay.adjusted_levels, replay.named_executions) == (14, 94)
