"""Frames and records of the gateway: what it journals, and what it is told of a batch.

In the ``Raw`` forms events stay in bytes: the gateway passes them on without reading them.
"""

import msgspec

from engine.events import BookLevel, Event
from engine.rounds import Outcome
from gateway.cancel_on_disconnect import Watch

Owner = tuple[str, int, int]
"""Requester (client and run), request number and order id (0: no new order)."""


class Intake(msgspec.Struct, frozen=True, array_like=True):
    """One batch with who asked for what; ``batch`` is the frame for risk.

    ``watches`` are the changes of who is watched for cancel on disconnect.
    """

    number: int
    time_ns: int
    next_order_id: int
    owners: list[Owner]
    batch: bytes
    watches: list[Watch] = []


class SortedOutcome(msgspec.Struct, frozen=True, array_like=True):
    """A batch is done. ``direct`` has one list per command: what risk said to it at once;
    ``concerns`` the account in each (`gateway.sorting`). ``private`` and ``public`` are the
    events by account and by topic, public ones from an answer too."""

    number: int
    direct: list[list[Event]]
    concerns: list[int]
    private: list[tuple[int, list[Event]]]
    public: list[tuple[str, list[Event]]]


class RawOutcome(msgspec.Struct, frozen=True, array_like=True):
    """`SortedOutcome` with its events left in bytes: lists of them as one, private ones singly."""

    number: int
    direct: list[msgspec.Raw]
    concerns: list[int]
    private: list[tuple[int, list[msgspec.Raw]]]
    public: list[tuple[str, msgspec.Raw]]


class Done(msgspec.Struct):
    """For the door: a batch is finished."""

    owners: list[Owner]
    outcome: RawOutcome


class RawReply(msgspec.Struct, frozen=True, array_like=True):
    """`gateway.protocol.Reply` with its events in bytes."""

    request_id: int
    order_id: int
    events: msgspec.Raw


class RawDelivery(msgspec.Struct, frozen=True, array_like=True, tag="Delivery"):
    """`gateway.protocol.Delivery` with its events in bytes."""

    number: int
    replies: list[RawReply]
    events: list[msgspec.Raw]


outcome_decoder = msgspec.msgpack.Decoder(Outcome)
raw_outcome_decoder = msgspec.msgpack.Decoder(RawOutcome)
decode_events = msgspec.msgpack.Decoder(list[Event]).decode
decode_levels = msgspec.msgpack.Decoder(list[BookLevel]).decode
