"""The limit order book of one instrument: price-time priority, integers in and out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from engine.commands import (
    BUY,
    FOK,
    GTC,
    LEG_NET,
    MAX_LOTS,
    MAX_TICKS,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
    STP_NONE,
)
from engine.orders_by_id import OrdersById, new_orders_by_id
from engine.reasons import Reason
from engine.units import WORD
from matching.book_side import BookSide
from matching.level import Level
from matching.order import Order, OrderRow, refusal
from matching.positions import Positions, Trial
from matching.step import STEP_CANCEL, STEP_DECREMENT, STEP_FILL, STEP_TRIM, Step

if TYPE_CHECKING:
    from mypy_extensions import i64

RESTED: Final[int] = Reason.NONE.value
"""Outcome of a submit or change: the order (or what is left of it) rests in the book."""
FILLED: Final[int] = Reason.FILLED.value
"""Outcome: filled completely. Every other outcome is the reason the remainder was dropped."""

_IOC_REMAINDER: Final[int] = Reason.IOC_REMAINDER.value
_FOK_NOT_FILLABLE: Final[int] = Reason.FOK_NOT_FILLABLE.value
_POST_ONLY_WOULD_CROSS: Final[int] = Reason.POST_ONLY_WOULD_CROSS.value
_SELF_TRADE: Final[int] = Reason.SELF_TRADE.value
_NO_LIQUIDITY: Final[int] = Reason.NO_LIQUIDITY.value
_NOTHING_TO_REDUCE: Final[int] = Reason.NOTHING_TO_REDUCE.value
_REDUCE_ONLY_TRIMMED: Final[int] = Reason.REDUCE_ONLY_TRIMMED.value


class Book:
    """Price-time priority matching for one instrument.

    `submit` and `change` return an outcome (`RESTED`, `FILLED` or the reason the remainder was
    dropped) and leave three facts behind, valid until the next call: ``steps``, what happened to
    resting orders in order of time, ``left_lots``, what is resting or was dropped, and
    ``trimmed_lots``, what a reduce-only order lost on arrival. An order that rests is ``in`` the
    book, `order` tells about it.

    Self-trade prevention: the taker's mode decides what becomes of two orders of one account that
    meet. They trade in the last one only.

    - cancel newest: the taker's remainder is dropped when it meets its own order;
    - cancel oldest: the resting order is cancelled and the taker goes on;
    - cancel both: the resting order is cancelled and the taker's remainder dropped;
    - decrement: both shrink by the smaller size; who reaches zero is gone;
    - none: they trade like any others.

    A fill-or-kill order is filled only if it can trade its whole size: own resting orders are no
    liquidity but with none. They are passed over with cancel oldest, and end the search otherwise,
    because there the taker could not trade its whole size. A killed order changes nothing.

    A reduce-only order trades at most what closes its account's position, by ``positions``, at the
    moment of the match. It is cut to that when it arrives (fill-or-kill asks for what is left of
    it) and again when a taker meets it: what could only open leaves the book there and then.
    """

    __slots__ = ("asks", "bids", "left_lots", "positions", "resting", "steps", "trimmed_lots")

    def __init__(self) -> None:
        self.bids = BookSide(BUY)
        self.asks = BookSide(SELL)
        self.resting: OrdersById[Order] = new_orders_by_id()
        self.positions = Positions()
        self.steps: list[Step] = []
        self.left_lots: i64 = 0
        self.trimmed_lots: i64 = 0

    def __len__(self) -> int:
        return len(self.resting)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self.resting

    def order(self, order_id: int) -> Order | None:
        """The resting order itself, for looking at, or None."""
        return self.resting.get(order_id)

    def submit(
        self,
        order_id: int,
        account_id: int,
        side: int,
        price_ticks: int,
        lots: int,
        tif: int = GTC,
        post_only: bool = False,
        stp: int = STP_CANCEL_NEWEST,
        liquidation: bool = False,
        reduce_only: bool = False,
        leg: int = LEG_NET,
    ) -> int:
        """Match a limit order and rest what its time in force allows; returns the outcome.

        A post-only order that would meet any order, its own account's included, is dropped. An
        IOC order that finds the other side empty is dropped for want of liquidity. ``leg`` is the
        position of the account that the order changes.

        Raises:
            ValueError: size or price not positive or too large, or the order id already rests.
        """
        if (
            not 0 < lots <= MAX_LOTS
            or not 0 < price_ticks <= MAX_TICKS
            or not -WORD < order_id < WORD
            or not -WORD < account_id < WORD
        ):
            raise ValueError(refusal(order_id, account_id, price_ticks, lots))
        order = Order(
            order_id,
            account_id,
            side,
            price_ticks,
            lots,
            stp,
            post_only,
            liquidation,
            reduce_only,
            leg,
        )
        return self.enter(order, tif)

    def enter(self, order: Order, tif: "i64") -> "i64":
        """`submit` for an order whose numbers are known to be possible.

        Raises:
            ValueError: the order id already rests.
        """
        if self.steps:
            self.steps = []
        self.left_lots = order.remaining_lots
        trimmed: i64 = 0
        if order.reduce_only:
            closable = self._tradable(order)
            if closable == 0:
                self.trimmed_lots = 0
                return _NOTHING_TO_REDUCE
            trimmed = order.remaining_lots - closable
            order.remaining_lots = closable
        self.trimmed_lots = trimmed
        price_ticks = order.price_ticks
        if order.side > 0:
            own, opposite = self.bids, self.asks
            best = opposite.best
            crosses = best is not None and best.price_ticks <= price_ticks
        else:
            own, opposite = self.asks, self.bids
            best = opposite.best
            crosses = best is not None and best.price_ticks >= price_ticks
        # What goes straight to its queue is looked for when it is entered.
        if (crosses or tif != GTC) and self.resting.get(order.order_id) is not None:
            raise ValueError(f"order {order.order_id} rests already")
        if crosses:
            if order.post_only:
                return _POST_ONLY_WOULD_CROSS
            if tif == FOK and not self._fillable(order, opposite):
                return _FOK_NOT_FILLABLE
            stopped = self._match(order, opposite)
            self.left_lots = order.remaining_lots + trimmed
            if stopped:
                return _SELF_TRADE
            if order.remaining_lots == 0:
                return _REDUCE_ONLY_TRIMMED if trimmed else FILLED
        if tif != GTC:
            if tif == FOK:
                return _FOK_NOT_FILLABLE
            return _NO_LIQUIDITY if best is None else _IOC_REMAINDER
        self.left_lots = order.remaining_lots
        if not self.resting.add(order):
            raise ValueError(f"order {order.order_id} rests already")
        own.join(order)
        return RESTED

    def cancel(self, order_id: int) -> int:
        """Take a resting order out; returns the lots it had left, 0 if it does not rest."""
        order = self.resting.pop(order_id)
        if order is None:
            return 0
        lots = order.remaining_lots
        if order.side > 0:
            self.bids.leave(order)
        else:
            self.asks.leave(order)
        return lots

    def change(self, order_id: int, price_ticks: int, lots: int) -> int:
        """Give a resting order a new price and remaining size; returns the outcome.

        At the same price and no larger, it keeps its place in the queue. Otherwise it leaves and
        comes back as a new order with its old modes: last in its queue, possibly as a taker, and
        dropped if it is post-only and would cross.

        Raises:
            KeyError: the order does not rest.
            ValueError: size or price not positive or too large.
        """
        order = self.resting[order_id]
        if not 0 < lots <= MAX_LOTS or not 0 < price_ticks <= MAX_TICKS:
            raise ValueError(refusal(order_id, order.account_id, price_ticks, lots))
        if price_ticks == order.price_ticks and lots <= order.remaining_lots:
            self.steps = []
            self.trimmed_lots = 0
            self.left_lots = lots
            book_side = self.bids if order.side > 0 else self.asks
            book_side.shrink(order, order.remaining_lots - lots)
            return RESTED
        self.cancel(order_id)
        return self.enter(order.again(price_ticks, lots), GTC)

    # matching

    def _match(self, taker: Order, opposite: BookSide) -> bool:
        """Trade down the opposite side to the taker's price; whether a self-trade stopped it."""
        best = opposite.best
        while best is not None and _meets(taker, best):
            maker = best.oldest()
            lots = self._tradable(maker) if maker.reduce_only else maker.remaining_lots
            if lots == 0:
                self._take(STEP_TRIM, maker, opposite)
            elif maker.account_id == taker.account_id and taker.stp != STP_NONE:
                if self._prevent_self_trade(taker, maker, best, opposite):
                    return True
            else:
                self._trade(taker, maker, lots, best, opposite)
                if taker.remaining_lots == 0:
                    return False
            best = opposite.best
        return False

    def _trade(
        self, taker: Order, maker: Order, tradable: "i64", level: Level, opposite: BookSide
    ) -> None:
        """Fill both orders with the smaller size; ``tradable`` of the maker's lots can be had."""
        left = taker.remaining_lots
        lots = tradable if tradable < left else left
        taker.remaining_lots = left - lots
        self.positions.traded(taker, maker, lots)
        if lots == maker.remaining_lots:
            self._take(STEP_FILL, maker, opposite)
            return
        self._shrink(STEP_FILL, maker, lots, level)
        if lots == tradable:
            self._take(STEP_TRIM, maker, opposite)

    def _tradable(self, order: Order) -> "i64":
        """How much of itself a reduce-only order may trade now."""
        closable = self.positions.closable(order)
        return min(order.remaining_lots, closable)

    def _prevent_self_trade(
        self, taker: Order, maker: Order, level: Level, opposite: BookSide
    ) -> bool:
        """Apply the taker's mode; whether the taker is over.

        A taker decremented away keeps its last size: that much stays unfilled.
        """
        stp = taker.stp
        if stp == STP_CANCEL_NEWEST:
            return True
        if stp != STP_DECREMENT:
            self._take(STEP_CANCEL, maker, opposite)
            return stp == STP_CANCEL_BOTH
        left = taker.remaining_lots
        lots = maker.remaining_lots
        if lots > left:
            self._shrink(STEP_DECREMENT, maker, left, level)
            return True
        self._take(STEP_DECREMENT, maker, opposite)
        if lots == left:
            return True
        taker.remaining_lots = left - lots
        return False

    def _take(self, kind: "i64", maker: Order, opposite: BookSide) -> None:
        """Let a resting order go in a step that concerns all of it."""
        order_id = maker.order_id
        lots = maker.remaining_lots
        self.steps.append(Step(kind, order_id, maker.price_ticks, lots, 0, maker.liquidation))
        opposite.leave(maker)
        self.resting.pop(order_id)

    def _shrink(self, kind: "i64", maker: Order, lots: "i64", level: Level) -> None:
        """Take lots off a resting order, which stays, in a step."""
        level.shrink(maker, lots)
        left = maker.remaining_lots
        price_ticks = maker.price_ticks
        self.steps.append(Step(kind, maker.order_id, price_ticks, lots, left, maker.liquidation))

    def _fillable(self, taker: Order, opposite: BookSide) -> bool:
        """Whether the whole size can trade at once; see the class docstring for own orders.

        The positions move along as they would, for they bound what reduce-only orders trade.
        """
        left = taker.remaining_lots
        positions = Trial(self.positions)
        for level in opposite.best_first():
            if not _meets(taker, level):
                return False
            for maker in level.queue():
                lots = maker.remaining_lots
                if maker.reduce_only:
                    lots = min(lots, positions.closable(maker))
                if maker.account_id != taker.account_id or taker.stp == STP_NONE:
                    left -= lots
                    if left <= 0:
                        return True
                    positions.traded(taker, maker, lots)
                elif lots and taker.stp != STP_CANCEL_OLDEST:
                    return False
        return False

    # looking

    def best_bid_ticks(self) -> int:
        """Highest bid, 0 if there is none."""
        best = self.bids.best
        return 0 if best is None else best.price_ticks

    def best_ask_ticks(self) -> int:
        """Lowest ask, 0 if there is none."""
        best = self.asks.best
        return 0 if best is None else best.price_ticks

    def level_lots(self, side: int, price_ticks: int) -> int:
        """Total size resting at a price, 0 if nothing does."""
        level = (self.bids if side > 0 else self.asks).level_at(price_ticks)
        return 0 if level is None else level.lots

    def depth(self, side: int, levels: int = 0) -> list[tuple[int, int, int]]:
        """L2: (price_ticks, lots, orders) of the best ``levels`` prices, best first (0: all)."""
        best_first = (self.bids if side > 0 else self.asks).best_first(levels)
        return [(level.price_ticks, level.lots, level.orders) for level in best_first]

    def orders(self, side: int = 0) -> list[Order]:
        """L3: the resting orders of a side in priority order; with 0 bids, then asks."""
        if side == 0:
            return self.orders(BUY) + self.orders(SELL)
        best_first = (self.bids if side > 0 else self.asks).best_first()
        return [order for level in best_first for order in level.queue()]

    def state(self) -> tuple[list[OrderRow], list[OrderRow]]:
        """Bids and asks as plain integers in priority order: all there is to a book, but for its
        ``positions``."""
        return [order.row() for order in self.orders(BUY)], [
            order.row() for order in self.orders(SELL)
        ]

    def restore(self, side: int, rows: Sequence[Sequence[int]]) -> None:
        """Rest orders of one side, given as `OrderRow` in priority order, without matching."""
        book_side = self.bids if side > 0 else self.asks
        for order_id, account_id, price_ticks, lots, stp, *flags, leg in rows:
            post_only, liquidation, reduce_only = map(bool, flags)
            order = Order(
                order_id,
                account_id,
                side,
                price_ticks,
                lots,
                stp,
                post_only,
                liquidation,
                reduce_only,
                leg,
            )
            self.resting.add(order)
            book_side.join(order)

    def check(self) -> None:
        """Assert every structural fact of the book, in O(orders).

        Raises:
            AssertionError: a fact does not hold; the message names it and prints the book.
        """
        try:
            bid, ask = self.best_bid_ticks(), self.best_ask_ticks()
            assert not (bid and ask and bid >= ask), f"crossed: bid {bid}, ask {ask}"
            counted = self._check_side(self.bids) + self._check_side(self.asks)
            assert counted == len(self), f"{counted} orders are queued, {len(self)} are indexed"
        except AssertionError as error:
            raise AssertionError(f"{error}\nbids, asks: {self.state()}") from None

    def _check_side(self, book_side: BookSide) -> int:
        levels = book_side.levels
        prices = [level.price_ticks for level in levels]
        expected = sorted(set(prices), reverse=book_side.side < 0)
        assert prices == expected, "the levels are not sorted"
        empty = sum(1 for level in levels if level.orders == 0)
        assert empty == book_side.empty, f"{empty} empty levels, {book_side.empty} counted"
        best = book_side.best
        assert best is (levels[-1] if levels else None), "the cached best level is wrong"
        assert best is None or best.orders, "an empty level stands best"
        return sum(self._check_level(book_side.side, level) for level in levels)

    def _check_level(self, side: int, level: Level) -> int:
        price = level.price_ticks
        lots = count = 0
        for order in level.queue():
            name = f"order {order.order_id}"
            assert self.resting.get(order.order_id) is order, f"{name} is not indexed"
            assert order.side == side, f"{name} is on the wrong side"
            assert order.price_ticks == price, f"{name} is queued at another price"
            assert order.remaining_lots > 0, f"{name} rests with nothing left"
            lots += order.remaining_lots
            count += 1
        assert level.lots == lots, f"level {price} holds {lots} lots, its total says {level.lots}"
        assert level.orders == count, f"level {price} holds {count} orders, not {level.orders}"
        if count:
            assert level.oldest() is level.queue()[0], f"level {price} starts with another order"
        return count


def _meets(taker: Order, level: Level) -> bool:
    """Whether an order's price reaches a level of the other side."""
    if taker.side > 0:
        return level.price_ticks <= taker.price_ticks
    return level.price_ticks >= taker.price_ticks
