"""Frames and records of the gateway: what it journals, and what it is told of a batch.

In the ``Raw`` forms events stay in bytes: the gateway passes them on without reading them.
"""

import msgspec

from engine.messages import WireEvent

ParcelRow = tuple[str, list[int], list[int]]
"""Requester (client and run), request numbers, and the order id of each (0: no new order)."""


OpenedRow = tuple[int, int, int, int]
"""Order id, side, size and price of an order that was accepted."""

EndedRow = tuple[int, int, int, int, int]
"""Account, order id, instrument, remaining size and reason of an order that is over."""


class Heartbeat(msgspec.Struct, frozen=True, array_like=True):
    """What one run of requests asked for: cancel the orders of ``accounts`` after ``interval_ns``
    of silence.

    No accounts: there is nothing to be cancelled any more.
    """

    requester: str
    interval_ns: int
    accounts: list[int]


class Intake(msgspec.Struct, frozen=True, array_like=True):
    """One batch with who asked for what, in the order of its commands; ``batch`` is the frame for
    risk.

    ``heartbeats`` are the changes of who is watched for cancel on disconnect.
    """

    number: int
    time_ns: int
    next_order_id: int
    parcels: list[ParcelRow]
    batch: bytes
    heartbeats: list[Heartbeat] = []


class AddressedOutcome(msgspec.Struct, frozen=True, array_like=True):
    """A batch is done. ``direct`` has one list per parcel of the batch and in it one per command:
    what risk said to it at once; ``concerns`` the accounts in each parcel's answers
    (`gateway.door.addressing`). ``private`` and ``public`` are the events by account and by topic,
    public ones from an answer too. ``counts`` says how many numbered events each account has in
    answers and ``private`` (`gateway.door.event_log`). ``opened`` and ``ended`` are the orders that
    were accepted and that are over."""

    number: int
    direct: list[list[list[WireEvent]]]
    concerns: list[list[int]]
    private: list[tuple[int, list[WireEvent]]]
    public: list[tuple[str, list[WireEvent]]]
    counts: list[tuple[int, int]] = []
    opened: list[OpenedRow] = []
    ended: list[EndedRow] = []


class RawOutcome(msgspec.Struct, frozen=True, array_like=True):
    """`AddressedOutcome` with its events left in bytes: the answers of a parcel as one, the events
    of an account or topic as one."""

    number: int
    direct: list[msgspec.Raw]
    concerns: list[list[int]]
    private: list[tuple[int, msgspec.Raw]]
    public: list[tuple[str, msgspec.Raw]]
    counts: list[tuple[int, int]] = []
    opened: list[OpenedRow] = []
    ended: list[EndedRow] = []


class RawReplies(msgspec.Struct, frozen=True, array_like=True):
    """`gateway.protocol.Replies` with its events in bytes."""

    request_ids: list[int]
    order_ids: list[int]
    answers: msgspec.Raw


class RawDelivery(msgspec.Struct, frozen=True, array_like=True, tag="Delivery"):
    """`gateway.protocol.Delivery` with its events in bytes."""

    number: int
    replies: list[RawReplies]
    events: list[msgspec.Raw]
    numbers: list[tuple[int, int, int]] = []


LevelRow = tuple[str, int, int, int, int, int, int]
"""`engine.events.BookLevel` on the wire: its name and its fields in order."""

intake_decoder = msgspec.msgpack.Decoder(Intake)
raw_outcome_decoder = msgspec.msgpack.Decoder(RawOutcome)
decode_events = msgspec.msgpack.Decoder(list[WireEvent]).decode
decode_answers = msgspec.msgpack.Decoder(list[list[WireEvent]]).decode
decode_levels = msgspec.msgpack.Decoder(list[LevelRow]).decode
