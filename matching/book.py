"""The limit order book of one instrument: price-time priority, integers in and out."""

from collections.abc import Sequence
from typing import Final

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
)
from engine.reasons import Reason
from engine.units import WORD
from engine.words import i64
from matching.book_side import NO_LEVEL, BookSide
from matching.levels import FIRST, KEY, LAST, LEVEL_LOTS, ORDERS, Levels
from matching.positions import Positions
from matching.resting_orders import (
    ACCOUNT_ID,
    BEFORE,
    BEHIND,
    LEVEL,
    LOTS,
    MODES,
    NOBODY,
    ORDER_ID,
    Order,
    OrderRow,
    RestingOrders,
    is_liquidation,
    is_post_only,
    is_reduce_only,
    leg_of,
    modes_of,
    row_of,
    stp_of,
)
from matching.step import STEP_CANCEL, STEP_DECREMENT, STEP_FILL, STEP_TRIM, Step

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

    Self-trade prevention: two orders of one account never trade; the taker's mode decides.

    - cancel newest: the taker's remainder is dropped when it meets its own order;
    - cancel oldest: the resting order is cancelled and the taker goes on;
    - cancel both: the resting order is cancelled and the taker's remainder dropped;
    - decrement: both shrink by the smaller size; who reaches zero is gone.

    A fill-or-kill order is filled only if it can trade its whole size: own resting orders are no
    liquidity. They are passed over with cancel oldest, and end the search in every other mode,
    because there the taker could not trade its whole size. A killed order changes nothing.

    A reduce-only order trades at most what closes its account's position, by ``positions``, at the
    moment of the match. It is cut to that when it arrives (fill-or-kill asks for what is left of
    it) and again when a taker meets it: what could only open leaves the book there and then.
    """

    __slots__ = (
        "_stopped",
        "asks",
        "bids",
        "left_lots",
        "levels",
        "positions",
        "resting",
        "steps",
        "trimmed_lots",
    )

    def __init__(self) -> None:
        self.resting = RestingOrders()
        self.levels = Levels(self.resting)
        self.bids = BookSide(BUY, self.levels)
        self.asks = BookSide(SELL, self.levels)
        self.positions = Positions()
        self.steps: list[Step] = []
        self.left_lots: i64 = 0
        self.trimmed_lots: i64 = 0
        self._stopped = False

    def __len__(self) -> int:
        return len(self.resting.slots)

    def __contains__(self, order_id: int) -> bool:
        return self.slot_of(order_id) >= 0

    def slot_of(self, order_id: int) -> i64:
        """Where an order is kept in ``resting``, `NOBODY` if it does not rest."""
        if not -WORD < order_id < WORD:
            return NOBODY
        return self.resting.slots.get(order_id)

    def side_of(self, slot: i64) -> BookSide:
        """The side an order rests on."""
        level = self.resting.cells[slot + LEVEL]
        return self.bids if self.levels.cells[level + KEY] > 0 else self.asks

    def price_ticks(self, slot: i64) -> i64:
        """The price an order rests at."""
        return self.levels.price_ticks(self.resting.cells[slot + LEVEL])

    def order(self, order_id: int) -> Order | None:
        """A resting order as it is now, or None."""
        slot = self.slot_of(order_id)
        return None if slot < 0 else self._order_in(slot)

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
        if not (
            -WORD < order_id < WORD
            and -WORD < account_id < WORD
            and 0 < price_ticks < WORD
            and 0 < lots < WORD
        ):
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        return self.enter(
            order_id,
            account_id,
            side,
            price_ticks,
            lots,
            tif,
            post_only,
            stp,
            liquidation,
            reduce_only,
            leg,
        )

    def enter(
        self,
        order_id: i64,
        account_id: i64,
        side: i64,
        price_ticks: i64,
        lots: i64,
        tif: i64,
        post_only: bool,
        stp: i64,
        liquidation: bool,
        reduce_only: bool,
        leg: i64,
    ) -> i64:
        """`submit` for compiled callers, whose numbers are machine words already."""
        if (
            not 0 < lots <= MAX_LOTS
            or not 0 < price_ticks <= MAX_TICKS
            or not -WORD < order_id < WORD
            or not -WORD < account_id < WORD
        ):
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        if self.steps:
            self.steps = []
        self.trimmed_lots = 0
        self.left_lots = lots
        opposite = self.asks if side > 0 else self.bids
        best = opposite.best
        limit_key = -price_ticks if side > 0 else price_ticks
        crosses = best >= 0 and self.levels.cells[best + KEY] >= limit_key
        # What goes straight to its queue is looked for when it is entered.
        if (crosses or tif != GTC or reduce_only) and self.resting.slots.get(order_id) >= 0:
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        left = lots
        if reduce_only:
            left = min(lots, self.positions.closable(account_id, leg, side))
            if left == 0:
                return _NOTHING_TO_REDUCE
            self.trimmed_lots = lots - left
        if crosses:
            if post_only:
                return _POST_ONLY_WOULD_CROSS
            if tif == FOK and not self._fillable(opposite, limit_key, account_id, leg, left, stp):
                return _FOK_NOT_FILLABLE
            left = self._match(opposite, limit_key, account_id, leg, left, stp)
            self.left_lots = left + self.trimmed_lots
            if self._stopped:
                self._stopped = False
                return _SELF_TRADE
            if left == 0:
                return _REDUCE_ONLY_TRIMMED if self.trimmed_lots else FILLED
        if tif != GTC:
            if tif == FOK:
                return _FOK_NOT_FILLABLE
            return _NO_LIQUIDITY if best < 0 else _IOC_REMAINDER
        self.left_lots = left
        modes = modes_of(stp, post_only, liquidation, reduce_only, leg)
        slot = self.resting.add(order_id, account_id, left, modes)
        if slot < 0:
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        if side > 0:
            self.bids.queue(slot, price_ticks)
        else:
            self.asks.queue(slot, price_ticks)
        return RESTED

    def cancel(self, order_id: int) -> int:
        """Take a resting order out; returns the lots it had left, 0 if it does not rest."""
        slot = self.slot_of(order_id)
        if slot < 0:
            return 0
        lots = self.resting.cells[slot + LOTS]
        self.side_of(slot).remove(slot)
        self.resting.drop(slot)
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
        slot = self.slot_of(order_id)
        if slot < 0:
            raise KeyError(order_id)
        orders = self.resting.cells
        account_id = orders[slot + ACCOUNT_ID]
        if not 0 < lots <= MAX_LOTS or not 0 < price_ticks <= MAX_TICKS:
            raise ValueError(self._refusal(order_id, account_id, price_ticks, lots))
        left = orders[slot + LOTS]
        if price_ticks == self.price_ticks(slot) and lots <= left:
            self.steps = []
            self.trimmed_lots = 0
            self._shrink(slot, left - lots)
            self.left_lots = lots
            return RESTED
        side = self.side_of(slot).side
        modes = orders[slot + MODES]
        self.cancel(order_id)
        return self.enter(
            order_id,
            account_id,
            side,
            price_ticks,
            lots,
            GTC,
            is_post_only(modes),
            stp_of(modes),
            is_liquidation(modes),
            is_reduce_only(modes),
            leg_of(modes),
        )

    def best_bid_ticks(self) -> int:
        """Highest bid, 0 if there is none."""
        return self.bids.best_ticks()

    def best_ask_ticks(self) -> int:
        """Lowest ask, 0 if there is none."""
        return self.asks.best_ticks()

    def level_lots(self, side: int, price_ticks: int) -> int:
        """Total size resting at a price, 0 if nothing does."""
        return (self.bids if side > 0 else self.asks).level_lots(price_ticks)

    def depth(self, side: int, levels: int = 0) -> list[tuple[int, int, int]]:
        """L2: (price_ticks, lots, orders) of the best ``levels`` prices, best first (0: all)."""
        known = self.levels.cells
        return [
            (self.levels.price_ticks(level), known[level + LEVEL_LOTS], known[level + ORDERS])
            for level in (self.bids if side > 0 else self.asks).best_first(levels)
        ]

    def orders(self, side: int = 0) -> list[Order]:
        """L3: the resting orders of a side in priority order; with 0 bids, then asks."""
        sides = (side,) if side else (BUY, SELL)
        return [self._order_in(slot) for each in sides for slot in self._slots(each)]

    def state(self) -> tuple[list[OrderRow], list[OrderRow]]:
        """Bids and asks as plain integers in priority order: all there is to a book, but for its
        ``positions``."""
        return (
            [row_of(self._order_in(slot)) for slot in self._slots(BUY)],
            [row_of(self._order_in(slot)) for slot in self._slots(SELL)],
        )

    def restore(self, side: int, rows: Sequence[Sequence[int]]) -> None:
        """Rest orders of one side, given as `OrderRow` in priority order, without matching."""
        book_side = self.bids if side > 0 else self.asks
        for order_id, account_id, price_ticks, lots, stp, *flags, leg in rows:
            post_only, liquidation, reduce_only = flags
            modes = modes_of(stp, bool(post_only), bool(liquidation), bool(reduce_only), leg)
            book_side.queue(self.resting.add(order_id, account_id, lots, modes), price_ticks)

    def _slots(self, side: int) -> list[int]:
        """Slots of a side's orders in priority order."""
        slots: list[int] = []
        for level in (self.bids if side > 0 else self.asks).best_first():
            slot = self.levels.cells[level + FIRST]
            while slot >= 0:
                slots.append(slot)
                slot = self.resting.cells[slot + BEHIND]
        return slots

    def _order_in(self, slot: i64) -> Order:
        orders = self.resting.cells
        modes = orders[slot + MODES]
        return Order(
            orders[slot + ORDER_ID],
            orders[slot + ACCOUNT_ID],
            self.side_of(slot).side,
            self.price_ticks(slot),
            orders[slot + LOTS],
            stp_of(modes),
            is_post_only(modes),
            is_liquidation(modes),
            is_reduce_only(modes),
            leg_of(modes),
        )

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
        cells = self.levels.cells
        levels = [book_side.sorted[place] for place in range(book_side.start, book_side.end)]
        keys = [cells[level + KEY] for level in levels]
        assert keys == sorted(set(keys)), "the levels are not sorted"
        empty = sum(1 for level in levels if cells[level + ORDERS] == 0)
        assert empty == book_side.empty, f"{empty} empty levels, {book_side.empty} counted"
        best = book_side.best
        assert best == (levels[-1] if levels else NO_LEVEL), "the cached best level is wrong"
        assert best < 0 or cells[best + ORDERS], "an empty level stands best"
        return sum(self._check_level(book_side.side, level) for level in levels)

    def _check_level(self, side: int, level: i64) -> int:
        cells = self.levels.cells
        orders = self.resting.cells
        price = self.levels.price_ticks(level)
        assert cells[level + KEY] == side * price, f"level {price} is filed on the wrong side"
        lots = count = 0
        before: i64 = NOBODY
        slot = cells[level + FIRST]
        while slot >= 0:
            order_id = orders[slot + ORDER_ID]
            name = f"order {order_id}"
            assert self.slot_of(order_id) == slot, f"{name} is not indexed"
            assert orders[slot + LEVEL] == level, f"{name} is in a wrong queue"
            assert orders[slot + LOTS] > 0, f"{name} rests with nothing left"
            assert orders[slot + BEFORE] == before, f"{name} has a broken link"
            lots += orders[slot + LOTS]
            count += 1
            before = slot
            slot = orders[slot + BEHIND]
        assert cells[level + LAST] == before, f"level {price} ends with another order"
        total = cells[level + LEVEL_LOTS]
        assert total == lots, f"level {price} holds {lots} lots, its total says {total}"
        counted = cells[level + ORDERS]
        assert counted == count, f"level {price} holds {count} orders, not {counted}"
        return count

    def _match(
        self, opposite: BookSide, limit_key: i64, account_id: i64, leg: i64, left: i64, stp: i64
    ) -> i64:
        """Trade down the opposite side to the limit; returns the lots that found nobody."""
        levels = self.levels.cells
        orders = self.resting.cells
        best = opposite.best
        while best >= 0 and levels[best + KEY] >= limit_key:
            maker = levels[best + FIRST]
            resting = orders[maker + LOTS]
            lots = self._tradable(opposite, maker, resting)
            if lots == 0:
                self._take(opposite, STEP_TRIM, maker, resting)
            elif orders[maker + ACCOUNT_ID] == account_id:
                left = self._prevent_self_trade(opposite, maker, left, stp)
                if self._stopped:
                    return left
            else:
                traded: i64 = left if lots > left else lots
                left -= traded
                side = -opposite.side
                self.positions.move(account_id, leg, side * traded)
                maker_leg = leg_of(orders[maker + MODES])
                self.positions.move(orders[maker + ACCOUNT_ID], maker_leg, -side * traded)
                if traded == resting:
                    self._take(opposite, STEP_FILL, maker, traded)
                else:
                    self._shrink(maker, traded)
                    self._note(STEP_FILL, maker, traded, resting - traded)
                    if traded == lots:
                        self._take(opposite, STEP_TRIM, maker, resting - traded)
                if left == 0:
                    return 0
            best = opposite.best
        return left

    def _tradable(self, book_side: BookSide, slot: i64, lots: i64) -> i64:
        """How many of its ``lots`` a resting order may trade now."""
        orders = self.resting.cells
        modes = orders[slot + MODES]
        if not is_reduce_only(modes):
            return lots
        account_id = orders[slot + ACCOUNT_ID]
        return min(lots, self.positions.closable(account_id, leg_of(modes), book_side.side))

    def _prevent_self_trade(self, opposite: BookSide, maker: i64, left: i64, stp: i64) -> i64:
        """Apply the taker's mode; returns its remaining lots, ``_stopped`` says it is over.

        A taker decremented away keeps its last size in the result: that much stays unfilled.
        """
        if stp == STP_CANCEL_NEWEST:
            self._stopped = True
            return left
        lots = self.resting.cells[maker + LOTS]
        if stp != STP_DECREMENT:
            self._take(opposite, STEP_CANCEL, maker, lots)
            self._stopped = stp == STP_CANCEL_BOTH
            return left
        if lots > left:
            self._shrink(maker, left)
            self._note(STEP_DECREMENT, maker, left, lots - left)
            self._stopped = True
            return left
        self._take(opposite, STEP_DECREMENT, maker, lots)
        self._stopped = lots == left
        return left if self._stopped else left - lots

    def _take(self, opposite: BookSide, kind: i64, maker: i64, lots: i64) -> None:
        """Let a resting order go in a step that concerns all of it."""
        self._note(kind, maker, lots, 0)
        opposite.remove(maker)
        self.resting.drop(maker)

    def _note(self, kind: i64, maker: i64, lots: i64, left_lots: i64) -> None:
        orders = self.resting.cells
        price_ticks = self.price_ticks(maker)
        liquidation = is_liquidation(orders[maker + MODES])
        maker_id = orders[maker + ORDER_ID]
        self.steps.append(Step(kind, maker_id, price_ticks, lots, left_lots, liquidation))

    def _shrink(self, slot: i64, lots: i64) -> None:
        orders = self.resting.cells
        orders[slot + LOTS] -= lots
        self.levels.cells[orders[slot + LEVEL] + LEVEL_LOTS] -= lots

    def _fillable(
        self, opposite: BookSide, limit_key: i64, account_id: i64, leg: i64, lots: i64, stp: i64
    ) -> bool:
        """Whether the whole size can trade at once; see the class docstring for own orders.

        The positions move along as they would, for they bound what reduce-only orders trade.
        """
        levels = self.levels.cells
        orders = self.resting.cells
        side = opposite.side
        moved = Positions()
        for level in opposite.best_first():
            if levels[level + KEY] < limit_key:
                return False
            slot = levels[level + FIRST]
            while slot >= 0:
                maker_id = orders[slot + ACCOUNT_ID]
                modes = orders[slot + MODES]
                maker_leg = leg_of(modes)
                traded = orders[slot + LOTS]
                if is_reduce_only(modes):
                    held = self.positions.lots(maker_id, maker_leg)
                    held += moved.lots(maker_id, maker_leg)
                    traded = min(traded, max(0, -side * held))
                if maker_id != account_id:
                    lots -= traded
                    if lots <= 0:
                        return True
                    moved.move(maker_id, maker_leg, side * traded)
                    moved.move(account_id, leg, -side * traded)
                elif traded and stp != STP_CANCEL_OLDEST:
                    return False
                slot = orders[slot + BEHIND]
        return False

    def _refusal(self, order_id: int, account_id: int, price_ticks: int, lots: int) -> str:
        if not 0 < lots <= MAX_LOTS:
            return f"order {order_id}: size {lots} lots must be positive, at most {MAX_LOTS}"
        if not 0 < price_ticks <= MAX_TICKS:
            allowed = f"must be positive, at most {MAX_TICKS}"
            return f"order {order_id}: price {price_ticks} ticks {allowed}"
        if order_id in self:
            return f"order {order_id} rests already"
        return f"order {order_id} of account {account_id}: ids must be below {WORD}"
