"""The matching engine's messages: what each command is answered with, word for word."""

import random
from typing import Any

import msgspec
import pytest

from engine.commands import (
    BUY,
    FOK,
    GTC,
    IOC,
    LEG_LONG,
    LEG_NET,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
    AdvanceTime,
    Deposit,
)
from engine.events import BookLevel, Trade
from engine.instruments import LINEAR, InstrumentSpec, MarginSpec
from engine.internal import (
    BookTop,
    ChangeOrder,
    Fill,
    InstrumentListed,
    OrderChanged,
    OrderGone,
    PlaceOrder,
    PositionMoved,
    PullFailed,
    PullOrder,
)
from engine.reasons import Reason
from engine.routing.topology import MATCHING, ROUTES
from matching.book import Book
from matching.market_data import DepthBook, DepthSnapshot, SequenceGap
from matching.matching_engine import MatchingEngine

COIN = 4
T = 1_000


def spec(instrument_id: int) -> InstrumentSpec:
    margin = MarginSpec(model="flat")
    return InstrumentSpec(instrument_id, f"C{instrument_id}", LINEAR, 1, "1", "1", 1, margin)


def engine_with(*instrument_ids: int, publish_depth: bool = False) -> MatchingEngine:
    engine = MatchingEngine(publish_depth)
    for instrument_id in instrument_ids:
        assert ask(engine, InstrumentListed(0, spec(instrument_id))) == []
    return engine


def ask(engine: MatchingEngine, message: Any) -> list[Any]:
    out: list[Any] = []
    engine.handle(message, out)
    for book in engine.books.values():
        book.check()
    return out


def place(
    order_id: int,
    account_id: int,
    side: int,
    price: int,
    lots: int,
    tif: int = GTC,
    post_only: bool = False,
    stp: int = STP_CANCEL_NEWEST,
    liquidation: bool = False,
    instrument_id: int = COIN,
    reduce_only: bool = False,
    leg: int = LEG_NET,
) -> PlaceOrder:
    return PlaceOrder(
        T,
        order_id,
        account_id,
        instrument_id,
        side,
        lots,
        price,
        tif,
        post_only,
        stp,
        liquidation,
        reduce_only,
        leg,
    )


def fill(trade_id: int, price: int, lots: int, taker_id: int, maker_id: int) -> Fill:
    return Fill(T, COIN, trade_id, price, lots, BUY, taker_id, maker_id)


def trade(trade_id: int, price: int, lots: int, liquidation: bool = False) -> Trade:
    return Trade(T, COIN, trade_id, price, lots, BUY, liquidation)


def gone(order_id: int, lots: int, reason: int) -> OrderGone:
    return OrderGone(T, order_id, COIN, lots, int(reason))


def changed(order_id: int, price: int, lots: int) -> OrderChanged:
    return OrderChanged(T, order_id, COIN, price, lots)


def answered(order_id: int, price: int, lots: int) -> OrderChanged:
    return OrderChanged(T, order_id, COIN, price, lots, answers=True)


@pytest.fixture
def engine() -> MatchingEngine:
    """Asks: order 1 (account 1, 5 at 101), order 2 (account 7, 4 at 102), order 3 (6 at 102)."""
    engine = engine_with(COIN)
    assert ask(engine, place(1, 1, SELL, 101, 5)) == []
    assert ask(engine, place(2, 7, SELL, 102, 4)) == []
    assert ask(engine, place(3, 2, SELL, 102, 6)) == []
    return engine


def test_the_routing_table_and_the_engine_agree_on_what_it_takes() -> None:
    routed = {kind.__name__ for kind, takers in ROUTES.items() if MATCHING in takers}
    with pytest.raises(TypeError, match="got a Deposit") as caught:
        MatchingEngine().handle(Deposit(0, 100, 1, 1), [])
    assert set(str(caught.value).split("it takes ")[1].split(", ")) == routed


def test_a_complete_fill_is_told_by_its_fill_alone(engine: MatchingEngine) -> None:
    assert ask(engine, place(9, 9, BUY, 101, 5)) == [fill(1, 101, 5, 9, 1), trade(1, 101, 5)]


