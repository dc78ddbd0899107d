"""The naive twin of the order book: one list of orders, sorted when somebody asks.

Written from the rules, not from `matching.book`; slow and obviously right.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field

from engine.commands import (
    BUY,
    FOK,
    GTC,
    IOC,
    SELL,
    STP_CANCEL_BOTH,
    STP_CANCEL_NEWEST,
    STP_CANCEL_OLDEST,
    STP_DECREMENT,
)
from engine.reasons import Reason


@dataclass
class NaiveOrder:
    order_id: int
    account_id: int
    side: int
    price: int
    lots: int
    stp: int
    post_only: bool
    arrival: int
    reduce_only: bool = False
    leg: int = 0


@dataclass
class Result:
    """What a command did: ``trades`` are (maker id, price, lots), ``cancelled`` and ``decremented``
    (maker id, lots) are the work of self-trade prevention, ``trimmed`` (maker id, lots) what could
    only have opened, ``reason`` why a remainder was dropped (None if it rests or nothing is left),
    ``unfilled`` what rests or was dropped."""

    trades: list[tuple[int, int, int]]
    cancelled: list[tuple[int, int]]
    decremented: list[tuple[int, int]]
    reason: Reason | None
    unfilled: int
    trimmed: list[tuple[int, int]] = field(default_factory=list)


class NaiveBook:
    def __init__(self) -> None:
        self.orders: list[NaiveOrder] = []
        self.arrivals = 0
        self.held: Counter[tuple[int, int]] = Counter()

    def queue(self, side: int) -> list[NaiveOrder]:
        """The orders of a side by price, then time."""
        mine = [order for order in self.orders if order.side == side]
        return sorted(mine, key=lambda order: (-side * order.price, order.arrival))

    def find(self, order_id: int) -> NaiveOrder | None:
        return next((order for order in self.orders if order.order_id == order_id), None)

    def crossing(self, side: int, price: int) -> list[NaiveOrder]:
        """Resting orders a new one at that price could meet, in the order it meets them."""
        if side == BUY:
            return [order for order in self.queue(SELL) if order.price <= price]
        return [order for order in self.queue(BUY) if order.price >= price]

    def cancel(self, order_id: int) -> int:
        """The lots that were left; 0 if there is no such order."""
        order = self.find(order_id)
        if order is None:
            return 0
        self.orders.remove(order)
        return order.lots

    def submit(
        self,
        order_id: int,
        account_id: int,
        side: int,
        price: int,
        lots: int,
        tif: int,
        post_only: bool,
        stp: int,
        liquidation: bool = False,
        reduce_only: bool = False,
        leg: int = 0,
    ) -> Result:
        taker = NaiveOrder(
            order_id, account_id, side, price, lots, stp, post_only, 0, reduce_only, leg
        )
        crossing = self.crossing(side, price)
        other_side_empty = not self.queue(-side)
        able = self.able(taker)
        if not able:
            return Result([], [], [], Reason.NOTHING_TO_REDUCE, lots)
        if post_only and crossing:
            return Result([], [], [], Reason.POST_ONLY_WOULD_CROSS, lots)
        if tif == FOK:
            trial = deepcopy(self).submit(
                order_id, account_id, side, price, able, IOC, False, stp, False, False, leg
            )
            if trial.decremented or trial.unfilled:
                return Result([], [], [], Reason.FOK_NOT_FILLABLE, lots)
        result = Result([], [], [], None, able)
        for maker in crossing:
            if result.unfilled == 0:
                break
            if not self.able(maker):
                self.trim(maker, result)
            elif maker.account_id == account_id:
                if self.self_trade(maker, stp, result):
                    result.reason = Reason.SELF_TRADE
                    result.unfilled += lots - able
                    return result
            else:
                self.trade(taker, maker, result)
        if result.unfilled == 0:
            if able < lots:
                result.reason = Reason.REDUCE_ONLY_TRIMMED
                result.unfilled = lots - able
        elif tif == GTC:
            self.arrivals += 1
            taker.arrival = self.arrivals
            taker.lots = result.unfilled
            self.orders.append(taker)
        elif tif == IOC:
            result.reason = Reason.NO_LIQUIDITY if other_side_empty else Reason.IOC_REMAINDER
            result.unfilled += lots - able
        return result

    def able(self, order: NaiveOrder) -> int:
        """How much of itself an order may trade now."""
        if not order.reduce_only:
            return order.lots
        return min(order.lots, max(0, -order.side * self.held[order.account_id, order.leg]))

    def trim(self, maker: NaiveOrder, result: Result) -> None:
        result.trimmed.append((maker.order_id, maker.lots))
        self.orders.remove(maker)

    def trade(self, taker: NaiveOrder, maker: NaiveOrder, result: Result) -> None:
        able = self.able(maker)
        size = min(able, result.unfilled)
        result.trades.append((maker.order_id, maker.price, size))
        result.unfilled -= size
        maker.lots -= size
        self.held[taker.account_id, taker.leg] += taker.side * size
        self.held[maker.account_id, maker.leg] += maker.side * size
        if maker.lots == 0:
            self.orders.remove(maker)
        elif size == able:
            self.trim(maker, result)

    def self_trade(self, maker: NaiveOrder, stp: int, result: Result) -> bool:
        """Apply the taker's mode; whether the taker is finished."""
        if stp == STP_CANCEL_NEWEST:
            return True
        if stp in (STP_CANCEL_OLDEST, STP_CANCEL_BOTH):
            result.cancelled.append((maker.order_id, maker.lots))
            self.orders.remove(maker)
            return stp == STP_CANCEL_BOTH
        assert stp == STP_DECREMENT
        size = min(maker.lots, result.unfilled)
        result.decremented.append((maker.order_id, size))
        maker.lots -= size
        if maker.lots == 0:
            self.orders.remove(maker)
        if size == result.unfilled:
            return True
        result.unfilled -= size
        return False

    def change(self, order_id: int, price: int, lots: int) -> Result:
        order = self.find(order_id)
        assert order is not None
        if price == order.price and lots <= order.lots:
            order.lots = lots
            return Result([], [], [], None, lots)
        self.orders.remove(order)
        return self.submit(
            order_id,
            order.account_id,
            order.side,
            price,
            lots,
            GTC,
            order.post_only,
            order.stp,
            False,
            order.reduce_only,
            order.leg,
        )
