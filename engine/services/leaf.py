"""A leaf: a component that is only spoken to by the hub, in rounds."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from engine.connections.link import NotAFrame, read_frame
from engine.events import Event
from engine.messages import WireMessage
from engine.native_message import from_wire
from engine.routing.component import Handler
from engine.routing.topology import GATEWAY, RISK, ROUTES
from engine.services.rounds import Answer, Outputs, Published, Round, Unhandled, encode_frame

_round: Final = msgspec.msgpack.Decoder(Round)


class Leaf:
    """A component that is only spoken to by the hub."""

    def __init__(
        self,
        handler: Handler,
        state: Callable[[], Any],
        restore: Callable[[Any], None],
    ) -> None:
        self._handler = handler
        self.state = state
        self.restore = restore

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Work through one round.

        Raises:
            NotAFrame: not a round from risk.
            Unhandled: the component raised.
        """
        if source != RISK:
            raise NotAFrame(f"a leaf hears {RISK} only, not {source}")
        said: list[list[WireMessage]] = []
        events: list[Event] = []
        caused: list[Any] = []
        work: Round = read_frame(_round, body)
        for message in from_wire(work.messages):
            try:
                self._handler(message, caused)
            except Exception as error:
                raise Unhandled("a leaf", message, error, work.batch) from error
            answers: list[WireMessage] = []
            for item in caused:
                (answers if type(item) in ROUTES else events).append(item)
            said.append(answers)
            caused.clear()
        out.append((RISK, encode_frame(Answer(said))))
        if events:
            out.append((GATEWAY, encode_frame(Published(events))))
