"""Agents driven from outside of the simulation: an account that does nothing by itself."""

import random
from typing import Any

from seawall.agents.base import NEVER, Agent
from seawall.agents.plans import OutsidePlan
from seawall.agents.view import Desk, MarketView


class OutsideAgent(Agent):
    """Whoever holds it trades for it, between two moments of the simulation, and takes what it
    heard. Until somebody does, a run with it is the run without it, but for its account."""

    __slots__ = ("_heard",)

    def __init__(
        self, plan: OutsidePlan, name: str, account_id: int, view: MarketView, rng: random.Random
    ) -> None:
        super().__init__(name, account_id, view, rng, plan.capital, plan.leverage)
        self._heard: list[Any] = []

    def wake(self, desk: Desk) -> int:
        """Nothing, ever."""
        return NEVER

    def on_event(self, event: Any) -> None:
        """As every agent; and it is kept until it is asked for."""
        super().on_event(event)
        self._heard.append(event)

    def take_heard(self) -> list[Any]:
        """The events about its account since it was asked last."""
        heard, self._heard = self._heard, []
        return heard
