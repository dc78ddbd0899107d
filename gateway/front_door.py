"""The front door: clients' frames in, answers, private events and market data out.

ROUTER for commands and private events, PUB for market data, both with CURVE when there is a key
file. Whatever a client sends is answered or its session is closed; nothing reaches risk that was
not decoded, allowed and counted. While as many batches are under way as allowed, nothing is read,
and a client that goes on sending is slowed down by its own socket.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import zmq
from msgspec.structs import force_setattr

from engine.commands import (
    CancelAll,
    CancelOrder,
    Command,
    QueryAccount,
    QueryMarket,
    QueryOrders,
    QueryRisk,
    SubmitOrder,
)
from engine.events import (
    CommandRejected,
)
from engine.forms import struct_form
from engine.reasons import Reason
from engine.rounds import Batch, encode_frame
from engine.service_config import LOOPBACK, ConfigError, GatewayConfig
from gateway.audit import Audit
from gateway.cancel_on_disconnect import MAX_INTERVAL_NS, Heartbeats
from gateway.clock_notes import ClockNotes
from gateway.deliveries import Deliveries
from gateway.frames import Intake, ParcelRow, RawReplies
from gateway.intake import Done, GatewayPart, requester
from gateway.keys import ANONYMOUS, Admitted, ClientKey, KeyFile, read_keys
from gateway.parcels import QUERY, Known
from gateway.porter import Porter
from gateway.protocol import (
    RIGHTS,
    VERSION,
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
from gateway.publisher import Publisher
from gateway.runs import last_run
from gateway.sessions import MAX_MALFORMED, Rate, Session
from gateway.steady_clock import SteadyClock
from risk.admission import fault_of

LOOK_AT_KEYS_NS: Final[int] = 1_000_000_000
TELL_SEQUENCES_NS: Final[int] = 250_000_000
RECENT_NS: Final[int] = 10_000_000_000
SWEEP_NS: Final[int] = 1_000_000_000
FORGET_SESSION_NS: Final[int] = 3_600_000_000_000
FORGET_USELESS_NS: Final[int] = 60_000_000_000
"""Silence after which a session is forgotten; sooner when it was closed or never greeted."""

_ANYBODY: Final = ClientKey("", rights=list(RIGHTS))
"""Without client keys everybody may do everything."""

_MORE: Final[int] = zmq.NOBLOCK | zmq.SNDMORE
_POLLIN: Final[int] = int(zmq.POLLIN)
"""A plain number: the operators of zmq's constants are some thousand instructions each."""

HOUSEKEEPING: Final[str] = requester("", 0)
"""Requester of what the gateway asks for itself (cancel on disconnect)."""

_SUBMIT: Final[Any] = struct_form(SubmitOrder)
_CANCEL: Final[Any] = struct_form(CancelOrder)
"""What clients' orders and cancels are decoded as."""

_QUERIES: Final[tuple[type, ...]] = (QueryAccount, QueryMarket, QueryOrders, QueryRisk)


