"""The execution: sells what it holds before the window ends, in a book under stress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.commands import BUY, SELL
from engine.units import PPB
from seawall.agents.base import worse
from seawall.environments.account import AccountSeat
from seawall.environments.account_task import AccountTask
from seawall.environments.episode import Episode
from seawall.environments.fields import Field
from seawall.environments.seat import check_positive

_QUIET: Final[float] = 0.2
"""Share of the warm-up in which the book fills before anything is bought."""

_CUSHION: Final[float] = 1.5
"""Least money over the value of what is to be bought: it is never called."""


@dataclass(frozen=True)
class ExecutionTask(AccountTask):
    """Sell a holding for as much as possible.

    Before the window it buys what is worth ``size`` in quote currency, bit by bit. Orders pay up to
    ``slippage`` (a share) beyond the best price. What is left before the last step is sold then
    down to the venue's band, whatever it brings; what nobody takes there counts at the band's edge
    (without a band: nothing), so that waiting for an empty book does not pay. Rewards add up to the
    shortfall: money from the sale, less fees, less the holding's value at the mark as the window
    began, over that value.
    """

    actions = (Field("share", 0, 1, "share of the whole holding to sell now"),)

    capital: float = 40_000.0
    leverage: int = 1
    size: float = 20_000.0
    slippage: float = 0.01

    def __post_init__(self) -> None:
        check_positive({"size": self.size, "slippage": self.slippage}, "execution")
        if not self.capital >= _CUSHION * self.size:
            raise ValueError(
                f"execution: capital is {self.capital!r}; must be at least {_CUSHION:g} times the "
                f"size, {_CUSHION * self.size:g}"
            )

    @property
    def largest(self) -> float:
        """The value of its largest position, in quote currency."""
        return self.size

    def seat(self, episode: Episode, name: str) -> "ExecutionSeat":
        """A seller in an episode."""
        return ExecutionSeat(self, episode, name)


class ExecutionSeat(AccountSeat):
    """Sells by orders that take from the book at once."""

    def __init__(self, task: ExecutionTask, episode: Episode, name: str) -> None:
        super().__init__(episode, name, 0.0, task.largest)
        self._task = task
        self._holding_lots = 0
        self._unsold_q = 0

    def prepare(self) -> None:
        """Buy an even share of what is missing."""
        plan, view, now_ns = self._episode.scenario.time, self.view, self._episode.time_ns
        if now_ns < plan.begin_ns + int(_QUIET * plan.warm_up_ns) or not view.best_ask():
            return
        missing_lots = view.lots(self._task.size, view.price()) - self.agent.position_lots
        ticks = -(-(plan.start_ns - now_ns) // plan.tick_ns)  # rounded up
        limit_ticks = worse(view.best_ask(), BUY, self._task.slippage)
        self.agent.take(self._episode.desk, BUY, -(-missing_lots // ticks), limit_ticks)

    def begin(self) -> None:
        """The holding is what could be bought; rewards are shares of its value."""
        super().begin()
        self._holding_lots = self.agent.position_lots
        self.largest_lots = max(1, self._holding_lots)
        self.unit_q = max(1, self.value_q())

    def act(self, action: Mapping[str, float]) -> None:
        """Sell the share, or in the last step all that is left."""
        left_lots = self.agent.position_lots
        if self._episode.last:
            self.agent.take(self._episode.desk, SELL, left_lots, 1)
            return
        lots = min(left_lots, round(action["share"] * self.largest_lots))
        self.trade_to(left_lots - lots, self._task.slippage)

    def earn(self) -> float:
        """Change of equity since the last step, over the holding's value at the beginning; in the
        end less what the unsold would lose at the band's edge, rounded up."""
        reward = super().earn()
        if self._episode.over:
            self._unsold_q = -(-self.value_q() * (self.view.spec.band_ppb or PPB) // PPB)
            reward -= self._unsold_q / self.unit_q
        self.out = self.out or self.agent.position_lots == 0
        return reward

    def info(self) -> dict[str, Any]:
        """As of every account; the holding it began with, and what the unsold rest was charged."""
        unsold_q = self._unsold_q
        return {**super().info(), "holding_lots": self._holding_lots, "unsold_q": unsold_q}