def test_trade_ids_count_per_instrument_from_one(engine: MatchingEngine) -> None:
    ask(engine, InstrumentListed(0, spec(2)))
    ask(engine, place(20, 1, SELL, 50, 1, instrument_id=2))
    first = ask(engine, place(9, 9, BUY, 102, 6, stp=STP_CANCEL_OLDEST))
    other = ask(engine, place(21, 9, BUY, 50, 1, instrument_id=2))
    second = ask(engine, place(10, 9, BUY, 102, 1))
    ids = [[m.trade_id for m in out if isinstance(m, Fill)] for out in (first, other, second)]
    assert ids == [[1, 2], [1], [3]]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(
            place(9, 9, BUY, 101, 8, IOC),
            [fill(1, 101, 5, 9, 1), trade(1, 101, 5), gone(9, 3, Reason.IOC_REMAINDER)],
            id="IOC remainder",
        ),
        pytest.param(
            place(9, 9, BUY, 100, 8, IOC), [gone(9, 8, Reason.IOC_REMAINDER)], id="IOC untouched"
        ),
        pytest.param(
            place(9, 9, SELL, 100, 8, IOC), [gone(9, 8, Reason.NO_LIQUIDITY)], id="no liquidity"
        ),
        pytest.param(
            place(9, 9, BUY, 101, 8, FOK), [gone(9, 8, Reason.FOK_NOT_FILLABLE)], id="FOK killed"
        ),
        pytest.param(
            place(9, 9, BUY, 101, 8, GTC, True),
            [gone(9, 8, Reason.POST_ONLY_WOULD_CROSS)],
            id="post-only refused",
        ),
        pytest.param(
            place(9, 9, BUY, 101, 8, instrument_id=COIN + 1),
            [OrderGone(T, 9, COIN + 1, 8, Reason.UNKNOWN_INSTRUMENT.value)],
            id="unknown instrument",
        ),
    ],
)
def test_a_dropped_order_is_told_with_its_reason(
    engine: MatchingEngine, order: PlaceOrder, expected: list[Any]
) -> None:
    assert ask(engine, order) == expected
    assert 9 not in engine.books[COIN]


@pytest.mark.parametrize(
    ("stp", "lots", "expected"),
    [
        pytest.param(STP_CANCEL_NEWEST, 9, [gone(9, 4, Reason.SELF_TRADE)], id="cancel newest"),
        pytest.param(
            STP_CANCEL_OLDEST,
            9,
            [gone(2, 4, Reason.SELF_TRADE), fill(2, 102, 4, 9, 3), trade(2, 102, 4)],
            id="cancel oldest",
        ),
        pytest.param(
            STP_CANCEL_BOTH,
            9,
            [gone(2, 4, Reason.SELF_TRADE), gone(9, 4, Reason.SELF_TRADE)],
            id="cancel both",
        ),
        pytest.param(
            STP_DECREMENT,
            9,
            [gone(2, 4, Reason.SELF_TRADE), gone(9, 4, Reason.SELF_TRADE)],
            id="decrement, equal",
        ),
        pytest.param(
            STP_DECREMENT,
            8,
            [changed(2, 102, 1), gone(9, 3, Reason.SELF_TRADE)],
            id="decrement, taker smaller",
        ),
        pytest.param(
            STP_DECREMENT,
            11,
            [
                gone(2, 4, Reason.SELF_TRADE),
                changed(9, 102, 2),
                fill(2, 102, 2, 9, 3),
                trade(2, 102, 2),
            ],
            id="decrement, taker larger, then filled",
        ),
        pytest.param(
            STP_DECREMENT,
            16,
            [
                gone(2, 4, Reason.SELF_TRADE),
                changed(9, 102, 7),
                fill(2, 102, 6, 9, 3),
                trade(2, 102, 6),
            ],
            id="decrement, taker larger, then rests",
        ),
    ],
)
def test_self_trade_prevention_is_told_in_the_order_it_happens(
    engine: MatchingEngine, stp: int, lots: int, expected: list[Any]
) -> None:
    out = ask(engine, place(9, 7, BUY, 102, lots, stp=stp))
    assert out == [fill(1, 101, 5, 9, 1), trade(1, 101, 5), *expected]


@pytest.mark.parametrize("forced", ["taker", "maker"])
def test_a_trade_is_flagged_if_either_order_is_a_liquidation(forced: str) -> None:
    engine = engine_with(COIN)
    ask(engine, place(1, 1, SELL, 100, 5, liquidation=forced == "maker"))
    out = ask(engine, place(2, 2, BUY, 100, 2, liquidation=forced == "taker"))
    assert out[1] == trade(1, 100, 2, liquidation=True)