class FrontDoor:
    """The gateway's sockets. ``clock`` is monotonic, ``wall_clock`` the machine's time; both in ns.

    Commands are stamped with the time of a `SteadyClock` that follows the wall clock."""

    def __init__(
        self,
        part: GatewayPart,
        config: GatewayConfig,
        keys: KeyFile | None,
        clock: Callable[[], int],
        wall_clock: Callable[[], int],
        audit: Audit | None = None,
        clock_notes: ClockNotes | None = None,
    ) -> None:
        self._part = part
        self._audit = audit or Audit(None, wall_clock)
        self._admitted: dict[str, Admitted] = {} if keys is None else keys.admitted(wall_clock())
        self._config = config
        self._keys = keys
        self._clock = clock
        self._wall_clock = wall_clock
        self._clock_notes = clock_notes
        self._sessions: dict[bytes, Session] = {}
        self._rates: dict[str, Rate] = {}
        self._heartbeats = Heartbeats()
        self._deliveries = Deliveries(part, self._sessions, self._send_frame, self._publish_frame)
        self._commands: list[Command] = []
        self._parcels: list[ParcelRow] = []
        self._highest_taken: dict[str, int] = {}
        self._next_order_id = 0
        self._time_ns = 0
        # The same as an object, made once a batch and not once a command.
        self._stamped_ns: object = 0
        self._looked_ns = 0
        self._told_ns = 0
        self._swept_ns = 0
        self.refused: dict[int, int] = {}
        self.malformed = 0
        self.unheard = 0

    @property
    def is_open(self) -> bool:
        """Whether another batch may be begun."""
        return len(self._part.in_flight) < self._config.batches_in_flight

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Sequence["zmq.Socket[bytes]"]:
        """Bind both doors; runs that were watched before a restart are waited for from now on."""
        wall_ns, last_ns = self._wall_clock(), self._part.time_ns
        notes = self._clock_notes
        first_ns = max(wall_ns, last_ns) if notes is None else notes.first_ns(last_ns, wall_ns)
        self._time = SteadyClock(self._clock, self._wall_clock, first_ns)
        self._heartbeats.restore(self._part.watches.values(), self._clock())
        waited: list[zmq.Socket[bytes]] = []
        self._porter: Porter | None = None
        if self._keys is not None:
            self._porter = Porter(context, self._admitted, self._refuse_connection)
            waited.append(self._porter.socket)
        self._router: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.MAXMSGSIZE, self._config.max_message_bytes)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        secret = "" if self._keys is None else self._keys.server.secret
        if secret:
            self._router.setsockopt(zmq.CURVE_SERVER, 1)
            self._router.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())
        self._router.bind(self._config.commands)
        self._publisher = Publisher(context, self._config.market_data, secret)
        waited.append(self._router)
        return waited

    def connected(self) -> int:
        """How many sessions were heard of lately."""
        since_ns = self._clock() - RECENT_NS
        return sum(session.heard_ns > since_ns for session in list(self._sessions.values()))

    def refusals(self) -> dict[str, int]:
        """What was refused since the start, by cause."""
        counts = {Reason(reason).name.lower(): count for reason, count in self.refused.items()}
        counts["malformed_frame"] = self.malformed
        counts["unheard_frame"] = self.unheard
        if self._porter is not None:
            counts["unknown_key"] = self._porter.refused
        return counts

    # in

    def collect(self) -> list[bytes]:
        """Read what clients sent and make at most one intake of it."""
        if self._porter is not None:
            self._porter.answer_all()
        part = self._part
        self._highest_taken = {}
        self._next_order_id = part.next_order_id
        self._time_ns = max(part.time_ns, self._time.now_ns())
        self._stamped_ns = self._time_ns
        now_ns = self._clock()
        drained = False
        while len(self._commands) < self._config.max_batch:
            if not int(self._router.get(zmq.EVENTS)) & _POLLIN:
                drained = True
                break
            if self._keys is None:
                address, parts = self._read()
                self._hear(address, parts, self._session(address, ANONYMOUS, _ANYBODY, now_ns))
            else:
                self._hear_known(self._router.recv_multipart(copy=False), now_ns)
        if drained:
            self._cancel_for_silent(now_ns)
        watches = self._heartbeats.take_changes()
        if not self._commands and not watches:
            return []
        number = part.batches + 1
        parcels = self._parcels
        sizes = [len(request_ids) for _, request_ids, _ in parcels]
        batch = encode_frame(Batch(number, self._commands, sizes))
        intake = Intake(number, self._time_ns, self._next_order_id, parcels, batch, watches)
        self._commands = []
        self._parcels = []
        return [encode_frame(intake)]

    def _read(self) -> tuple[bytes, list[bytes]]:
        """The next message: who sent it, and its parts; cheaper than `recv_multipart`."""
        frame = self._router.recv(copy=False)
        address = frame.bytes
        parts: list[bytes] = []
        while frame.more:
            frame = self._router.recv(copy=False)
            parts.append(frame.bytes)
        return address, parts

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
        self._hear(address, parts, self._session(address, found.client, found.key, now_ns))

    def _refuse_connection(self, public: str, address: str, why: str) -> None:
        self._audit.note("connection", key=public, address=address, why=why)

    def _hear(self, address: bytes, parts: list[bytes], session: Session) -> None:
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
            self._submit(session, message, now_ns, bad)
        elif isinstance(message, DepthRequest):
            self._send(address, Depth(self._part.snapshot_of(message.instrument_id)))
        elif isinstance(message, EventsRequest):
            self._tell_events(session, message, now_ns)
        elif isinstance(message, Ping):
            self._send(address, Pong(True))

    def _tell_events(self, session: Session, message: EventsRequest, now_ns: int) -> None:
        """What happened to an account since; who asks too often is not answered."""
        account_id, after = message.account_id, message.after
        if not session.key.sees(account_id):
            text = f"account {account_id} is not one of this key's"
            self._send(session.address, Refused(text))
        elif self._rate_of(session).take(now_ns):
            log = self._part.events
            first, events = log.since(account_id, after)
            last = log.last.get(account_id, 0)
            self._send(session.address, AccountEvents(account_id, after, first, last, events))

    def _session(self, address: bytes, client: str, key: ClientKey, now_ns: int) -> Session:
        """The session of a connection, which was just heard of."""
        session = self._sessions.get(address)
        if session is None or session.client != client:
            session = self._sessions[address] = Session(address, client, key, now_ns)
        if session.key is not key:
            session.use(key)
            self._deliveries.sessions_changed()
        if not session.closed:
            session.heard_ns = now_ns
        return session

    def _greet(self, session: Session, hello: Hello) -> None:
        if hello.version != VERSION:
            text = f"protocol version {hello.version}; this gateway speaks {VERSION}"
            self._send(session.address, Refused(text))
            return
        if problem := self._problem_of(session.client, hello.run):
            self._send(session.address, Refused(problem))
            return
        run = requester(session.client, hello.run)
        interval_ns = min(max(0, hello.cancel_after_ms) * 1_000_000, MAX_INTERVAL_NS)
        session.cancel_after_ns, session.watched = interval_ns, run
        self._heartbeats.greeted(run, interval_ns, session.heard_ns)
        session.welcomed, session.wanted, session.run = True, hello.accounts, hello.run
        self._deliveries.sessions_changed()
        key = session.key
        highest = self._part.memory(run).highest
        welcome = Welcome(session.client, key.accounts, key.rights, highest)
        self._send(session.address, welcome)

    def _problem_of(self, client: str, run: int) -> str:
        """Why a run cannot be taken; empty if it can."""
        last = last_run(max(self._time_ns, self._wall_clock()))
        if not 0 <= run <= last:
            return f"run {run}: allowed are 0 to {last} (they grow with the time)"
        runs = self._part.runs(client)
        if runs.is_over(run):
            return f"run {run} is over and forgotten; begin one above {runs.floor}"
        return ""

    def _submit(
        self, session: Session, message: Submit, now_ns: int, bad: list[BadRequest]
    ) -> None:
        if message.run != session.run:
            problem = self._problem_of(session.client, message.run)
            if problem:
                self._send(session.address, Refused(problem))
                return
        name = requester(session.client, message.run)
        memory = self._part.memory(name)
        highest = max(memory.highest, self._highest_taken.get(name, 0))
        request_ids: list[int] = []
        order_ids: list[int] = []
        replies: list[RawReplies] = []
        self._deliveries.asks(name, session)
        known = Known(memory)
        rate = self._rate_of(session)
        for number, fault in bad:
            rate.refuse(now_ns)
            replies.append(self._refusal(number, None, Reason.INVALID_FIELD, fault))
        request_id: int
        command: Any
        for request_id, command in message.requests:
            if request_id <= highest:
                if request_id in memory.parcels:
                    known.ask(request_id)
                    continue
                if request_id in request_ids or self._is_taken(name, request_id):
                    # The same number twice before the first one is even on its way.
                    continue
            reason = verdict(session, rate, memory.floor, request_id, command, now_ns)
            if reason is not None:
                self._audit_refusal(session, message.run, request_id, command, reason)
                rate.refuse(now_ns)
                replies.append(self._refusal(request_id, command, reason))
                continue
            kind = type(command)
            if kind is not _SUBMIT and kind is not _CANCEL and (fault := fault_of(command)):
                rate.refuse(now_ns)
                replies.append(self._refusal(request_id, command, Reason.INVALID_FIELD, fault))
                continue
            highest = max(highest, request_id)
            request_ids.append(request_id)
            order_ids.append(self._stamp(command))
            if session.cancel_after_ns and type(command) is _SUBMIT:
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

    def _rate_of(self, session: Session) -> Rate:
        rate = self._rates.get(session.client)
        if rate is None:
            rate = self._rates[session.client] = Rate(self._limit_of(session.key))
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

    def _audit_refusal(
        self, session: Session, run: int, request_id: int, command: Command, reason: Reason
    ) -> None:
        self._audit.note(
            "command",
            client=session.client,
            key=session.key.public,
            run=run,
            request=request_id,
            command=type(command).__name__,
            account=getattr(command, "account_id", None),
            why=reason.name.lower(),
        )

    def _stamp(self, command: Any) -> int:
        """Give a command its time and order id and put it into the batch; returns the order id."""
        order_id = 0
        # The struct was decoded for this batch alone; nobody else holds it.
        force_setattr(command, "time_ns", self._stamped_ns)
        if type(command) is _SUBMIT:
            order_id = self._next_order_id
            self._next_order_id = order_id + 1
            force_setattr(command, "order_id", order_id)
        elif type(command) is not _CANCEL and type(command) in _QUERIES:
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
        for address, session in list(self._sessions.items()):
            gone = session.watched in silent and session.cancel_after_ns
            useless = session.closed or not session.welcomed
            quiet_ns = now_ns - session.heard_ns
            if gone or quiet_ns > (FORGET_USELESS_NS if useless else FORGET_SESSION_NS):
                del self._sessions[address]
                self._deliveries.sessions_changed()

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
            if error.errno == zmq.EHOSTUNREACH and address in self._sessions:
                del self._sessions[address]
                self._deliveries.sessions_changed()

    def _publish_frame(self, topic: bytes, frame: bytes) -> None:
        self._publisher.send(topic, frame)

    def idle(self) -> None:
        """Publish how far the depth is, and look at the key file, each after its time."""
        now_ns = self._clock()
        if now_ns - self._told_ns >= TELL_SEQUENCES_NS:
            self._told_ns = now_ns
            self._publisher.open_again()
            self._deliveries.sequences()
            if self._clock_notes is not None:
                self._clock_notes.keep(self._time.now_ns())
                if self._clock_notes.word_given():
                    self._time.take_wall_clock()
        if self._keys is not None and now_ns - self._looked_ns >= LOOK_AT_KEYS_NS:
            self._looked_ns = now_ns
            self._look_at_keys()

    def _look_at_keys(self) -> None:
        """Who was revoked is out."""
        try:
            keys = read_keys(self._config.keys)
        except ConfigError:
            # A file in the middle of being written: the keys read before stay in force.
            return
        self._keys = keys
        before, self._admitted = self._admitted, keys.admitted(self._wall_clock())
        if before.keys() - self._admitted.keys():
            self._publisher.close_lines()
        for client, rate in self._rates.items():
            rate.limit(self._limit_of(keys.clients.get(client, _ANYBODY)))
        if self._porter is not None:
            self._porter.admitted = self._admitted
        for address, session in list(self._sessions.items()):
            if session.key.public not in self._admitted:
                self._audit.note("session", client=session.client, key=session.key.public)
                del self._sessions[address]
        self._deliveries.sessions_changed()


def verdict(
    session: Session, rate: Rate, floor: int, request_id: int, command: Command, now_ns: int
) -> Reason | None:
    """Why a command is not taken at the door; None if it is, and then it counts for the rate."""
    if not session.unrestricted and not session.key.may(command):
        return Reason.NOT_AUTHORISED
    if request_id <= floor:
        return Reason.REQUEST_TOO_OLD
    if request_id >= 1 << 63:
        return Reason.NUMBER_TOO_LARGE
    return None if rate.take(now_ns) else Reason.TOO_MANY_REQUESTS


def require_safe(config: GatewayConfig) -> None:
    """Refuse open doors without keys.

    Raises:
        ConfigError: no key file, and an address others can reach.
    """
    for address in (config.commands, config.market_data):
        parts = urlsplit(address)
        if not config.keys and parts.scheme == "tcp" and parts.hostname not in LOOPBACK:
            raise ConfigError(
                f"gateway: {address} can be reached from other machines; give gateway.keys"
            )
