"""The gateway's state: the order of all commands, and what every request was answered.

A deterministic part. The front door makes an `Intake` (time and order ids stamped); from there on
everything follows from the intakes and from what risk and matching send.
"""

from itertools import islice
from typing import Any, Final

import msgspec

from engine.events import BookLevel
from engine.link import read_frame
from engine.rounds import Outputs, Published, encode_frame
from engine.service_journal import OUTSIDE
from engine.topology import RISK
from gateway.cancel_on_disconnect import Watch
from gateway.frames import (
    Done,
    Intake,
    Owner,
    RawOutcome,
    decode_levels,
    outcome_decoder,
    raw_outcome_decoder,
)
from gateway.protocol import DEPTH_TOPIC
from gateway.sorting import sort_outcome
from matching.market_data import DepthBook, DepthSnapshot

QUERY: Final[int] = -1
"""Stands for the order id of a query: it changes nothing, so its answer is not remembered; asked
again it is answered anew."""

MAX_REQUESTERS: Final[int] = 2_000
"""Runs remembered; beyond, the one that was used least recently is forgotten."""


def requester(client: str, run: int) -> str:
    """Whose request numbers they are."""
    return f"{client}/{run}"


class Memory:
    """Answers to the requests of one run: the last ones, None while it is being worked on.

    Requests up to ``floor`` are forgotten and never carried out again.
    """

    __slots__ = ("answers", "floor", "highest")

    def __init__(self) -> None:
        self.answers: dict[int, tuple[int, bytes] | None] = {}
        self.floor = 0
        self.highest = 0

    def forget(self, keep: int) -> None:
        """Drop the oldest answers beyond ``keep``."""
        answers = self.answers
        for oldest in list(islice(answers, max(0, len(answers) - keep))):
            if answers[oldest] is None:
                return
            del answers[oldest]
            self.floor = max(self.floor, oldest)


_DEPTH: Final[str] = DEPTH_TOPIC.decode()
_intake = msgspec.msgpack.Decoder(Intake)
_published = msgspec.msgpack.Decoder(Published)


class GatewayPart:
    """Numbers batches and remembers answers; keeps a copy of the depth for snapshots."""

    def __init__(self, remembered_requests: int, merged: bool = False) -> None:
        self.batches = 0
        self.next_order_id = 1
        self.time_ns = 0
        self.requesters: dict[str, Memory] = {}
        self.in_flight: dict[int, list[Owner]] = {}
        self.depth: dict[int, DepthBook] = {}
        self.watches: dict[str, Watch] = {}
        self._keep = remembered_requests
        self._merged = merged

    def memory(self, name: str) -> Memory:
        """What is remembered of a requester; of one never heard of, nothing."""
        return self.requesters.get(name) or Memory()

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Take an intake, an outcome of risk or public events of matching."""
        if source == OUTSIDE:
            self._take(_intake.decode(body), out)
        elif source == RISK:
            self._finish(self._outcome(body), out)
        else:
            events = read_frame(_published, body).events
            self._mirror([event for event in events if type(event) is BookLevel])
            out.append((OUTSIDE, events))

    def _take(self, intake: Intake, out: Outputs) -> None:
        assert intake.number == self.batches + 1, "intakes come in order"
        self.batches = intake.number
        self.time_ns = intake.time_ns
        self.next_order_id = intake.next_order_id
        used: dict[str, Memory] = {}
        last, memory = "", Memory()
        for name, request_id, _ in intake.owners:
            if name != last:
                last = name
                memory = used.get(name) or self.requesters.pop(name, None) or Memory()
                used[name] = memory
            memory.answers[request_id] = None
            memory.highest = max(memory.highest, request_id)
        # Whoever asked last stands last.
        self.requesters.update(used)
        for watch in intake.watches:
            if watch.accounts:
                self.watches[watch.requester] = watch
            else:
                self.watches.pop(watch.requester, None)
        self.in_flight[intake.number] = intake.owners
        out.append((RISK, intake.batch))

    def _outcome(self, body: bytes) -> RawOutcome:
        """The outcome sorted, its events in bytes; a merged hub sends it like that."""
        if not self._merged:
            outcome = read_frame(outcome_decoder, body)
            body = encode_frame(sort_outcome(outcome.number, outcome.direct, outcome.later))
        found: RawOutcome = read_frame(raw_outcome_decoder, body)
        return found

    def _finish(self, outcome: RawOutcome, out: Outputs) -> None:
        owners = self.in_flight.pop(outcome.number)
        touched: dict[str, Memory] = {}
        last, memory = "", Memory()
        for place, (name, request_id, order_id) in enumerate(owners):
            if name != last:
                last = name
                memory = touched[name] = self.requesters[name]
            if order_id == QUERY:
                del memory.answers[request_id]
            else:
                memory.answers[request_id] = (order_id, bytes(outcome.direct[place]))
        for memory in touched.values():
            memory.forget(self._keep)
        if len(self.requesters) > MAX_REQUESTERS:
            self._forget_requesters()
        for topic, levels in outcome.public:
            if topic.startswith(_DEPTH):
                self._mirror(decode_levels(levels))
        out.append((OUTSIDE, Done(owners, outcome)))

    def _forget_requesters(self) -> None:
        for name in list(self.requesters)[: len(self.requesters) - MAX_REQUESTERS]:
            if None not in self.requesters[name].answers.values():
                del self.requesters[name]

    def _mirror(self, levels: list[BookLevel]) -> None:
        for level in levels:
            book = self.depth.get(level.instrument_id)
            if book is None:
                book = DepthBook(DepthSnapshot(level.instrument_id, 0, [], []))
                self.depth[level.instrument_id] = book
            book.apply(level)

    def snapshot_of(self, instrument_id: int) -> DepthSnapshot:
        """The depth of an instrument; empty before its first order, and for an unknown one."""
        book = self.depth.get(instrument_id)
        if book is None:
            return DepthSnapshot(instrument_id, 0, [], [])
        return DepthSnapshot(instrument_id, book.sequence, book.depth(1), book.depth(-1))

    def state(self) -> Any:
        """Everything that decides future behaviour."""
        return [
            self.batches,
            self.next_order_id,
            self.time_ns,
            [[number, owners] for number, owners in self.in_flight.items()],
            [
                [
                    name,
                    memory.floor,
                    memory.highest,
                    [[request_id, answer] for request_id, answer in memory.answers.items()],
                ]
                for name, memory in self.requesters.items()
            ],
            [
                [key, book.sequence, book.depth(1), book.depth(-1)]
                for key, book in sorted(self.depth.items())
            ],
            [
                [watch.requester, watch.interval_ns, watch.accounts]
                for watch in self.watches.values()
            ],
        ]

    def restore(self, state: Any) -> None:
        """Take over what `state` returned."""
        self.batches, self.next_order_id, self.time_ns = state[:3]
        self.in_flight = {
            number: [(name, request_id, order_id) for name, request_id, order_id in owners]
            for number, owners in state[3]
        }
        self.requesters = {}
        for name, floor, highest, answers in state[4]:
            memory = self.requesters[name] = Memory()
            memory.floor, memory.highest = floor, highest
            for request_id, answer in answers:
                memory.answers[request_id] = None if answer is None else (answer[0], answer[1])
        self.depth = {
            key: DepthBook(DepthSnapshot(key, sequence, bids, asks))
            for key, sequence, bids, asks in state[5]
        }
        self.watches = {row[0]: Watch(*row) for row in state[6]}
