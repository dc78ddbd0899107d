"""Market makers: a ladder around fair value that widens, shrinks and withdraws with volatility.

Fair value blends the index with the contract's own recent basis, so makers pull the contract
towards the index but do not know where it should be. Inventory moves the ladder against itself and
shuts the side that would exceed the limit. A maker leaves the market when volatility passes its
own threshold or its losses reach its stop. When its pause is over it returns, small and wide, and
leaves again only if volatility grows beyond what it came back to.
"""

import random
from typing import Any, Final

from engine.commands import BUY, SELL
from engine.events import CommandRejected
from engine.reasons import Reason
from engine.units import SECOND_NS
from seawall.agents.base import Agent, RestingOrder, wait_ns
from seawall.agents.plans import MarketMakerPlan
from seawall.agents.view import Desk, MarketView

_RETURN_MARGIN: Final[float] = 1.5
"""How much more volatility than at its return a maker stands before it leaves again."""

_TOLERANCE_DECAY: Final[float] = 0.99
"""Per wake-up, towards the maker's own threshold."""

_APPETITE_GROWTH: Final[float] = 1.03
"""Per requote, back to full size after a refusal for want of margin."""

_LEAST_APPETITE: Final[float] = 0.001

_NO_MARGIN_PAUSE_NS: Final[int] = 30 * SECOND_NS
"""How long a maker leaves the side alone that its margin would not carry."""


