"""How long the collector of cyclic garbage stops a book, and an exchange, of many resting orders.

python -m bench.collector            # interpreted
PYTHONPATH=build/compiled:. python -P -m bench.collector
"""

import gc
import random
import time
from typing import Final

from bench import worlds
from engine.build_info import build_kind
from engine.commands import BUY, SELL, SubmitOrder
from gateway.serve import GC_THRESHOLDS
from matching.book import Book
from risk.accounts import FIRST_TRADER

ORDERS: Final[int] = 200_000
LEVELS: Final[int] = 10_000
CHURN: Final[int] = 100_000
ROUNDS: Final[int] = 5
ACCOUNTS: Final[int] = 4_000


def laid_book(rng: random.Random) -> Book:
    """A book of `ORDERS` orders at random places of `LEVELS` prices."""
    book = Book()
    for order_id in range(1, ORDERS + 1):
        side = BUY if order_id % 2 else SELL
        price_ticks = 1_000_000 - side * (1 + rng.randrange(LEVELS // 2))
        book.submit(order_id, order_id % 4_000, side, price_ticks, 10)
    return book


def pauses_ms() -> list[float]:
    """Processor time of full collections."""
    found: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time_ns()
        gc.collect()
        found.append((time.process_time_ns() - started) / 1e6)
    return found


class _Collections:
    """The collections that come by themselves, by generation."""

    def __init__(self) -> None:
        self.longest_ms = [0.0, 0.0, 0.0]
        self.counts = [0, 0, 0]
        self._started = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._started = time.process_time_ns()
            return
        generation = info["generation"]
        took_ms = (time.process_time_ns() - self._started) / 1e6
        self.counts[generation] += 1
        self.longest_ms[generation] = max(self.longest_ms[generation], took_ms)


def measure_exchange(rng: random.Random) -> None:
    """As many orders of many accounts, sent to an exchange: book, risk and events together."""
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, ACCOUNTS, 10**15)
    gc.collect()
    gc.freeze()
    seen = _Collections()
    gc.callbacks.append(seen)
    for order_id in range(1, ORDERS + 1):
        side = BUY if order_id % 2 else SELL
        price_ticks = worlds.START_TICKS - side * (1 + rng.randrange(500))
        account_id = FIRST_TRADER + order_id % ACCOUNTS
        exchange.send(SubmitOrder(0, account_id, 0, order_id, side, 1, price_ticks))
    gc.callbacks.remove(seen)
    tracked = len(gc.get_objects())
    full = pauses_ms()
    gc.freeze()
    frozen = pauses_ms()
    gc.unfreeze()
    print(
        f"{build_kind()} exchange: {len(exchange.risk.core.orders):,} orders, {tracked:,} objects "
        f"looked at, a full collection {min(full):.1f} to {max(full):.1f} ms, with all of them "
        f"frozen {min(frozen):.1f}; meanwhile of the three generations "
        f"{', '.join(map(str, seen.counts))} collections, the longest "
        f"{', '.join(f'{each:.1f}' for each in seen.longest_ms)} ms"
    )


def main() -> None:
    """Print what a full collection takes, and what orders take beside it."""
    rng = random.Random(1)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    started = time.process_time_ns()
    book = laid_book(rng)
    build_ns = (time.process_time_ns() - started) / ORDERS
    pauses = pauses_ms()
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
        f"{min(pauses):.1f} to {max(pauses):.1f} ms; an order {build_ns:.0f} ns, "
        f"a cancel and an order {churn_ns:.0f} ns"
    )
    del book
    gc.unfreeze()
    measure_exchange(rng)


if __name__ == "__main__":
    main()
