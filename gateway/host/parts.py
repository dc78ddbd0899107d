"""The three components as parts of a service: what `engine.services.rounds` needs of each."""

from collections.abc import Callable
from typing import Any

from engine.routing.component import Component, Handler
from engine.routing.topology import LIQUIDATION, MATCHING, RISK
from engine.services.hub import Hub
from engine.services.leaf import Leaf
from engine.services.shards import Shards, component_of
from gateway.host.merged import Member, MergedHub
from matching.matching_engine import MatchingEngine
from risk.liquidation.engine import LiquidationEngine
from risk.risk_engine import OnDefect, RiskEngine, unheard
from risk.state import restore_risk, risk_state

Wrap = Callable[[Handler], Handler]
"""Puts something around a component's handler that sees what passes and changes nothing."""


def bare(handler: Handler) -> Handler:
    """The handler as it is."""
    return handler


class RiskHolder:
    """The risk engine a hub runs; a snapshot puts another one in its place."""

    def __init__(
        self,
        wrap: Wrap = bare,
        shards: Shards | None = None,
        on_defect: OnDefect = unheard,
    ) -> None:
        self.engine = RiskEngine(on_defect)
        self._on_defect = on_defect
        self._wrap = wrap
        self._shards = shards
        self._asked = wrap(self._say)

    def hub(self) -> Hub:
        """The hub around it."""
        return Hub(self._wrap(self.engine.handle), self._state, self._restore, self._shards)

    def merged_hub(self, publish_depth: bool) -> MergedHub:
        """The hub with matching and liquidation in the same process; only risk is wrapped, or a
        tick of the clock, which goes to all three, would be seen three times."""
        return MergedHub(
            {
                RISK: Member(self._taker(), self._state, self._restore_in_place),
                MATCHING: in_place(MatchingEngine(publish_depth)),
                LIQUIDATION: in_place(LiquidationEngine()),
            }
        )

    def answer(self, query: Any) -> list[Any]:
        """What the risk engine says to a query, without changing anything."""
        out: list[Any] = []
        self._asked(query, out)
        return out

    def _say(self, query: Any, out: list[Any]) -> None:
        out += self.engine.answer(query)

    def _taker(self) -> Component | Handler:
        # As it is, it is called without a function in between.
        return self.engine if self._wrap is bare else self._wrap(self.engine.handle)

    def _restore_in_place(self, state: Any) -> Component | Handler:
        self.engine = restore_risk(state, self._on_defect)
        return self._taker()

    def _state(self) -> Any:
        return risk_state(self.engine)

    def _restore(self, state: Any) -> Handler:
        self.engine = restore_risk(state, self._on_defect)
        return self._wrap(self.engine.handle)


def in_place(engine: MatchingEngine | LiquidationEngine) -> Member:
    """An engine that takes over states itself."""

    def restore(state: Any) -> Component:
        engine.restore(state)
        return engine

    return Member(engine, engine.state, restore)


def risk_hub(shards: Shards | None = None) -> Hub:
    """An empty risk engine as the hub."""
    return RiskHolder(shards=shards).hub()


def leaf_of(name: str, publish_depth: bool, wrap: Wrap = bare) -> Leaf:
    """An empty matching engine (also a shard's) or liquidation engine as a leaf.

    Raises:
        ValueError: the name is no leaf.
    """
    component = component_of(name)
    if component == MATCHING:
        matching = MatchingEngine(publish_depth)
        return Leaf(wrap(matching.handle), matching.state, matching.restore)
    if component == LIQUIDATION:
        liquidation = LiquidationEngine()
        return Leaf(wrap(liquidation.handle), liquidation.state, liquidation.restore)
    raise ValueError(f"{name!r} is no leaf; allowed: {MATCHING}, {LIQUIDATION}")
