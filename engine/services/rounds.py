"""Rounds between a hub and its leaves: one order for a batch of commands across processes.

The risk engine is the hub. It takes one batch at a time and works through it generation by
generation: what one generation causes is the next. Messages for a leaf (matching, liquidation)
travel as one `Round`; its `Answer` lists what each message caused, so the hub can put the next
generation in exactly the order of the queue of `engine.routing.bus.Bus.send_batch`. The next batch
begins when nothing is left of the one before. What a service sends therefore depends on what it was
sent, never on timing: that gives equal states in one process and in five, and lets a service that
was killed make its lost frames again.

Matching may be several leaves (`engine.services.shards`): a message of the routing table's
`matching` then goes to the one that has the instrument, or to all, and what they answer is put
together again in the place of that message.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from engine.connections.link import NotAFrame, read_frame
from engine.events import Event
from engine.messages import WireCommand, WireEvent, WireMessage
from engine.native_message import from_wire, to_wire, within_wire
from engine.record.service_journal import Input
from engine.routing.topology import GATEWAY, MATCHING, RISK, ROUTES
from engine.services.shards import Shards, by_instrument

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
_round = msgspec.msgpack.Decoder(Round)
_answer = msgspec.msgpack.Decoder(Answer)
_outcome = msgspec.msgpack.Decoder(Outcome)
_published = msgspec.msgpack.Decoder(Published)
_events = msgspec.msgpack.Decoder(list[WireEvent])
_messages = msgspec.msgpack.Decoder(list[WireMessage])
_slots = msgspec.msgpack.Decoder(list[tuple[str, WireMessage]])


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


class Hub:
    """The risk engine with the batch it is working on.

    `_slots` is the present generation: receiving component and message, in order; `_places` which
    of them each leaf was sent; `_said` what each of them caused, None while a leaf has still to
    tell; `_waiting` the leaves that have; `_answers` what leaves said too early.
    """

    def __init__(
        self,
        handler: Handler,
        state: Callable[[], Any],
        restore: Callable[[Any], Handler],
        shards: Shards | None = None,
    ) -> None:
        self._handler = handler
        self._state = state
        self._restore = restore
        self._shards = shards or Shards()
        self.batches_done = 0
        self._batches: deque[Batch] = deque()
        self._current: Batch | None = None
        self._direct: list[list[Event]] = []
        self._later: list[Event] = []
        self._slots: list[tuple[str, Any]] = []
        self._places: dict[str, list[int]] = {}
        self._said: list[list[Any] | None] = []
        self._waiting: list[str] = []
        self._answers: dict[str, deque[Answer]] = {}

    def state(self) -> list[Any]:
        """The number of batches done, the component's state, and the batch in work."""
        return [
            self.batches_done,
            self._state(),
            [encode_frame(batch) for batch in self._batches],
            None if self._current is None else encode_frame(self._current),
            [encode_frame(events) for events in self._direct],
            encode_frame(self._later),
            encode_frame(self._slots),
            [None if caused is None else encode_frame(caused) for caused in self._said],
            list(self._waiting),
            [
                [leaf, [encode_frame(answer) for answer in self._answers[leaf]]]
                for leaf in sorted(self._answers)
            ],
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.batches_done = state[0]
        self._handler = self._restore(state[1])
        self._batches = deque(_batch.decode(batch) for batch in state[2])
        self._current = None if state[3] is None else _batch.decode(state[3])
        self._direct = [from_wire(_events.decode(events)) for events in state[4]]
        self._later = from_wire(_events.decode(state[5]))
        slots = _slots.decode(state[6])
        messages = from_wire(message for _, message in slots)
        self._slots = [(slot[0], message) for slot, message in zip(slots, messages, strict=True)]
        self._places = self._by_leaf()
        self._said = [
            None if caused is None else from_wire(_messages.decode(caused)) for caused in state[7]
        ]
        self._waiting = list(state[8])
        self._answers = {
            leaf: deque(_answer.decode(body) for body in bodies) for leaf, bodies in state[9]
        }

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Take a batch from the gateway or an answer from a leaf, and go on as far as possible.

        Raises:
            NotAFrame: neither the next batch nor an answer to what was sent.
            Unhandled: the component raised.
            ValueError: an answer that came early is one to something else.
        """
        if source == GATEWAY:
            self._batches.append(self._next_batch(body))
        else:
            answer = read_frame(_answer, body)
            early = self._answers.setdefault(source, deque())
            if source in self._waiting and not early:
                self._require_fitting(source, answer)
            early.append(answer)
        while self._all_answered():
            if self._current is None:
                if not self._batches:
                    return
                self._begin(self._batches.popleft())
            elif not self._next_generation():
                self._finish(out)
                continue
            self._work(out)

    def _next_batch(self, body: bytes) -> Batch:
        """A batch that has come.

        Raises:
            NotAFrame: it is none, or not the next one.
        """
        batch: Batch = read_frame(_batch, body)
        expected = self.batches_done + len(self._batches) + 1 + (self._current is not None)
        if batch.number != expected:
            raise NotAFrame(f"batch {batch.number} came, {expected} is next")
        return batch

    def _require_fitting(self, leaf: str, answer: Answer) -> None:
        """Refuse an answer to other messages than were sent.

        Raises:
            NotAFrame: it is one.
        """
        sent = len(self._places[leaf])
        if len(answer.said) != sent:
            raise NotAFrame(f"{leaf} answers {len(answer.said)} messages, but {sent} were sent")

    def _begin(self, batch: Batch) -> None:
        self._current = batch
        self._slots = []
        for command in from_wire(batch.commands):
            for receiver in ROUTES[type(command)]:
                self._slots.append((receiver, command))

    def _work(self, out: Outputs) -> None:
        """Let risk handle its part of the generation and send the others theirs."""
        said: list[list[Any] | None] = []
        handler = self._handler
        number = 0 if self._current is None else self._current.number
        for receiver, message in self._slots:
            if receiver == RISK:
                caused: list[Any] = []
                try:
                    handler(message, caused)
                except Exception as error:
                    raise Unhandled(RISK, message, error, number) from error
                said.append(caused)
            else:
                said.append(None)
        self._said = said
        self._places = self._by_leaf()
        for leaf, places in self._places.items():
            messages = [self._slots[place][1] for place in places]
            out.append((leaf, encode_frame(Round(messages, number))))
            self._waiting.append(leaf)

    def _by_leaf(self) -> dict[str, list[int]]:
        """The places of the generation's messages that go to each leaf."""
        places: dict[str, list[int]] = {}
        for place, (receiver, message) in enumerate(self._slots):
            if receiver == MATCHING:
                for shard in self._shards.receivers(message):
                    places.setdefault(shard, []).append(place)
            elif receiver != RISK:
                places.setdefault(receiver, []).append(place)
        return places

    def _all_answered(self) -> bool:
        """Take the answers that are there; whether no leaf is waited for any more.

        An answer may come before its round: a hub that was killed is asked again later than a
        leaf that was not says again what it had answered. Answers of a leaf come in order, so
        the next one is always the one to this round.
        """
        for leaf in list(self._waiting):
            answers = self._answers.get(leaf)
            if answers:
                self._take_answer(leaf, answers.popleft())
        return not self._waiting

    def _take_answer(self, leaf: str, answer: Answer) -> None:
        places = self._places[leaf]
        if len(places) != len(answer.said):
            raise ValueError(
                f"{leaf} answers {len(answer.said)} messages, but {len(places)} were sent"
            )
        self._waiting.remove(leaf)
        for place, decoded in zip(places, answer.said, strict=True):
            caused = from_wire(decoded)
            earlier = self._said[place]
            self._said[place] = caused if earlier is None else by_instrument(earlier + caused)

    def _next_generation(self) -> bool:
        """Sort what was said into events and the messages to come; False if there are none."""
        assert self._current is not None
        first = len(self._direct) == 0
        slots: list[tuple[str, Any]] = []
        events = self._later
        for (receiver, _), caused in zip(self._slots, self._said, strict=True):
            if first and receiver == RISK:
                events = []
                self._direct.append(events)
            assert caused is not None, "no leaf is waited for"
            for message in caused:
                receivers = ROUTES.get(type(message))
                if receivers is None:
                    events.append(message)
                else:
                    for name in receivers:
                        slots.append((name, message))
            events = self._later
        self._slots = slots
        self._said = []
        return bool(slots)

    def _finish(self, out: Outputs) -> None:
        assert self._current is not None
        number = self._current.number
        out.append((GATEWAY, encode_frame(Outcome(number, self._direct, self._later))))
        self.batches_done = number
        self._current = None
        self._direct = []
        self._later = []
