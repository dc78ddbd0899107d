"""The messages between risk and matching on an order's way and at a tick: see `engine.kernel`."""

from typing import TYPE_CHECKING, Any, Final

from engine.kernel import KernelMessage
from engine.native import mypyc_attr

if TYPE_CHECKING:
    from mypy_extensions import i64


# risk -> matching


@mypyc_attr(acyclic=True, free_list_len=1)
class PlaceOrder(KernelMessage):
    """An order that passed the margin check. ``price_ticks`` is always a limit (risk turns a
    market order into an IOC limit at its worst acceptable price)."""

    def __init__(
        self,
        time_ns: int,
        order_id: "i64",
        account_id: "i64",
        instrument_id: "i64",
        side: "i64",
        qty_lots: "i64",
        price_ticks: "i64",
        tif: "i64",
        post_only: bool,
        stp: "i64",
        liquidation: bool = False,
        reduce_only: bool = False,
        leg: "i64" = 0,
    ) -> None:
        super().__init__(time_ns)
        self.order_id: Final = order_id
        self.account_id: Final = account_id
        self.instrument_id: Final = instrument_id
        self.side: Final = side
        self.qty_lots: Final = qty_lots
        self.price_ticks: Final = price_ticks
        self.tif: Final = tif
        self.post_only: Final = post_only
        self.stp: Final = stp
        self.liquidation: Final = liquidation
        self.reduce_only: Final = reduce_only
        self.leg: Final = leg

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "PlaceOrder",
            self.time_ns,
            self.order_id,
            self.account_id,
            self.instrument_id,
            self.side,
            self.qty_lots,
            self.price_ticks,
            self.tif,
            self.post_only,
            self.stp,
            self.liquidation,
            self.reduce_only,
            self.leg,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class PullOrder(KernelMessage):
    """Take an order out of the book. Always answered by `OrderGone`, or `PullFailed`.

    ``account_id`` is whose command it was (0: the engine's own) and comes back in `PullFailed`.
    """

    def __init__(
        self,
        time_ns: int,
        order_id: "i64",
        instrument_id: "i64",
        reason: "i64",
        account_id: "i64" = 0,
    ) -> None:
        super().__init__(time_ns)
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.reason: Final = reason
        self.account_id: Final = account_id

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "PullOrder",
            self.time_ns,
            self.order_id,
            self.instrument_id,
            self.reason,
            self.account_id,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class ChangeOrder(KernelMessage):
    """New price and remaining size of a resting order; answered by `OrderChanged` (then any
    fills), `OrderGone` or `PullFailed`.

    ``seen_lots`` is what remained when the change was asked for: what has filled since counts
    against the new size, and an order with nothing left of that is cancelled. With ``shrink_only``
    a size that is not below the remaining one changes nothing (a fill was faster); the answer is
    the same.
    """

    def __init__(
        self,
        time_ns: int,
        order_id: "i64",
        instrument_id: "i64",
        price_ticks: "i64",
        qty_lots: "i64",
        account_id: "i64" = 0,
        shrink_only: bool = False,
        seen_lots: "i64" = 0,
    ) -> None:
        super().__init__(time_ns)
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.price_ticks: Final = price_ticks
        self.qty_lots: Final = qty_lots
        self.account_id: Final = account_id
        self.shrink_only: Final = shrink_only
        self.seen_lots: Final = seen_lots

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "ChangeOrder",
            self.time_ns,
            self.order_id,
            self.instrument_id,
            self.price_ticks,
            self.qty_lots,
            self.account_id,
            self.shrink_only,
            self.seen_lots,
        )


# matching -> risk


@mypyc_attr(acyclic=True, free_list_len=1)
class Fill(KernelMessage):
    """Two orders met at the maker's price. Both sides settle from this one message."""

    def __init__(
        self,
        time_ns: int,
        instrument_id: "i64",
        trade_id: "i64",
        price_ticks: "i64",
        qty_lots: "i64",
        taker_side: "i64",
        taker_order_id: "i64",
        maker_order_id: "i64",
    ) -> None:
        super().__init__(time_ns)
        self.instrument_id: Final = instrument_id
        self.trade_id: Final = trade_id
        self.price_ticks: Final = price_ticks
        self.qty_lots: Final = qty_lots
        self.taker_side: Final = taker_side
        self.taker_order_id: Final = taker_order_id
        self.maker_order_id: Final = maker_order_id

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "Fill",
            self.time_ns,
            self.instrument_id,
            self.trade_id,
            self.price_ticks,
            self.qty_lots,
            self.taker_side,
            self.taker_order_id,
            self.maker_order_id,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderGone(KernelMessage):
    """An order left the book (or never entered it) with ``remaining_lots`` unfilled.

    Not sent for orders filled completely: the last `Fill` says so.
    """

    def __init__(
        self,
        time_ns: int,
        order_id: "i64",
        instrument_id: "i64",
        remaining_lots: "i64",
        reason: "i64",
    ) -> None:
        super().__init__(time_ns)
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.remaining_lots: Final = remaining_lots
        self.reason: Final = reason

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "OrderGone",
            self.time_ns,
            self.order_id,
            self.instrument_id,
            self.remaining_lots,
            self.reason,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderChanged(KernelMessage):
    """A resting order now has this price and remaining size (amend, or self-trade decrement)."""

    def __init__(
        self,
        time_ns: int,
        order_id: "i64",
        instrument_id: "i64",
        price_ticks: "i64",
        remaining_lots: "i64",
        answers: bool = False,
    ) -> None:
        super().__init__(time_ns)
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.price_ticks: Final = price_ticks
        self.remaining_lots: Final = remaining_lots
        self.answers: Final = answers

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "OrderChanged",
            self.time_ns,
            self.order_id,
            self.instrument_id,
            self.price_ticks,
            self.remaining_lots,
            self.answers,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class PullFailed(KernelMessage):
    """The order to pull or change was not in the book (it had just filled)."""

    def __init__(
        self,
        time_ns: int,
        order_id: "i64",
        instrument_id: "i64",
        account_id: "i64" = 0,
    ) -> None:
        super().__init__(time_ns)
        self.order_id: Final = order_id
        self.instrument_id: Final = instrument_id
        self.account_id: Final = account_id

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "PullFailed",
            self.time_ns,
            self.order_id,
            self.instrument_id,
            self.account_id,
        )


@mypyc_attr(acyclic=True, free_list_len=1)
class BookTop(KernelMessage):
    """Best prices at a clock tick, in ticks; 0 where a side is empty."""

    def __init__(
        self,
        time_ns: int,
        instrument_id: "i64",
        bid_ticks: "i64",
        ask_ticks: "i64",
    ) -> None:
        super().__init__(time_ns)
        self.instrument_id: Final = instrument_id
        self.bid_ticks: Final = bid_ticks
        self.ask_ticks: Final = ask_ticks

    def wire(self) -> tuple[Any, ...]:
        """The class's name and the fields in order."""
        return (
            "BookTop",
            self.time_ns,
            self.instrument_id,
            self.bid_ticks,
            self.ask_ticks,
        )
