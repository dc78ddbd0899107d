"""Rounds between a hub and its leaves: one order for a batch of commands across processes.

The risk engine is the hub. It takes one batch at a time and works through it generation by
generation, which is a sweep of its bus: what one generation causes is the next. Messages for a leaf
(matching, liquidation) travel as one `Round`; its `Answer` lists what each message caused, so the
next generation has exactly the order it has in one process. The next batch begins when nothing is
left of the one before. What a service sends therefore depends on what it was
sent, never on timing: that gives equal states in one process and in five, and lets a service that
was killed make its lost frames again.

Matching may be several leaves (`engine.services.shards`): a message of the routing table's
`matching` then goes to the one that has the instrument, or to all, and what they answer is put
together again in the place of that message.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from engine.connections.link import read_frame
from engine.events import Event
from engine.messages import WireCommand, WireEvent, WireMessage
from engine.native_message import from_wire, to_wire, within_wire
from engine.record.service_journal import Input
from engine.routing.topology import GATEWAY

Handler = Callable[[Any, list[Any]], None]
Outputs = list[tuple[str, Any]]
"""What to send: the receiver's name and the frame as bytes (for the outside, any object)."""


class Unhandled(RuntimeError):
    """A component raised while it handled a message; its state may be half changed. ``batch`` is
    the number of the batch it was of, 0 if that is not known."""

    def __init__(self, name: str, message: Any, error: Exception, batch: int = 0) -> None:
        what = f"{type(error).__name__}: {error}"
        super().__init__(f"{name} cannot handle {message!r:.1000}: {what:.1000}")
        self.batch = batch
        # `raise ... from error` loses it where the raising module is compiled.
        self.__cause__ = error


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """gateway -> risk: commands in their final order; batches are numbered from 1.

    ``parcels`` says how many commands each client's frame brought, for a hub that sorts its
    answers by them; without it they are answered as one.
    """

    number: int
    commands: list[WireCommand]
    parcels: list[int] = []


class Round(msgspec.Struct, frozen=True, array_like=True):
    """risk -> leaf: its messages of one generation of batch number ``batch``, in order."""

    messages: list[WireMessage]
    batch: int = 0


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """leaf -> risk: what each message of the round caused, in order."""

    said: list[list[WireMessage]]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """risk -> gateway: a batch is done. ``direct`` has one list per command: what risk said to it
    at once; ``later`` is everything after that."""

    number: int
    direct: list[list[WireEvent]]
    later: list[WireEvent]


class Published(msgspec.Struct, frozen=True, array_like=True):
    """leaf -> gateway: public events (trades, depth) of one round."""

    events: list[WireEvent]


_encoder = msgspec.msgpack.Encoder(enc_hook=to_wire)
_batch = msgspec.msgpack.Decoder(Batch)
_outcome = msgspec.msgpack.Decoder(Outcome)
_published = msgspec.msgpack.Decoder(Published)


def encode_frame(frame: Any) -> bytes:
    """The wire form of one of the frames above (or of a list of messages).

    A figure beyond what the wire holds is told as its largest (`engine.units.on_wire`).
    """
    try:
        return _encoder.encode(frame)
    except OverflowError:
        return _encoder.encode(within_wire(frame))


def read_outcome(body: bytes) -> Outcome:
    """An outcome from its wire form.

    Raises:
        NotAFrame: the bytes are none.
    """
    outcome = read_frame(_outcome, body)
    direct = [from_wire(events) for events in outcome.direct]
    return Outcome(outcome.number, direct, from_wire(outcome.later))


def read_published(body: bytes) -> list[Event]:
    """Public events of a leaf from their wire form.

    Raises:
        NotAFrame: the bytes are none.
    """
    return from_wire(read_frame(_published, body).events)


def recorded_batches(inputs: Iterable[Input]) -> Iterator[Batch]:
    """The batches in the inputs of risk's journal: the order of all commands there ever were.

    `engine.routing.bus.Bus.send_batch` with each of them gives the state of the services.
    """
    for entry in inputs:
        if entry.source == GATEWAY:
            yield batch_of(entry.body)


def batch_of(body: bytes) -> Batch:
    """A batch from its wire form.

    Raises:
        NotAFrame: the bytes are none.
    """
    batch = read_frame(_batch, body)
    return Batch(batch.number, from_wire(batch.commands), batch.parcels)
