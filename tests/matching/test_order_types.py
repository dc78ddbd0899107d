"""Hand-worked cases of each order type, of amend priority and of self-trade prevention.

Every case starts from the same book, in which account 7 owns orders 3 and 5:

    bids  99: order 4 (account 1, 10 lots)
    asks 101: order 1 (account 1, 5), order 2 (account 2, 5)
         102: order 3 (account 7, 4), order 6 (account 2, 6)
    bids  98: order 5 (account 7, 8)
"""

from typing import Any

import pytest

from engine.commands import (
    BUY,
    FOK,
    GTC,
    IOC,
    LEG_NET,
    MAX_LOTS,
    MAX_TICKS,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
)
from engine.reasons import Reason
from engine.units import WORD
from matching.book import FILLED, RESTED, Book
from matching.order import Order
from matching.step import STEP_CANCEL, STEP_DECREMENT, STEP_FILL
from matching.textbook_book import TextbookBook

Steps = list[tuple[int, int, int]]
ASKS = [(1, 101, 5), (2, 101, 5), (3, 102, 4), (6, 102, 6)]
BIDS = [(4, 99, 10), (5, 98, 8)]
NEW = 50
STRANGER = 9


BookKind = type[Book] | type[TextbookBook]


@pytest.fixture(params=[Book, TextbookBook])
def kind(request: pytest.FixtureRequest) -> BookKind:
    """Both books keep the same rules."""
    return request.param


@pytest.fixture
def book(kind: BookKind) -> Book | TextbookBook:
    return laid(kind())


def laid(book: Any) -> Any:
    for order_id, account_id, side, price, lots in (
        (1, 1, SELL, 101, 5),
        (2, 2, SELL, 101, 5),
        (3, 7, SELL, 102, 4),
        (4, 1, BUY, 99, 10),
        (5, 7, BUY, 98, 8),
        (6, 2, SELL, 102, 6),
    ):
        assert book.submit(order_id, account_id, side, price, lots) == RESTED
    return book


def check(book: Book | TextbookBook) -> None:
    """The real book can look at itself; the other keeps nothing that could go wrong."""
    if isinstance(book, Book):
        book.check()


def steps(book: Book) -> Steps:
    return [(step.kind, step.maker_id, step.lots) for step in book.steps]


def queue(book: Book, side: int) -> Steps:
    return [(o.order_id, o.price_ticks, o.remaining_lots) for o in book.orders(side)]


def fills(*pairs: tuple[int, int]) -> Steps:
    return [(STEP_FILL, order_id, lots) for order_id, lots in pairs]


@pytest.mark.parametrize(
    ("price", "lots", "tif", "post_only", "outcome", "left", "expected_steps", "asks", "bids"),
    [
        pytest.param(
            100, 3, GTC, False, RESTED, 3, [], ASKS, [(NEW, 100, 3), *BIDS], id="limit rests"
        ),
        pytest.param(
            101, 5, GTC, False, FILLED, 0, fills((1, 5)), ASKS[1:], BIDS, id="limit fills oldest"
        ),
        pytest.param(
            101,
            12,
            GTC,
            False,
            RESTED,
            2,
            fills((1, 5), (2, 5)),
            ASKS[2:],
            [(NEW, 101, 2), *BIDS],
            id="limit remainder becomes the best bid",
        ),
        pytest.param(
            103,
            11,
            GTC,
            False,
            FILLED,
            0,
            fills((1, 5), (2, 5), (3, 1)),
            [(3, 102, 3), (6, 102, 6)],
            BIDS,
            id="limit walks levels at the makers' prices and leaves a partial maker first",
        ),
        pytest.param(
            101,
            12,
            IOC,
            False,
            Reason.IOC_REMAINDER,
            2,
            fills((1, 5), (2, 5)),
            ASKS[2:],
            BIDS,
            id="IOC drops its remainder",
        ),
        pytest.param(
            100, 1, IOC, False, Reason.IOC_REMAINDER, 1, [], ASKS, BIDS, id="IOC out of reach"
        ),
        pytest.param(
            101,
            10,
            FOK,
            False,
            FILLED,
            0,
            fills((1, 5), (2, 5)),
            ASKS[2:],
            BIDS,
            id="FOK takes exactly what is there",
        ),
        pytest.param(
            101, 11, FOK, False, Reason.FOK_NOT_FILLABLE, 11, [], ASKS, BIDS, id="FOK one too many"
        ),
        pytest.param(
            100, 1, FOK, False, Reason.FOK_NOT_FILLABLE, 1, [], ASKS, BIDS, id="FOK out of reach"
        ),
        pytest.param(
            101,
            1,
            GTC,
            True,
            Reason.POST_ONLY_WOULD_CROSS,
            1,
            [],
            ASKS,
            BIDS,
            id="post-only refuses to take",
        ),
        pytest.param(
            100, 1, GTC, True, RESTED, 1, [], ASKS, [(NEW, 100, 1), *BIDS], id="post-only rests"
        ),
    ],
)
def test_a_buy_order_of_each_type(
    book: Book,
    price: int,
    lots: int,
    tif: int,
    post_only: bool,
    outcome: int,
    left: int,
    expected_steps: Steps,
    asks: Steps,
    bids: Steps,
) -> None:
    assert book.submit(NEW, STRANGER, BUY, price, lots, tif, post_only) == outcome
    assert book.left_lots == left
    assert steps(book) == expected_steps
    assert queue(book, SELL) == asks
    assert queue(book, BUY) == bids
    check(book)


