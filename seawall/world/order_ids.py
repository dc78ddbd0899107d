"""Order ids of agents and of the gateway.

An agent knows its order by an id at once, the gateway gives one when it takes the order. What an
agent says about its order, and what it hears of it, is translated here.
"""

from collections.abc import Callable
from typing import Any, Final

from engine.commands import AmendOrder, CancelOrder
from engine.events import (
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TriggerFired,
)
from engine.messages import fields_of

ABOUT_AN_ORDER: Final[tuple[type, ...]] = (AmendOrder, CancelOrder)
OF_AN_ORDER: Final[tuple[type, ...]] = (
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TriggerFired,
)

NO_ORDER: Final[int] = 0
"""The gateway's id of an order that was refused."""

NO_AGENTS: Final[int] = -1
"""The id by which agents hear of an order that is none of theirs; 0 stands for no order there."""


class OrderIds:
    """Hands out agents' ids and remembers the gateway's until the order is closed."""

    def __init__(self) -> None:
        self._last = 0
        self._gateways: dict[int, int] = {}
        self._agents: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._gateways)

    def fresh(self) -> int:
        """An agent's id for a new order."""
        self._last += 1
        return self._last

    def learn(self, agents_id: int, gateways_id: int) -> None:
        """The gateway took an order under its own id, or refused it (`NO_ORDER`)."""
        if gateways_id:
            self._gateways[agents_id] = gateways_id
            self._agents[gateways_id] = agents_id

    def to_gateway(self, command: Any) -> Any:
        """A command about an order with the gateway's id; `NO_ORDER` for one that is no more."""
        return _with_order_id(command, self._gateways.get(command.order_id, NO_ORDER))

    def to_agent(self, event: Any) -> Any:
        """An event of an order with the agent's id; `NO_AGENTS` for what no agent asked for in this
        life, such as a liquidation order."""
        agents_id = self._agents.get(event.order_id, NO_AGENTS)
        if type(event) is OrderClosed:
            self._agents.pop(event.order_id, None)
            self._gateways.pop(agents_id, None)
        return _with_order_id(event, agents_id)


def _with_order_id(message: Any, order_id: int) -> Any:
    kind: Callable[..., Any] = type(message)
    return kind(**{**fields_of(message), "order_id": order_id})
