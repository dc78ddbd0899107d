"""Messages between clients and the gateway: MessagePack arrays, one message per frame.

A request is a number chosen by the client and a command. A client has as many runs of numbers as it
likes, each named by a number too: usually one per program start, and it grows with the time
(`gateway.door.runs.run_at`). Within a run numbers grow; each is carried out at most once, and
sending one again gives the first answer again (a query is answered anew). In commands from clients
``time_ns`` is ignored, and so is the ``order_id`` of a new order: the gateway stamps both.
"""

from typing import Final, get_args

import msgspec

from engine.events import CommandRejected, Event
from engine.messages import EVENT_TYPES, WireCommand, WireEvent
from engine.native_message import from_wire, to_wire
from matching.market_data import DepthSnapshot

VERSION: Final[int] = 2
OLDEST_VERSION: Final[int] = 2
SPOKEN: Final[str] = f"{OLDEST_VERSION} and later"
"""A later version only adds: fields at the end of messages, which who does not know them leaves out
or passes over, and messages that need not be understood. What breaks that raises the oldest."""


TRADE: Final[str] = "trade"
READ: Final[str] = "read"
WITHDRAW: Final[str] = "withdraw"
ADMIN: Final[str] = "admin"
RIGHTS: Final[tuple[str, ...]] = (TRADE, READ, WITHDRAW, ADMIN)


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Begins a session and asks how far the numbers of ``run`` are used up.

    With ``cancel_after_ms`` the orders of the accounts it traded for are cancelled when nothing
    was heard of the session for so long. ``accounts`` are those whose events it wants, besides the
    answers to its requests; None for all its key has.
    """

    version: int = VERSION
    run: int = 0
    cancel_after_ms: int = 0
    accounts: list[int] | None = None


class Ping(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The client is alive; answered by `Pong`."""


