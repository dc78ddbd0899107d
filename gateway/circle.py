"""Risk, matching and liquidation as separate services are, in one process: frame by frame.

What each says depends only on what its links bring, so the states, outcomes and depth are those of
the services that were given the same batches. `seawall skip` makes them anew with it.
"""

from collections import deque
from typing import Any

from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.rounds import Outputs
from engine.services.service_config import ServiceConfig
from gateway.door.intake import GatewayPart
from gateway.host.parts import RiskHolder, leaf_of
from matching.market_data import DepthBook


class Circle:
    """The three components, empty at first, and the depth that the gateway would know."""

    def __init__(self, config: ServiceConfig) -> None:
        shards = config.shards()
        self._hub = RiskHolder(shards=shards).hub()
        self._leaves = {
            name: leaf_of(name, config.publish_depth)
            for name in shards.expand((MATCHING, LIQUIDATION))
        }
        self._mirror = GatewayPart(1)

    @property
    def depth(self) -> dict[int, DepthBook]:
        """The depth of each instrument."""
        return self._mirror.depth

    def work(self, batch: bytes) -> bytes:
        """Work a batch through to its end; returns the outcome.

        Raises:
            Unhandled: a component raised.
            ValueError: it is not the next batch.
        """
        found = b""
        waiting: deque[tuple[str, str, bytes]] = deque([(GATEWAY, RISK, batch)])
        while waiting:
            sender, receiver, body = waiting.popleft()
            said: Outputs = []
            if receiver == RISK:
                self._hub.handle(sender, body, said)
            elif receiver != GATEWAY:
                self._leaves[receiver].handle(sender, body, said)
            elif sender == RISK:
                found = body
            else:
                self._mirror.handle(sender, body, [])
            waiting.extend((receiver, to, frame) for to, frame in said)
        return found

    def states(self) -> dict[str, Any]:
        """The state of each service."""
        leaves = {name: leaf.state() for name, leaf in self._leaves.items()}
        return {RISK: self._hub.state(), **leaves, GATEWAY: self._mirror.state()}

    def state(self) -> list[Any]:
        """The same as a list, for a snapshot."""
        return [[name, state] for name, state in self.states().items()]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        states = dict(map(tuple, state))
        self._hub.restore(states[RISK])
        self._mirror.restore(states[GATEWAY])
        for name, leaf in self._leaves.items():
            leaf.restore(states[name])