def test_an_amended_liquidation_order_stays_one(engine: MatchingEngine) -> None:
    ask(engine, place(9, 9, BUY, 100, 5, liquidation=True))
    assert trade(1, 101, 5, liquidation=True) in ask(engine, ChangeOrder(T, 9, COIN, 101, 5))


def test_pulling_is_always_answered(engine: MatchingEngine) -> None:
    reason = Reason.CANCELLED_BY_LIQUIDATION.value
    ask(engine, place(9, 9, BUY, 101, 2))
    assert ask(engine, PullOrder(T, 1, COIN, reason)) == [gone(1, 3, reason)]
    assert ask(engine, PullOrder(T, 1, COIN, reason)) == [PullFailed(T, 1, COIN)]
    assert ask(engine, PullOrder(T, 2, COIN + 1, reason, 7)) == [PullFailed(T, 2, COIN + 1, 7)]


def test_changing_is_answered_first_and_its_fills_follow(engine: MatchingEngine) -> None:
    ask(engine, place(9, 9, BUY, 100, 5))
    assert ask(engine, ChangeOrder(T, 9, COIN, 100, 2)) == [answered(9, 100, 2)]
    assert ask(engine, ChangeOrder(T, 9, COIN, 101, 7)) == [
        answered(9, 101, 7),
        fill(1, 101, 5, 9, 1),
        trade(1, 101, 5),
    ]
    assert engine.books[COIN].order(9).remaining_lots == 2
    assert ask(engine, ChangeOrder(T, 8, COIN, 101, 7)) == [PullFailed(T, 8, COIN)]
    assert ask(engine, ChangeOrder(T, 9, COIN + 1, 1, 7, 9)) == [PullFailed(T, 9, COIN + 1, 9)]


@pytest.mark.parametrize(("asked", "kept"), [(5, 4), (4, 4), (3, 3)])
def test_shrinking_only_never_enlarges_or_moves_an_order(
    engine: MatchingEngine, asked: int, kept: int
) -> None:
    out = ask(engine, ChangeOrder(T, 2, COIN, 105, asked, shrink_only=True))
    assert out == [answered(2, 102, kept)]
    queue = [(o.order_id, o.remaining_lots) for o in engine.books[COIN].orders(SELL)]
    assert queue == [(1, 5), (2, kept), (3, 6)]


def test_what_filled_since_a_change_was_asked_for_counts_against_it(
    engine: MatchingEngine,
) -> None:
    """Seen with 5 left, asked to have 3; 1 fills meanwhile, so 2 are left. Asked for 1: none."""
    ask(engine, place(9, 9, BUY, 101, 1))
    change = ChangeOrder(T, 1, COIN, 101, 3, seen_lots=5)
    assert ask(engine, change) == [answered(1, 101, 2)]
    ask(engine, place(8, 9, BUY, 101, 1))
    change = ChangeOrder(T, 1, COIN, 101, 1, seen_lots=2)
    assert ask(engine, change) == [gone(1, 1, Reason.CANCELLED_BY_OWNER)]


def test_a_change_into_its_own_account_ends_like_a_new_order(engine: MatchingEngine) -> None:
    ask(engine, PullOrder(T, 1, COIN, 0))
    ask(engine, place(9, 7, BUY, 100, 5))
    assert ask(engine, ChangeOrder(T, 9, COIN, 102, 5)) == [
        answered(9, 102, 5),
        gone(9, 5, Reason.SELF_TRADE),
    ]


def test_a_live_order_id_used_again_is_a_fault_of_the_caller(engine: MatchingEngine) -> None:
    with pytest.raises(ValueError, match="order 1 rests already"):
        ask(engine, place(1, 9, BUY, 100, 1))


def moved(account_id: int, lots: int, leg: int = LEG_NET) -> PositionMoved:
    return PositionMoved(T, COIN, account_id, leg, lots)


