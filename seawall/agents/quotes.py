"""A market maker's quotes in one book: what it thinks of the market, and its ladder there.

Fair value blends the index with the contract's own recent basis, so makers pull the contract
towards the index but do not know where it should be. The ladder is wider the more that value
moves, by the maker's own estimates of index and contract; it leans against what is held there.
"""

import math
import random
from typing import Any, Final

from engine.commands import BUY, SELL
from seawall.agents.holding import Holding, RestingOrder
from seawall.agents.margin_room import MarginRoom
from seawall.agents.plans import MarketMakerPlan
from seawall.agents.view import Desk, MarketView
from seawall.agents.volatility import VolatilityEstimate

_SIZE_TOLERANCE: Final[float] = 1.6
"""A resting order may be this much larger than the size wanted now, or smaller, before it moves."""


class Quotes:
    """The quotes of ``holding``'s owner, who has ``capital`` in all, in its market. ``size`` is the
    share of the plan's sizes it quotes now: it falls at once with what it is willing to do, and
    returns slowly."""

    __slots__ = (
        "_basis",
        "_capital",
        "_contract",
        "_index",
        "_levels_worth",
        "_recovery_ns",
        "_refusals",
        "_room",
        "_seen_ns",
        "_share",
        "_size_volatility",
        "_waits",
        "holding",
        "leverage",
        "plan",
        "size",
        "view",
    )

    def __init__(
        self, plan: MarketMakerPlan, holding: Holding, rng: random.Random, capital: float
    ) -> None:
        self.plan = plan
        self.leverage = plan.leverage
        self._capital = capital
        self._share = plan.capital / capital if capital else 1.0
        self.holding = holding
        self.view: MarketView = holding.view
        self.size = 1.0
        usual = plan.usual_volatility
        self._index = VolatilityEstimate(rng.randint(*plan.volatility_half_life_ns), usual)
        self._contract = VolatilityEstimate(rng.randint(*plan.volatility_half_life_ns), usual)
        self._size_volatility = rng.uniform(*plan.size_volatility)
        self._recovery_ns = rng.randint(*plan.recovery_ns)
        self._basis = 0.0
        self._seen_ns = 0
        self._refusals = 0
        self._waits = False
        self._room = capital * plan.leverage
        self._levels_worth = sum(plan.size_growth**level for level in range(plan.levels))

    def choose_leverage(self, price_ticks: int) -> None:
        """Take the leverage to set before anything is held, and remember what it allows to hold."""
        room = MarginRoom(self.view, self._capital, self.plan.leverage, price_ticks)
        self.leverage, self._room = room.leverage, room.largest

    def margin(self) -> float:
        """Margin of what is held here, in quote currency."""
        return abs(self.holding.exposure()) / self.leverage

    def look(self, now_ns: int, capital_left: float) -> None:
        """See where index and contract are; ``capital_left`` is the share of the capital that is
        not lost."""
        view = self.view
        mid = view.mid()
        self._index.look(view.index_ticks, now_ns)
        self._contract.look(mid, now_ns)
        gap = mid / view.index_ticks - 1.0
        if self._seen_ns == 0:
            self._basis = gap
        passed_ns = now_ns - self._seen_ns if self._seen_ns else 0
        self._basis += (gap - self._basis) * (
            1.0 - 0.5 ** (passed_ns / self.plan.basis_half_life_ns)
        )
        willing = capital_left / (1.0 + self.volatility() / self._size_volatility)
        returned = 1.0 - 0.5 ** (passed_ns / self._recovery_ns)
        self.size = min(willing, self.size + (willing - self.size) * returned)
        self._refusals = 0
        self._seen_ns = now_ns

    def volatility(self) -> float:
        """Of fair value, per root second: index and contract as far as it goes by each."""
        weight = self.plan.index_weight
        return math.sqrt(weight * self._index.variance + (1.0 - weight) * self._contract.variance)

    def fair_ticks(self) -> float:
        """The index plus the part of the recent basis the maker believes in."""
        return self.view.index_ticks * (1.0 + self._basis * (1.0 - self.plan.index_weight))

    def refused(self) -> None:
        """An order was too large for the venue: half the sizes, for a while. What else was sent at
        that size says nothing new."""
        self._refusals += 1
        if self._refusals == 1:
            self.size /= 2.0

    def requote(self, desk: Desk, account_id: int, limit: float, full: float, free: float) -> None:
        """Move the ladder to where it should be now.

        ``limit`` is the largest inventory of all books together, ``full`` the part of it that is
        held, ``free`` the capital that is not margin: each book may use its share of it.
        """
        plan = self.plan
        self.holding.forget_lost(desk.now_ns)
        # what is under way may be the rungs that are missing
        self._waits = len(self.holding.sent) > 0
        held = self.holding.exposure()
        load = held / (limit * self._share)
        half = plan.half_spread + plan.spread_per_volatility * self.volatility()
        centre = self.fair_ticks() * (1.0 - plan.lean * half * max(-2.0, min(2.0, load)))
        carried = min(abs(held) + free * self._share * self.leverage, self._room)
        for side in (BUY, SELL) if centre < self.view.mid() else (SELL, BUY):
            willing = self.size * (max(0.0, 1.0 - full) if held * side >= 0 else 1.0)
            most = max(0.0, carried - held * side) / (_SIZE_TOLERANCE * self._levels_worth)
            self._requote_side(desk, account_id, side, centre, half, min(plan.size * willing, most))

    def _requote_side(
        self, desk: Desk, account_id: int, side: int, centre: float, half: float, size: float
    ) -> None:
        """Move each rung whose price or size is off by more than its tolerance; the first is of
        ``size``, in quote currency."""
        plan = self.plan
        view = self.view
        resting = self._resting(side)
        opposite = view.best_ask() if side == BUY else view.best_bid()
        offset = half
        step_growth: float = plan.step_growth
        size_growth: float = plan.size_growth
        levels: int = plan.levels
        for level in range(levels):
            price = round(centre * (1.0 - side * offset))
            if opposite and (price >= opposite if side == BUY else price <= opposite):
                price = opposite - side
            price = view.inside_band(side, price)
            lots = self._lots(size, price)
            tolerance = max(1.0, centre * (offset * 0.25))
            order = resting[level] if level < len(resting) else None
            before = self._refusals
            self._place(desk, account_id, side, price, lots, tolerance, order)
            if self._refusals > before:  # the others would be refused too
                return
            offset *= step_growth
            size *= size_growth
        for order in resting[levels:]:
            desk.cancel(account_id, order.order_id)

    def _lots(self, size: float, price_ticks: int) -> int:
        """Lots of an order worth ``size``, 0 for less than the contract's least."""
        if price_ticks <= 0:
            return 0
        view = self.view
        # the venue margins a resting order at the mark, not at its own price
        lots = min(view.lots(size, max(price_ticks, view.mark_ticks)), view.max_lots)
        return lots if lots >= view.spec.min_lots else 0

    def _resting(self, side: int) -> list[RestingOrder]:
        """The own orders of a side, the best price first, equal prices by age."""
        resting = [order for order in self.holding.orders.values() if order.side == side]
        return sorted(resting, key=lambda order: -side * order.price_ticks)

    def _place(
        self,
        desk: Desk,
        account_id: int,
        side: int,
        price: int,
        lots: int,
        tolerance: float,
        order: RestingOrder | None,
    ) -> None:
        if order is None:
            if lots > 0 and not self._waits:
                desk.submit(
                    account_id,
                    self.view.instrument_id,
                    side,
                    lots,
                    price,
                    post_only=True,
                    sent=self.holding.sent,
                )
        elif lots <= 0:
            desk.cancel(account_id, order.order_id)
        elif abs(order.price_ticks - price) > tolerance or not (
            lots <= order.qty_lots * _SIZE_TOLERANCE and order.qty_lots <= lots * _SIZE_TOLERANCE
        ):
            desk.amend(account_id, order.order_id, price, lots)

    def state(self) -> list[Any]:
        """What it thinks of the market."""
        return [
            self.size,
            self._basis,
            self._seen_ns,
            self._refusals,
            self._index.state(),
            self._contract.state(),
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.size, self._basis, self._seen_ns, self._refusals, index, contract = state
        self._index.restore(index)
        self._contract.restore(contract)
