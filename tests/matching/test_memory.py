"""Nothing stays behind: compiled, some classes are kept out of the search for cyclic garbage."""

import gc
import sys
from collections.abc import Callable

import pytest

from bench import flow, worlds
from engine.commands import BUY, SELL
from matching.book import Book
from risk.accounts import FIRST_TRADER

ROUNDS = 12
FEW = 400
"""Memory blocks that come and go by themselves; what is dropped each round has thousands."""


def _book() -> None:
    book = Book()
    for order_id in range(1, 601):
        side = BUY if order_id % 2 else SELL
        book.submit(order_id, order_id, side, 1_000 - side * (order_id % 50 + 1), 10)
    for order_id in range(1, 601, 7):
        book.cancel(order_id)
    book.submit(601, 1, BUY, 1_100, 333)
    assert len(book) > 400


def _exchange() -> None:
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, 40, 10**12)
    for number in range(600):
        side = BUY if number % 2 else SELL
        account_id = FIRST_TRADER + number % 40
        price = worlds.START_TICKS - side * (number % 50)
        exchange.send(worlds.SubmitOrder(0, account_id, 0, number + 1, side, 3, price))
    assert exchange.events > 600
    assert exchange.book(0).depth(BUY)


def _batch() -> None:
    exchange = worlds.new_exchange()
    rows = flow.make_flow(200)
    worlds.fund_traders(exchange, flow.ACCOUNTS // 10, 10**12)
    exchange.send_batch(worlds.flow_commands(rows))


@pytest.mark.parametrize("make_and_drop", [_book, _exchange, _batch])
def test_what_is_dropped_is_freed(make_and_drop: Callable[[], None]) -> None:
    for _ in range(2):
        make_and_drop()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(ROUNDS):
        make_and_drop()
    gc.collect()
    assert sys.getallocatedblocks() - before < FEW


def test_messages_and_orders_do_not_pile_up() -> None:
    exchange = worlds.new_exchange()
    worlds.fund_traders(exchange, 2, 10**12)

    def trade(first_id: int) -> None:
        for order_id in range(first_id, first_id + 300, 3):
            for number, (account, side) in enumerate(((100, BUY), (101, SELL), (100, BUY))):
                order = worlds.SubmitOrder(0, account, 0, order_id + number, side, 1, 10_000)
                exchange.send(order)
            exchange.send(worlds.CancelOrder(0, 100, order_id + 2))

    trade(1)
    gc.collect()
    before = sys.getallocatedblocks()
    for turn in range(1, ROUNDS):
        trade(1 + 300 * turn)
    gc.collect()
    assert sys.getallocatedblocks() - before < FEW
