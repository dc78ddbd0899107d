"""The book and the textbook's get the same commands and must agree after each one."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import (
    BUY,
    FOK,
    GTC,
    IOC,
    LEG_LONG,
    LEG_NET,
    LEG_SHORT,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
    STP_NONE,
)
from matching.book import FILLED, RESTED, Book
from matching.step import STEP_FILL, Step
from matching.textbook_book import TextbookBook

LEGS = (LEG_NET, LEG_LONG, LEG_SHORT)
MODES = (STP_CANCEL_NEWEST, STP_CANCEL_OLDEST, STP_CANCEL_BOTH, STP_DECREMENT, STP_NONE)


class Pair:
    """Both books, driven together; every method compares everything that can be seen."""

    def __init__(self) -> None:
        self.book = Book()
        self.textbook = TextbookBook()
        self.accounts: dict[int, int] = {}
        self.modes: dict[int, int] = {}
        self.seen: dict[str, int] = {}

    def submit(
        self,
        account_id: int,
        side: int,
        price: int,
        lots: int,
        tif: int = GTC,
        post_only: bool = False,
        stp: int = STP_CANCEL_NEWEST,
        reduce_only: bool = False,
        leg: int = LEG_NET,
    ) -> None:
        order_id = len(self.accounts) + 1
        self.accounts[order_id] = account_id
        self.modes[order_id] = stp
        order = (order_id, account_id, side, price, lots, tif, post_only, stp)
        held = self.held(account_id, leg)
        outcome = self.book.submit(*order, False, reduce_only, leg)
        self.compare_result(
            order_id, outcome, self.textbook.submit(*order, False, reduce_only, leg)
        )
        filled = sum(step.lots for step in self.book.steps if step.kind == STEP_FILL)
        if reduce_only and filled:
            assert held * side < 0
            assert filled <= abs(held)

    def held(self, account_id: int, leg: int) -> int:
        rows = self.book.positions.state()
        return sum(lots for *key, lots in rows if key == [account_id, leg])

    def move(self, account_id: int, leg: int, lots: int) -> None:
        self.book.positions.move(account_id, leg, lots)
        self.textbook.positions.move(account_id, leg, lots)
        self.compare_books()

    def cancel(self, order_id: int) -> None:
        left = self.book.cancel(order_id)
        assert left == self.textbook.cancel(order_id)
        self.count("cancel" if left else "cancel of nothing")
        self.compare_books()

    def change(self, order_id: int, price: int, lots: int) -> None:
        if order_id not in self.textbook:
            with pytest.raises(KeyError):
                self.book.change(order_id, price, lots)
            return
        outcome = self.book.change(order_id, price, lots)
        self.count("change")
        self.compare_result(order_id, outcome, self.textbook.change(order_id, price, lots))

    def compare_result(self, taker_id: int, outcome: int, expected: int) -> None:
        assert outcome == expected
        assert told(self.book.steps) == told(self.textbook.steps)
        assert self.book.left_lots == self.textbook.left_lots
        if outcome == RESTED:
            assert self.book.trimmed_lots == self.textbook.trimmed_lots
        self.count(str(int(outcome)))
        for step in self.book.steps:
            self.count(("fill", "stp cancel", "stp decrement", "trim")[step.kind])
            if step.kind == STEP_FILL:
                met_itself = self.accounts[step.maker_id] == self.accounts[taker_id]
                assert not met_itself or self.modes[taker_id] == STP_NONE, "met itself"
                self.count("self-trade" if met_itself else "trade")
        self.compare_books()

    def compare_books(self) -> None:
        self.book.check()
        assert len(self.book) == len(self.textbook)
        assert self.book.state() == self.textbook.state()
        assert self.book.positions.state() == self.textbook.positions.state()
        assert self.book.best_bid_ticks() == self.textbook.best_bid_ticks()
        assert self.book.best_ask_ticks() == self.textbook.best_ask_ticks()
        for side in (BUY, SELL):
            depth = self.textbook.depth(side)
            assert self.book.depth(side) == depth
            assert self.book.depth(side, 2) == self.textbook.depth(side, 2) == depth[:2]
            for price, lots, _ in depth[:3]:
                assert self.book.level_lots(side, price) == lots

    def count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1


def told(steps: list[Step]) -> list[tuple[object, ...]]:
    return [(s.kind, s.maker_id, s.price_ticks, s.lots, s.left_lots, s.liquidation) for s in steps]


_submits = st.tuples(
    st.just("submit"),
    st.integers(1, 3),
    st.sampled_from((BUY, SELL)),
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from((GTC, GTC, GTC, IOC, FOK)),
    st.booleans(),
    st.sampled_from(MODES),
    st.booleans(),
    st.sampled_from(LEGS),
)
_moves = st.tuples(st.just("move"), st.integers(1, 3), st.sampled_from(LEGS), st.integers(-9, 9))
_cancels = st.tuples(st.just("cancel"), st.integers(1, 30))
_changes = st.tuples(st.just("change"), st.integers(1, 30), st.integers(1, 6), st.integers(1, 9))


@given(st.lists(st.one_of(_submits, _submits, _cancels, _changes, _moves), max_size=60))
def test_any_command_sequence_gives_the_fills_and_queues_of_the_textbook(
    commands: list[tuple[object, ...]],
) -> None:
    pair = Pair()
    for name, *arguments in commands:
        getattr(pair, str(name))(*arguments)


@pytest.mark.parametrize("seed", range(4))
def test_long_random_flows_agree_with_the_textbook(seed: int) -> None:
    rng = random.Random(seed)
    # Odd seeds trade in a wide range, so that emptied levels pile up and are swept out.
    prices = 12 if seed % 2 == 0 else 900
    pair = Pair()
    for _ in range(2_500):
        dice = rng.random()
        known = len(pair.accounts)
        if dice < 0.45 or known < 20:
            side = rng.choice((BUY, SELL))
            low, high = (1, prices * 2 // 3) if side == BUY else (prices // 3, prices)
            pair.submit(
                rng.randint(1, 5),
                side,
                rng.randint(low, high),
                rng.randint(1, 40),
                rng.choice((GTC, GTC, GTC, GTC, IOC, FOK)),
                rng.random() < 0.3,
                rng.choice(MODES),
                rng.random() < 0.4,
                rng.choice((LEG_NET, LEG_NET, LEG_LONG)),
            )
        elif dice < 0.5:
            pair.move(rng.randint(1, 5), LEG_NET, rng.randint(-50, 50))
        elif dice < 0.85:
            pair.cancel(rng.randint(max(1, known - 150), known))
        else:
            resting = sorted(pair.textbook.resting)
            if resting:
                price = rng.randint(1, prices)
                pair.change(rng.choice(resting), price, rng.randint(1, 40))
    expected = {"fill", "self-trade", "stp cancel", "stp decrement", "trim", "cancel", "change"}
    outcomes = {"0", "203", "300", "302", "303", "304", "305", "306"}
    assert expected | outcomes <= pair.seen.keys(), "the flow did not reach every rule"


def test_levels_that_emptied_behind_the_best_are_swept_out() -> None:
    book = Book()
    book.submit(1, 1, BUY, 10_000, 1)
    for number in range(2, 5_000):
        book.submit(number, 1, BUY, 10_000 - number, 1)
        book.cancel(number)
        assert len(book.bids.levels) <= 130
    book.check()


@pytest.mark.parametrize(
    "prices",
    [range(1, 150), range(150, 1, -1), [100 + n * (-1) ** n for n in range(99)]],
    ids=["rising", "falling", "outwards"],
)
def test_levels_come_in_any_order_and_go_in_order_of_price(prices: Sequence[int]) -> None:
    book = Book()
    for number, price in enumerate(prices, start=1):
        book.submit(number, 1, BUY, price, 2)
        book.submit(-number, 2, SELL, 1_000 - price, 2)
        book.check()
    best_first = sorted(prices, reverse=True)
    assert book.depth(BUY) == [(price, 2, 1) for price in best_first]
    assert book.depth(SELL) == [(1_000 - price, 2, 1) for price in best_first]
    for price in best_first:
        assert (book.best_bid_ticks(), book.best_ask_ticks()) == (price, 1_000 - price)
        assert book.submit(10_000 + price, 3, SELL, 1, 2, IOC) == FILLED
        assert book.submit(20_000 + price, 3, BUY, 1_000, 2, IOC) == FILLED
        book.check()
