"""The trader: holds a position on margin, is called, and can be liquidated."""

from collections.abc import Mapping
from dataclasses import dataclass

from seawall.environments.account import AccountSeat
from seawall.environments.account_task import AccountTask
from seawall.environments.episode import Episode
from seawall.environments.fields import Field
from seawall.environments.seat import check_positive


@dataclass(frozen=True)
class TraderTask(AccountTask):
    """End with as much wealth as possible.

    The largest position is worth ``exposure`` times the capital, at the price at which the window
    begins. ``reserve`` is money outside of the exchange that may be paid in, in quote currency.
    Orders pay up to ``slippage`` (a share) beyond the best price.
    """

    actions = (
        Field("position", -1, 1, "position to hold over the largest: below 0 a short"),
        Field("deposit", 0, 1, "share of the reserve to pay in now"),
    )

    capital: float = 1_000.0
    leverage: int = 20
    exposure: float = 10.0
    reserve: float = 1_000.0
    slippage: float = 0.01

    def __post_init__(self) -> None:
        check_positive(
            {"capital": self.capital, "exposure": self.exposure, "slippage": self.slippage},
            "trader",
        )
        if not 0 <= self.reserve < float("inf"):
            raise ValueError(f"trader: reserve is {self.reserve!r}; must be 0 or more")

    @property
    def largest(self) -> float:
        """The value of its largest position, in quote currency."""
        return self.capital * self.exposure

    def seat(self, episode: Episode, name: str) -> "TraderSeat":
        """A trader in an episode."""
        return TraderSeat(self, episode, name)


class TraderSeat(AccountSeat):
    """Pays in and trades by orders that take from the book at once."""

    def __init__(self, task: TraderTask, episode: Episode, name: str) -> None:
        super().__init__(episode, name, task.reserve, task.largest)
        self._task = task

    def act(self, action: Mapping[str, float]) -> None:
        """Pay in first, then trade towards the position."""
        self.deposit(action["deposit"])
        self.trade_to(round(action["position"] * self.largest_lots), self._task.slippage)
