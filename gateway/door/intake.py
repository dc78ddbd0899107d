"""The gateway's state: the order of all commands, and what every request was answered.

A deterministic part. The front door makes an `Intake` (time and order ids stamped); from there on
everything follows from the intakes and from what risk and matching send.
"""

from typing import Any, Final

import msgspec

from engine.connections.link import NotAFrame, read_frame
from engine.events import BookLevel, OrdersReport
from engine.native_message import from_wire, ready_for_wire
from engine.record.service_journal import OUTSIDE
from engine.routing.topology import RISK
from engine.services.rounds import Outputs, encode_frame, read_outcome, read_published
from gateway.door.addressing import address_outcome
from gateway.door.event_log import EventLog, Span
from gateway.door.frames import (
    Heartbeat,
    Intake,
    LevelRow,
    RawOutcome,
    decode_answers,
    decode_levels,
    intake_decoder,
    raw_outcome_decoder,
)
from gateway.door.order_notes import OrderNotes
from gateway.door.parcels import QUERY, Memory, Parcel
from gateway.door.runs import Runs, client_and_run
from gateway.protocol import DEPTH_TOPIC
from matching.market_data import DepthBook, DepthSnapshot

EVENT_BYTES: Final[int] = 2_097_152
"""Bytes of the last events that are kept for who was away."""

_DEPTH: Final[str] = DEPTH_TOPIC.decode()


class Done:
    """For the door: a batch is finished; its parcels in the order of its answers, and the numbers
    of each account's events in it."""

    __slots__ = ("outcome", "parcels", "spans")

    def __init__(self, parcels: list[Parcel], outcome: RawOutcome, spans: dict[int, Span]) -> None:
        self.parcels = parcels
        self.outcome = outcome
        self.spans = spans


