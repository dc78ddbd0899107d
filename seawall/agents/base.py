"""The frame every agent shares: one account, its position and resting orders, and its own chance.

An agent wakes, looks at its `MarketView`, hands commands to the `Desk` and says when it wants to
wake next. Events about its own account arrive through `on_event` and only change what it
remembers.
"""

import random
from collections.abc import Mapping
from typing import Any, Final

from engine.commands import IOC, SELL
from engine.events import LiquidationEnded, LiquidationStarted
from seawall.agents.holding import Holding
from seawall.agents.view import Desk, MarketView

NEVER: Final[int] = -1


class Agent(Holding):
    """An agent with one account and what it holds in one market. ``capital`` is in the quote
    currency."""

    __slots__ = ("account_id", "capital", "leverage", "locked", "name", "rng")

    def __init__(
        self,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
        capital: float,
        leverage: int,
    ) -> None:
        super().__init__(view)
        self.name = name
        self.account_id = account_id
        self.rng = rng
        self.capital = capital
        self.leverage = leverage
        self.locked = False

    def largest_order(self) -> float:
        """What an order that opens a position is worth at most, in quote currency."""
        return self.capital * self.leverage

    def funded(self, amount_q: int) -> None:
        """Its account was opened with so many quanta of the settlement asset."""

    def markets(self) -> list[tuple[MarketView, int]]:
        """The markets it trades in, all from one account, and the leverage there."""
        return [(self.view, self.leverage)]

    def prepare(self, first_ticks: Mapping[int, int]) -> None:
        """Choose what depends on the first prices (by instrument id), before the account is open;
        most have nothing to choose."""

    def first_wake(self, begin_ns: int) -> int:
        """When to wake for the first time."""
        return begin_ns + self.rng.randrange(1_000_000_000)

    def wake(self, desk: Desk) -> int:
        """Act; returns the next wake-up time, or `NEVER`."""
        raise NotImplementedError

    def on_event(self, event: Any) -> None:
        """Something (an `engine.events.Event`) happened to the agent's account."""
        kind = type(event)
        if kind is LiquidationStarted:
            self.locked = True
        elif kind is LiquidationEnded:
            self.locked = False
        else:
            super().on_event(event)

    def state(self) -> list[Any]:
        """What changed since it was built, and its chance."""
        version, words, spare = self.rng.getstate()
        return [self.holding_state(), self.locked, [version, list(words), spare]]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned, of the same agent just built."""
        holding, self.locked, chance = state
        self.restore_holding(holding)
        self.rng.setstate((chance[0], tuple(chance[1]), chance[2]))

    def is_under_way(self, now_ns: int) -> bool:
        """Whether what it sent has not come to its end yet: for those who only take."""
        self.forget_lost(now_ns)
        return len(self.sent) > 0 or len(self.orders) > 0

    def take(
        self,
        desk: Desk,
        side: int,
        lots: int,
        limit_ticks: int,
        reduce: bool = False,
        sent: dict[int, int] | None = None,
    ) -> int:
        """An immediate-or-cancel order within the instrument's largest size; returns its id, 0
        where there is nothing to order. ``sent`` is that of `Desk.submit`."""
        lots = min(lots, self.view.max_lots)
        limit_ticks = self.view.inside_band(side, limit_ticks) if limit_ticks > 0 else 0
        if lots <= 0 or limit_ticks <= 0:
            return 0
        return desk.submit(
            self.account_id,
            self.view.instrument_id,
            side,
            lots,
            limit_ticks,
            IOC,
            False,
            reduce,
            sent,
        )


def worse(price_ticks: float, side: int, share: float) -> int:
    """A price moved by ``share`` to where an order of that side is more willing to trade."""
    factor = 1.0 - share if side == SELL else 1.0 + share
    return max(1, round(price_ticks * factor))


def wait_ns(rng: random.Random, mean_ns: float) -> int:
    """An exponential waiting time of at least a microsecond."""
    return max(1_000, int(rng.expovariate(1.0 / mean_ns)))