@pytest.mark.parametrize("tif", [IOC, FOK])
def test_an_immediate_order_into_an_empty_side_finds_no_liquidity(kind: BookKind, tif: int) -> None:
    book = kind()
    expected = Reason.NO_LIQUIDITY if tif == IOC else Reason.FOK_NOT_FILLABLE
    assert book.submit(1, 1, SELL, 100, 5, tif) == expected
    assert book.left_lots == 5
    assert len(book) == 0


# Account 7 buys 14 lots up to 102: ten from orders 1 and 2, then it meets its own order 3 (4 lots).
STP_CASES = [
    pytest.param(
        STP_CANCEL_NEWEST,
        14,
        Reason.SELF_TRADE,
        4,
        [],
        ASKS[2:],
        id="cancel newest drops the remainder and spares the resting order",
    ),
    pytest.param(
        STP_CANCEL_OLDEST,
        14,
        FILLED,
        0,
        [(STEP_CANCEL, 3, 4), (STEP_FILL, 6, 4)],
        [(6, 102, 2)],
        id="cancel oldest removes the resting order and trades on behind it",
    ),
    pytest.param(
        STP_CANCEL_BOTH,
        14,
        Reason.SELF_TRADE,
        4,
        [(STEP_CANCEL, 3, 4)],
        [(6, 102, 6)],
        id="cancel both drops the two",
    ),
    pytest.param(
        STP_DECREMENT,
        14,
        Reason.SELF_TRADE,
        4,
        [(STEP_DECREMENT, 3, 4)],
        [(6, 102, 6)],
        id="decrement of equal sizes ends both",
    ),
    pytest.param(
        STP_DECREMENT,
        13,
        Reason.SELF_TRADE,
        3,
        [(STEP_DECREMENT, 3, 3)],
        [(3, 102, 1), (6, 102, 6)],
        id="decrement by a smaller taker leaves the resting order its place",
    ),
    pytest.param(
        STP_DECREMENT,
        17,
        FILLED,
        0,
        [(STEP_DECREMENT, 3, 4), (STEP_FILL, 6, 3)],
        [(6, 102, 3)],
        id="decrement by a larger taker lets it trade on",
    ),
]


@pytest.mark.parametrize(("mode", "lots", "outcome", "left", "after", "asks"), STP_CASES)
@pytest.mark.parametrize("tif", [GTC, IOC])
def test_self_trade_prevention_follows_the_takers_mode(
    book: Book,
    mode: int,
    lots: int,
    outcome: int,
    left: int,
    after: Steps,
    asks: Steps,
    tif: int,
) -> None:
    assert book.submit(NEW, 7, BUY, 102, lots, tif, False, mode) == outcome
    assert book.left_lots == left
    assert steps(book) == fills((1, 5), (2, 5)) + after
    assert queue(book, SELL) == asks
    assert queue(book, BUY) == BIDS
    check(book)


def test_the_resting_orders_own_mode_does_not_matter(kind: BookKind) -> None:
    book = kind()
    book.submit(1, 7, SELL, 100, 5, GTC, False, STP_CANCEL_OLDEST)
    assert book.submit(2, 7, BUY, 100, 5, GTC, False, STP_CANCEL_NEWEST) == Reason.SELF_TRADE
    assert queue(book, SELL) == [(1, 100, 5)]


