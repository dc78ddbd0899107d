"""The front door: clients' frames in, answers, private events and market data out.

ROUTER for commands and private events, PUB for market data, both with CURVE when there is a key
file. Whatever a client sends is answered or its session is closed; nothing reaches risk that was
not decoded, allowed and counted. While as many batches are under way as allowed, nothing is read,
and a client that goes on sending is slowed down by its own socket.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
import zmq
from msgspec.structs import force_setattr

from engine.commands import CancelAll, CancelOrder, Command, SubmitOrder, SubmitTrigger
from engine.events import CommandRejected
from engine.forms import struct_form
from engine.reasons import Reason
from engine.services.rounds import Batch, encode_frame
from engine.services.service_config import ConfigError, GatewayConfig
from gateway.door.budgets import Budgets
from gateway.door.cancel_on_disconnect import MAX_INTERVAL_NS, Heartbeats
from gateway.door.clock_notes import ClockNotes
from gateway.door.deliveries import Deliveries
from gateway.door.doors import bind_door, open_data, open_router
from gateway.door.event_log import MAX_EVENTS
from gateway.door.frames import Intake, ParcelRow, RawReplies
from gateway.door.intake import Done, GatewayPart
from gateway.door.parcels import QUERY, Known
from gateway.door.pending import (
    CONTENDED_NS,
    FAIR_BATCH,
    FAIR_IN_FLIGHT,
    MOST_READ,
    QUESTIONS,
    ROWS_PER_ORDER,
    Frame,
    Pending,
)
from gateway.door.publisher import Publisher
from gateway.door.query_desk import QueryDesk
from gateway.door.runs import HOUSEKEEPING, requester
from gateway.door.session_book import SessionBook
from gateway.door.sessions import MAX_MALFORMED, Session, TokenBucket, read_message, verdict
from gateway.door.steady_clock import SteadyClock
from gateway.protocol import (
    RIGHTS,
    AccountEvents,
    BadRequest,
    Depth,
    DepthRequest,
    EventsRequest,
    Hello,
    Ping,
    Pong,
    Refused,
    ServerMessage,
    Submit,
    Welcome,
    decode_from_client,
    encode,
)
from gateway.rights.audit import Audit
from gateway.rights.keys import ANONYMOUS, Admitted, ClientKey, KeyFile, read_keys
from gateway.rights.porter import Porter
from risk.rules.admission import fault_of

LOOK_AT_KEYS_NS: Final[int] = 1_000_000_000
TELL_SEQUENCES_NS: Final[int] = 250_000_000
SWEEP_NS: Final[int] = 1_000_000_000
_ANYBODY: Final = ClientKey("", rights=list(RIGHTS))
"""Without client keys everybody may do everything."""

_MORE: Final[int] = zmq.NOBLOCK | zmq.SNDMORE
_POLLIN: Final[int] = int(zmq.POLLIN)
"""A plain number: the operators of zmq's constants are some thousand instructions each."""

_SUBMIT: Final[Any] = struct_form(SubmitOrder)
_CANCEL: Final[Any] = struct_form(CancelOrder)
"""What clients' orders and cancels are decoded as."""
_NEW_ORDERS: Final = frozenset((_SUBMIT, SubmitTrigger))
"""Commands that get an order id."""


