"""The three components as parts of a service: what `engine.rounds` needs of each."""

from collections.abc import Callable
from typing import Any

from engine.rounds import Handler, Hub, Leaf
from engine.topology import LIQUIDATION, MATCHING
from matching.matching_engine import MatchingEngine
from risk.liquidation.engine import LiquidationEngine
from risk.risk_engine import RiskEngine
from risk.state import restore_risk, risk_state

Wrap = Callable[[Handler], Handler]
"""Puts something around a component's handler that sees what passes and changes nothing."""


def bare(handler: Handler) -> Handler:
    """Nothing around it."""
    return handler


class RiskHolder:
    """The risk engine a hub runs; a snapshot puts another one in its place."""

    def __init__(self, wrap: Wrap = bare) -> None:
        self.engine = RiskEngine()
        self._wrap = wrap

    def hub(self) -> Hub:
        """The hub around it."""
        return Hub(self._wrap(self.engine.handle), self._state, self._restore)

    def _state(self) -> Any:
        return risk_state(self.engine)

    def _restore(self, state: Any) -> Handler:
        self.engine = restore_risk(state)
        return self._wrap(self.engine.handle)


def risk_hub() -> Hub:
    """An empty risk engine as the hub."""
    return RiskHolder().hub()


def leaf_of(name: str, publish_depth: bool, wrap: Wrap = bare) -> Leaf:
    """An empty matching or liquidation engine as a leaf.

    Raises:
        ValueError: the name is no leaf.
    """
    if name == MATCHING:
        matching = MatchingEngine(publish_depth)
        return Leaf(wrap(matching.handle), matching.state, matching.restore)
    if name == LIQUIDATION:
        liquidation = LiquidationEngine()
        return Leaf(wrap(liquidation.handle), liquidation.state, liquidation.restore)
    raise ValueError(f"{name!r} is no leaf; allowed: {MATCHING}, {LIQUIDATION}")