def reducing(
    order_id: int, account_id: int, side: int, price: int, lots: int, tif: int = GTC, **fields: int
) -> PlaceOrder:
    return place(order_id, account_id, side, price, lots, tif, reduce_only=True, **fields)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(
            reducing(9, 9, BUY, 101, 5, IOC),
            [fill(1, 101, 3, 9, 1), trade(1, 101, 3), gone(9, 2, Reason.REDUCE_ONLY_TRIMMED)],
            id="filled as far as it closes",
        ),
        pytest.param(
            reducing(9, 9, BUY, 101, 5, FOK),
            [fill(1, 101, 3, 9, 1), trade(1, 101, 3), gone(9, 2, Reason.REDUCE_ONLY_TRIMMED)],
            id="FOK asks for what it closes",
        ),
        pytest.param(
            reducing(9, 9, BUY, 101, 3, FOK),
            [fill(1, 101, 3, 9, 1), trade(1, 101, 3)],
            id="filled",
        ),
        pytest.param(
            reducing(9, 9, BUY, 100, 5, IOC), [gone(9, 5, Reason.IOC_REMAINDER)], id="untouched"
        ),
        pytest.param(reducing(9, 9, BUY, 100, 5), [changed(9, 100, 3)], id="rests as it closes"),
        pytest.param(
            reducing(9, 9, SELL, 100, 5), [gone(9, 5, Reason.NOTHING_TO_REDUCE)], id="would open"
        ),
        pytest.param(
            reducing(9, 8, BUY, 101, 5), [gone(9, 5, Reason.NOTHING_TO_REDUCE)], id="flat"
        ),
        pytest.param(
            reducing(9, 9, BUY, 101, 5, leg=LEG_LONG),
            [gone(9, 5, Reason.NOTHING_TO_REDUCE)],
            id="another leg",
        ),
    ],
)
def test_a_reduce_only_taker_trades_what_closes_its_position(
    engine: MatchingEngine, order: PlaceOrder, expected: list[Any]
) -> None:
    """Account 9 is short 3."""
    ask(engine, moved(9, -3))
    assert ask(engine, order) == expected


def test_a_resting_reduce_only_order_trades_what_closes_and_leaves() -> None:
    """Account 5 is long 4 when a buyer of 10 meets its reduce-only offer of 6."""
    engine = engine_with(COIN)
    ask(engine, moved(5, 6))
    ask(engine, reducing(1, 5, SELL, 100, 6))
    ask(engine, place(2, 6, SELL, 100, 6))
    ask(engine, moved(5, -2))
    assert ask(engine, place(3, 7, BUY, 100, 10)) == [
        fill(1, 100, 4, 3, 1),
        trade(1, 100, 4),
        gone(1, 2, Reason.REDUCE_ONLY_TRIMMED),
        fill(2, 100, 6, 3, 2),
        trade(2, 100, 6),
    ]


def test_a_resting_reduce_only_order_without_a_position_is_taken_out_when_it_is_met() -> None:
    engine = engine_with(COIN)
    ask(engine, moved(5, 6))
    ask(engine, reducing(1, 5, SELL, 100, 6))
    ask(engine, moved(5, -6))
    assert engine.books[COIN].level_lots(SELL, 100) == 6
    # A killed order changes nothing, and a dead one is no liquidity.
    assert ask(engine, place(2, 7, BUY, 100, 1, FOK)) == [gone(2, 1, Reason.FOK_NOT_FILLABLE)]
    assert ask(engine, place(3, 7, BUY, 100, 2)) == [gone(1, 6, Reason.REDUCE_ONLY_TRIMMED)]
    assert engine.books[COIN].best_bid_ticks() == 100


def test_two_orders_of_one_account_close_its_position_once() -> None:
    """Long 5: a plain offer of 3 is met first, so 2 are left for the reduce-only one behind it."""
    engine = engine_with(COIN)
    ask(engine, moved(5, 5))
    ask(engine, place(1, 5, SELL, 100, 3))
    ask(engine, reducing(2, 5, SELL, 100, 5))
    assert ask(engine, place(3, 7, BUY, 100, 6, FOK)) == [gone(3, 6, Reason.FOK_NOT_FILLABLE)]
    assert ask(engine, place(4, 7, BUY, 100, 5, FOK)) == [
        fill(1, 100, 3, 4, 1),
        trade(1, 100, 3),
        fill(2, 100, 2, 4, 2),
        trade(2, 100, 2),
        gone(2, 3, Reason.REDUCE_ONLY_TRIMMED),
    ]