class FrontDoor:
    """The gateway's sockets. ``clock`` is monotonic, ``wall_clock`` the machine's time; both in ns.

    Commands are stamped with the time of a `SteadyClock` that follows the wall clock. ``read`` is
    for a `QueryDesk`."""

    def __init__(
        self,
        part: GatewayPart,
        config: GatewayConfig,
        keys: KeyFile | None,
        clock: Callable[[], int],
        wall_clock: Callable[[], int],
        audit: Audit | None = None,
        clock_notes: ClockNotes | None = None,
        read: Callable[[Any], list[Any]] | None = None,
    ) -> None:
        self._part = part
        self._audit = audit or Audit(None, wall_clock)
        self._admitted: dict[str, Admitted] = {} if keys is None else keys.admitted(wall_clock())
        self._config = config
        self._keys = keys
        self._clock = clock
        self._wall_clock = wall_clock
        self._clock_notes = clock_notes
        self._rates: dict[str, TokenBucket] = {}
        self._heartbeats = Heartbeats()
        self._budgets = Budgets(config, encrypted=keys is not None)
        self.sessions = SessionBook(self._budgets, self._audit, clock)
        sessions = self.sessions.by_address
        self._deliveries = Deliveries(part, sessions, self._send_frame, self._publish_frame)
        self._desk = QueryDesk(read, part.completed, self._deliveries, sessions)
        self._pending = Pending()
        self.sessions.known_to(self._deliveries, self._pending)
        self._commands: list[Command] = []
        self._parcels: list[ParcelRow] = []
        self._highest_taken: dict[str, int] = {}
        self._next_order_id = 0
        self._time_ns = 0
        # The same as an object, made once a batch and not once a command.
        self._stamped_ns: object = 0
        self._last_asker = b""
        self._contended_ns = -CONTENDED_NS
        self._most = config.max_batch
        self._work = self._read_requests = 0
        self._looked_ns = self._told_ns = self._swept_ns = 0
        self.refused: dict[int, int] = {}
        self.malformed = 0
        self.unheard = 0

    @property
    def is_open(self) -> bool:
        """Whether another batch may be begun; while sessions compete, fewer are under way."""
        most = self._config.batches_in_flight
        if self._most <= FAIR_BATCH:
            most = min(most, FAIR_IN_FLIGHT)
        return len(self._part.in_flight) < most

    @property
    def has_more(self) -> bool:
        """Whether requests that were read wait for a batch."""
        return len(self._pending) > 0

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Sequence["zmq.Socket[bytes]"]:
        """Bind both doors; runs that were watched before a restart are waited for from now on."""
        wall_ns, last_ns = self._wall_clock(), self._part.time_ns
        notes = self._clock_notes
        first_ns = max(wall_ns, last_ns) if notes is None else notes.first_ns(last_ns, wall_ns)
        self._time = SteadyClock(self._clock, self._wall_clock, first_ns)
        self._heartbeats.restore(self._part.heartbeats.values(), self._clock())
        admitted = None if self._keys is None else self._admitted
        self._porter = Porter(context, admitted, self._audit.connection)
        self._router = open_router(context, self._config)
        self._budgets.watch(self._router)
        data = open_data(context)
        self._publisher = Publisher(
            data,
            lambda: None if self._keys is None else self._admitted,
            self._config.max_subscriptions,
            self._audit,
        )
        server = None if self._keys is None else self._keys.server
        bind_door(self._router, self._config.commands, server)
        bind_door(data, self._config.market_data, server)
        return [self._porter.socket, self._router, data]

    def refusals(self) -> dict[str, int]:
        """What was refused since the start, by cause."""
        counts = {Reason(reason).name.lower(): count for reason, count in self.refused.items()}
        counts["malformed_frame"] = self.malformed
        counts["unheard_frame"] = self.unheard
        if self._keys is not None:
            counts["unknown_key"] = self._porter.refused
        return counts | self._budgets.refused | self._publisher.refused

    # in

    def collect(self) -> list[bytes]:
        """Read what clients sent and make at most one intake of it."""
        if not self.sessions.gone:
            # A newcomer waits until what a connection left that was cut off is out of the way:
            # who comes back again and again to leave more would fill the memory.
            self._porter.answer()
        part = self._part
        self._highest_taken = {}
        self._next_order_id = part.next_order_id
        self._time_ns = max(part.time_ns, self._time.now_ns())
        self._stamped_ns = self._time_ns
        now_ns = self._clock()
        drained = False
        self._most = self._config.max_batch
        if now_ns - self._contended_ns < CONTENDED_NS:
            self._most = min(self._most, FAIR_BATCH)
        self._work = self._read_requests = 0
        while self._work < self._most and self._read_requests < MOST_READ:
            if not int(self._router.get(zmq.EVENTS)) & _POLLIN:
                drained = True
                self.sessions.gone.clear()
                break
            counted = self._work + self._read_requests
            if self._keys is None:
                address, parts, frame = read_message(self._router)
                if self.sessions.is_left_behind(address):
                    self._read_requests += 1
                    continue
                session = self.sessions.session(address, ANONYMOUS, _ANYBODY, now_ns, frame)
                self._hear(address, parts, session)
            else:
                frames = self._router.recv_multipart(copy=False)
                if self.sessions.is_left_behind(frames[0].bytes):
                    self._read_requests += 1
                    continue
                self._hear_known(frames, now_ns)
            if self._work + self._read_requests == counted:
                # A flood of messages without requests must not make a turn endless.
                self._work += 1
        self._take_pending(now_ns)
        if drained and not self._pending:
            self._cancel_for_silent(now_ns)
        heartbeats = self._heartbeats.take_changes()
        if not self._commands and not heartbeats:
            return []
        number = part.batches + 1
        parcels = self._parcels
        sizes = [len(request_ids) for _, request_ids, _ in parcels]
        batch = encode_frame(Batch(number, self._commands, sizes))
        intake = Intake(number, self._time_ns, self._next_order_id, parcels, batch, heartbeats)
        self._commands = []
        self._parcels = []
        return [encode_frame(intake)]

    def _take_pending(self, now_ns: int) -> None:
        """Sessions take turns with what waits, until the batch is full."""
        pending = self._pending
        while pending and self._work < self._most:
            session, frame = pending.take()
            self._submit_part(session, frame, now_ns)

    def _submit_part(self, session: Session, frame: Frame, now_ns: int) -> None:
        """Put as much of a frame into the batch as fits; the rest waits."""
        if not frame.left:
            return
        most = self._most // 2 if self._pending else self._most
        share = max(1, min(self._most - self._work, most))
        accounts, instruments = len(self._part.events.last), len(self._part.depth)
        requests, work = frame.next_part(share, accounts, instruments)
        self._work += work
        self._submit(session, frame.run, requests, now_ns)
        if frame.left and self.sessions.by_address.get(session.address) is session:
            self._pending.back(session, frame)

    def _receive(
        self, session: Session, message: Submit, now_ns: int, bad: list[BadRequest]
    ) -> None:
        """Requests came: take them, or let them wait behind others of the session."""
        if message.run != session.run:
            problem = self._problem_of(session.client, message.run)
            if problem:
                self._send(session.address, Refused(problem))
                return
        if session.address != self._last_asker:
            # From now on the batch ends early: no session waits for the many of another.
            self._last_asker = session.address
            self._contended_ns = now_ns
            self._most = min(self._most, FAIR_BATCH)
        refusals: list[RawReplies] = []
        for number, fault in bad:
            self._work += 1
            self._rate_of(session).refuse(now_ns)
            refusals.append(self._refusal(number, None, Reason.INVALID_FIELD, fault))
        if refusals:
            self._deliveries.hand_over(session, refusals, [], [])
        frame = Frame(message.run, message.requests, 0)
        self._read_requests += frame.left
        waits = self._pending.waits(session)
        # A small frame of a session for which nothing waits has a place, whatever others of the
        # client left waiting.
        if (waits or frame.left > FAIR_BATCH) and not self._pending.has_room(session, frame.left):
            self._budgets.count("too_many_pending")
        elif waits:
            self._pending.add(session, frame)
        else:
            self._submit_part(session, frame, now_ns)

    def _hear_known(self, frames: "list[zmq.Frame]", now_ns: int) -> None:
        """A message from a client with a key; its frames say which."""
        try:
            public = str(frames[-1].get("User-Id"))
        except zmq.ZMQError:
            return
        found = self._admitted.get(public)
        if found is None:
            self._count(Reason.NOT_AUTHORISED)
            self._audit.note("message", key=public, why="key revoked, expired or not listed")
            return
        address, *parts = (frame.bytes for frame in frames)
        session = self.sessions.session(address, found.client, found.key, now_ns, frames[-1])
        self._hear(address, parts, session)

    def _hear(self, address: bytes, parts: list[bytes], session: Session | None) -> None:
        if session is None:
            self._send(address, Refused("this client has too many sessions"))
            return
        for part in parts:
            self._budgets.heard(session, len(part))
        if session.closed:
            return
        now_ns = session.heard_ns
        if session.cancel_after_ns:
            self._heartbeats.heard(session.watched, now_ns)
        if self._rate_of(session).muted(now_ns):
            # It is asked again in a second: nothing is lost, and nothing was read.
            self.unheard += 1
            return
        bad: list[BadRequest] = []
        try:
            if len(parts) != 1:
                raise ValueError(f"a message has one part, this one has {len(parts)}")
            message = decode_from_client(parts[0], bad)
        except ValueError as error:
            self.malformed += 1
            session.malformed += 1
            session.closed = session.malformed >= MAX_MALFORMED
            closing = "; the session is closed" if session.closed else ""
            self._audit.note("frame", client=session.client, why=f"{error}{closing}"[:200])
            self._send(address, Refused(f"{error}{closing}"[:500]))
            return
        if isinstance(message, Hello):
            self._greet(session, message)
        elif not session.welcomed:
            # What was sent before may be lost; taking this now would change the order.
            self._send(address, Pong(False))
        elif isinstance(message, Submit):
            self._receive(session, message, now_ns, bad)
        elif isinstance(message, DepthRequest):
            depth = self._part.snapshot_of(message.instrument_id)
            self._work += (len(depth.bids) + len(depth.asks)) // ROWS_PER_ORDER
            self._send(address, Depth(depth))
        elif isinstance(message, EventsRequest):
            self._tell_events(session, message, now_ns)
        elif isinstance(message, Ping):
            self._send(address, Pong(True))

    def _tell_events(self, session: Session, message: EventsRequest, now_ns: int) -> None:
        """What happened to an account since; who asks too often is not answered."""
        account_id, after = message.account_id, message.after
        if not session.key.sees(account_id):
            self._send(session.address, Refused(f"account {account_id} is not one of this key's"))
        elif self._rate_of(session).take(now_ns):
            # To find them takes as long as if there were as many as are told at a time.
            self._work += MAX_EVENTS // ROWS_PER_ORDER
            log = self._part.events
            first, events = log.since(account_id, after)
            last = log.last.get(account_id, 0)
            self._send(session.address, AccountEvents(account_id, after, first, last, events))

    def _greet(self, session: Session, hello: Hello) -> None:
        run = requester(session.client, hello.run)
        fault = self._budgets.fault_of(hello, self._heartbeats.has_room(run))
        if fault := fault or self._problem_of(session.client, hello.run):
            self._send(session.address, Refused(fault))
            return
        self._work += len(hello.accounts or ()) // ROWS_PER_ORDER
        interval_ns = min(max(0, hello.cancel_after_ms) * 1_000_000, MAX_INTERVAL_NS)
        session.cancel_after_ns, session.watched = interval_ns, run
        self._heartbeats.greeted(run, interval_ns, session.heard_ns)
        session.welcomed, session.wanted, session.run = True, hello.accounts, hello.run
        self._deliveries.listens(session)
        key = session.key
        highest = self._part.memory(run).highest
        welcome = Welcome(session.client, key.accounts, key.rights, highest)
        self._send(session.address, welcome)

    def _problem_of(self, client: str, run: int) -> str:
        now_ns = max(self._time_ns, self._wall_clock())
        return self._part.runs(client).problem_of(run, now_ns)

    def _submit(
        self, session: Session, run: int, requests: list[tuple[int, Any]], now_ns: int
    ) -> None:
        name = requester(session.client, run)
        memory = self._part.memory(name)
        highest = max(memory.highest, self._highest_taken.get(name, 0))
        request_ids: list[int] = []
        order_ids: list[int] = []
        replies: list[RawReplies] = []
        self._deliveries.asks(name, session)
        known = Known(memory)
        rate = self._rate_of(session)
        request_id: int
        command: Any
        for request_id, command in requests:
            if request_id <= highest:
                if request_id in memory.parcels:
                    known.ask(request_id)
                    continue
                if request_id in request_ids or self._is_taken(name, request_id):
                    # The same number twice before the first one is even on its way.
                    continue
            reason = verdict(session, rate, memory.floor, request_id, command, now_ns)
            if reason is not None:
                self._audit.command(
                    session.client, session.key.public, run, request_id, command, reason
                )
                rate.refuse(now_ns)
                replies.append(self._refusal(request_id, command, reason))
                continue
            kind = type(command)
            if kind is not _SUBMIT and kind is not _CANCEL and (fault := fault_of(command)):
                rate.refuse(now_ns)
                replies.append(self._refusal(request_id, command, Reason.INVALID_FIELD, fault))
                continue
            if kind is not _SUBMIT and self._desk.takes(session, request_id, command):
                continue
            highest = max(highest, request_id)
            request_ids.append(request_id)
            order_ids.append(self._stamp(command))
            if session.cancel_after_ns and type(command) in _NEW_ORDERS:
                self._heartbeats.traded(
                    session.watched, session.cancel_after_ns, command.account_id, now_ns
                )
        if request_ids:
            self._highest_taken[name] = highest
            self._parcels.append((name, request_ids, order_ids))
        replies += known.replies()
        if replies:
            self._deliveries.hand_over(session, replies, [], [])

    def _is_taken(self, name: str, request_id: int) -> bool:
        """Whether the batch that is being made has this request."""
        return any(taken == name and request_id in ids for taken, ids, _ in self._parcels)

    def _rate_of(self, session: Session) -> TokenBucket:
        rate = self._rates.get(session.client)
        if rate is None:
            rate = self._rates[session.client] = TokenBucket(self._limit_of(session.key))
        return rate

    def _limit_of(self, key: ClientKey) -> int:
        return key.max_commands_per_second or self._config.max_commands_per_second

    def _refusal(
        self, request_id: int, command: Command | None, reason: Reason, detail: str = ""
    ) -> RawReplies:
        self._count(reason)
        account_id: int = getattr(command, "account_id", 0)
        rejected = CommandRejected(self._time_ns, account_id, 0, int(reason), detail=detail)
        return RawReplies([request_id], [0], msgspec.Raw(encode_frame([[rejected]])))

    def _stamp(self, command: Any) -> int:
        """Give a command its time and order id and put it into the batch; returns the order id."""
        order_id = 0
        # The struct was decoded for this batch alone; nothing else holds it.
        force_setattr(command, "time_ns", self._stamped_ns)
        if type(command) in _NEW_ORDERS:
            order_id = self._next_order_id
            self._next_order_id = order_id + 1
            force_setattr(command, "order_id", order_id)
        elif type(command) is not _CANCEL and type(command) in QUESTIONS:
            order_id = QUERY
        self._commands.append(command)
        return order_id

    def _cancel_for_silent(self, now_ns: int) -> None:
        silent = self._heartbeats.take_silent(now_ns)
        if not silent and now_ns - self._swept_ns < SWEEP_NS:
            return
        self._swept_ns = now_ns
        accounts = dict.fromkeys(chain.from_iterable(silent.values()))
        if accounts:
            first = self._part.memory(HOUSEKEEPING).highest + 1
            order_ids = [self._stamp(CancelAll(0, account_id)) for account_id in accounts]
            request_ids = list(range(first, first + len(accounts)))
            self._parcels.append((HOUSEKEEPING, request_ids, order_ids))
        self.sessions.sweep(silent, now_ns)

    def _count(self, reason: Reason) -> None:
        self.refused[int(reason)] = self.refused.get(int(reason), 0) + 1

    # out

    def deliver(self, item: object) -> None:
        """Hand out a finished batch, or matching's public events."""
        if isinstance(item, Done):
            self._deliveries.batch(item)
        else:
            assert isinstance(item, list)
            self._deliveries.public(item)

    def _send(self, address: bytes, message: ServerMessage) -> None:
        self._send_frame(address, encode(message))

    def _send_frame(self, address: bytes, frame: bytes) -> None:
        """Send, or drop when the client is gone or does not read: it asks again and is answered."""
        try:
            self._router.send(address, _MORE)
            self._router.send(frame, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                self.sessions.lost(address)
            return
        self.sessions.sent(address, len(frame))

    def _publish_frame(self, topic: bytes, frame: bytes) -> None:
        self._publisher.send(topic, frame)

    def idle(self) -> None:
        """Answer queries, publish how far depths are, look at lines and keys, each in its time."""
        self._desk.answer()
        self._publisher.hear()
        now_ns = self._clock()
        if now_ns - self._told_ns >= TELL_SEQUENCES_NS:
            self._told_ns = now_ns
            self._deliveries.sequences()
            self.sessions.cut_unread()
            self._publisher.cut_unread()
            if self._clock_notes is not None:
                self._clock_notes.keep(self._time.now_ns())
                if self._clock_notes.word_given():
                    self._time.take_wall_clock()
        if now_ns - self._looked_ns >= LOOK_AT_KEYS_NS:
            self._looked_ns = now_ns
            if self._keys is not None:
                self._look_at_keys()
            self._publisher.look()

    def _look_at_keys(self) -> None:
        """Who was revoked is out."""
        try:
            keys = read_keys(self._config.keys)
        except ConfigError:
            # A file in the middle of being written: the keys read before stay in force.
            return
        self._keys = keys
        self._admitted = keys.admitted(self._wall_clock())
        for client, rate in self._rates.items():
            rate.limit(self._limit_of(keys.clients.get(client, _ANYBODY)))
        self._porter.admitted = self._admitted
        self.sessions.end_refused(self._admitted)
