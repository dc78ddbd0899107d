"""Steps of a match: what a taker met in the book, one resting order at a time."""

from typing import TYPE_CHECKING, Final

from engine.native import mypyc_attr

if TYPE_CHECKING:
    from mypy_extensions import i64

STEP_FILL: Final[int] = 0
"""The taker traded with a resting order at that order's price."""
STEP_CANCEL: Final[int] = 1
"""Self-trade prevention cancelled a resting order; nothing traded."""
STEP_DECREMENT: Final[int] = 2
"""Self-trade prevention lowered taker and resting order by the same size; nothing traded."""
STEP_TRIM: Final[int] = 3
"""Lots of a resting reduce-only order that could not close anything were taken out of the book."""


@mypyc_attr(acyclic=True)
class Step:
    """One of the four kinds, with the resting order it happened to: ``lots`` were filled,
    cancelled, taken off or taken out, ``left_lots`` still rest; ``liquidation`` is the resting
    order's own."""

    __slots__ = ("kind", "left_lots", "liquidation", "lots", "maker_id", "price_ticks")

    def __init__(
        self,
        kind: "i64",
        maker_id: "i64",
        price_ticks: "i64",
        lots: "i64",
        left_lots: "i64",
        liquidation: bool,
    ) -> None:
        self.kind = kind
        self.maker_id = maker_id
        self.price_ticks = price_ticks
        self.lots = lots
        self.left_lots = left_lots
        self.liquidation = liquidation
