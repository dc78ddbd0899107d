"""The hub: the bus of an exchange whose matching and liquidation are services elsewhere.

The same bus as in one process (`engine.routing.bus`): each sweep of its queue is a generation. Only
that a leaf is away, so a sweep ends with gaps, and the next one begins when all are filled.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from engine.connections.link import NotAFrame, read_frame
from engine.messages import WireEvent, WireMessage
from engine.native_message import from_wire
from engine.routing.bus import Bus
from engine.routing.component import FunctionComponent, Handler
from engine.routing.topology import GATEWAY, LIQUIDATION, MATCHING, RISK
from engine.services.answering import AnsweringRisk, AnswerSink
from engine.services.away import Away, Gap, closed
from engine.services.rounds import Answer, Batch, Outcome, Outputs, Round, Unhandled, encode_frame
from engine.services.shards import Shards, by_instrument

_batch: Final = msgspec.msgpack.Decoder(Batch)
_answer: Final = msgspec.msgpack.Decoder(Answer)
_events: Final = msgspec.msgpack.Decoder(list[WireEvent])
_messages: Final = msgspec.msgpack.Decoder(list[WireMessage | None])


class Later(AnswerSink):
    """The events of a batch that are in no answer."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def publish(self, event: Any) -> None:
        """Keep it."""
        self.events.append(event)

    def answer(self, events: list[Any]) -> None:
        """It is kept by who was asked."""


class Hub:
    """The risk engine with the batch it is working on.

    `_said` is the next generation as far as it is known, `_gaps` are the places in it that leaves
    have still to fill; `_waiting` are the leaves that have; `_answers` what leaves said too early.
    """

    def __init__(
        self,
        handler: Handler,
        state: Callable[[], Any],
        restore: Callable[[Any], Handler],
        shards: Shards | None = None,
    ) -> None:
        self._state = state
        self._restore = restore
        self._shards = shards or Shards()
        self.batches_done = 0
        self._batches: deque[Batch] = deque()
        self._current: Batch | None = None
        self._said: list[Any] = []
        self._gaps: list[Gap] = []
        self._waiting: list[str] = []
        self._answers: dict[str, deque[Answer]] = {}
        self._connect(handler)

    def _connect(self, handler: Handler) -> None:
        self._later = Later()
        self._risk = AnsweringRisk(FunctionComponent(handler), self._later)
        away = {
            MATCHING: Away(self._shards.receivers, self._gaps),
            LIQUIDATION: Away(lambda _: (LIQUIDATION,), self._gaps),
        }
        self._bus = Bus({RISK: self._risk, **away}, self._later)

    def state(self) -> list[Any]:
        """The number of batches done, the component's state, and the batch in work."""
        return [
            self.batches_done,
            self._state(),
            [encode_frame(batch) for batch in self._batches],
            None if self._current is None else encode_frame(self._current),
            [encode_frame(events) for events in self._risk.answers],
            encode_frame(self._later.events),
            encode_frame(self._said),
            [
                [gap.place, gap.leaves, None if gap.said is None else encode_frame(gap.said)]
                for gap in self._gaps
            ],
            list(self._waiting),
            [
                [leaf, [encode_frame(answer) for answer in self._answers[leaf]]]
                for leaf in sorted(self._answers)
            ],
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.batches_done = state[0]
        self._gaps = [_gap(row) for row in state[7]]
        self._connect(self._restore(state[1]))
        self._batches = deque(_batch.decode(batch) for batch in state[2])
        self._current = None if state[3] is None else _batch.decode(state[3])
        self._risk.restore([from_wire(_events.decode(events)) for events in state[4]])
        self._later.events = from_wire(_events.decode(state[5]))
        self._said = from_wire(_messages.decode(state[6]))
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
            said = closed(self._said, self._gaps)
            self._gaps.clear()
            if said:
                self._sweep(said, out)
            elif self._current is not None:
                self._finish(self._current.number, out)
            elif self._batches:
                self._begin(self._batches.popleft())
            else:
                return

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
        sent = len(self._gaps_of(leaf))
        if len(answer.said) != sent:
            raise NotAFrame(f"{leaf} answers {len(answer.said)} messages, but {sent} were sent")

    def _begin(self, batch: Batch) -> None:
        self._current = batch
        self._said = from_wire(batch.commands)
        self._risk.begin(len(self._said))

    def _sweep(self, generation: list[Any], out: Outputs) -> None:
        """Let risk handle its part of a generation and send the leaves theirs."""
        number = 0 if self._current is None else self._current.number
        try:
            self._said = self._bus.sweep(generation)
        except Exception as error:
            raise Unhandled(RISK, self._bus.handling, error, number) from error
        for gap in self._gaps:
            for leaf in gap.leaves:
                if leaf not in self._waiting:
                    self._waiting.append(leaf)
        for leaf in self._waiting:
            messages = [gap.message for gap in self._gaps_of(leaf)]
            out.append((leaf, encode_frame(Round(messages, number))))

    def _gaps_of(self, leaf: str) -> list[Gap]:
        """The gaps that a leaf has to fill."""
        return [gap for gap in self._gaps if leaf in gap.leaves]

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
        gaps = self._gaps_of(leaf)
        if len(gaps) != len(answer.said):
            raise ValueError(
                f"{leaf} answers {len(answer.said)} messages, but {len(gaps)} were sent"
            )
        self._waiting.remove(leaf)
        for gap, decoded in zip(gaps, answer.said, strict=True):
            said = from_wire(decoded)
            gap.said = said if gap.said is None else by_instrument(gap.said + said)

    def _finish(self, number: int, out: Outputs) -> None:
        outcome = Outcome(number, self._risk.answers, self._later.events)
        out.append((GATEWAY, encode_frame(outcome)))
        self.batches_done = number
        self._current = None
        self._risk.begin(0)
        self._later.events = []


def _gap(row: list[Any]) -> Gap:
    """A gap of a state; its message was sent."""
    place, leaves, said = row
    gap = Gap(place, None, tuple(leaves))
    gap.said = None if said is None else from_wire(_messages.decode(said))
    return gap
