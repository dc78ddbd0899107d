"""Numbered events of each account, the last of them kept for clients that were away.

An account's events are numbered from 1, in the order they happened: within a batch first what is in
answers, then the rest. Refusals and answers to queries are not among them, for nothing happened.
A client that knows the number of the last event it heard of can tell a repetition from something
new, and ask for what it missed. The numbers follow from the batches, so they are the same after a
restart. The events stay the bytes they came as; they are read when a client asks, and those of
quiet accounts when they would be pushed out by others' (`gateway.door.kept_aside`).
"""

from collections import deque
from collections.abc import Collection, Iterator
from typing import Any, Final

from engine.native_message import from_wire
from gateway.door.addressing import account_of, is_numbered
from gateway.door.frames import RawOutcome, decode_answers, decode_events
from gateway.door.kept_aside import EACH, KeptAside

Span = tuple[int, int]
"""Numbers of the first and the last of some events of an account."""

MAX_EVENTS: Final[int] = 500
"""Events handed out at a time."""


class Happened:
    """The events of one batch: answers by parcel, the others by account, and the numbers of each
    account's."""

    __slots__ = ("answers", "others", "size", "spans")

    def __init__(
        self, spans: dict[int, Span], answers: list[bytes], others: dict[int, bytes]
    ) -> None:
        self.spans = spans
        self.answers = answers
        self.others = others
        self.size = sum(map(len, answers)) + sum(map(len, others.values())) + 32 * len(spans)

    def events_of(self, account_ids: Collection[int]) -> dict[int, list[Any]]:
        """The numbered events of some accounts, each one's in their order."""
        found: dict[int, list[Any]] = {account_id: [] for account_id in account_ids}
        for body in self.answers:
            for answer in decode_answers(body):
                for event in from_wire(answer):
                    events = found.get(account_of(event))
                    if events is not None and is_numbered(event):
                        events.append(event)
        for account_id, events in found.items():
            others = self.others.get(account_id)
            if others is not None:
                events += filter(is_numbered, from_wire(decode_events(others)))
        return found


class EventLog:
    """The numbers of all accounts, and at most ``limit_bytes`` of events: one half for the last of
    all accounts, one for the last of each that has none among those."""

    def __init__(self, limit_bytes: int) -> None:
        self.last: dict[int, int] = {}
        self._limit_bytes = limit_bytes // 2  # rounded down
        self._bytes = 0
        self._kept: deque[Happened] = deque()
        self._aside = KeptAside(limit_bytes // 2)  # rounded down

    def add(self, outcome: RawOutcome) -> dict[int, Span]:
        """Number the events of a batch; returns the numbers by account."""
        spans: dict[int, Span] = {}
        last = self.last
        for account_id, count in outcome.counts:
            before = last.get(account_id, 0)
            last[account_id] = before + count
            spans[account_id] = (before + 1, before + count)
        if spans:
            answers = [bytes(body) for body in outcome.direct]
            others = {account_id: bytes(body) for account_id, body in outcome.private}
            self._keep(Happened(spans, answers, others))
        return spans

    def _keep(self, happened: Happened) -> None:
        kept = self._kept
        kept.append(happened)
        self._bytes += happened.size
        while self._bytes > self._limit_bytes:
            oldest = kept.popleft()
            self._bytes -= oldest.size
            self._let_go(oldest)

    def _let_go(self, happened: Happened) -> None:
        """Keep aside what is among the last events of its account."""
        quiet: list[int] = []
        for account_id, span in happened.spans.items():
            if self.last[account_id] - span[1] < EACH:
                quiet.append(account_id)
            else:
                self._aside.forget(account_id)
        if quiet:
            for account_id, events in happened.events_of(quiet).items():
                self._aside.add(account_id, *happened.spans[account_id], events)

    def since(self, account_id: int, after: int) -> tuple[int, list[Any]]:
        """The account's events behind number ``after``, at most `MAX_EVENTS` and those of one more
        batch, with the number of the first. A higher one than ``after + 1`` means that those before
        are no longer kept."""
        first = 0
        found: list[Any] = []
        for begin, events in self._rows_behind(account_id, after):
            if len(found) >= MAX_EVENTS:
                break
            if begin <= after:
                events = events[after + 1 - begin :]
                begin = after + 1
            first = first or begin
            found += events
        return first or self.last.get(account_id, 0) + 1, found

    def _rows_behind(self, account_id: int, after: int) -> Iterator[tuple[int, list[Any]]]:
        """Batch by batch the number of the account's first event and its events; of the first some
        may be at or before number ``after``."""
        yield from self._aside.rows_behind(account_id, after)
        for happened in self._kept:
            span = happened.spans.get(account_id)
            if span is not None and span[1] > after:
                yield span[0], happened.events_of((account_id,))[account_id]

    def state(self) -> list[Any]:
        """Everything that decides future behaviour."""
        return [
            [[account_id, number] for account_id, number in sorted(self.last.items())],
            [
                [
                    [[account_id, *span] for account_id, span in one.spans.items()],
                    one.answers,
                    [[account_id, body] for account_id, body in one.others.items()],
                ]
                for one in self._kept
            ],
            self._aside.state(),
        ]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self.last = dict(map(tuple, state[0]))
        self._aside.restore(state[2])
        self._kept = deque()
        self._bytes = 0
        for spans, answers, others in state[1]:
            by_account = {account_id: (first, last) for account_id, first, last in spans}
            self._keep(Happened(by_account, answers, dict(map(tuple, others))))