def test_post_only_is_refused_even_against_its_own_account(book: Book) -> None:
    outcome = book.submit(NEW, 7, SELL, 98, 1, GTC, True, STP_CANCEL_OLDEST)
    assert outcome == Reason.POST_ONLY_WOULD_CROSS
    assert queue(book, BUY) == BIDS


@pytest.mark.parametrize(
    ("mode", "lots", "outcome"),
    [
        (STP_CANCEL_NEWEST, 10, FILLED),
        (STP_CANCEL_NEWEST, 11, Reason.FOK_NOT_FILLABLE),
        (STP_CANCEL_OLDEST, 16, FILLED),
        (STP_CANCEL_OLDEST, 17, Reason.FOK_NOT_FILLABLE),
        (STP_CANCEL_BOTH, 10, FILLED),
        (STP_CANCEL_BOTH, 11, Reason.FOK_NOT_FILLABLE),
        (STP_DECREMENT, 10, FILLED),
        (STP_DECREMENT, 11, Reason.FOK_NOT_FILLABLE),
    ],
)
def test_own_orders_are_no_liquidity_for_fill_or_kill(
    book: Book, mode: int, lots: int, outcome: int
) -> None:
    assert book.submit(NEW, 7, BUY, 102, lots, FOK, False, mode) == outcome
    if outcome == FILLED:
        assert sum(size for kind, _, size in steps(book) if kind == STEP_FILL) == lots
    else:
        assert (steps(book), queue(book, SELL), queue(book, BUY)) == ([], ASKS, BIDS)
    check(book)


@pytest.mark.parametrize(
    ("order_id", "price", "lots", "outcome", "expected_steps", "asks"),
    [
        pytest.param(
            1, 101, 2, RESTED, [], [(1, 101, 2), *ASKS[1:]], id="a smaller size keeps the place"
        ),
        pytest.param(1, 101, 5, RESTED, [], ASKS, id="no change keeps the place"),
        pytest.param(
            1,
            101,
            6,
            RESTED,
            [],
            [(2, 101, 5), (1, 101, 6), *ASKS[2:]],
            id="a larger size goes to the back",
        ),
        pytest.param(
            1,
            102,
            5,
            RESTED,
            [],
            [*ASKS[1:], (1, 102, 5)],
            id="a new price goes to the back there",
        ),
        pytest.param(
            6,
            101,
            1,
            RESTED,
            [],
            [*ASKS[:2], (6, 101, 1), ASKS[2]],
            id="a better price and smaller size goes to the back there",
        ),
        pytest.param(6, 99, 6, FILLED, fills((4, 6)), ASKS[:3], id="an amend can take"),
        pytest.param(
            6,
            99,
            12,
            RESTED,
            fills((4, 10)),
            [(6, 99, 2), *ASKS[:3]],
            id="an amend can take and rest",
        ),
    ],
)
def test_amend_keeps_priority_only_when_nothing_but_the_size_falls(
    book: Book,
    order_id: int,
    price: int,
    lots: int,
    outcome: int,
    expected_steps: Steps,
    asks: Steps,
) -> None:
    assert book.change(order_id, price, lots) == outcome
    assert steps(book) == expected_steps
    assert queue(book, SELL) == asks
    check(book)


def test_an_amended_order_keeps_its_modes(kind: BookKind) -> None:
    book = kind()
    book.submit(1, 7, BUY, 90, 5)
    book.submit(2, 7, SELL, 110, 5, GTC, False, STP_DECREMENT, True)
    book.submit(3, 8, SELL, 111, 5, GTC, True)
    assert book.change(2, 90, 8) == RESTED
    assert steps(book) == [(STEP_DECREMENT, 1, 5)]
    changed = book.order(2)
    assert changed is not None
    assert changed.row() == (2, 7, 90, 3, STP_DECREMENT, 0, 1, 0, LEG_NET)
    book.submit(4, 9, BUY, 89, 5)
    assert book.change(3, 89, 5) == Reason.POST_ONLY_WOULD_CROSS
    assert (len(book), 2 in book, 4 in book) == (2, True, True)
    check(book)


def test_cancel_returns_what_was_left_and_only_once(book: Book) -> None:
    book.submit(NEW, STRANGER, BUY, 101, 3)
    assert book.cancel(1) == 2
    assert book.cancel(1) == 0
    assert book.cancel(2**70) == 0
    assert 2**70 not in book and book.order(2**70) is None
    assert queue(book, SELL) == ASKS[1:]
    check(book)


