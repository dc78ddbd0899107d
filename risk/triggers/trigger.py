"""A trigger order that waits for its price."""

from typing import TYPE_CHECKING

from engine.commands import MAX_TICKS, SELL, STOP, TRAILING, SubmitTrigger

if TYPE_CHECKING:
    from risk.accounts import Trader
    from risk.triggers.trails import Trail


class Trigger:
    """What its owner asked for, `terms`, and how far it has come.

    `number` grows with every order that is accepted or amended: of those one price fires the lower
    comes first. `trail` is the best price it follows while it is an active trailing order.
    `fired_ticks` is 0 while it waits, and the level at which it fired until it takes its turn as an
    order.
    """

    __slots__ = ("fired_ticks", "number", "order_id", "terms", "trader", "trail")

    def __init__(self, terms: SubmitTrigger, trader: "Trader", number: int) -> None:
        self.order_id: int = terms.order_id
        self.terms = terms
        self.trader = trader
        self.number = number
        self.trail: Trail | None = None
        self.fired_ticks = 0

    def best_ticks(self) -> int:
        """The best price that an active trailing order follows; 0 for any other."""
        return 0 if self.trail is None else self.trail.best_ticks()

    def trails(self) -> bool:
        """Whether it follows a price."""
        return int(self.terms.trigger) == TRAILING

    def direction(self) -> int:
        """1 where a rising price reaches `level_ticks`, -1 where a falling one does."""
        side: int = self.terms.side
        return side if self.terms.trigger == STOP else -side

    def level_ticks(self) -> int:
        """The price that fires it, or from which on it trails: where none is given, any."""
        ticks: int = self.terms.trigger_ticks
        if not ticks and self.trails():
            return 1 if self.terms.side == SELL else MAX_TICKS
        return ticks
