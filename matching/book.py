"""The limit order book of one instrument: price-time priority, integers in and out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from engine.commands import (
    BUY,
    FOK,
    GTC,
    MAX_LOTS,
    MAX_TICKS,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
)
from engine.orders_by_id import OrdersById, new_orders_by_id
from engine.reasons import Reason
from engine.units import WORD
from matching.book_side import BookSide, Level
from matching.book_side import Order as Order
from matching.book_side import OrderRow as OrderRow

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

STEP_FILL: Final[int] = 0
"""The taker traded with a resting order at that order's price."""
STEP_CANCEL: Final[int] = 1
"""Self-trade prevention cancelled a resting order; nothing traded."""
STEP_DECREMENT: Final[int] = 2
"""Self-trade prevention lowered taker and resting order by the same size; nothing traded."""


class Book:
    """Price-time priority matching for one instrument.

    `submit` and `change` return an outcome (`RESTED`, `FILLED` or the reason the remainder was
    dropped) and leave two facts behind, valid until the next call: ``steps``, what happened to
    resting orders in order of time, as ``(step kind, resting order, lots)``, and ``left_lots``,
    what is resting or was dropped.

    Self-trade prevention: two orders of one account never trade; the taker's mode decides.

    - cancel newest: the taker's remainder is dropped when it meets its own order;
    - cancel oldest: the resting order is cancelled and the taker goes on;
    - cancel both: the resting order is cancelled and the taker's remainder dropped;
    - decrement: both shrink by the smaller size; who reaches zero is gone.

    A fill-or-kill order is filled only if it can trade its whole size: own resting orders are no
    liquidity. They are passed over with cancel oldest, and end the search in every other mode,
    because there the taker could not trade its whole size. A killed order changes nothing.
    """

    __slots__ = ("_stopped", "asks", "bids", "left_lots", "resting", "steps")

    def __init__(self) -> None:
        self.bids = BookSide(BUY)
        self.asks = BookSide(SELL)
        self.resting: OrdersById[Order] = new_orders_by_id()
        self.steps: list[tuple[int, Order, int]] = []
        self.left_lots: i64 = 0
        self._stopped = False

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
    ) -> int:
        """Match a limit order and rest what its time in force allows; returns the outcome.

        A post-only order that would meet any order, its own account's included, is dropped. An
        IOC order that finds the other side empty is dropped for want of liquidity.

        Raises:
            ValueError: size or price not positive or too large, or the order id already rests.
        """
        if (
            not 0 < lots <= MAX_LOTS
            or not 0 < price_ticks <= MAX_TICKS
            or not -WORD < order_id < WORD
            or not -WORD < account_id < WORD
        ):
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        if self.steps:
            self.steps.clear()
        left: i64 = lots
        price: i64 = price_ticks
        opposite = self.asks if side > 0 else self.bids
        best = opposite.best
        limit_key: i64 = -price if side > 0 else price
        crosses = best is not None and best.key >= limit_key
        # What goes straight to its queue is looked for when it is entered.
        if (crosses or tif != GTC) and order_id in self.resting:
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        if crosses:
            self.left_lots = lots
            if post_only:
                return _POST_ONLY_WOULD_CROSS
            if tif == FOK and not self._fillable(opposite, limit_key, account_id, left, stp):
                return _FOK_NOT_FILLABLE
            left = self._match(opposite, limit_key, account_id, left, stp)
            self.left_lots = left
            if self._stopped:
                self._stopped = False
                return _SELF_TRADE
            if left == 0:
                return FILLED
        self.left_lots = left
        if tif != GTC:
            if tif == FOK:
                return _FOK_NOT_FILLABLE
            return _NO_LIQUIDITY if best is None else _IOC_REMAINDER
        order = Order(order_id, account_id, side, price, left, stp, post_only, liquidation)
        if not self.resting.add(order):
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        if side > 0:
            self.bids.append(order)
        else:
            self.asks.append(order)
        return RESTED

    def cancel(self, order_id: int) -> Order | None:
        """Take a resting order out; returns it with what was left, None if it does not rest."""
        order = self.resting.pop(order_id)
        if order is not None:
            if order.side > 0:
                self.bids.remove(order)
            else:
                self.asks.remove(order)
        return order

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
            raise ValueError(self._refusal(order_id, order.account_id, price_ticks, lots))
        if price_ticks == order.price_ticks and lots <= order.remaining_lots:
            self.steps.clear()
            self._shrink(order, order.remaining_lots - lots)
            self.left_lots = lots
            return RESTED
        self.cancel(order_id)
        return self.submit(
            order_id,
            order.account_id,
            order.side,
            price_ticks,
            lots,
            GTC,
            order.post_only,
            order.stp,
            order.liquidation,
        )

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
        return (self.bids if side > 0 else self.asks).level_lots(price_ticks)

    def depth(self, side: int, levels: int = 0) -> list[tuple[int, int, int]]:
        """L2: (price_ticks, lots, orders) of the best ``levels`` prices, best first (0: all)."""
        book_side = self.bids if side > 0 else self.asks
        return [
            (level.price_ticks, level.lots, level.count)
            for level in book_side.sorted_levels(levels)
        ]

    def orders(self, side: int) -> Iterator[Order]:
        """L3: the resting orders of a side in priority order. Do not change the book meanwhile."""
        book_side = self.bids if side > 0 else self.asks
        for level in book_side.sorted_levels():
            order = level.head
            while order is not None:
                yield order
                order = order.next

    def state(self) -> tuple[list[OrderRow], list[OrderRow]]:
        """Bids and asks as plain integers in priority order: all there is to a book."""
        return (
            [order.row() for order in self.orders(BUY)],
            [order.row() for order in self.orders(SELL)],
        )

    def restore(self, side: int, rows: Sequence[Sequence[int]]) -> None:
        """Rest orders of one side, given as `OrderRow` in priority order, without matching."""
        book_side = self.bids if side > 0 else self.asks
        for order_id, account_id, price_ticks, lots, stp, post_only, liquidation in rows:
            order = Order(
                order_id,
                account_id,
                side,
                price_ticks,
                lots,
                stp,
                bool(post_only),
                bool(liquidation),
            )
            self.resting.add(order)
            book_side.append(order)

    def check(self) -> None:
        """Assert every structural fact of the book, in O(orders).

        Raises:
            AssertionError: a fact does not hold; the message names it and prints the book.
        """
        try:
            bid, ask = self.best_bid_ticks(), self.best_ask_ticks()
            assert not (bid and ask and bid >= ask), f"crossed: bid {bid}, ask {ask}"
            counted = self._check_side(self.bids) + self._check_side(self.asks)
            assert counted == len(self.resting), (
                f"{counted} orders are queued, {len(self.resting)} are indexed"
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\nbids, asks: {self.state()}") from None

    def _check_side(self, book_side: BookSide) -> int:
        levels = book_side.levels
        keys = [level.key for level in levels]
        assert keys == sorted(set(keys)), "the levels are not sorted"
        empty = sum(1 for level in levels if level.count == 0)
        assert empty == book_side.empty, f"{empty} empty levels, {book_side.empty} counted"
        best = book_side.best
        assert best is (levels[-1] if levels else None), "the cached best level is wrong"
        assert best is None or best.count, "an empty level stands best"
        return sum(self._check_level(book_side.side, level) for level in levels)

    def _check_level(self, side: int, level: Level) -> int:
        price = level.price_ticks
        assert level.key == side * price, f"level {price} is filed under {level.key}"
        lots = count = 0
        before: Order | None = None
        order = level.head
        while order is not None:
            name = f"order {order.order_id}"
            assert self.resting.get(order.order_id) is order, f"{name} is not indexed"
            assert order.level is level and order.side == side, f"{name} is in a wrong queue"
            assert order.price_ticks == price, f"{name} is queued at another price"
            assert order.remaining_lots > 0, f"{name} rests with nothing left"
            assert order.prev is before, f"{name} has a broken link"
            lots += order.remaining_lots
            count += 1
            before = order
            order = order.next
        assert level.tail is before, f"level {price} has a broken tail"
        assert level.lots == lots, f"level {price} holds {lots} lots, its total says {level.lots}"
        assert level.count == count, f"level {price} holds {count} orders, not {level.count}"
        return count

    def _match(
        self, opposite: BookSide, limit_key: "i64", account_id: "i64", left: "i64", stp: "i64"
    ) -> "i64":
        """Trade down the opposite side to the limit; returns the lots that found nobody."""
        steps = self.steps
        best = opposite.best
        while best is not None and best.key >= limit_key:
            maker = best.head
            assert maker is not None
            lots = maker.remaining_lots
            if maker.account_id == account_id:
                left = self._prevent_self_trade(opposite, maker, left, stp)
                if self._stopped:
                    return left
            elif lots > left:
                maker.remaining_lots = lots - left
                best.lots -= left
                steps.append((STEP_FILL, maker, left))
                return 0
            else:
                left -= lots
                opposite.remove(maker)
                maker.remaining_lots = 0
                self.resting.pop(maker.order_id)
                steps.append((STEP_FILL, maker, lots))
                if left == 0:
                    return 0
            best = opposite.best
        return left

    def _prevent_self_trade(
        self, opposite: BookSide, maker: Order, left: "i64", stp: "i64"
    ) -> "i64":
        """Apply the taker's mode; returns its remaining lots, ``_stopped`` says it is over.

        A taker decremented away keeps its last size in the result: that much stays unfilled.
        """
        if stp == STP_CANCEL_NEWEST:
            self._stopped = True
            return left
        lots = maker.remaining_lots
        if stp == STP_DECREMENT and lots > left:
            self._shrink(maker, left)
            self.steps.append((STEP_DECREMENT, maker, left))
            self._stopped = True
            return left
        opposite.remove(maker)
        self.resting.pop(maker.order_id)
        if stp == STP_DECREMENT:
            maker.remaining_lots = 0
            self.steps.append((STEP_DECREMENT, maker, lots))
            self._stopped = lots == left
            return left if self._stopped else left - lots
        self.steps.append((STEP_CANCEL, maker, lots))
        self._stopped = stp == STP_CANCEL_BOTH
        return left

    def _fillable(
        self, opposite: BookSide, limit_key: "i64", account_id: "i64", lots: "i64", stp: "i64"
    ) -> bool:
        """Whether the whole size can trade at once; see the class docstring for own orders."""
        for level in opposite.sorted_levels():
            if level.key < limit_key:
                return False
            order = level.head
            while order is not None:
                if order.account_id != account_id:
                    lots -= order.remaining_lots
                    if lots <= 0:
                        return True
                elif stp != STP_CANCEL_OLDEST:
                    return False
                order = order.next
        return False

    def _shrink(self, order: Order, lots: "i64") -> None:
        level = order.level
        assert level is not None
        order.remaining_lots -= lots
        level.lots -= lots

    def _refusal(self, order_id: int, account_id: int, price_ticks: int, lots: int) -> str:
        if not 0 < lots <= MAX_LOTS:
            return f"order {order_id}: size {lots} lots must be positive, at most {MAX_LOTS}"
        if not 0 < price_ticks <= MAX_TICKS:
            allowed = f"must be positive, at most {MAX_TICKS}"
            return f"order {order_id}: price {price_ticks} ticks {allowed}"
        if order_id in self.resting:
            return f"order {order_id} rests already"
        return f"order {order_id} of account {account_id}: ids must be below {WORD}"