def test_an_amended_reduce_only_order_is_bounded_anew() -> None:
    engine = engine_with(COIN)
    ask(engine, moved(5, 6))
    ask(engine, reducing(1, 5, SELL, 101, 6))
    ask(engine, moved(5, -2))
    assert ask(engine, ChangeOrder(T, 1, COIN, 100, 6)) == [answered(1, 100, 6), changed(1, 100, 4)]
    ask(engine, moved(5, -4))
    assert ask(engine, ChangeOrder(T, 1, COIN, 101, 4)) == [
        answered(1, 101, 4),
        gone(1, 4, Reason.NOTHING_TO_REDUCE),
    ]


def test_clock_ticks_report_the_tops_by_instrument_id() -> None:
    engine = engine_with(30, 2, 11)
    ask(engine, place(1, 1, SELL, 101, 5, instrument_id=30))
    ask(engine, place(2, 1, BUY, 90, 5, instrument_id=2))
    ask(engine, place(3, 1, SELL, 95, 5, instrument_id=2))
    assert ask(engine, AdvanceTime(T)) == [
        BookTop(T, 2, 90, 95),
        BookTop(T, 11, 0, 0),
        BookTop(T, 30, 0, 101),
    ]
    assert list(engine.books) == [2, 11, 30]


def test_a_second_listing_leaves_the_book_alone(engine: MatchingEngine) -> None:
    before = engine.state()
    assert ask(engine, InstrumentListed(T, spec(COIN))) == []
    assert engine.state() == before


def test_depth_updates_give_each_touched_level_once_per_command() -> None:
    engine = engine_with(COIN, publish_depth=True)
    assert ask(engine, place(1, 1, SELL, 101, 5)) == [BookLevel(T, COIN, 1, SELL, 101, 5)]
    assert ask(engine, place(2, 1, SELL, 101, 5)) == [BookLevel(T, COIN, 2, SELL, 101, 10)]
    assert ask(engine, place(3, 1, SELL, 102, 5)) == [BookLevel(T, COIN, 3, SELL, 102, 5)]
    sweep = ask(engine, place(4, 2, BUY, 102, 20))
    assert [m for m in sweep if isinstance(m, BookLevel)] == [
        BookLevel(T, COIN, 4, SELL, 101, 0),
        BookLevel(T, COIN, 5, SELL, 102, 0),
        BookLevel(T, COIN, 6, BUY, 102, 5),
    ]
    assert sweep[-3:] == [m for m in sweep if isinstance(m, BookLevel)]
    assert ask(engine, ChangeOrder(T, 4, COIN, 100, 5))[1:] == [
        BookLevel(T, COIN, 7, BUY, 102, 0),
        BookLevel(T, COIN, 8, BUY, 100, 5),
    ]
    assert ask(engine, PullOrder(T, 4, COIN, 0))[1:] == [BookLevel(T, COIN, 9, BUY, 100, 0)]
    assert ask(engine, place(5, 1, BUY, 100, 5, IOC)) == [gone(5, 5, Reason.NO_LIQUIDITY)]


def random_message(rng: random.Random, number: int) -> Any:
    instrument_id = rng.choice((COIN, COIN + 1))
    dice = rng.random()
    old = rng.randint(max(1, number - 60), number)
    if dice < 0.3:
        return PullOrder(T, old, instrument_id, Reason.CANCELLED_BY_OWNER.value)
    if dice < 0.4:
        return ChangeOrder(T, old, instrument_id, rng.randint(90, 110), rng.randint(1, 9))
    if dice < 0.45:
        return PositionMoved(T, instrument_id, rng.randint(1, 5), LEG_NET, rng.randint(-9, 9))
    side = rng.choice((BUY, SELL))
    return place(
        number,
        rng.randint(1, 5),
        side,
        100 - side * rng.randint(-3, 8),
        rng.randint(1, 9),
        rng.choice((GTC, GTC, GTC, IOC, FOK)),
        rng.random() < 0.2,
        rng.randint(0, 3),
        rng.random() < 0.1,
        instrument_id,
        rng.random() < 0.3,
    )


