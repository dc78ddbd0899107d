"""Profiles of the margined traders, drawn once from a seed.

A profile holds everything about a trader that chance decides, so nothing a trader does later
depends on what the others did first.
"""

import math
import random
from itertools import accumulate
from typing import Generic, TypeVar

from engine.commands import BY_LAST
from seawall.order_flags import TRIGGER_BY
from seawall.population import LognormalWealth, PopulationPlan

Value = TypeVar("Value")


class TraderProfile:
    """One trader. ``reserve`` is money outside the exchange, ``stop_distance`` 0 without a stop,
    ``stop_by`` the price it looks at (`engine.commands.BY_LAST` and so on);
    ``entry_share`` says when in the warm-up the trader enters (0 to 1), ``passive`` whether with
    resting orders; ``clip`` is the most it takes from a book at once. ``instruments`` are its
    contracts by name, each with its share of what its positions are worth."""

    __slots__ = (
        "account_id",
        "answer",
        "clip",
        "collateral",
        "collateral_share",
        "entry_share",
        "group",
        "instruments",
        "is_long",
        "isolated",
        "leverage",
        "passive",
        "reaction_ns",
        "reserve",
        "stop_by",
        "stop_distance",
        "utilisation",
        "wealth",
    )

    def __init__(
        self,
        account_id: int,
        group: str,
        instruments: tuple[tuple[str, float], ...],
        wealth: float,
        leverage: int,
        is_long: bool,
        isolated: bool,
        utilisation: float,
        reserve: float,
        answer: str,
        reaction_ns: int,
        stop_distance: float,
        passive: bool,
        clip: float,
        entry_share: float,
        collateral: str = "",
        collateral_share: float = 0.0,
        stop_by: int = BY_LAST,
    ) -> None:
        self.account_id = account_id
        self.group = group
        self.instruments = instruments
        self.wealth = wealth
        self.leverage = leverage
        self.is_long = is_long
        self.isolated = isolated
        self.utilisation = utilisation
        self.reserve = reserve
        self.answer = answer
        self.reaction_ns = reaction_ns
        self.stop_distance = stop_distance
        self.passive = passive
        self.clip = clip
        self.entry_share = entry_share
        self.collateral = collateral
        self.collateral_share = collateral_share
        self.stop_by = stop_by


def draw_population(
    plans: tuple[PopulationPlan, ...], first_account_id: int, seed: int
) -> list[TraderProfile]:
    """Every trader of every group, ids in order from ``first_account_id``."""
    traders: list[TraderProfile] = []
    account_id = first_account_id
    for plan in plans:
        group = _Group(plan, random.Random(f"{seed}:population:{plan.name}"))
        for _ in range(plan.accounts):
            traders.append(group.draw(account_id))
            account_id += 1
    return traders


class _Choice(Generic[Value]):
    """Weighted values; the weights are added up once."""

    __slots__ = ("_cumulative", "_values")

    def __init__(self, weighted: tuple[tuple[Value, float], ...]) -> None:
        self._values = [value for value, _ in weighted]
        self._cumulative = list(accumulate(weight for _, weight in weighted))

    def draw(self, rng: random.Random) -> Value:
        """One value."""
        return rng.choices(self._values, cum_weights=self._cumulative)[0]


class _Group:
    """One plan with its figures at hand, and the generator its traders are drawn from."""

    def __init__(self, plan: PopulationPlan, rng: random.Random) -> None:
        self._rng = rng
        self._name = plan.name
        self._instruments = plan.instruments
        self._wealth = plan.wealth
        self._leverages = _Choice(plan.leverage)
        self._long_share = plan.long_share
        self._isolated_share = plan.isolated_share
        self._utilisation: tuple[float, float] = plan.utilisation
        self._reserve: tuple[float, float] = plan.reserve
        self._answers = _Choice(plan.on_call)
        self._reaction_ns: tuple[int, int] = plan.reaction_ns
        self._stop_share = plan.stop_share
        self._stop_distance: tuple[float, float] = plan.stop_distance
        self._passive_share = plan.passive_share
        self._clip = plan.clip
        self._collateral = plan.collateral
        self._collateral_share = plan.collateral_share
        self._stop_by = TRIGGER_BY[plan.stop_by.upper()]

    def draw(self, account_id: int) -> TraderProfile:
        """One trader. The order of the draws is part of what a seed means."""
        rng = self._rng
        wealth = self._draw_wealth()
        with_stop = rng.random() < self._stop_share
        stop_distance = rng.uniform(*self._stop_distance)
        leverage = self._leverages.draw(rng)
        is_long = rng.random() < self._long_share
        isolated = rng.random() < self._isolated_share
        utilisation = rng.uniform(*self._utilisation)
        reserve = wealth * rng.uniform(*self._reserve)
        answer = self._answers.draw(rng)
        reaction_ns = rng.randint(*self._reaction_ns)
        passive = rng.random() < self._passive_share
        return TraderProfile(
            account_id,
            self._name,
            self._instruments,
            wealth,
            leverage,
            is_long,
            isolated,
            utilisation,
            reserve,
            answer,
            reaction_ns,
            stop_distance if with_stop else 0.0,
            passive,
            self._clip,
            rng.random(),
            self._collateral,
            self._collateral_share,
            self._stop_by,
        )

    def _draw_wealth(self) -> float:
        """Draws outside the bounds are moved to the bound."""
        plan = self._wealth
        low, high = plan.bounds
        if isinstance(plan, LognormalWealth):
            value: float = plan.median * math.exp(self._rng.gauss(0.0, plan.sigma))
        else:
            value = low * self._rng.paretovariate(plan.alpha)
        return min(high, max(low, value))
