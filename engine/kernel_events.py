"""The events of an order's life and of the public market: see `engine.kernel`."""

from typing import Any, Final

from engine.kernel import KernelMessage
from engine.native import mypyc_attr


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderAccepted(KernelMessage):
    """The order passed the margin check and is on its way to the book."""

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        order_id: int,
        instrument_id: int,
        side: int,
        qty_lots: int,
        price_ticks: int,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.side: Final = side
        self.qty_lots: Final = qty_lots
        self.price_ticks: Final = price_ticks

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "OrderAccepted",
            self.time_ns,
            self.account_id,
            self.order_id,
            self.instrument_id,
            self.side,
            self.qty_lots,
            self.price_ticks,
        )


def order_accepted_of(values: tuple[int, int, int, int, int, int, int]) -> OrderAccepted:
    """The message with these fields, which arrive by the thousand."""
    return OrderAccepted(
        values[0], values[1], values[2], values[3], values[4], values[5], values[6]
    )


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderFilled(KernelMessage):
    """One side of a trade, for its owner. A negative fee is a rebate.

    ``trade_id`` is that of the public `Trade`, counted per instrument: with instrument and order it
    names this execution, however often it is told.
    """

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        order_id: int,
        instrument_id: int,
        leg: int,
        side: int,
        qty_lots: int,
        price_ticks: int,
        maker: bool,
        liquidation: bool,
        fee_q: int,
        realised_q: int,
        position_lots: int,
        trade_id: int = 0,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.leg: Final = leg
        self.side: Final = side
        self.qty_lots: Final = qty_lots
        self.price_ticks: Final = price_ticks
        self.maker: Final = maker
        self.liquidation: Final = liquidation
        self.fee_q: Final = fee_q
        self.realised_q: Final = realised_q
        self.position_lots: Final = position_lots
        self.trade_id: Final = trade_id

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "OrderFilled",
            self.time_ns,
            self.account_id,
            self.order_id,
            self.instrument_id,
            self.leg,
            self.side,
            self.qty_lots,
            self.price_ticks,
            self.maker,
            self.liquidation,
            self.fee_q,
            self.realised_q,
            self.position_lots,
            self.trade_id,
        )


def order_filled_of(
    values: tuple[int, int, int, int, int, int, int, int, bool, bool, int, int, int, int],
) -> OrderFilled:
    """The message with these fields, which arrive by the thousand."""
    return OrderFilled(
        values[0],
        values[1],
        values[2],
        values[3],
        values[4],
        values[5],
        values[6],
        values[7],
        values[8],
        values[9],
        values[10],
        values[11],
        values[12],
        values[13],
    )


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderAmended(KernelMessage):
    """A resting order has a new price or remaining size."""

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        order_id: int,
        instrument_id: int,
        price_ticks: int,
        remaining_lots: int,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.price_ticks: Final = price_ticks
        self.remaining_lots: Final = remaining_lots

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "OrderAmended",
            self.time_ns,
            self.account_id,
            self.order_id,
            self.instrument_id,
            self.price_ticks,
            self.remaining_lots,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderClosed(KernelMessage):
    """An order is finished: filled, cancelled or dropped (see ``reason``)."""

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        order_id: int,
        instrument_id: int,
        remaining_lots: int,
        reason: int,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.remaining_lots: Final = remaining_lots
        self.reason: Final = reason

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "OrderClosed",
            self.time_ns,
            self.account_id,
            self.order_id,
            self.instrument_id,
            self.remaining_lots,
            self.reason,
        )


def order_closed_of(values: tuple[int, int, int, int, int, int]) -> OrderClosed:
    """The message with these fields, which arrive by the thousand."""
    return OrderClosed(values[0], values[1], values[2], values[3], values[4], values[5])


@mypyc_attr(acyclic=True, free_list_len=1)
class Trade(KernelMessage):
    """Public trade print."""

    def __init__(
        self,
        time_ns: int,
        instrument_id: int,
        trade_id: int,
        price_ticks: int,
        qty_lots: int,
        taker_side: int,
        liquidation: bool,
    ) -> None:
        super().__init__(time_ns)
        self.instrument_id: Final = instrument_id
        self.trade_id: Final = trade_id
        self.price_ticks: Final = price_ticks
        self.qty_lots: Final = qty_lots
        self.taker_side: Final = taker_side
        self.liquidation: Final = liquidation

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "Trade",
            self.time_ns,
            self.instrument_id,
            self.trade_id,
            self.price_ticks,
            self.qty_lots,
            self.taker_side,
            self.liquidation,
        )


def trade_of(values: tuple[int, int, int, int, int, int, bool]) -> Trade:
    """The message with these fields, which arrive by the thousand."""
    return Trade(values[0], values[1], values[2], values[3], values[4], values[5], values[6])


@mypyc_attr(acyclic=True, free_list_len=1)
class BookLevel(KernelMessage):
    """Public depth: the new total of one price level; ``sequence`` counts per instrument."""

    def __init__(
        self,
        time_ns: int,
        instrument_id: int,
        sequence: int,
        side: int,
        price_ticks: int,
        qty_lots: int,
    ) -> None:
        super().__init__(time_ns)
        self.instrument_id: Final = instrument_id
        self.sequence: Final = sequence
        self.side: Final = side
        self.price_ticks: Final = price_ticks
        self.qty_lots: Final = qty_lots

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "BookLevel",
            self.time_ns,
            self.instrument_id,
            self.sequence,
            self.side,
            self.price_ticks,
            self.qty_lots,
        )


def book_level_of(values: tuple[int, int, int, int, int, int]) -> BookLevel:
    """The message with these fields, which arrive by the thousand."""
    return BookLevel(values[0], values[1], values[2], values[3], values[4], values[5])


@mypyc_attr(acyclic=True, free_list_len=1)
class MarkUpdated(KernelMessage):
    """Public mark, index, last price and open interest (lots, one side) of an instrument."""

    def __init__(
        self,
        time_ns: int,
        instrument_id: int,
        mark_ticks: int,
        index_ticks: int,
        last_ticks: int,
        open_interest_lots: int,
    ) -> None:
        super().__init__(time_ns)
        self.instrument_id: Final = instrument_id
        self.mark_ticks: Final = mark_ticks
        self.index_ticks: Final = index_ticks
        self.last_ticks: Final = last_ticks
        self.open_interest_lots: Final = open_interest_lots

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "MarkUpdated",
            self.time_ns,
            self.instrument_id,
            self.mark_ticks,
            self.index_ticks,
            self.last_ticks,
            self.open_interest_lots,
        )
