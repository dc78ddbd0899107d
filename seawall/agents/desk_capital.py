"""The capital of an arbitrage desk: at the venue, at a spot venue, and under way between them.

Money is in one place at a time. It leaves the spot account when a transfer begins, or the venue
when the venue has let it go, and arrives minutes later; until then it carries no position.
"""

import random
from typing import Any, Final

from engine.events import BalanceChanged, CommandRejected
from engine.reasons import Reason
from seawall.agents.plans import ArbitrageurPlan
from seawall.agents.spot_account import SpotAccount
from seawall.agents.view import Desk, MarketView

_WORTH_MOVING: Final[float] = 0.05
"""Share of all capital below which nothing is moved: less than a hedge drifts within minutes."""


class DeskCapital:
    """One desk's accounts. ``booked_q`` is what is at the venue but for the result of trades there:
    deposits less withdrawals, less fees, with funding, in quanta of the settlement asset.
    ``under_way_q`` is on its way, `heading_home` from the venue to the spot account."""

    __slots__ = (
        "_arrives_ns",
        "_most_q",
        "_rng",
        "account_id",
        "booked_q",
        "heading_home",
        "plan",
        "spot",
        "under_way_q",
        "view",
    )

    def __init__(
        self, plan: ArbitrageurPlan, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        self.plan = plan
        self.account_id = account_id
        self.view = view
        self.spot = SpotAccount(
            plan.capital * (1.0 - plan.venue_share),
            plan.hedge_leverage,
            plan.hedge_spread,
            plan.clip,
            plan.hedge_time_ns,
            plan.usual_volatility,
        )
        self.booked_q = 0
        self.under_way_q = 0
        self.heading_home = False
        self._rng = rng
        self._arrives_ns = 0
        self._most_q = -1

    def elsewhere(self) -> float:
        """What is not at the venue, in quote currency."""
        index_ticks = self.view.index_ticks
        return self.spot.equity(index_ticks) + self.view.worth(self.under_way_q, index_ticks)

    def receive(self, desk: Desk) -> None:
        """Book what has arrived."""
        amount_q = self.under_way_q
        if amount_q == 0 or desk.now_ns < self._arrives_ns:
            return
        self.under_way_q = 0
        if self.heading_home:
            self.spot.pay_in(self.view.worth(amount_q, self.view.index_ticks))
        else:
            self.booked_q += amount_q
            desk.deposit(self.account_id, self.view.asset.asset_id, amount_q)

    def balance(self, desk: Desk, venue_equity: float, bound: float) -> None:
        """Have money sent to the account that lacks it; ``bound`` is what a position binds of
        ``venue_equity``."""
        if desk.now_ns < self._arrives_ns:
            return
        index_ticks = self.view.index_ticks
        spot_equity = self.spot.equity(index_ticks)
        total = venue_equity + spot_equity
        missing = total * self.plan.venue_share - venue_equity
        if abs(missing) <= total * _WORTH_MOVING:
            return
        if missing > 0:
            self._send_out(desk, min(missing, spot_equity - self.spot.bound(index_ticks)))
        else:
            self._ask_for(desk, min(-missing, venue_equity - bound))

    def _send_out(self, desk: Desk, amount: float) -> None:
        index_ticks = self.view.index_ticks
        amount_q = self.view.settle_q(amount, index_ticks)
        if amount_q > 0:
            self.spot.pay_in(-self.view.worth(amount_q, index_ticks))
            self.under_way_q = amount_q
            self.heading_home = False
            self._set_out(desk.now_ns)

    def _ask_for(self, desk: Desk, amount: float) -> None:
        amount_q = self.view.settle_q(amount, self.view.index_ticks)
        if self._most_q >= 0:
            amount_q = min(amount_q, self._most_q)
            self._most_q = -1
        if amount_q > 0:
            self._set_out(desk.now_ns)
            desk.withdraw(self.account_id, self.view.asset.asset_id, amount_q)

    def _set_out(self, now_ns: int) -> None:
        """Nothing else is sent before this has arrived, or was refused and is forgotten."""
        self._arrives_ns = now_ns + self._rng.randint(*self.plan.transfer_ns)

    def let_go(self, event: BalanceChanged) -> None:
        """The venue paid out what was asked for, or took it for collateral of a bankrupt, which
        the desk does not count."""
        self.booked_q += event.amount_q
        if event.cause != "withdrawal":
            return
        self.under_way_q -= event.amount_q
        self.heading_home = True

    def refused(self, event: CommandRejected) -> None:
        """The venue pays out less, and says how much: that is asked for next."""
        if event.reason == Reason.INSUFFICIENT_FREE_COLLATERAL:
            self._most_q = max(0, event.free_q)
            self._arrives_ns = 0 if event.free_q > 0 else self._arrives_ns

    def state(self) -> list[Any]:
        """What changed since it was set up."""
        return [
            self.spot.state(),
            self.booked_q,
            self.under_way_q,
            self.heading_home,
            self._arrives_ns,
            self._most_q,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        (
            spot,
            self.booked_q,
            self.under_way_q,
            self.heading_home,
            self._arrives_ns,
            self._most_q,
        ) = state
        self.spot.restore(spot)
