"""The order book as a textbook has it: sorted prices, a queue at each, and the rules one by one.

It does what `matching.book` does, and is there to be read and to be compared with: both run the
same tests. `matching.book` keeps at hand what this one looks up (the best level, the size of a
level), which makes it faster and longer.
"""

from collections import OrderedDict
from typing import Final

from sortedcontainers import SortedDict

from engine.commands import (
    BUY,
    FOK,
    GTC,
    IOC,
    LEG_NET,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_DECREMENT,
    STP_NONE,
)
from engine.reasons import Reason
from matching.order import Order, OrderRow, refusal
from matching.positions import Positions
from matching.step import STEP_CANCEL, STEP_DECREMENT, STEP_FILL, STEP_TRIM, Step

RESTED: Final = Reason.NONE
FILLED: Final = Reason.FILLED

Queue = OrderedDict[int, Order]
"""The orders at one price by their id, oldest first."""


class TextbookBook:
    """Price-time priority matching for one instrument; see `matching.book.Book`.

    ``levels`` has the queues of each side by price, from the lowest to the highest, ``resting``
    every order by its id. After `submit` and `change`, ``steps`` tells what happened to resting
    orders, ``left_lots`` what rests or was dropped, and ``trimmed_lots`` what a reduce-only order
    lost on arrival.
    """

    def __init__(self) -> None:
        self.levels: dict[int, SortedDict[int, Queue]] = {BUY: SortedDict(), SELL: SortedDict()}
        self.resting: dict[int, Order] = {}
        self.positions = Positions()
        self.steps: list[Step] = []
        self.left_lots = 0
        self.trimmed_lots = 0

    def __len__(self) -> int:
        return len(self.resting)

    def __contains__(self, order_id: int) -> bool:
        return order_id in self.resting

    def order(self, order_id: int) -> Order | None:
        """The resting order itself, for looking at, or None."""
        return self.resting.get(order_id)

    # orders come and go

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

        Raises:
            ValueError: size or price not positive or too large, or the order id already rests.
        """
        why_not = refusal(order_id, account_id, price_ticks, lots)
        if order_id in self.resting:
            why_not = f"order {order_id} rests already"
        if why_not:
            raise ValueError(why_not)
        modes = (stp, post_only, liquidation, reduce_only, leg)
        return self._enter(Order(order_id, account_id, side, price_ticks, lots, *modes), tif)

    def cancel(self, order_id: int) -> int:
        """Take a resting order out; returns the lots it had left, 0 if it does not rest."""
        order = self.resting.get(order_id)
        if order is None:
            return 0
        self._remove(order)
        return order.remaining_lots

    def change(self, order_id: int, price_ticks: int, lots: int) -> int:
        """Give a resting order a new price and remaining size; returns the outcome.

        At the same price and no larger, it keeps its place; otherwise it comes back as a new order.

        Raises:
            KeyError: the order does not rest.
            ValueError: size or price not positive or too large.
        """
        order = self.resting[order_id]
        why_not = refusal(order_id, order.account_id, price_ticks, lots)
        if why_not:
            raise ValueError(why_not)
        if price_ticks == order.price_ticks and lots <= order.remaining_lots:
            order.remaining_lots = lots
            self.steps, self.left_lots, self.trimmed_lots = [], lots, 0
            return RESTED
        self._remove(order)
        return self._enter(order.again(price_ticks, lots), GTC)

    def _rest(self, order: Order) -> None:
        """Queue an order last at its price."""
        levels = self.levels[order.side]
        levels.setdefault(order.price_ticks, OrderedDict())[order.order_id] = order
        self.resting[order.order_id] = order

    def _remove(self, order: Order) -> None:
        """Take an order out of its queue; an empty queue goes as well."""
        levels = self.levels[order.side]
        del self.resting[order.order_id]
        del levels[order.price_ticks][order.order_id]
        if not levels[order.price_ticks]:
            del levels[order.price_ticks]

    # matching

    def _enter(self, taker: Order, tif: int) -> int:
        asked = taker.remaining_lots
        self.steps, self.left_lots, self.trimmed_lots = [], asked, 0
        able = self._tradable(taker)
        if able == 0:
            return Reason.NOTHING_TO_REDUCE
        if taker.post_only and self._best_opposite(taker) is not None:
            return Reason.POST_ONLY_WOULD_CROSS
        self.trimmed_lots = asked - able
        taker.remaining_lots = able
        if tif == FOK and not self._can_fill(taker):
            return Reason.FOK_NOT_FILLABLE
        nobody_there = not self.levels[-taker.side]
        stopped = self._match(taker)
        self.left_lots = taker.remaining_lots + self.trimmed_lots
        if stopped:
            return Reason.SELF_TRADE
        if taker.remaining_lots == 0:
            return Reason.REDUCE_ONLY_TRIMMED if self.trimmed_lots else FILLED
        if tif == IOC:
            return Reason.NO_LIQUIDITY if nobody_there else Reason.IOC_REMAINDER
        self.left_lots = taker.remaining_lots
        self._rest(taker)
        return RESTED

    def _match(self, taker: Order) -> bool:
        """Trade down the other side to the taker's price; whether a self-trade stopped it."""
        while taker.remaining_lots:
            maker = self._best_opposite(taker)
            if maker is None:
                return False
            if self._tradable(maker) == 0:
                self._take(STEP_TRIM, maker, maker.remaining_lots)
            elif maker.account_id != taker.account_id or taker.stp == STP_NONE:
                self._trade(taker, maker)
            elif self._prevent_self_trade(taker, maker):
                return True
        return False

    def _best_opposite(self, taker: Order) -> Order | None:
        """The oldest order at the best price of the other side, if the taker's price reaches it."""
        levels = self.levels[-taker.side]
        if not levels:
            return None
        price, queue = levels.peekitem(0 if taker.side == BUY else -1)
        if taker.side * (taker.price_ticks - price) < 0:
            return None
        return next(iter(queue.values()))

    def _tradable(self, order: Order) -> int:
        """How much of itself an order may trade now."""
        if order.reduce_only:
            return min(order.remaining_lots, self.positions.closable(order))
        return order.remaining_lots

    def _trade(self, taker: Order, maker: Order) -> None:
        tradable = self._tradable(maker)
        lots = min(taker.remaining_lots, tradable)
        taker.remaining_lots -= lots
        self.positions.traded(taker, maker, lots)
        self._take(STEP_FILL, maker, lots)
        if lots == tradable and maker.remaining_lots:
            self._take(STEP_TRIM, maker, maker.remaining_lots)

    def _prevent_self_trade(self, taker: Order, maker: Order) -> bool:
        """Apply the taker's mode; whether the taker is over. One that was decremented away keeps
        its last size: that much stays unfilled."""
        if taker.stp == STP_CANCEL_NEWEST:
            return True
        if taker.stp != STP_DECREMENT:
            self._take(STEP_CANCEL, maker, maker.remaining_lots)
            return taker.stp == STP_CANCEL_BOTH
        lots = min(taker.remaining_lots, maker.remaining_lots)
        self._take(STEP_DECREMENT, maker, lots)
        if lots == taker.remaining_lots:
            return True
        taker.remaining_lots -= lots
        return False

    def _take(self, kind: int, maker: Order, lots: int) -> None:
        """Take lots off a resting order, which leaves when nothing is left, and note it."""
        maker.remaining_lots -= lots
        left = maker.remaining_lots
        step = Step(kind, maker.order_id, maker.price_ticks, lots, left, maker.liquidation)
        self.steps.append(step)
        if left == 0:
            self._remove(maker)

    def _can_fill(self, taker: Order) -> bool:
        """Whether the whole order can trade at once: it is tried on a copy of what it reaches."""
        trial = TextbookBook()
        trial.positions = self.positions.copy()
        for price, _, _ in self.depth(-taker.side):
            if taker.side * (taker.price_ticks - price) < 0:
                break
            for maker in self.levels[-taker.side][price].values():
                trial._rest(maker.again(price, maker.remaining_lots))
        order = taker.again(taker.price_ticks, taker.remaining_lots)
        trial._match(order)
        own = any(step.kind == STEP_DECREMENT for step in trial.steps)
        return order.remaining_lots == 0 and not own

    # looking

    def best_bid_ticks(self) -> int:
        """Highest bid, 0 if there is none."""
        bids = self.levels[BUY]
        return bids.peekitem(-1)[0] if bids else 0

    def best_ask_ticks(self) -> int:
        """Lowest ask, 0 if there is none."""
        asks = self.levels[SELL]
        return asks.peekitem(0)[0] if asks else 0

    def level_lots(self, side: int, price_ticks: int) -> int:
        """Total size resting at a price, 0 if nothing does."""
        queue: Queue = self.levels[side].get(price_ticks, OrderedDict())
        return sum(order.remaining_lots for order in queue.values())

    def depth(self, side: int, levels: int = 0) -> list[tuple[int, int, int]]:
        """L2: (price_ticks, lots, orders) of the best ``levels`` prices, best first (0: all)."""
        prices = list(self.levels[side])
        if side == BUY:
            prices.reverse()
        return [
            (price, self.level_lots(side, price), len(self.levels[side][price]))
            for price in prices[: levels or None]
        ]

    def orders(self, side: int = 0) -> list[Order]:
        """L3: the resting orders of a side in priority order; with 0 bids, then asks."""
        if side == 0:
            return self.orders(BUY) + self.orders(SELL)
        queues = [self.levels[side][price] for price, _, _ in self.depth(side)]
        return [order for queue in queues for order in queue.values()]

    def state(self) -> tuple[list[OrderRow], list[OrderRow]]:
        """Bids and asks as plain integers in priority order."""
        return [order.row() for order in self.orders(BUY)], [
            order.row() for order in self.orders(SELL)
        ]
