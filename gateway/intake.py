"""The gateway's state: the order of all commands, and what every request was answered.

A deterministic part. The front door makes an `Intake` (time and order ids stamped); from there on
everything follows from the intakes and from what risk and matching send.
"""

from itertools import islice
from typing import Any, Final

import msgspec

from engine.events import BookLevel, Event
from engine.rounds import Outputs, Published
from engine.service_journal import OUTSIDE
from engine.topology import RISK
from matching.market_data import DepthBook, DepthSnapshot

Owner = tuple[str, int, int]
"""Requester (client and run), request number and order id (0: no new order)."""

MAX_REQUESTERS: Final[int] = 2_000
"""Runs remembered; beyond, the one that was used least recently is forgotten."""


class Intake(msgspec.Struct, frozen=True, array_like=True):
    """One batch with who asked for what; ``batch`` is the frame for risk."""

    number: int
    time_ns: int
    next_order_id: int
    owners: list[Owner]
    batch: bytes


class RawOutcome(msgspec.Struct, frozen=True, array_like=True):
    """`engine.rounds.Outcome` with its events left in bytes."""

    number: int
    direct: list[msgspec.Raw]
    later: msgspec.Raw


class Done(msgspec.Struct):
    """For the door: a batch is finished."""

    owners: list[Owner]
    direct: list[bytes]
    later: bytes


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


_outcome = msgspec.msgpack.Decoder(RawOutcome)
_intake = msgspec.msgpack.Decoder(Intake)
_published = msgspec.msgpack.Decoder(Published)


class GatewayPart:
    """Numbers batches and remembers answers; keeps a copy of the depth for snapshots."""

    def __init__(self, remembered_requests: int) -> None:
        self.batches = 0
        self.next_order_id = 1
        self.time_ns = 0
        self.requesters: dict[str, Memory] = {}
        self.in_flight: dict[int, list[Owner]] = {}
        self.depth: dict[int, DepthBook] = {}
        self._keep = remembered_requests

    def memory(self, name: str) -> Memory:
        """What is remembered of a requester; of one never heard of, nothing."""
        return self.requesters.get(name) or Memory()

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Take an intake, an outcome of risk or public events of matching."""
        if source == OUTSIDE:
            self._take(_intake.decode(body), out)
        elif source == RISK:
            self._finish(_outcome.decode(body), out)
        else:
            events = _published.decode(body).events
            self._mirror(events)
            out.append((OUTSIDE, events))

    def _take(self, intake: Intake, out: Outputs) -> None:
        assert intake.number == self.batches + 1, "intakes come in order"
        self.batches = intake.number
        self.time_ns = intake.time_ns
        self.next_order_id = intake.next_order_id
        used: dict[str, Memory] = {}
        for name, request_id, _ in intake.owners:
            memory = used.get(name)
            if memory is None:
                memory = used[name] = self.requesters.pop(name, Memory())
            memory.answers[request_id] = None
            memory.highest = max(memory.highest, request_id)
        # Whoever asked last stands last.
        self.requesters.update(used)
        self.in_flight[intake.number] = intake.owners
        out.append((RISK, intake.batch))

    def _finish(self, outcome: RawOutcome, out: Outputs) -> None:
        owners = self.in_flight.pop(outcome.number)
        direct = [bytes(events) for events in outcome.direct]
        touched: dict[str, Memory] = {}
        for (name, request_id, order_id), events in zip(owners, direct, strict=True):
            memory = touched.setdefault(name, self.requesters[name])
            memory.answers[request_id] = (order_id, events)
        for memory in touched.values():
            memory.forget(self._keep)
        if len(self.requesters) > MAX_REQUESTERS:
            self._forget_requesters()
        out.append((OUTSIDE, Done(owners, direct, bytes(outcome.later))))

    def _forget_requesters(self) -> None:
        for name in list(self.requesters)[: len(self.requesters) - MAX_REQUESTERS]:
            if None not in self.requesters[name].answers.values():
                del self.requesters[name]

    def _mirror(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is BookLevel:
                book = self.depth.get(event.instrument_id)
                if book is None:
                    book = DepthBook(DepthSnapshot(event.instrument_id, 0, [], []))
                    self.depth[event.instrument_id] = book
                book.apply(event)

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
