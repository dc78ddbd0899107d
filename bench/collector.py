"""How long the collector of cyclic garbage stops a book of many resting orders.

python -m bench.collector            # interpreted
PYTHONPATH=build/compiled:. python -P -m bench.collector
"""

import gc
import random
import time
from typing import Final

from engine.build_info import build_kind
from engine.commands import BUY, SELL
from gateway.serve import GC_THRESHOLDS
from matching.book import Book

ORDERS: Final[int] = 200_000
LEVELS: Final[int] = 10_000
CHURN: Final[int] = 100_000
ROUNDS: Final[int] = 5


def laid_book(rng: random.Random) -> Book:
    """A book of `ORDERS` orders at random places of `LEVELS` prices."""
    book = Book()
    for order_id in range(1, ORDERS + 1):
        side = BUY if order_id % 2 else SELL
        price_ticks = 1_000_000 - side * (1 + rng.randrange(LEVELS // 2))
        book.submit(order_id, order_id % 4_000, side, price_ticks, 10)
    return book


def main() -> None:
    """Print what a full collection takes, and what orders take beside it."""
    rng = random.Random(1)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    started = time.process_time_ns()
    book = laid_book(rng)
    build_ns = (time.process_time_ns() - started) / ORDERS
    pauses_ms: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        gc.collect()
        pauses_ms.append((time.process_time_ns() - started) / 1e6)
    started = time.process_time_ns()
    for order_id in range(ORDERS + 1, ORDERS + CHURN + 1):
        book.cancel(rng.randrange(1, order_id))
        side = BUY if order_id % 2 else SELL
        price_ticks = 1_000_000 - side * (1 + rng.randrange(LEVELS // 2))
        book.submit(order_id, order_id % 4_000, side, price_ticks, 10)
    churn_ns = (time.process_time_ns() - started) / CHURN
    tracked = len(gc.get_objects())
    print(
        f"{build_kind()}: {ORDERS:,} orders, {tracked:,} objects looked at, a full collection "
        f"{min(pauses_ms):.1f} to {max(pauses_ms):.1f} ms; an order {build_ns:.0f} ns, "
        f"a cancel and an order {churn_ns:.0f} ns"
    )


if __name__ == "__main__":
    main()
