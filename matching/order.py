"""An order in the book, or on its way into it."""

from typing import TYPE_CHECKING

from engine.commands import MAX_LOTS, MAX_TICKS
from engine.native import mypyc_attr
from engine.orders_by_id import Identified
from engine.units import WORD

if TYPE_CHECKING:
    from mypy_extensions import i64

OrderRow = tuple[int, int, int, int, int, int, int, int, int]
"""An order as plain integers: order id, account id, price, remaining lots, self-trade mode,
post-only (0 or 1), liquidation (0 or 1), reduce-only (0 or 1), leg."""


@mypyc_attr(acyclic=True, free_list_len=1)
class Order(Identified):
    """What a limit order wants, and what is left of it.

    ``side`` is 1 for a buy and -1 for a sell, ``remaining_lots`` 0 once the order has left the
    book. ``stp`` is its self-trade mode, ``leg`` the position of its account that it changes, and
    ``liquidation`` says that the liquidation engine placed it.
    """

    __slots__ = (
        "account_id",
        "leg",
        "liquidation",
        "post_only",
        "price_ticks",
        "reduce_only",
        "remaining_lots",
        "side",
        "stp",
    )

    def __init__(
        self,
        order_id: "i64",
        account_id: "i64",
        side: "i64",
        price_ticks: "i64",
        remaining_lots: "i64",
        stp: "i64",
        post_only: bool,
        liquidation: bool,
        reduce_only: bool,
        leg: "i64",
    ) -> None:
        self.order_id = order_id
        self.account_id = account_id
        self.side = side
        self.price_ticks = price_ticks
        self.remaining_lots = remaining_lots
        self.stp = stp
        self.post_only = post_only
        self.liquidation = liquidation
        self.reduce_only = reduce_only
        self.leg = leg

    def again(self, price_ticks: int, lots: int) -> "Order":
        """The same order with this price and size."""
        return Order(
            self.order_id,
            self.account_id,
            self.side,
            price_ticks,
            lots,
            self.stp,
            self.post_only,
            self.liquidation,
            self.reduce_only,
            self.leg,
        )

    def row(self) -> OrderRow:
        """The order as plain integers; its side is told by where it stands."""
        return (
            self.order_id,
            self.account_id,
            self.price_ticks,
            self.remaining_lots,
            self.stp,
            int(self.post_only),
            int(self.liquidation),
            int(self.reduce_only),
            self.leg,
        )


def refusal(order_id: int, account_id: int, price_ticks: int, lots: int) -> str:
    """Why there is no order with these numbers; empty if there may be."""
    if not 0 < lots <= MAX_LOTS:
        return f"order {order_id}: size {lots} lots must be positive, at most {MAX_LOTS}"
    if not 0 < price_ticks <= MAX_TICKS:
        return f"order {order_id}: price {price_ticks} ticks must be positive, at most {MAX_TICKS}"
    if not -WORD < order_id < WORD or not -WORD < account_id < WORD:
        return f"order {order_id} of account {account_id}: ids must be below {WORD}"
    return ""
