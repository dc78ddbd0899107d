"""The order flow every book and pipeline benchmark runs, and peers too: 45 % limit, 40 % cancel,
10 % market, 5 % amend.

Cancels and amends always name an order that rests at that moment, amends always lose their place
in the queue (so a book without amend can cancel and submit again), and no account ever meets
itself, so every price-time priority book must print the same trades.
"""

import random
from collections import Counter
from pathlib import Path
from typing import Final

from engine.commands import BUY, GTC, IOC, SELL, STP_CANCEL_NEWEST
from matching.batch import AMEND, CANCEL, LIMIT, MARKET
from matching.book import RESTED, Book
from matching.step import STEP_FILL

START_TICKS: Final[int] = 10_000
LOWEST_TICKS: Final[int] = 1
HIGHEST_TICKS: Final[int] = 1_000_000
ACCOUNTS: Final[int] = 4_000
FIRST_ACCOUNT: Final[int] = 100


Row = tuple[int, int, int, int, int, int]
"""One message: kind, order id, account id, side, price in ticks, lots. A cancel uses the order id
only, an amend also price and lots. Plain tuples, which Python unpacks without an iterator."""


class _Builder:
    """Draws messages against a live book, which knows what rests."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.book = Book()
        self.rows: list[Row] = []
        self.mid = float(START_TICKS)
        # Ids that may rest, with lazy deletion, so that a random one is drawn in constant time.
        self.ids: list[int] = []
        self.resting_of: Counter[tuple[int, int]] = Counter()
        self.account_of: dict[int, int] = {}

    def draw_resting(self) -> int:
        """A random resting order's id, 0 if none rests."""
        while self.ids:
            place = self.rng.randrange(len(self.ids))
            order_id = self.ids[place]
            if order_id in self.book:
                return order_id
            self.ids[place] = self.ids[-1]
            self.ids.pop()
        return 0

    def account_for(self, side: int) -> int:
        """An account with nothing resting on the other side."""
        while True:
            account = FIRST_ACCOUNT + self.rng.randrange(ACCOUNTS)
            if not self.resting_of[(account, -side)]:
                return account

    def price(self, side: int) -> int:
        """A limit near the touch; the drifting middle makes some of them marketable."""
        self.mid += self.rng.gauss(0.0, 0.15)
        return max(2, round(self.mid - side * (self.rng.expovariate(1 / 8.0) + 0.3)))

    def submit(self, kind: int, order_id: int, side: int, price: int, lots: int) -> None:
        """Send a new order to the book and write the row."""
        account = self.account_for(side)
        self.account_of[order_id] = account
        tif = GTC if kind == LIMIT else IOC
        outcome = self.book.submit(
            order_id, account, side, price, lots, tif, False, STP_CANCEL_NEWEST, False
        )
        self._after(outcome == RESTED, account, side)
        if outcome == RESTED:
            self.ids.append(order_id)
        self.rows.append((kind, order_id, account, side, price, lots))

    def cancel(self, order_id: int) -> None:
        """Cancel a resting order."""
        order = self.book.order(order_id)
        assert order is not None
        self.book.cancel(order_id)
        self.resting_of[(order.account_id, order.side)] -= 1
        self.rows.append((CANCEL, order_id, order.account_id, order.side, 0, 0))

    def amend(self, order_id: int) -> None:
        """Move a resting order, or enlarge it."""
        order = self.book.order(order_id)
        assert order is not None
        account, side = order.account_id, order.side
        price = self.price(side)
        lots = order.remaining_lots
        if price == order.price_ticks:
            lots += 1
        self.resting_of[(account, side)] -= 1
        outcome = self.book.change(order_id, price, lots)
        self._after(outcome == RESTED, account, side)
        self.rows.append((AMEND, order_id, account, side, price, lots))

    def _after(self, rested: bool, account: int, side: int) -> None:
        for step in self.book.steps:
            assert step.kind == STEP_FILL, "an account met itself"
            if step.left_lots == 0:
                self.resting_of[(self.account_of[step.maker_id], -side)] -= 1
        if rested:
            self.resting_of[(account, side)] += 1


def make_flow(messages: int, seed: int = 7) -> list[Row]:
    """A flow of so many messages after a book of 1,000 resting orders was laid."""
    builder = _Builder(seed)
    order_id = 0
    for _ in range(1_000):
        order_id += 1
        side = BUY if order_id % 2 else SELL
        offset = side * (2 + order_id // 20)
        lots = 1 + builder.rng.randrange(20)
        builder.submit(LIMIT, order_id, side, START_TICKS - offset, lots)
    draw = builder.rng.random
    while len(builder.rows) < 1_000 + messages:
        what = draw()
        target = builder.draw_resting() if what >= 0.55 else 0
        side = BUY if draw() < 0.5 else SELL
        lots = 1 + builder.rng.randrange(20)
        if what < 0.10:
            order_id += 1
            worst = HIGHEST_TICKS if side == BUY else LOWEST_TICKS
            builder.submit(MARKET, order_id, side, worst, lots)
        elif what < 0.55 or not target:
            order_id += 1
            builder.submit(LIMIT, order_id, side, builder.price(side), lots)
        elif what < 0.95:
            builder.cancel(target)
        else:
            builder.amend(target)
    return builder.rows


def write_flow(rows: list[Row], path: Path) -> None:
    """One message per line, as integers separated by spaces."""
    path.write_text("\n".join(" ".join(map(str, row)) for row in rows) + "\n")


def read_flow(path: Path) -> list[Row]:
    """What `write_flow` wrote."""
    rows: list[Row] = []
    for line in path.read_text().splitlines():
        kind, order_id, account_id, side, price_ticks, lots = map(int, line.split())
        rows.append((kind, order_id, account_id, side, price_ticks, lots))
    return rows