def test_the_same_liquidity_cannot_fill_two_takers(kind: BookKind) -> None:
    """A simulator without a real book filled both takers from one displayed size
    (nautechsystems/nautilus_trader#2564)."""
    book = kind()
    book.submit(1, 1, SELL, 100, 10)
    assert book.submit(2, 2, BUY, 100, 7, IOC) == FILLED
    assert steps(book) == fills((1, 7))
    assert book.submit(3, 3, BUY, 100, 7, IOC) == Reason.IOC_REMAINDER
    assert steps(book) == fills((1, 3))
    assert book.submit(4, 4, BUY, 100, 7, IOC) == Reason.NO_LIQUIDITY
    assert steps(book) == []


@pytest.mark.parametrize(
    ("order_id", "price", "lots", "message"),
    [
        (NEW, 100, 0, "order 50: size 0 lots must be positive"),
        (NEW, 0, 1, "order 50: price 0 ticks must be positive"),
        (NEW, 100, MAX_LOTS + 1, "must be positive, at most 1000000000000"),
        (NEW, MAX_TICKS + 1, 1, "must be positive, at most 1000000000000"),
        (WORD, 100, 1, "ids must be below 2305843009213693952"),
        (2**70, 100, 1, "ids must be below 2305843009213693952"),
        (NEW, 2**70, 1, "must be positive, at most 1000000000000"),
        (NEW, 100, 2**70, "size 1180591620717411303424 lots must be positive"),
        (4, 100, 1, "order 4 rests already"),
        (4, 101, 1, "order 4 rests already"),
    ],
)
def test_impossible_orders_are_refused_and_change_nothing(
    book: Book, order_id: int, price: int, lots: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        book.submit(order_id, STRANGER, BUY, price, lots)
    if order_id == NEW:
        with pytest.raises(ValueError, match="must be positive"):
            book.change(1, price, lots)
    assert (queue(book, SELL), queue(book, BUY)) == (ASKS, BIDS)
    check(book)


def test_depth_shows_totals_and_order_counts_best_first(book: Book) -> None:
    assert book.depth(SELL) == [(101, 10, 2), (102, 10, 2)]
    assert book.depth(BUY, 1) == [(99, 10, 1)]
    assert book.level_lots(SELL, 102) == 10
    assert book.level_lots(BUY, 102) == 0
    assert (book.best_bid_ticks(), book.best_ask_ticks()) == (99, 101)
    assert (Book().best_bid_ticks(), Book().best_ask_ticks()) == (0, 0)


def _crossed(book: Book) -> None:
    book.restore(BUY, [(90, 1, 101, 1, 0, 0, 0, 0, 0)])


def _wrong_total(book: Book) -> None:
    book.asks.best.lots += 1


def _wrong_remaining(book: Book) -> None:
    book.order(4).remaining_lots += 3


def _gone_but_queued(book: Book) -> None:
    book.order(4).remaining_lots = 0


def _lost_index(book: Book) -> None:
    book.resting.pop(5)


def _ghost_index(book: Book) -> None:
    book.resting.add(Order(90, 7, BUY, 1, 1, STP_CANCEL_NEWEST, False, False, False, LEG_NET))


def _wrong_price(book: Book) -> None:
    book.order(4).price_ticks = 103


def _wrong_best(book: Book) -> None:
    book.bids.best = book.bids.levels[0]


def _unsorted_levels(book: Book) -> None:
    book.asks.levels.reverse()


def _wrong_count(book: Book) -> None:
    book.asks.levels[0].orders = 3


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_crossed, "crossed: bid 101, ask 101"),
        (_wrong_total, "level 101 holds 10 lots, its total says 11"),
        (_wrong_remaining, "level 99 holds 13 lots, its total says 10"),
        (_gone_but_queued, "level 99 holds 0 lots, its total says 10"),
        (_wrong_price, "order 4 is queued at another price"),
        (_lost_index, "order 5 is not indexed"),
        (_ghost_index, "6 orders are queued, 7 are indexed"),
        (_wrong_best, "cached best level is wrong"),
        (_unsorted_levels, "the levels are not sorted"),
        (_wrong_count, "level 102 holds 2 orders, not 3"),
    ],
)
def test_check_names_the_damage_and_prints_the_book(damage, message) -> None:
    book = laid(Book())
    check(book)
    damage(book)
    with pytest.raises(AssertionError, match=message) as caught:
        check(book)
    assert "bids, asks:" in str(caught.value)