class GatewayPart:
    """Numbers batches and remembers answers; keeps a copy of the depth for snapshots.

    With ``sorted_outcomes`` the hub has sorted its outcomes already (`gateway.host.merged`)."""

    def __init__(
        self,
        remembered_requests: int,
        sorted_outcomes: bool = False,
        event_bytes: int = EVENT_BYTES,
    ) -> None:
        self.batches = 0
        self.next_order_id = 1
        self.time_ns = 0
        self.clients: dict[str, Runs] = {}
        self.in_flight: dict[int, list[Parcel]] = {}
        self.depth: dict[int, DepthBook] = {}
        self.heartbeats: dict[str, Heartbeat] = {}
        self.events = EventLog(event_bytes)
        self.orders = OrderNotes()
        self._keep = remembered_requests
        self._sorted_outcomes = sorted_outcomes

    def memory(self, name: str) -> Memory:
        """What is remembered of a requester; of one never heard of, nothing."""
        client, run = client_and_run(name)
        return self.runs(client).memory(run)

    def runs(self, client: str) -> Runs:
        """The runs of a client."""
        return self.clients.get(client) or Runs()

    def handle(self, source: str, body: bytes, out: Outputs) -> None:
        """Take an intake, an outcome of risk or public events of matching.

        Raises:
            NotAFrame: not what is due from there; nothing was changed.
        """
        if source == OUTSIDE:
            self._take(intake_decoder.decode(body), out)
        elif source == RISK:
            outcome = self._outcome(body)
            self._require_under_way(outcome)
            self._finish(outcome, out)
        else:
            events = read_published(body)
            for event in events:
                if type(event) is BookLevel:
                    self._depth_of(event.instrument_id).apply(event)
            out.append((OUTSIDE, events))

    def _take(self, intake: Intake, out: Outputs) -> None:
        assert intake.number == self.batches + 1, "intakes come in order"
        self.batches = intake.number
        self.time_ns = intake.time_ns
        self.next_order_id = intake.next_order_id
        parcels: list[Parcel] = []
        for name, request_ids, order_ids in intake.parcels:
            parcel = Parcel(name, request_ids, order_ids)
            parcels.append(parcel)
            self._used(name).begin(parcel)
        for heartbeat in intake.heartbeats:
            if heartbeat.accounts:
                self.heartbeats[heartbeat.requester] = heartbeat
            else:
                self.heartbeats.pop(heartbeat.requester, None)
        self.in_flight[intake.number] = parcels
        out.append((RISK, intake.batch))

    def _used(self, name: str) -> Memory:
        client, run = client_and_run(name)
        runs = self.clients.get(client)
        if runs is None:
            runs = self.clients[client] = Runs()
        return runs.used(run)

    def _outcome(self, body: bytes) -> RawOutcome:
        """The outcome sorted, its events in bytes; a merged hub hands it over like that."""
        if not self._sorted_outcomes:
            outcome = read_outcome(body)
            parcels = self.in_flight.get(outcome.number, [])
            sizes = [len(parcel.request_ids) for parcel in parcels]
            if len(outcome.direct) != sum(sizes):
                raise NotAFrame(
                    f"the outcome of batch {outcome.number} has {len(outcome.direct)} answers "
                    f"to {sum(sizes)} requests"
                )
            body = encode_frame(
                address_outcome(outcome.number, outcome.direct, outcome.later, sizes)
            )
        found: RawOutcome = read_frame(raw_outcome_decoder, body)
        return found

    def _require_under_way(self, outcome: RawOutcome) -> None:
        """Refuse an outcome of no batch that is under way.

        Raises:
            NotAFrame: it is one.
        """
        parcels = self.in_flight.get(outcome.number)
        if parcels is None:
            raise NotAFrame(f"the outcome of batch {outcome.number} came, which is not under way")
        if len(outcome.direct) != len(parcels):
            raise NotAFrame(f"the outcome of batch {outcome.number} answers other requests")

    def _finish(self, outcome: RawOutcome, out: Outputs) -> None:
        parcels = self.in_flight.pop(outcome.number)
        for place, parcel in enumerate(parcels):
            client, run = client_and_run(parcel.requester)
            runs = self.clients[client]
            runs.finish(run, parcel, bytes(outcome.direct[place]), self._keep)
        self.orders.follow(outcome, parcels)
        for place, parcel in enumerate(parcels):
            if QUERY in parcel.order_ids:
                outcome.direct[place] = self._completed(outcome.direct[place])
        for topic, levels in outcome.public:
            if topic.startswith(_DEPTH):
                self._mirror(decode_levels(levels))
        out.append((OUTSIDE, Done(parcels, outcome, self.events.add(outcome))))

    def _completed(self, answers: msgspec.Raw) -> msgspec.Raw:
        """Answers to questions, with what risk does not know."""
        found = [self.completed(from_wire(said)) for said in decode_answers(answers)]
        return msgspec.Raw(encode_frame([ready_for_wire(said) for said in found]))

    def completed(self, said: list[Any]) -> list[Any]:
        """What was said to a question, with what risk does not know."""
        return [
            self.orders.complete(event) if isinstance(event, OrdersReport) else event
            for event in said
        ]

    def _mirror(self, levels: list[LevelRow]) -> None:
        """Follow the depth of one instrument."""
        book = self._depth_of(levels[0][2])
        for _, _, _, sequence, side, price_ticks, qty_lots in levels:
            book.set_level(sequence, side, price_ticks, qty_lots)

    def _depth_of(self, instrument_id: int) -> DepthBook:
        book = self.depth.get(instrument_id)
        if book is None:
            book = self.depth[instrument_id] = DepthBook(DepthSnapshot(instrument_id, 0, [], []))
        return book

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
            [
                [number, [parcel.row() for parcel in parcels]]
                for number, parcels in self.in_flight.items()
            ],
            [[client, runs.state()] for client, runs in self.clients.items()],
            [
                [key, book.sequence, book.depth(1), book.depth(-1)]
                for key, book in sorted(self.depth.items())
            ],
            [
                [heartbeat.requester, heartbeat.interval_ns, heartbeat.accounts]
                for heartbeat in self.heartbeats.values()
            ],
            self.events.state(),
            self.orders.state(),
        ]

    def restore(self, state: Any) -> None:
        """Take over what `state` returned."""
        self.batches, self.next_order_id, self.time_ns = state[:3]
        self.clients = {}
        for client, rows in state[4]:
            runs = self.clients[client] = Runs()
            runs.restore(client, rows)
        self.in_flight = {}
        for number, rows in state[3]:
            parcels = [Parcel(name, ids, order_ids) for name, ids, order_ids in rows]
            self.in_flight[number] = parcels
            for parcel in parcels:
                client, run = client_and_run(parcel.requester)
                self.clients[client].memories[run].begin(parcel)
        self.depth = {
            key: DepthBook(DepthSnapshot(key, sequence, bids, asks))
            for key, sequence, bids, asks in state[5]
        }
        self.heartbeats = {row[0]: Heartbeat(*row) for row in state[6]}
        self.events.restore(state[7])
        self.orders.restore(state[8])
