"""The messages on an order's way between risk and matching.

Plain classes and not structs like the other messages: in one process they are made and read
several times per command and never encoded, and compiled their fields are then read from memory
instead of being looked up by name. `engine.messages` gives them the wire form the others have.
"""

from typing import Any, ClassVar, Final

from engine.native import mypyc_attr

FLAGS: Final[tuple[str, ...]] = ("post_only", "liquidation", "shrink_only")
"""The fields that are true or false; all others are whole numbers."""


@mypyc_attr(acyclic=True)
class OrderLink:
    """A message whose wire form is its class's name and ``FIELDS`` in order."""

    __slots__ = ("time_ns",)

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, time_ns: int) -> None:
        self.time_ns = time_ns

    def fields(self) -> list[Any]:
        """The values of ``FIELDS``."""
        return [getattr(self, name) for name in type(self).FIELDS]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, OrderLink)
            and type(self) is type(other)
            and self.fields() == other.fields()
        )

    def __repr__(self) -> str:
        pairs = zip(type(self).FIELDS, self.fields(), strict=True)
        shown = ", ".join(f"{name}={value!r}" for name, value in pairs)
        return f"{type(self).__name__}({shown})"


# risk -> matching


@mypyc_attr(acyclic=True, free_list_len=1)
class PlaceOrder(OrderLink):
    """An order that passed the margin check. ``price_ticks`` is always a limit (risk turns a
    market order into an IOC limit at its worst acceptable price)."""

    __slots__ = (
        "account_id",
        "instrument_id",
        "liquidation",
        "order_id",
        "post_only",
        "price_ticks",
        "qty_lots",
        "side",
        "stp",
        "tif",
    )

    FIELDS = (
        "time_ns",
        "order_id",
        "account_id",
        "instrument_id",
        "side",
        "qty_lots",
        "price_ticks",
        "tif",
        "post_only",
        "stp",
        "liquidation",
    )

    def __init__(
        self,
        time_ns: int,
        order_id: int,
        account_id: int,
        instrument_id: int,
        side: int,
        qty_lots: int,
        price_ticks: int,
        tif: int,
        post_only: bool,
        stp: int,
        liquidation: bool = False,
    ) -> None:
        self.time_ns = time_ns
        self.order_id = order_id
        self.account_id = account_id
        self.instrument_id = instrument_id
        self.side = side
        self.qty_lots = qty_lots
        self.price_ticks = price_ticks
        self.tif = tif
        self.post_only = post_only
        self.stp = stp
        self.liquidation = liquidation


@mypyc_attr(acyclic=True, free_list_len=1)
class PullOrder(OrderLink):
    """Take an order out of the book. Always answered by `OrderGone`, or `PullFailed`.

    ``account_id`` is whose command it was (0: the engine's own) and comes back in `PullFailed`.
    """

    __slots__ = ("account_id", "instrument_id", "order_id", "reason")

    FIELDS = ("time_ns", "order_id", "instrument_id", "reason", "account_id")

    def __init__(
        self, time_ns: int, order_id: int, instrument_id: int, reason: int, account_id: int = 0
    ) -> None:
        self.time_ns = time_ns
        self.order_id = order_id
        self.instrument_id = instrument_id
        self.reason = reason
        self.account_id = account_id


@mypyc_attr(acyclic=True, free_list_len=1)
class ChangeOrder(OrderLink):
    """New price and remaining size of a resting order; answered by `OrderChanged` (then any
    fills) or `PullFailed`.

    With ``shrink_only`` a size that is not below the remaining one changes nothing (a fill was
    faster); the answer is the same.
    """

    __slots__ = (
        "account_id",
        "instrument_id",
        "order_id",
        "price_ticks",
        "qty_lots",
        "shrink_only",
    )

    FIELDS = (
        "time_ns",
        "order_id",
        "instrument_id",
        "price_ticks",
        "qty_lots",
        "account_id",
        "shrink_only",
    )

    def __init__(
        self,
        time_ns: int,
        order_id: int,
        instrument_id: int,
        price_ticks: int,
        qty_lots: int,
        account_id: int = 0,
        shrink_only: bool = False,
    ) -> None:
        self.time_ns = time_ns
        self.order_id = order_id
        self.instrument_id = instrument_id
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots
        self.account_id = account_id
        self.shrink_only = shrink_only


# matching -> risk


@mypyc_attr(acyclic=True, free_list_len=1)
class Fill(OrderLink):
    """Two orders met at the maker's price. Both sides settle from this one message."""

    __slots__ = (
        "instrument_id",
        "maker_order_id",
        "price_ticks",
        "qty_lots",
        "taker_order_id",
        "taker_side",
        "trade_id",
    )

    FIELDS = (
        "time_ns",
        "instrument_id",
        "trade_id",
        "price_ticks",
        "qty_lots",
        "taker_side",
        "taker_order_id",
        "maker_order_id",
    )

    def __init__(
        self,
        time_ns: int,
        instrument_id: int,
        trade_id: int,
        price_ticks: int,
        qty_lots: int,
        taker_side: int,
        taker_order_id: int,
        maker_order_id: int,
    ) -> None:
        self.time_ns = time_ns
        self.instrument_id = instrument_id
        self.trade_id = trade_id
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots
        self.taker_side = taker_side
        self.taker_order_id = taker_order_id
        self.maker_order_id = maker_order_id


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderGone(OrderLink):
    """An order left the book (or never entered it) with ``remaining_lots`` unfilled.

    Not sent for orders filled completely: the last `Fill` says so.
    """

    __slots__ = ("instrument_id", "order_id", "reason", "remaining_lots")

    FIELDS = ("time_ns", "order_id", "instrument_id", "remaining_lots", "reason")

    def __init__(
        self, time_ns: int, order_id: int, instrument_id: int, remaining_lots: int, reason: int
    ) -> None:
        self.time_ns = time_ns
        self.order_id = order_id
        self.instrument_id = instrument_id
        self.remaining_lots = remaining_lots
        self.reason = reason


@mypyc_attr(acyclic=True, free_list_len=1)
class OrderChanged(OrderLink):
    """A resting order now has this price and remaining size (amend, or self-trade decrement)."""

    __slots__ = ("instrument_id", "order_id", "price_ticks", "remaining_lots")

    FIELDS = ("time_ns", "order_id", "instrument_id", "price_ticks", "remaining_lots")

    def __init__(
        self, time_ns: int, order_id: int, instrument_id: int, price_ticks: int, remaining_lots: int
    ) -> None:
        self.time_ns = time_ns
        self.order_id = order_id
        self.instrument_id = instrument_id
        self.price_ticks = price_ticks
        self.remaining_lots = remaining_lots


@mypyc_attr(acyclic=True, free_list_len=1)
class PullFailed(OrderLink):
    """The order to pull or change was not in the book (it had just filled)."""

    __slots__ = ("account_id", "instrument_id", "order_id")

    FIELDS = ("time_ns", "order_id", "instrument_id", "account_id")

    def __init__(
        self, time_ns: int, order_id: int, instrument_id: int, account_id: int = 0
    ) -> None:
        self.time_ns = time_ns
        self.order_id = order_id
        self.instrument_id = instrument_id
        self.account_id = account_id


ORDER_LINKS: Final[tuple[type[OrderLink], ...]] = (
    PlaceOrder,
    PullOrder,
    ChangeOrder,
    Fill,
    OrderGone,
    OrderChanged,
    PullFailed,
)