class Owner:
    """What risk knows: the open orders, from the messages alone."""

    def __init__(self) -> None:
        self.open: dict[int, int] = {}

    def sent(self, message: Any) -> None:
        if isinstance(message, PlaceOrder):
            self.open[message.order_id] = message.qty_lots

    def heard(self, message: Any) -> None:
        if isinstance(message, Fill):
            for order_id in (message.taker_order_id, message.maker_order_id):
                self.open[order_id] -= message.qty_lots
                assert self.open[order_id] >= 0
                if self.open[order_id] == 0:
                    del self.open[order_id]
        elif isinstance(message, OrderChanged):
            assert message.order_id in self.open
            self.open[message.order_id] = message.remaining_lots
        elif isinstance(message, OrderGone):
            assert self.open.pop(message.order_id) == message.remaining_lots
        elif isinstance(message, PullFailed):
            assert message.order_id not in self.open


@pytest.mark.parametrize("seed", range(3))
def test_the_messages_alone_are_enough_to_know_every_open_order(seed: int) -> None:
    rng = random.Random(seed)
    engine = engine_with(COIN)
    owner = Owner()
    for number in range(1, 1_500):
        message = random_message(rng, number)
        if message.instrument_id != COIN:
            continue
        owner.sent(message)
        for answer in ask(engine, message):
            owner.heard(answer)
        book = engine.books[COIN]
        assert owner.open == {o.order_id: o.remaining_lots for o in book.orders()}


@pytest.mark.parametrize("seed", range(3))
def test_a_client_with_snapshot_and_updates_sees_the_exchanges_depth(seed: int) -> None:
    rng = random.Random(seed)
    engine = engine_with(COIN, COIN + 1, publish_depth=True)
    for number in range(1, 200):
        ask(engine, random_message(rng, number))
    clients = {known: DepthBook(engine.depth_snapshot(known)) for known in engine.books}
    updates = 0
    for number in range(200, 1_600):
        said = ask(engine, random_message(rng, number))
        levels = [one for one in said if isinstance(one, BookLevel)]
        assert len({(one.instrument_id, one.side, one.price_ticks) for one in levels}) == len(
            levels
        )
        for level in levels:
            clients[level.instrument_id].apply(level)
            updates += 1
        for known, book in engine.books.items():
            assert_same_depth(clients[known], book)
    assert updates > 500


def assert_same_depth(client: DepthBook, book: Book) -> None:
    for side in (BUY, SELL):
        assert client.depth(side) == [(price, lots) for price, lots, _ in book.depth(side)]
        assert client.depth(side, 3) == client.depth(side)[:3]
    assert client.best_bid_ticks() == book.best_bid_ticks()
    assert client.best_ask_ticks() == book.best_ask_ticks()


def test_a_client_refuses_updates_it_cannot_place() -> None:
    client = DepthBook(DepthSnapshot(COIN, 10, [(99, 5)], [(101, 5)]))
    for sequence in (9, 10, 12):
        with pytest.raises(SequenceGap, match=f"update {sequence} follows 10; expected 11"):
            client.apply(BookLevel(T, COIN, sequence, BUY, 99, 7))
    with pytest.raises(ValueError, match="instrument 5 on the book of 4"):
        client.apply(BookLevel(T, 5, 11, BUY, 99, 7))
    with pytest.raises(ValueError, match="side 0"):
        client.apply(BookLevel(T, COIN, 11, 0, 99, 7))
    assert client.depth(BUY) == [(99, 5)]
    client.apply(BookLevel(T, COIN, 11, BUY, 99, 0))
    assert (client.depth(BUY), client.sequence) == ([], 11)


@pytest.mark.parametrize("seed", range(3))
def test_a_restored_engine_behaves_like_the_original(seed: int) -> None:
    rng = random.Random(seed)
    original = engine_with(COIN, COIN + 1, publish_depth=True)
    for number in range(1, 400):
        ask(original, random_message(rng, number))
    stored = msgspec.msgpack.encode(original.state())
    restored = engine_with(99, publish_depth=True)
    restored.restore(msgspec.msgpack.decode(stored))
    assert restored.state() == original.state()
    assert msgspec.msgpack.encode(restored.state()) == stored
    assert list(restored.books) == [COIN, COIN + 1]
    for number in range(400, 800):
        message = random_message(rng, number)
        assert ask(restored, message) == ask(original, message)
    assert restored.state() == original.state()


def test_state_does_not_depend_on_the_order_of_listing() -> None:
    assert engine_with(3, 1, 2).state() == engine_with(1, 2, 3).state()