class MarketMaker(Agent):
    """One maker with its own thresholds, drawn from the plan's ranges."""

    __slots__ = (
        "_basis",
        "_no_margin_until_ns",
        "_pause_ns",
        "_paused_until_ns",
        "_seen_ns",
        "_threshold",
        "_tolerance",
        "appetite",
        "away",
        "plan",
    )

    def __init__(
        self,
        plan: MarketMakerPlan,
        name: str,
        account_id: int,
        view: MarketView,
        rng: random.Random,
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self.plan = plan
        self.away = False
        self.appetite = 1.0
        self._basis = 0.0
        self._seen_ns = 0
        self._no_margin_until_ns = 0
        self._paused_until_ns = 0
        self._threshold = rng.uniform(*plan.withdraw_volatility)
        self._tolerance = self._threshold
        self._pause_ns = rng.randint(*plan.return_after_ns)

    def largest_order(self) -> float:
        """As every agent; never more than its plan has it trade at once."""
        return super().largest_order() if self.plan.size > 0 else 0.0

    def wake(self, desk: Desk) -> int:
        """Requote, withdraw or stay away."""
        plan = self.plan
        view = self.view
        following = desk.now_ns + plan.refresh_ns // 2 + wait_ns(self.rng, plan.refresh_ns / 2)
        if view.index_ticks <= 0 or self.locked:
            return following
        self._follow_basis(desk.now_ns)
        if self._stays_away(desk.now_ns):
            if not self.away or self.orders:
                desk.cancel_all(self.account_id, view.instrument_id)
                self.away = True
        else:
            self.away = False
            self._requote(desk)
        return following

    def on_event(self, event: Any) -> None:
        """As every agent; a refusal for want of margin halves the sizes of the next quotes."""
        if type(event) is CommandRejected:
            if event.reason == Reason.INSUFFICIENT_MARGIN:
                self.appetite = max(_LEAST_APPETITE, self.appetite / 2)
        else:
            super().on_event(event)

    def _stays_away(self, now_ns: int) -> bool:
        """Whether the maker quotes nothing now; starts and ends its pauses."""
        volatility = self.view.volatility
        if now_ns < self._paused_until_ns:
            return True
        if self.away:
            self._tolerance = max(self._threshold, volatility * _RETURN_MARGIN)
        else:
            self._tolerance = max(self._threshold, self._tolerance * _TOLERANCE_DECAY)
        hurt = self.profit() < -self.plan.loss_limit * self.plan.capital
        if hurt or volatility > self._tolerance:
            self._paused_until_ns = now_ns + self._pause_ns
            return True
        return False

    def _follow_basis(self, now_ns: int) -> None:
        """Moving average of the contract's relative distance from the index."""
        view = self.view
        gap = view.mid() / view.index_ticks - 1.0
        if self._seen_ns == 0:
            self._basis = gap
        else:
            kept = 0.5 ** ((now_ns - self._seen_ns) / self.plan.basis_half_life_ns)
            self._basis += (gap - self._basis) * (1.0 - kept)
        self._seen_ns = now_ns

    def fair_ticks(self) -> float:
        """The index plus the part of the recent basis the maker believes in."""
        return self.view.index_ticks * (1.0 + self._basis * (1.0 - self.plan.index_weight))

    def _requote(self, desk: Desk) -> None:
        plan = self.plan
        view = self.view
        half = plan.half_spread + plan.spread_per_volatility * view.volatility
        limit = plan.capital * plan.inventory_limit
        load = self.exposure() / limit
        centre = self.fair_ticks() * (1.0 - 2.0 * half * max(-2.0, min(2.0, load)))
        calm = self.appetite / (1.0 + view.volatility / plan.size_volatility)
        self.appetite = min(1.0, self.appetite * _APPETITE_GROWTH)
        sides = (BUY, SELL) if centre < view.mid() else (SELL, BUY)
        opens = BUY if self.position_lots > 0 else SELL
        for side in sides:
            if side == opens and desk.now_ns < self._no_margin_until_ns:
                continue
            room = max(0.0, 1.0 - load if side == BUY else 1.0 + load)
            self._requote_side(desk, side, centre, half, calm * min(1.0, room))

    def _requote_side(
        self, desk: Desk, side: int, centre: float, half: float, size_factor: float
    ) -> None:
        """Move each rung whose price or size is off by more than its tolerance."""
        plan = self.plan
        view = self.view
        resting = self._resting(side)
        opposite = view.best_ask() if side == BUY else view.best_bid()
        offset = half
        size: float = plan.size * size_factor
        levels: int = plan.levels
        step_growth: float = plan.step_growth
        size_growth: float = plan.size_growth
        for level in range(levels):
            price = round(centre * (1.0 - side * offset))
            if opposite and (price >= opposite if side == BUY else price <= opposite):
                price = opposite - side
            price = view.inside_band(side, price)
            lots = min(view.lots(size, price), view.max_lots) if price > 0 else 0
            tolerance = max(1.0, centre * (offset * 0.25))
            order = resting[level] if level < len(resting) else None
            appetite = self.appetite
            self._place(desk, side, price, lots, tolerance, order)
            if self.appetite < appetite:
                self._no_margin_until_ns = desk.now_ns + _NO_MARGIN_PAUSE_NS
                return
            offset *= step_growth
            size *= size_growth
        for order in resting[levels:]:
            desk.cancel(self.account_id, order.order_id)

    def _resting(self, side: int) -> list[RestingOrder]:
        """The own orders of a side, the best price first, equal prices by age."""
        resting = [order for order in self.orders.values() if order.side == side]
        return sorted(resting, key=lambda order: -side * order.price_ticks)

    def _place(
        self,
        desk: Desk,
        side: int,
        price: int,
        lots: int,
        tolerance: float,
        order: RestingOrder | None,
    ) -> None:
        if order is None:
            if lots > 0:
                desk.submit(
                    self.account_id,
                    self.view.instrument_id,
                    side,
                    lots,
                    price,
                    post_only=True,
                )
        elif lots <= 0:
            desk.cancel(self.account_id, order.order_id)
        elif abs(order.price_ticks - price) > tolerance or not (
            0.6 * lots <= order.qty_lots <= 1.6 * lots
        ):
            desk.amend(self.account_id, order.order_id, price, lots)

    def state(self) -> list[Any]:
        """As every agent, and how it feels about the market."""
        return [
            super().state(),
            self.away,
            self.appetite,
            self._basis,
            self._seen_ns,
            self._no_margin_until_ns,
            self._paused_until_ns,
            self._tolerance,
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        (
            common,
            self.away,
            self.appetite,
            self._basis,
            self._seen_ns,
            self._no_margin_until_ns,
            self._paused_until_ns,
            self._tolerance,
        ) = state
        super().restore(common)
