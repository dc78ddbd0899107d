"""The naive twin of the order book: one list of orders, sorted when somebody asks.

Written from the rules, not from `matching.book`; slow and obviously right.
"""

from dataclasses import dataclass

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


@dataclass
class Result:
    """What a command did: ``trades`` are (maker id, price, lots), ``cancelled`` and ``decremented``
    (maker id, lots) are the work of self-trade prevention, ``reason`` why a remainder was dropped
    (None if it rests or nothing is left), ``unfilled`` what rests or was dropped."""

    trades: list[tuple[int, int, int]]
    cancelled: list[tuple[int, int]]
    decremented: list[tuple[int, int]]
    reason: Reason | None
    unfilled: int


class NaiveBook:
    def __init__(self) -> None:
        self.orders: list[NaiveOrder] = []
        self.arrivals = 0

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
    ) -> Result:
        crossing = self.crossing(side, price)
        other_side_empty = not self.queue(-side)
        if post_only and crossing:
            return Result([], [], [], Reason.POST_ONLY_WOULD_CROSS, lots)
        if tif == FOK and self.tradable(crossing, account_id, stp) < lots:
            return Result([], [], [], Reason.FOK_NOT_FILLABLE, lots)
        result = Result([], [], [], None, lots)
        for maker in crossing:
            if result.unfilled == 0:
                break
            if maker.account_id == account_id:
                if self.self_trade(maker, stp, result):
                    result.reason = Reason.SELF_TRADE
                    return result
            else:
                self.trade(maker, result)
        if result.unfilled == 0:
            return result
        if tif == GTC:
            self.arrivals += 1
            self.orders.append(
                NaiveOrder(
                    order_id,
                    account_id,
                    side,
                    price,
                    result.unfilled,
                    stp,
                    post_only,
                    self.arrivals,
                )
            )
        elif tif == IOC:
            result.reason = Reason.NO_LIQUIDITY if other_side_empty else Reason.IOC_REMAINDER
        return result

    def tradable(self, crossing: list[NaiveOrder], account_id: int, stp: int) -> int:
        """How much an order could trade before it meets an own one that stops or shrinks it."""
        total = 0
        for maker in crossing:
            if maker.account_id != account_id:
                total += maker.lots
            elif stp != STP_CANCEL_OLDEST:
                break
        return total

    def trade(self, maker: NaiveOrder, result: Result) -> None:
        size = min(maker.lots, result.unfilled)
        result.trades.append((maker.order_id, maker.price, size))
        result.unfilled -= size
        maker.lots -= size
        if maker.lots == 0:
            self.orders.remove(maker)

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
            order_id, order.account_id, order.side, price, lots, GTC, order.post_only, order.stp
        )
