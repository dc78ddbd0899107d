"""The matching engine: books by instrument, spoken to and answering in messages.

It trusts the risk engine: an order that arrives here has been checked, and its id is new.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine.commands import BUY, SELL, AdvanceTime
from engine.events import BookLevel, Trade
from engine.internal import (
    AskImpact,
    BookTop,
    ChangeOrder,
    Fill,
    ImpactPrices,
    InstrumentListed,
    OrderChanged,
    OrderGone,
    PlaceOrder,
    PositionMoved,
    PullFailed,
    PullOrder,
)
from engine.reasons import Reason
from engine.routing.component import Component
from matching.book import FILLED, RESTED, Book
from matching.condensed import BookState, CondensedBook
from matching.impact import impact_price_e6
from matching.market_data import DepthSnapshot, depth_snapshot
from matching.order import Order
from matching.step import STEP_DECREMENT, STEP_FILL, STEP_TRIM, Step

if TYPE_CHECKING:
    from mypy_extensions import i64


class _NumberedBook:
    """One instrument's book with the counters its messages carry."""

    __slots__ = ("book", "depth_sequence", "instrument_id", "last_trade_id", "touched")

    def __init__(self, instrument_id: int) -> None:
        self.instrument_id: i64 = instrument_id
        self.book = Book()
        self.last_trade_id = 0
        self.depth_sequence = 0
        # side * price of the levels the current command touched, in order of first touch.
        self.touched: list[int] = []

    def touch(self, side: int, price_ticks: int) -> None:
        """Note a level of a side.

        A command goes through its own level, then level by level through the other side's, then
        again to one of its own: so a level noted already is the last one or the first.
        """
        key = price_ticks if side > 0 else -price_ticks
        touched = self.touched
        if not touched or (touched[-1] != key and touched[0] != key):
            touched.append(key)

    def touch_order(self, order_id: int) -> None:
        """Note the level of an order, if it rests."""
        order = self.book.order(order_id)
        if order is not None:
            self.touch(order.side, order.price_ticks)


