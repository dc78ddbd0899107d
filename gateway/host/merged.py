"""Risk, matching and liquidation in one process: a hub whose leaves are around the corner.

The same batches in the same order as `engine.services.hub.Hub` with its leaves, therefore the
same state and events; but a message from risk to matching is a call and not a frame. The whole
batch is worked through at once, so nothing is ever half done between two inputs.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from engine.connections.link import NotAFrame, read_frame
from engine.native_message import from_wire
from engine.routing.bus import Bus
from engine.routing.component import Component, FunctionComponent, Handler
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.answering import AnsweringRisk
from engine.services.rounds import Batch, Outputs, Unhandled, encode_frame
from gateway.door.addressing import Addressing

_batch = msgspec.msgpack.Decoder(Batch)


class Member:
    """One of the three components: the component (or a function around it), and how to take its
    state out and put it in, which gives the component from then on."""

    __slots__ = ("restore", "state", "taker")

    def __init__(
        self,
        taker: Component | Handler,
        state: Callable[[], Any],
        restore: Callable[[Any], Component | Handler],
    ) -> None:
        self.taker = taker
        self.state = state
        self.restore = restore


class MergedHub:
    """The three components by name on one bus, and the number of batches they have done."""

    def __init__(self, members: dict[str, Member]) -> None:
        self.batches_done = 0
        self._members = members
        self._addressing = Addressing()
        self._connect({name: member.taker for name, member in members.items()})

    def _connect(self, takers: dict[str, Component | Handler]) -> None:
        risk = takers[RISK]
        self._risk = AnsweringRisk(
            risk if isinstance(risk, Component) else FunctionComponent(risk), self._addressing
        )
        self._bus = Bus({**takers, RISK: self._risk}, self._addressing)

    def state(self) -> list[Any]:
        """The number of batches done, and the states of risk, matching and liquidation."""
        states = [self._members[name].state() for name in (RISK, MATCHING, LIQUIDATION)]
        return [self.batches_done, *states]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.batches_done = state[0]
        takers: dict[str, Component | Handler] = {}
        for name, one in zip((RISK, MATCHING, LIQUIDATION), state[1:], strict=True):
            takers[name] = self._members[name].restore(one)
        self._connect(takers)

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Work through a batch of the gateway to its end.

        Raises:
            NotAFrame: not a batch from the gateway.
            Unhandled: a component raised.
            ValueError: not the next batch.
        """
        if source != GATEWAY:
            raise NotAFrame(f"a merged hub hears {GATEWAY} only, not {source}")
        batch = read_frame(_batch, body)
        if batch.number != self.batches_done + 1:
            raise ValueError(f"batch {batch.number} came, {self.batches_done + 1} is next")
        self._risk.begin(len(batch.commands))
        try:
            self._bus.send_batch(from_wire(batch.commands))
        except Exception as error:
            raise Unhandled("the engine", self._bus.handling, error) from error
        parcels = batch.parcels or [len(batch.commands)]
        outcome = self._addressing.outcome(batch.number, self._risk.answers, parcels)
        self.batches_done = batch.number
        out.append((GATEWAY, encode_frame(outcome)))
