"""The front door: clients' frames in, answers, private events and market data out.

ROUTER for commands and private events, PUB for market data, both with CURVE when there is a key
file. Whatever a client sends is answered or its session is closed; nothing reaches risk that was
not decoded, allowed and counted. While as many batches are under way as allowed, nothing is read,
and a client that goes on sending is slowed down by its own socket.
"""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
import zmq

from engine.commands import CancelAll, Command, SubmitOrder
from engine.events import (
    BookLevel,
    CommandRejected,
    Event,
    FundChanged,
    FundingSettled,
    MarkUpdated,
    SystemChanged,
    Trade,
)
from engine.reasons import Reason
from engine.rounds import Batch, encode_frame
from engine.service_config import ConfigError, GatewayConfig
from gateway.intake import Done, GatewayPart, Intake, Owner, requester
from gateway.keys import ANONYMOUS, ClientKey, KeyFile, Porter, read_keys
from gateway.protocol import (
    DEPTH_TOPIC,
    FUNDING_TOPIC,
    MARK_TOPIC,
    RIGHTS,
    SYSTEM_TOPIC,
    TRADE_TOPIC,
    VERSION,
    Delivery,
    Depth,
    DepthRequest,
    Hello,
    Ping,
    Pong,
    Refused,
    Reply,
    ServerMessage,
    Submit,
    Welcome,
    decode_from_client,
    encode,
)
from gateway.sessions import MAX_MALFORMED, Rate, Session
from risk.accounts import owner_of

LOOPBACK: Final[tuple[str, ...]] = ("127.0.0.1", "localhost", "[::1]", "::1")
LOOK_AT_KEYS_NS: Final[int] = 1_000_000_000
RECENT_NS: Final[int] = 10_000_000_000
FORGET_SESSION_NS: Final[int] = 3_600_000_000_000
HOUSEKEEPING: Final[str] = requester("", 0)
"""Requester of what the gateway asks for itself (cancel on disconnect)."""

_TOPICS: Final[dict[type, bytes]] = {
    Trade: TRADE_TOPIC,
    BookLevel: DEPTH_TOPIC,
    MarkUpdated: MARK_TOPIC,
    FundingSettled: FUNDING_TOPIC,
}
_SYSTEM: Final[tuple[type, ...]] = (SystemChanged, FundChanged)
_decode_events = msgspec.msgpack.Decoder(list[Event]).decode


