"""The parts that services run: deterministic ones, and at the gateway a door to the outside."""

from collections.abc import Sequence
from typing import Any, Protocol

import zmq

from engine.services.rounds import Outputs


class PartFailed(RuntimeError):
    """A part raised on an input. Its state may be half changed, so the service has to end; the
    input is in a journal and will be handled again, by a version that can. ``place`` is its
    number there, of separate services that of the batch: what `seawall skip` takes."""

    def __init__(self, text: str, cause: Exception, place: int) -> None:
        super().__init__(text)
        self.place = place
        # `raise ... from error` loses it where the raising module is compiled.
        self.__cause__ = cause


class Part(Protocol):
    """A component as a service sees it: frames in, frames out, its state, and nothing else."""

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Take one frame and append what follows from it to ``out``.

        Raises:
            NotAFrame: the bytes are no frame of that source; nothing was changed.
        """

    def state(self) -> Any:
        """Everything that decides future behaviour."""

    def restore(self, state: Any) -> None:
        """Take over what `state` returned."""


class Door(Protocol):
    """The outside of a service that has one: where clients come in."""

    @property
    def is_open(self) -> bool:
        """Whether it takes input now; while not, its sockets are left alone."""

    @property
    def has_more(self) -> bool:
        """Whether it has input that it did not give out yet, whatever its sockets say."""

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Sequence["zmq.Socket[bytes]"]:
        """Open its sockets, and say which to wait on."""

    def collect(self) -> list[bytes]:
        """New inputs from outside, ready to be journaled; called while open when a socket has
        something, and when nothing happened for a while.
        """

    def deliver(self, item: Any) -> None:
        """An output for the outside; not called while the journal is replayed."""

    def idle(self) -> None:
        """Called once per turn, after everything else."""
