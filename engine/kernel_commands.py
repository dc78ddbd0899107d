"""The commands of an order's life, and the index price: see `engine.kernel`."""

from typing import Any, Final

from engine.kernel import KernelMessage
from engine.native import mypyc_attr

LIMIT: Final[int] = 0
MARKET: Final[int] = 1

GTC: Final[int] = 0
"""Good till cancelled: what does not fill rests in the book."""
IOC: Final[int] = 1
"""Immediate or cancel: what does not fill at once is dropped."""
FOK: Final[int] = 2
"""Fill or kill: all at once or nothing."""

STP_CANCEL_NEWEST: Final[int] = 0
STP_CANCEL_OLDEST: Final[int] = 1
STP_CANCEL_BOTH: Final[int] = 2
STP_DECREMENT: Final[int] = 3
"""Self-trade prevention modes; decrement lowers both orders by the smaller size, trades nothing."""

LEG_NET: Final[int] = 0
LEG_LONG: Final[int] = 1
LEG_SHORT: Final[int] = 2
"""Which position an order belongs to: the net one, or one leg in hedge mode."""


@mypyc_attr(acyclic=True, free_list_len=1)
class SubmitOrder(KernelMessage):
    """A new order. ``price_ticks`` is ignored for market orders.

    ``order_id`` is unique over the exchange; the gateway assigns it.
    """

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        instrument_id: int,
        order_id: int,
        side: int,
        qty_lots: int,
        price_ticks: int,
        order_type: int = LIMIT,
        tif: int = GTC,
        post_only: bool = False,
        reduce_only: bool = False,
        stp: int = STP_CANCEL_NEWEST,
        leg: int = LEG_NET,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.instrument_id: Final = instrument_id
        self.order_id: Final = order_id
        self.side: Final = side
        self.qty_lots: Final = qty_lots
        self.price_ticks: Final = price_ticks
        self.order_type: Final = order_type
        self.tif: Final = tif
        self.post_only: Final = post_only
        self.reduce_only: Final = reduce_only
        self.stp: Final = stp
        self.leg: Final = leg

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "SubmitOrder",
            self.time_ns,
            self.account_id,
            self.instrument_id,
            self.order_id,
            self.side,
            self.qty_lots,
            self.price_ticks,
            self.order_type,
            self.tif,
            self.post_only,
            self.reduce_only,
            self.stp,
            self.leg,
        )


def submit_order_of(
    values: tuple[int, int, int, int, int, int, int, int, int, bool, bool, int, int],
) -> SubmitOrder:
    """The message with these fields, which arrive by the thousand."""
    return SubmitOrder(
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
    )


@mypyc_attr(acyclic=True, free_list_len=1)
class CancelOrder(KernelMessage):
    """Cancel one resting order of the account."""

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        order_id: int,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.order_id: Final = order_id

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "CancelOrder",
            self.time_ns,
            self.account_id,
            self.order_id,
        )


def cancel_order_of(values: tuple[int, int, int]) -> CancelOrder:
    """The message with these fields, which arrive by the thousand."""
    return CancelOrder(values[0], values[1], values[2])


@mypyc_attr(acyclic=True, free_list_len=1)
class AmendOrder(KernelMessage):
    """Change price and remaining size. Time priority survives only a pure reduction of size.

    What fills between the command and the book counts against the new size; an order with nothing
    left of it is cancelled.
    """

    def __init__(
        self,
        time_ns: int,
        account_id: int,
        order_id: int,
        price_ticks: int,
        qty_lots: int,
    ) -> None:
        super().__init__(time_ns)
        self.account_id: Final = account_id
        self.order_id: Final = order_id
        self.price_ticks: Final = price_ticks
        self.qty_lots: Final = qty_lots

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "AmendOrder",
            self.time_ns,
            self.account_id,
            self.order_id,
            self.price_ticks,
            self.qty_lots,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class IndexPrice(KernelMessage):
    """One source's spot price for an instrument's index (oracle)."""

    def __init__(
        self,
        time_ns: int,
        instrument_id: int,
        source_id: int,
        price_ticks: int,
    ) -> None:
        super().__init__(time_ns)
        self.instrument_id: Final = instrument_id
        self.source_id: Final = source_id
        self.price_ticks: Final = price_ticks

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "IndexPrice",
            self.time_ns,
            self.instrument_id,
            self.source_id,
            self.price_ticks,
        )