class FrontDoor:
    """The gateway's sockets. ``clock`` is monotonic, ``wall_clock`` stamps commands; both in ns."""

    def __init__(
        self,
        part: GatewayPart,
        config: GatewayConfig,
        keys: KeyFile | None,
        clock: Callable[[], int],
        wall_clock: Callable[[], int],
    ) -> None:
        self._part = part
        self._config = config
        self._keys = keys
        self._clock = clock
        self._wall_clock = wall_clock
        self._sessions: dict[bytes, Session] = {}
        self._rates: dict[str, Rate] = {}
        self._asked_by: dict[tuple[str, int], bytes] = {}
        self._commands: list[Command] = []
        self._owners: list[Owner] = []
        self._next_order_id = 0
        self._time_ns = 0
        self._looked_ns = 0
        self.refused: dict[int, int] = {}
        self.malformed = 0

    @property
    def is_open(self) -> bool:
        """Whether another batch may be begun."""
        return len(self._part.in_flight) < self._config.batches_in_flight

    def bind(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Sequence["zmq.Socket[bytes]"]:
        """Bind both doors."""
        waited: list[zmq.Socket[bytes]] = []
        self._porter: Porter | None = None
        if self._keys is not None:
            self._porter = Porter(context, self._keys)
            waited.append(self._porter.socket)
        self._router: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.MAXMSGSIZE, self._config.max_message_bytes)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._publisher: zmq.Socket[bytes] = context.socket(zmq.PUB)
        self._publisher.setsockopt(zmq.LINGER, 0)
        for socket, address in (
            (self._router, self._config.commands),
            (self._publisher, self._config.market_data),
        ):
            if self._keys is not None:
                socket.setsockopt(zmq.CURVE_SERVER, 1)
                socket.setsockopt(zmq.CURVE_SECRETKEY, self._keys.server.secret.encode())
            socket.bind(address)
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
        if self._porter is not None:
            counts["unknown_key"] = self._porter.refused
        return counts

    # in

    def collect(self) -> list[bytes]:
        """Read what clients sent and make at most one intake of it."""
        if self._porter is not None:
            self._porter.answer_all()
        part = self._part
        self._next_order_id = part.next_order_id
        self._time_ns = max(part.time_ns, self._wall_clock())
        now_ns = self._clock()
        drained = False
        while len(self._commands) < self._config.max_batch:
            if not int(self._router.get(zmq.EVENTS)) & zmq.POLLIN:
                drained = True
                break
            self._hear(self._router.recv_multipart(copy=False), now_ns)
        if drained:
            self._cancel_for_silent(now_ns)
        if not self._commands:
            return []
        number = part.batches + 1
        batch = encode_frame(Batch(number, self._commands))
        intake = Intake(number, self._time_ns, self._next_order_id, self._owners, batch)
        self._commands = []
        self._owners = []
        return [encode_frame(intake)]

    def _hear(self, parts: "list[zmq.Frame]", now_ns: int) -> None:
        address = parts[0].bytes
        session = self._session(address, parts[-1], now_ns)
        if session is None or session.closed:
            return
        session.heard_ns = now_ns
        try:
            if len(parts) != 2:
                raise ValueError(f"a message has one part, this one has {len(parts) - 1}")
            message = decode_from_client(parts[1].bytes)
        except ValueError as error:
            self.malformed += 1
            session.malformed += 1
            session.closed = session.malformed >= MAX_MALFORMED
            closing = "; the session is closed" if session.closed else ""
            self._send(address, Refused(f"{error}{closing}"[:500]))
            return
        if isinstance(message, Hello):
            self._greet(session, message)
        elif not session.welcomed:
            # What was sent before may be lost; taking this now would change the order.
            self._send(address, Pong(False))
        elif isinstance(message, Submit):
            self._submit(session, message, now_ns)
        elif isinstance(message, DepthRequest):
            self._send(address, Depth(self._part.snapshot_of(message.instrument_id)))
        elif isinstance(message, Ping):
            self._send(address, Pong(True))

    def _session(self, address: bytes, frame: "zmq.Frame", now_ns: int) -> Session | None:
        """The session of a connection; None when its key is no longer good."""
        if self._keys is None:
            client, key = ANONYMOUS, ClientKey("", rights=list(RIGHTS))
        else:
            try:
                client = str(frame.get("User-Id"))
            except zmq.ZMQError:
                return None
            found = self._keys.clients.get(client)
            if found is None or found.revoked:
                self._count(Reason.NOT_AUTHORISED)
                return None
            key = found
        session = self._sessions.get(address)
        if session is None or session.client != client:
            session = self._sessions[address] = Session(address, client, key, now_ns)
        session.key = key
        return session

    def _greet(self, session: Session, hello: Hello) -> None:
        if hello.version != VERSION:
            text = f"protocol version {hello.version}; this gateway speaks {VERSION}"
            self._send(session.address, Refused(text))
            return
        session.cancel_after_ns = max(0, hello.cancel_after_ms) * 1_000_000
        session.welcomed = True
        key = session.key
        highest = self._part.memory(requester(session.client, hello.run)).highest
        welcome = Welcome(session.client, key.accounts, key.rights, highest)
        self._send(session.address, welcome)

    def _submit(self, session: Session, message: Submit, now_ns: int) -> None:
        name = requester(session.client, message.run)
        memory = self._part.memory(name)
        answers = memory.answers
        replies: list[Reply] = []
        for request_id, command in message.requests:
            asker = (name, request_id)
            if request_id in answers:
                known = answers[request_id]
                if known is None:
                    self._asked_by[asker] = session.address
                else:
                    replies.append(Reply(request_id, known[0], _decode_events(known[1])))
                continue
            if asker in self._asked_by:
                # The same number twice before the first one is even on its way.
                self._asked_by[asker] = session.address
                continue
            reason = self._verdict(session, memory.floor, request_id, command, now_ns)
            if reason is not None:
                replies.append(self._refusal(request_id, command, reason))
                continue
            self._asked_by[asker] = session.address
            self._take(name, request_id, command)
            if isinstance(command, SubmitOrder):
                session.traded[command.account_id] = None
        if replies:
            self._hand_over(session, replies, [])

    def _verdict(
        self, session: Session, floor: int, request_id: int, command: Command, now_ns: int
    ) -> Reason | None:
        if not session.key.may(command):
            return Reason.NOT_AUTHORISED
        if not floor < request_id < 1 << 63:
            return Reason.REQUEST_TOO_OLD if request_id <= floor else Reason.NUMBER_TOO_LARGE
        client = session.client
        rate = self._rates.get(client)
        if rate is None:
            limit = session.key.max_commands_per_second or self._config.max_commands_per_second
            rate = self._rates[client] = Rate(limit, now_ns)
        return None if rate.take(1, now_ns) else Reason.TOO_MANY_REQUESTS

    def _refusal(self, request_id: int, command: Command, reason: Reason) -> Reply:
        self._count(reason)
        account_id: int = getattr(command, "account_id", 0)
        rejected = CommandRejected(self._time_ns, account_id, 0, int(reason))
        return Reply(request_id, 0, [rejected])

    def _take(self, name: str, request_id: int, command: Command) -> None:
        """Stamp a command and put it into the batch."""
        order_id = 0
        # The struct was decoded for this batch alone; nobody else holds it.
        msgspec.structs.force_setattr(command, "time_ns", self._time_ns)
        if type(command) is SubmitOrder:
            order_id = self._next_order_id
            self._next_order_id += 1
            msgspec.structs.force_setattr(command, "order_id", order_id)
        self._commands.append(command)
        self._owners.append((name, request_id, order_id))

    def _cancel_for_silent(self, now_ns: int) -> None:
        for address, session in list(self._sessions.items()):
            if session.silent(now_ns):
                for account_id in session.accounts_to_cancel():
                    memory = self._part.memory(HOUSEKEEPING)
                    request_id = memory.highest + 1 + len(self._owners)
                    self._take(HOUSEKEEPING, request_id, CancelAll(0, account_id))
                del self._sessions[address]
            elif now_ns - session.heard_ns > FORGET_SESSION_NS:
                del self._sessions[address]

    def _count(self, reason: Reason) -> None:
        self.refused[int(reason)] = self.refused.get(int(reason), 0) + 1

    # out

    def deliver(self, item: object) -> None:
        """Hand out a finished batch, or matching's public events."""
        if isinstance(item, Done):
            self._deliver_batch(item)
        else:
            assert isinstance(item, list)
            self._publish(item)

    def _deliver_batch(self, done: Done) -> None:
        replies: dict[bytes, list[Reply]] = {}
        private: dict[int, list[tuple[bytes, Event]]] = {}
        public: list[Event] = []
        nobody = b""
        for (name, request_id, order_id), data in zip(done.owners, done.direct, strict=True):
            address = self._asked_by.pop((name, request_id), nobody)
            events = _decode_events(data)
            if address:
                replies.setdefault(address, []).append(Reply(request_id, order_id, events))
            self._sort(events, address, private, public)
        self._sort(_decode_events(done.later), nobody, private, public)
        self._publish(public)
        for address, session in self._sessions.items():
            own = self._events_for(session, private) if session.welcomed else []
            answered = replies.get(address, [])
            if own or answered:
                self._hand_over(session, answered, own)

    @staticmethod
    def _sort(
        events: list[Event],
        answered: bytes,
        private: dict[int, list[tuple[bytes, Event]]],
        public: list[Event],
    ) -> None:
        """Put events to the accounts they concern; ``answered`` got them with its reply."""
        for event in events:
            kind = type(event)
            if kind in _TOPICS or kind in _SYSTEM:
                public.append(event)
                continue
            account_id = getattr(event, "account_id", None)
            if account_id is None:
                account_id = owner_of(event.margin_account_id)  # type: ignore[union-attr]
            private.setdefault(account_id, []).append((answered, event))

    @staticmethod
    def _events_for(session: Session, private: dict[int, list[tuple[bytes, Event]]]) -> list[Event]:
        accounts = session.key.accounts or list(private)
        address = session.address
        return [
            event
            for account_id in accounts
            for answered, event in private.get(account_id, ())
            if answered != address
        ]

    def _publish(self, events: list[Event]) -> None:
        groups: dict[bytes, list[Event]] = {}
        for event in events:
            name = _TOPICS.get(type(event), SYSTEM_TOPIC)
            if name != SYSTEM_TOPIC:
                name = b"%s%d." % (name, event.instrument_id)  # type: ignore[union-attr]
            groups.setdefault(name, []).append(event)
        for name, group in groups.items():
            self._publisher.send_multipart((name, encode_frame(group)), zmq.NOBLOCK)

    def _hand_over(self, session: Session, replies: list[Reply], events: list[Event]) -> None:
        session.deliveries += 1
        self._send(session.address, Delivery(session.deliveries, replies, events))

    def _send(self, address: bytes, message: ServerMessage) -> None:
        """Send, or drop when the client is gone or does not read: it asks again and is answered."""
        try:
            self._router.send_multipart((address, encode(message)), zmq.NOBLOCK)
        except zmq.ZMQError:
            return

    def idle(self) -> None:
        """Look at the key file once a second; who was revoked is out."""
        now_ns = self._clock()
        if self._keys is None or now_ns - self._looked_ns < LOOK_AT_KEYS_NS:
            return
        self._looked_ns = now_ns
        try:
            keys = read_keys(self._config.keys)
        except ConfigError:
            # A file in the middle of being written: the keys read before stay in force.
            return
        self._keys = keys
        self._rates.clear()
        if self._porter is not None:
            self._porter.keys = keys
        for address, session in list(self._sessions.items()):
            found = keys.clients.get(session.client)
            if found is None or found.revoked:
                del self._sessions[address]


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