class Submit(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Commands with their request numbers in ``run``, carried out in this order."""

    run: int
    requests: list[tuple[int, WireCommand]]


class DepthRequest(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Asks for the depth of an instrument, to begin with or after a gap in the updates."""

    instrument_id: int


class EventsRequest(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Asks for the events of an account behind number ``after``; answered by `AccountEvents`."""

    account_id: int
    after: int


ClientMessage = Hello | Ping | Submit | DepthRequest | EventsRequest


class Welcome(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answer to `Hello`: who the key makes the client. No ``accounts`` means all of them.

    ``last_request`` is the highest request number taken in the run, ``version`` what the gateway
    speaks.
    """

    client: str
    accounts: list[int]
    rights: list[str]
    last_request: int
    version: int = VERSION


class Pong(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answer to `Ping`, and to everything sent before `Hello`: then ``welcomed`` is false and
    nothing was done. A connection that was made anew has to greet again."""

    welcomed: bool


class Reply(msgspec.Struct, frozen=True):
    """Answer to one request: what risk said to it at once (perhaps nothing: a cancel ends with an
    `OrderClosed` among the events). ``order_id`` is that of a new order, else 0."""

    request_id: int
    order_id: int
    events: list[Event]

    @property
    def rejection(self) -> CommandRejected | None:
        """The refusal among the events; None when the command was carried out. Its ``words`` say
        why."""
        for event in self.events:
            if isinstance(event, CommandRejected):
                return event
        return None


class Replies(msgspec.Struct, frozen=True, array_like=True):
    """Answers to several requests, as three lists of one length: see `Reply`."""

    request_ids: list[int]
    order_ids: list[int]
    answers: list[list[WireEvent]]


class Delivery(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answers to requests of this session, then events of its accounts in lists to be read one
    after the other; those of one account are in the order they happened.

    ``number`` counts the deliveries of the session; a gap means that the client read too slowly
    and some were dropped: ask again what is open, and for the events.

    ``numbers`` are an account and the numbers of the first and last of its events in the delivery,
    those in answers included: each account's events are numbered from 1 without a gap. Refusals
    and answers to queries have no number.
    """

    number: int
    replies: list[Replies]
    events: list[list[WireEvent]]
    numbers: list[tuple[int, int, int]] = []


class Refused(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The message was not understood or not allowed; nothing was done."""

    text: str


class Depth(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answer to `DepthRequest`; the next update has the sequence number after the snapshot's."""

    snapshot: DepthSnapshot


class DepthSequence(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """On `SEQUENCE_TOPIC`, several times a second: the number of the last update of an
    instrument's depth. Who is behind it has missed updates, or subscribed too late for them, and
    asks for the depth again."""

    instrument_id: int
    sequence: int


class AccountEvents(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Answer to `EventsRequest`, whose ``after`` it repeats: numbered events in their order, some
    hundred at most. ``first`` is the number of the first of them, ``last`` that of the account's
    last. A ``first`` above the one asked for means that those before are no longer kept: query the
    account and its orders."""

    account_id: int
    after: int
    first: int
    last: int
    events: list[WireEvent]


ServerMessage = Welcome | Pong | Delivery | Refused | Depth | AccountEvents

TRADE_TOPIC: Final[bytes] = b"trade."
DEPTH_TOPIC: Final[bytes] = b"depth."
MARK_TOPIC: Final[bytes] = b"mark."
FUNDING_TOPIC: Final[bytes] = b"funding."
SEQUENCE_TOPIC: Final[bytes] = b"sequence."
SYSTEM_TOPIC: Final[bytes] = b"system"
"""Topics of the market data; all but the last are followed by the instrument id and a full stop, so
that no instrument is a prefix of another. The second part of each message is a list of events, on
`SEQUENCE_TOPIC` a `DepthSequence`."""

BadRequest = tuple[int, str]
"""The number of a request whose command cannot be read, and why."""


class _RawSubmit(msgspec.Struct, frozen=True, array_like=True, tag="Submit"):
    """`Submit` with its commands in bytes."""

    run: int
    requests: list[tuple[int, msgspec.Raw]]


_raw_submit = msgspec.msgpack.Decoder(_RawSubmit)
_command = msgspec.msgpack.Decoder(WireCommand)
_encoder = msgspec.msgpack.Encoder(enc_hook=to_wire)
_client = msgspec.msgpack.Decoder(ClientMessage)
_server = msgspec.msgpack.Decoder(ServerMessage)
_events = msgspec.msgpack.Decoder(list[WireEvent])
_event = msgspec.msgpack.Decoder(WireEvent)
_tag = msgspec.msgpack.Decoder(str)
_number = msgspec.msgpack.Decoder(int)
_numbers = msgspec.msgpack.Decoder(list[tuple[int, int, int]])
_parts = msgspec.msgpack.Decoder(list[msgspec.Raw])
_raw_lists = msgspec.msgpack.Decoder(list[list[msgspec.Raw]])
_raw_replies = msgspec.msgpack.Decoder(list[tuple[list[int], list[int], list[list[msgspec.Raw]]]])
_SERVER_TAGS: Final = frozenset(kind.__name__ for kind in get_args(ServerMessage))
_EVENT_TAGS: Final = frozenset(kind.__name__ for kind in EVENT_TYPES)
_sequence = msgspec.msgpack.Decoder(DepthSequence)
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError)


def encode(message: ClientMessage | ServerMessage | DepthSequence) -> bytes:
    """The wire form of a message."""
    return _encoder.encode(message)


def decode_from_client(data: bytes, bad: list[BadRequest] | None = None) -> ClientMessage:
    """A client's message. With ``bad``, requests with a command that is none are put there and the
    others of their frame are in the message.

    Raises:
        ValueError: the bytes are none.
    """
    try:
        message: ClientMessage = _client.decode(data)
    except _MALFORMED as error:
        if bad is not None and (submit := _partly(data, bad)) is not None:
            return submit
        raise ValueError(f"not a message: {error}") from None
    return message


def _partly(data: bytes, bad: list[BadRequest]) -> Submit | None:
    """The requests of a frame that can be read; None if it is no frame of requests."""
    try:
        raw = _raw_submit.decode(data)
    except _MALFORMED:
        return None
    requests: list[tuple[int, WireCommand]] = []
    for request_id, body in raw.requests:
        try:
            requests.append((request_id, _command.decode(body)))
        except _MALFORMED as error:
            bad.append((request_id, f"not a command: {error}"[:200]))
    return Submit(raw.run, requests)


class Unknown(msgspec.Struct, frozen=True):
    """A message of a later version; who does not know it passes over it."""

    tag: str


def decode_from_server(data: bytes) -> ServerMessage | Unknown:
    """The gateway's message. Events that a later version tells of are left out.

    Raises:
        ValueError: the bytes are none.
    """
    try:
        message: ServerMessage = _server.decode(data)
    except _MALFORMED as error:
        try:
            return _of_a_later_version(data)
        except _MALFORMED:
            raise ValueError(f"not a message: {error}") from None
    return message


def _of_a_later_version(data: bytes) -> ServerMessage | Unknown:
    """A message in which something is not known here."""
    parts = _parts.decode(data)
    if not parts:
        raise msgspec.DecodeError("a message without a name")
    tag: str = _tag.decode(parts[0])
    if tag == "Delivery":
        numbers = _numbers.decode(parts[4]) if len(parts) > 4 else []
        return Delivery(
            _number.decode(parts[1]),
            [
                Replies(ids, orders, [_known(events) for events in answers])
                for ids, orders, answers in _raw_replies.decode(parts[2])
            ],
            [_known(events) for events in _raw_lists.decode(parts[3])],
            numbers,
        )
    if tag == "AccountEvents":
        account_id, after, first, last = map(_number.decode, parts[1:5])
        return AccountEvents(account_id, after, first, last, _known(_parts.decode(parts[5])))
    if tag in _SERVER_TAGS:
        raise msgspec.DecodeError(f"not a {tag}")
    return Unknown(tag)


def _known(events: list[msgspec.Raw]) -> list[WireEvent]:
    """The events that this version knows."""
    found: list[WireEvent] = []
    for event in events:
        try:
            found.append(_event.decode(event))
        except _MALFORMED:
            tag = _tag.decode(_parts.decode(event)[0])
            if tag in _EVENT_TAGS:
                raise
    return found


def decode_events(data: bytes) -> list[Event]:
    """The second part of a market data message; events of a later version are left out."""
    try:
        return from_wire(_events.decode(data))
    except _MALFORMED:
        return from_wire(_known(_parts.decode(data)))


def decode_sequence(data: bytes) -> DepthSequence:
    """The second part of a message on `SEQUENCE_TOPIC`."""
    return _sequence.decode(data)
