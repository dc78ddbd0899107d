"""Arbitrage against the index: the contract on one side, the coin on the spot market on the other.

A desk buys the contract below the index and sells it above, and hedges each fill a reaction time
later. It earns the gap less what the hedge costs, and that grows with volatility and with what it
traded lately. How much it can carry is its capital: both legs bind margin, each at its own venue.
In a fall the loss is at the venue at once and the gain of the hedge at the spot venue, and money
takes minutes from one to the other. A desk whose margin gets thin cuts both legs, at whatever the
gap is by then; what it loses so is gone.
"""

import math
import random
from collections.abc import Mapping
from typing import Any, Final

from engine.commands import BUY, SELL
from engine.events import (
    BalanceChanged,
    CommandRejected,
    FundingPaid,
    LiquidationEnded,
    LossSocialised,
    OrderFilled,
)
from seawall.agents.base import Agent, wait_ns, worse
from seawall.agents.desk_capital import DeskCapital
from seawall.agents.margin_room import MarginRoom
from seawall.agents.plans import ArbitrageurPlan
from seawall.agents.view import Desk, MarketView
from seawall.agents.volatility import VolatilityEstimate

_CARRIED: Final[float] = 2.0
"""How many times the position that its equity lets it open a desk goes on holding."""

_CUT_SLIPPAGE: Final[float] = 0.01
"""How far through the touch it pays to be rid of more."""


