"""The maker: quotes both sides and lives on the spread, if what it holds does not eat it up."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.commands import BUY, SELL
from seawall.agents.base import worse
from seawall.environments.account import AccountSeat
from seawall.environments.account_task import AccountTask
from seawall.environments.episode import Episode
from seawall.environments.fields import Field
from seawall.environments.seat import check_positive


@dataclass(frozen=True)
class MakerTask(AccountTask):
    """Earn by one bid and one offer, which are renewed each step.

    A quote lies at most ``widest`` (a share) away from the mid price and is worth at most
    ``quote``, in quote currency. The largest position is worth ``exposure`` times the capital: it
    only scales the observation; what ends a position is margin.
    """

    actions = (
        Field("bid_distance", 0, 1, "of the bid from the mid price, over the widest"),
        Field("ask_distance", 0, 1, "of the offer from the mid price, over the widest"),
        Field("bid_size", 0, 1, "value of the bid over the largest quote; 0 withdraws it"),
        Field("ask_size", 0, 1, "value of the offer over the largest quote; 0 withdraws it"),
    )

    capital: float = 10_000.0
    leverage: int = 5
    exposure: float = 2.0
    quote: float = 2_000.0
    widest: float = 0.02

    def __post_init__(self) -> None:
        check_positive(
            {"capital": self.capital, "exposure": self.exposure, "quote": self.quote}, "maker"
        )
        if not 0 < self.widest < 1:
            raise ValueError(f"maker: widest is {self.widest!r}; must lie between 0 and 1")

    @property
    def largest(self) -> float:
        """The value of its largest position, in quote currency."""
        return self.capital * self.exposure

    def seat(self, episode: Episode, name: str) -> "MakerSeat":
        """A maker in an episode."""
        return MakerSeat(self, episode, name)


class MakerSeat(AccountSeat):
    """Keeps at most one order on each side; none of them ever takes."""

    def __init__(self, task: MakerTask, episode: Episode, name: str) -> None:
        super().__init__(episode, name, 0.0, task.largest)
        self._task = task

    def act(self, action: Mapping[str, float]) -> None:
        """Place, move or withdraw both quotes."""
        for name, side in (("bid", BUY), ("ask", SELL)):
            distance = action[f"{name}_distance"] * self._task.widest
            self._quote(side, distance, action[f"{name}_size"] * self._task.quote)

    def _quote(self, side: int, distance: float, value: float) -> None:
        view, desk, account_id = self.view, self._episode.desk, self.agent.account_id
        price_ticks = self._passive(side, worse(view.mid(), -side, distance))
        lots = min(view.lots(value, price_ticks), view.max_lots)
        if lots < view.spec.min_lots:
            lots = 0
        orders = [order for order in self.agent.orders.values() if order.side == side]
        if not orders:
            if lots:
                desk.submit(account_id, view.instrument_id, side, lots, price_ticks, post_only=True)
            return
        order = orders[0]
        if not lots:
            desk.cancel(account_id, order.order_id)
        elif (order.price_ticks, order.qty_lots) != (price_ticks, lots):
            desk.amend(account_id, order.order_id, price_ticks, lots)

    def _passive(self, side: int, price_ticks: int) -> int:
        """The price, or the nearest that takes nothing and lies inside the venue's band."""
        view = self.view
        opposite = view.best_ask() if side == BUY else view.best_bid()
        if opposite and (opposite - price_ticks) * side <= 0:
            price_ticks = opposite - side
        return max(1, view.inside_band(side, price_ticks))