class MatchingEngine(Component):
    """A deterministic component: `handle` changes the books and appends messages to ``out``.

    With ``publish_depth`` every command ends with one `BookLevel` per price level it touched.
    ``books`` is sorted by instrument id; change it through `handle` and `restore` only.
    """

    def __init__(self, publish_depth: bool = False) -> None:
        self.books: dict[int, Book] = {}
        self.publish_depth = publish_depth
        self._markets: dict[int, _NumberedBook] = {}
        self._latest: _NumberedBook | None = None
        self._handlers: dict[type, Callable[[Any, list[Any]], None]] = {
            AdvanceTime: self._advance_time,
            InstrumentListed: self._list_instrument,
            PositionMoved: self._move_position,
            AskImpact: self._impact,
        }

    def handle(self, message: Any, out: list[Any]) -> None:
        """Apply one message and append what follows from it to ``out``.

        Raises:
            TypeError: a message type this component does not take.
        """
        # The commonest first, by their classes: compiled this is a direct call, the table is not.
        if isinstance(message, PlaceOrder):
            self._place(message, out)
        elif isinstance(message, PullOrder):
            self._pull(message, out)
        elif isinstance(message, ChangeOrder):
            self._change(message, out)
        else:
            handler = self._handlers.get(type(message))
            if handler is None:
                takes = (*self._handlers, PlaceOrder, PullOrder, ChangeOrder)
                taken = ", ".join(sorted(kind.__name__ for kind in takes))
                raise TypeError(f"matching got a {type(message).__name__}; it takes {taken}")
            handler(message, out)

    def state(self) -> list[BookState]:
        """Everything that decides future behaviour, as plain integers in a fixed order."""
        state: list[BookState] = []
        for instrument_id, market in self._markets.items():
            book = market.book
            bids, asks = book.state()
            counters = (instrument_id, market.last_trade_id, market.depth_sequence)
            state.append((*counters, bids, asks, book.positions.state()))
        return state

    def condensed(self) -> list[CondensedBook]:
        """`matching.condensed.condense_books` of the state as it is, at the cost of what changed
        since this was asked last."""
        condensed: list[CondensedBook] = []
        for instrument_id, market in self._markets.items():
            book = market.book
            counters = (instrument_id, market.last_trade_id, market.depth_sequence)
            bids = [level.digest() for level in book.bids.best_first()]
            asks = [level.digest() for level in book.asks.best_first()]
            condensed.append((*counters, bids, asks, book.positions.digest()))
        return condensed

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Replace everything by what `state` returned (as tuples or, from a snapshot, as lists);
        time priority included."""
        self.books = {}
        self._markets = {}
        self._latest = None
        for instrument_id, last_trade_id, depth_sequence, bids, asks, positions in state:
            market = self._open(instrument_id)
            market.last_trade_id = last_trade_id
            market.depth_sequence = depth_sequence
            market.book.restore(BUY, bids)
            market.book.restore(SELL, asks)
            market.book.positions.restore(positions)

    def depth_snapshot(self, instrument_id: int) -> DepthSnapshot:
        """The instrument's depth, numbered so that the next `BookLevel` continues it.

        Raises:
            KeyError: no such instrument.
        """
        market = self._markets[instrument_id]
        return depth_snapshot(market.book, instrument_id, market.depth_sequence)

    def _market(self, instrument_id: "i64") -> _NumberedBook | None:
        """The market of an instrument; that of the message before is at hand."""
        latest = self._latest
        if latest is None or latest.instrument_id != instrument_id:
            latest = self._markets.get(instrument_id)
            self._latest = latest
        return latest

    def _open(self, instrument_id: int) -> _NumberedBook:
        market = _NumberedBook(instrument_id)
        self._latest = None
        self._markets[instrument_id] = market
        self._markets = dict(sorted(self._markets.items()))
        self.books = {known: each.book for known, each in self._markets.items()}
        return market

    def _list_instrument(self, listed: InstrumentListed, out: list[Any]) -> None:
        # Risk answers for a duplicate listing; the book that is there must survive it.
        if listed.spec.instrument_id not in self._markets:
            self._open(listed.spec.instrument_id)

    def _move_position(self, moved: PositionMoved, out: list[Any]) -> None:
        market = self._markets[moved.instrument_id]
        market.book.positions.move(moved.account_id, moved.leg, moved.qty_lots)

    def _advance_time(self, command: AdvanceTime, out: list[Any]) -> None:
        time_ns = command.time_ns
        for instrument_id, book in self.books.items():
            top = BookTop(time_ns, instrument_id, book.best_bid_ticks(), book.best_ask_ticks())
            out.append(top)

    def _impact(self, asked: AskImpact, out: list[Any]) -> None:
        book = self._markets[asked.instrument_id].book
        bid_e6 = impact_price_e6(book.bids, asked.amount, asked.by_value, False)
        ask_e6 = impact_price_e6(book.asks, asked.amount, asked.by_value, True)
        out.append(ImpactPrices(asked.time_ns, asked.instrument_id, bid_e6, ask_e6))

    def _place(self, order: PlaceOrder, out: list[Any]) -> None:
        time_ns = order.time_ns
        order_id = order.order_id
        side = order.side
        price_ticks = order.price_ticks
        lots = order.qty_lots
        market = self._market(order.instrument_id)
        if market is None:
            unknown = Reason.UNKNOWN_INSTRUMENT.value
            out.append(OrderGone(time_ns, order_id, order.instrument_id, lots, unknown))
            return
        book = market.book
        liquidation = order.liquidation
        taker = Order(
            order_id,
            order.account_id,
            side,
            price_ticks,
            lots,
            order.stp,
            order.post_only,
            liquidation,
            order.reduce_only,
            order.leg,
        )
        outcome = book.enter(taker, order.tif)
        if book.steps:
            self._report_steps(market, time_ns, order_id, side, price_ticks, lots, liquidation, out)
        self._report_outcome(market, time_ns, order_id, side, price_ticks, outcome, out)

    def _pull(self, order: PullOrder, out: list[Any]) -> None:
        time_ns = order.time_ns
        order_id = order.order_id
        instrument_id = order.instrument_id
        market = self._market(instrument_id)
        left = 0
        if market is not None:
            if self.publish_depth:
                market.touch_order(order_id)
            left = market.book.cancel(order_id)
        if market is None or left == 0:
            out.append(PullFailed(time_ns, order_id, instrument_id, order.account_id))
            return
        out.append(OrderGone(time_ns, order_id, instrument_id, left, order.reason))
        if self.publish_depth:
            self._publish_depth(market, time_ns, out)

    def _change(self, order: ChangeOrder, out: list[Any]) -> None:
        time_ns = order.time_ns
        order_id = order.order_id
        price_ticks = order.price_ticks
        lots = order.qty_lots
        market = self._market(order.instrument_id)
        resting = None if market is None else market.book.order(order_id)
        if market is None or resting is None:
            failed = PullFailed(time_ns, order_id, order.instrument_id, order.account_id)
            out.append(failed)
            return
        book = market.book
        side = resting.side
        liquidation = resting.liquidation
        if order.shrink_only:
            # A reduction must not move the order, nor bring back what has filled meanwhile.
            price_ticks = resting.price_ticks
            lots = min(lots, resting.remaining_lots)
        if self.publish_depth:
            market.touch(side, resting.price_ticks)
        if order.seen_lots:
            lots -= order.seen_lots - resting.remaining_lots
            if lots <= 0:
                self._cancel_changed(market, order, out)
                return
        outcome = book.change(order_id, price_ticks, lots)
        out.append(OrderChanged(time_ns, order_id, order.instrument_id, price_ticks, lots, True))
        if book.steps:
            self._report_steps(market, time_ns, order_id, side, price_ticks, lots, liquidation, out)
        self._report_outcome(market, time_ns, order_id, side, price_ticks, outcome, out)

    def _cancel_changed(self, market: _NumberedBook, order: ChangeOrder, out: list[Any]) -> None:
        """More has filled meanwhile than the changed order was to have left."""
        time_ns = order.time_ns
        left = market.book.cancel(order.order_id)
        reason = Reason.CANCELLED_BY_OWNER.value
        out.append(OrderGone(time_ns, order.order_id, order.instrument_id, left, reason))
        if self.publish_depth:
            self._publish_depth(market, time_ns, out)

    def _report_steps(
        self,
        market: _NumberedBook,
        time_ns: int,
        order_id: int,
        side: int,
        price_ticks: int,
        left: int,
        liquidation: bool,
        out: list[Any],
    ) -> None:
        """Tell what the taker met in the book, in the order it happened."""
        instrument_id = market.instrument_id
        for step in market.book.steps:
            lots = step.lots
            price = step.price_ticks
            if self.publish_depth:
                market.touch(-side, price)
            if step.kind != STEP_FILL:
                out.append(_maker_answer(instrument_id, time_ns, step))
                if step.kind == STEP_DECREMENT:
                    left -= lots
                    if left > 0:
                        changed = OrderChanged(time_ns, order_id, instrument_id, price_ticks, left)
                        out.append(changed)
                continue
            left -= lots
            trade_id = market.last_trade_id + 1
            market.last_trade_id = trade_id
            maker_id = step.maker_id
            out.append(
                Fill(time_ns, instrument_id, trade_id, price, lots, side, order_id, maker_id)
            )
            forced = liquidation or step.liquidation
            out.append(Trade(time_ns, instrument_id, trade_id, price, lots, side, forced))

    def _report_outcome(
        self,
        market: _NumberedBook,
        time_ns: int,
        order_id: int,
        side: int,
        price_ticks: int,
        outcome: int,
        out: list[Any],
    ) -> None:
        """Tell what became of the taker unless its fills or its acceptance said so already."""
        book = market.book
        if outcome != RESTED and outcome != FILLED:
            out.append(OrderGone(time_ns, order_id, market.instrument_id, book.left_lots, outcome))
        elif book.trimmed_lots:
            instrument_id = market.instrument_id
            left = book.left_lots
            out.append(OrderChanged(time_ns, order_id, instrument_id, price_ticks, left))
        if self.publish_depth:
            if outcome == RESTED:
                market.touch(side, price_ticks)
            self._publish_depth(market, time_ns, out)

    def _publish_depth(self, market: _NumberedBook, time_ns: int, out: list[Any]) -> None:
        sequence = market.depth_sequence
        for key in market.touched:
            sequence += 1
            side, price = (BUY, key) if key > 0 else (SELL, -key)
            lots = market.book.level_lots(side, price)
            out.append(BookLevel(time_ns, market.instrument_id, sequence, side, price, lots))
        market.depth_sequence = sequence
        market.touched.clear()


def _maker_answer(instrument_id: int, time_ns: int, step: Step) -> OrderGone | OrderChanged:
    """What became of a resting order without a trade; a gone one left its lots unfilled."""
    if step.left_lots:
        return OrderChanged(time_ns, step.maker_id, instrument_id, step.price_ticks, step.left_lots)
    reason = Reason.REDUCE_ONLY_TRIMMED if step.kind == STEP_TRIM else Reason.SELF_TRADE
    return OrderGone(time_ns, step.maker_id, instrument_id, step.lots, reason.value)