class Arbitrageur(Agent):
    """One arbitrage desk. ``capital`` as every agent has it is the part at the venue; `funds` are
    all of it."""

    __slots__ = (
        "_back_ns",
        "_entry",
        "_is_shaken",
        "_largest",
        "_pause_ns",
        "_pending",
        "_volatility",
        "funds",
        "plan",
    )

    def __init__(
        self,
        plan: ArbitrageurPlan,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
    ) -> None:
        super().__init__(
            name, account_id, view, rng, plan.capital * plan.venue_share, plan.leverage
        )
        self.plan = plan
        self.funds = DeskCapital(plan, account_id, view, rng)
        self._entry = rng.uniform(*plan.entry)
        self._pause_ns = rng.randint(*plan.return_after_ns)
        half_life_ns = rng.randint(*plan.volatility_half_life_ns)
        self._volatility = VolatilityEstimate(half_life_ns, plan.usual_volatility)
        self._pending = False
        self._is_shaken = False
        self._back_ns = 0
        self._largest = plan.capital * plan.leverage

    def prepare(self, first_ticks: Mapping[int, int]) -> None:
        """Take no more leverage than the venue's margin table is worth to all its capital, and no
        larger position than that table carries."""
        price_ticks = first_ticks[self.view.instrument_id]
        room = MarginRoom(self.view, self.plan.capital, self.plan.leverage, price_ticks)
        self.leverage = room.leverage
        self._largest = room.largest

    def funded(self, amount_q: int) -> None:
        """As every agent; it keeps account of it."""
        self.funds.booked_q = amount_q

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return min(super().largest_order(), self.plan.clip)

    # its accounts

    def venue_equity(self) -> float:
        """What its account at the venue is worth at the mark, in quote currency."""
        mark_ticks = self.view.mark_ticks or self.view.price()
        return self.view.worth(self.funds.booked_q, mark_ticks) + self._traded(mark_ticks)

    def equity(self) -> float:
        """What all it has is worth, at both venues and under way, in quote currency."""
        return self.venue_equity() + self.funds.elsewhere()

    def capacity(self) -> float:
        """The value of the largest position that both its accounts let it open."""
        venue_most = max(0.0, self.venue_equity()) * self.leverage
        return min(venue_most, self.funds.spot.most(self.view.index_ticks))

    def on_event(self, event: Any) -> None:
        """As every agent; and it keeps account of its money at the venue."""
        kind = type(event)
        if kind is OrderFilled:
            self.funds.booked_q -= event.fee_q
            super().on_event(event)
        elif kind is FundingPaid:
            self.funds.booked_q += event.amount_q
        elif kind is LossSocialised:
            self.funds.booked_q -= event.amount_q
        elif kind is BalanceChanged:
            if event.amount_q < 0 and event.asset_id == self.view.asset.asset_id:
                self.funds.let_go(event)
        elif kind is CommandRejected:
            self.funds.refused(event)
        else:
            super().on_event(event)
            if kind is LiquidationEnded:
                self._was_liquidated(event)

    def _was_liquidated(self, event: LiquidationEnded) -> None:
        """What is left is what the venue says."""
        mark_ticks = self.view.mark_ticks or self.view.price()
        traded_q = self.view.settle_q(self._traded(mark_ticks), mark_ticks)
        self.funds.booked_q = event.equity_after_q - traded_q
        self._is_shaken = True

    def _traded(self, price_ticks: float) -> float:
        """What its trades at the venue have brought, at this price."""
        return self.cash + self.coins * price_ticks

    def adopt(self, positions: Mapping[int, int]) -> None:
        """As every agent: what trading had brought is money at the venue now, and the hedge is made
        at the next look."""
        price = self.view.price()
        if price > 0:
            self.funds.booked_q += self.view.settle_q(self._traded(price), price)
        super().adopt(positions)

    # what it does

    def wake(self, desk: Desk) -> int:
        """Look after both legs and the money, then look for a gap, or act on the one seen a
        reaction time ago."""
        now_ns = desk.now_ns
        index_ticks = self.view.index_ticks
        if index_ticks <= 0:
            return now_ns + wait_ns(self.rng, self.plan.refresh_ns)
        self._volatility.look(index_ticks, now_ns)
        self.funds.receive(desk)
        self._hedge(now_ns)
        if self._is_shaken:
            self._is_shaken = False
            self._back_ns = now_ns + self._pause_ns
        if self.locked:
            self._pending = False
        elif self._pending:
            self._pending = False
            self._act(desk)
            return self._soon(now_ns)
        else:
            bound = abs(self._exposure()) / self.leverage
            self.funds.balance(desk, self.venue_equity(), bound)
            self._pending = self._order(now_ns)[1] > 0
        return (
            self._soon(now_ns)
            if self._pending
            else now_ns + wait_ns(self.rng, self.plan.refresh_ns)
        )

    def _soon(self, now_ns: int) -> int:
        """A reaction time from now."""
        return now_ns + self.rng.randint(*self.plan.reaction_ns) + 1

    def volatility(self) -> float:
        """Of the index, per root second, as the desk has seen it."""
        return math.sqrt(self._volatility.variance)

    def required_gap(self, now_ns: int) -> float:
        """The gap worth opening a position for now, as a share of the index: what it wants to earn,
        the hedge now and when it closes, and one standard deviation over its reaction time."""
        plan = self.plan
        volatility = self.volatility()
        hedge = 2.0 * self.funds.spot.cost(plan.clip, volatility, now_ns)
        reaction_s = (plan.reaction_ns[0] + plan.reaction_ns[1]) / 2e9
        return self._entry + hedge + volatility * math.sqrt(reaction_s)

    def _exposure(self) -> float:
        """Signed value of the position at the index, in quote currency."""
        return self.view.notional(self.position_lots, self.view.index_ticks)

    def _hedge(self, now_ns: int) -> None:
        """Bring the spot leg to the opposite of the contract leg, as far as its account carries."""
        spot = self.funds.spot
        index_ticks = self.view.index_ticks
        most = _CARRIED * spot.most(index_ticks) / index_ticks
        missing = max(-most, min(most, -self.coins)) - spot.coins
        if abs(missing) * index_ticks >= self.view.notional(0.5, index_ticks):
            spot.trade(missing, index_ticks, self.volatility(), now_ns)

    def _act(self, desk: Desk) -> None:
        side, lots, limit_ticks = self._order(desk.now_ns)
        self.take(desk, side, lots, limit_ticks, self.position_lots * side < 0, self.sent)

    def _order(self, now_ns: int) -> tuple[int, int, int]:
        """Side, lots and limit of what it would trade now; no lots where it would not, or does not
        know yet what its last order brought."""
        if self.is_under_way(now_ns):
            return BUY, 0, 0
        excess = abs(self._exposure()) - _CARRIED * self.capacity()
        if excess > 0 and self.position_lots:
            return self._cut(excess)
        view = self.view
        gap = self.required_gap(now_ns)
        # a position is closed at a smaller gap than the one it is opened at
        buy_gap = -self.plan.exit if self.position_lots < 0 else gap
        sell_gap = -self.plan.exit if self.position_lots > 0 else gap
        ask, bid = view.best_ask(), view.best_bid()
        if ask and ask < view.index_ticks * (1.0 - buy_gap):
            return self._towards_index(BUY, buy_gap, now_ns)
        if bid and bid > view.index_ticks * (1.0 + sell_gap):
            return self._towards_index(SELL, sell_gap, now_ns)
        return BUY, 0, 0

    def _towards_index(self, side: int, gap: float, now_ns: int) -> tuple[int, int, int]:
        """An order at this gap or a better one, which closes or opens but not both."""
        view = self.view
        limit_ticks = worse(view.index_ticks, -side, gap)
        if self.position_lots * side < 0:
            lots = view.lots(self.plan.clip, view.index_ticks)
            return side, min(lots, abs(self.position_lots)), limit_ticks
        most = min(self.capacity() * self.plan.margin_use, self._largest)
        room = most - self._exposure() * side
        if now_ns < self._back_ns or room <= 0:
            return side, 0, 0
        return side, view.lots(min(self.plan.clip, room), view.index_ticks), limit_ticks

    def _cut(self, excess: float) -> tuple[int, int, int]:
        """An order that gets rid of this much of the position, a clip at most at once."""
        view = self.view
        side = SELL if self.position_lots > 0 else BUY
        touch = view.best_bid() if side == SELL else view.best_ask()
        lots = view.lots(min(self.plan.clip, excess), view.index_ticks) + 1
        lots = min(lots, abs(self.position_lots)) if touch else 0
        return side, lots, worse(touch, side, _CUT_SLIPPAGE)

    def state(self) -> list[Any]:
        """As every agent, its money, and what it is about to do."""
        return [
            super().state(),
            self.funds.state(),
            self._volatility.state(),
            self._pending,
            self._is_shaken,
            self._back_ns,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        common, funds, volatility, self._pending, self._is_shaken, self._back_ns = state
        super().restore(common)
        self.funds.restore(funds)
        self._volatility.restore(volatility)
