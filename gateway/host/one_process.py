"""The whole exchange as one part: what the door takes in is worked through to its end at once.

The gateway's part and the hub with risk, matching and liquidation, as they are in processes of
their own, but a batch and its outcome are calls. One input is one batch, one journal has them all,
nothing is ever half done between two inputs, and no other process can bring in a frame.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from engine.connections.link import read_frame
from engine.record.service_journal import OUTSIDE, Input
from engine.routing.topology import GATEWAY, RISK
from engine.services.rounds import Batch, Outputs, batch_of
from gateway.door.frames import intake_decoder
from gateway.door.intake import GatewayPart
from gateway.host.merged import MergedHub


class OneProcess:
    """The part of the layout ``one``."""

    def __init__(self, gateway: GatewayPart, hub: MergedHub) -> None:
        self._gateway = gateway
        self._hub = hub

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Take an intake of the door and append what goes out for it.

        Raises:
            Unhandled: a component raised.
        """
        asked: Outputs = []
        self._gateway.handle(source, body, asked)
        answered: Outputs = []
        for receiver, frame in asked:
            assert receiver == RISK, "all else that the gateway says follows from an outcome"
            self._hub.handle(GATEWAY, frame, answered)
        for _, outcome in answered:
            self._gateway.handle(RISK, outcome, out)

    def state(self) -> list[Any]:
        """The states of the gateway's part and of the hub."""
        return [self._gateway.state(), self._hub.state()]

    def restore(self, state: Any) -> None:
        """Take over what `state` returned."""
        gateway, hub = state
        self._gateway.restore(gateway)
        self._hub.restore(hub)


def taken_in(inputs: Iterable[Input]) -> Iterator[Batch]:
    """The batches in the inputs of this layout's journal: the order of all commands there ever
    were, like `engine.services.rounds.recorded_batches` for risk's."""
    for entry in inputs:
        if entry.source == OUTSIDE:
            yield batch_of(read_frame(intake_decoder, entry.body).batch)
