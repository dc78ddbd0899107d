"""Deliveries at the front door: answers, private events and market data.

Events stay the bytes risk's process made of them; only who gets them is decided here.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import msgspec

from engine.events import Event
from engine.native_message import from_wire, to_wire
from engine.services.rounds import encode_frame
from gateway.door.addressing import NOBODY, SEVERAL, Addressing, account_of
from gateway.door.frames import RawDelivery, RawReplies, decode_answers
from gateway.door.intake import Done, GatewayPart
from gateway.door.sessions import Session
from gateway.protocol import SEQUENCE_TOPIC, DepthSequence

MAX_ASKERS: Final[int] = 2_000
"""Runs whose session is noted before those without requests under way are forgotten."""

Numbers = tuple[int, int, int]
"""An account and the numbers of the first and last of its events in a delivery."""

Send = Callable[[bytes, bytes], None]
Publish = Callable[[bytes, bytes], None]

_encode: Final = msgspec.msgpack.Encoder(enc_hook=to_wire).encode
_NOBODY: Final[bytes] = b""
_NO_SESSIONS: Final[dict[bytes, Session]] = {}


class Deliveries:
    """Who gets what of each finished batch of ``part``. ``send`` takes a session's address and a
    frame, ``publish`` a topic and a frame."""

    def __init__(
        self, part: GatewayPart, sessions: dict[bytes, Session], send: Send, publish: Publish
    ) -> None:
        self._part = part
        self._sessions = sessions
        self._send = send
        self._publish = publish
        self._asked_by: dict[str, bytes] = {}
        self._listening: dict[bytes, list[int] | None] = {}
        self._by_account: dict[int, dict[bytes, Session]] = {}
        self._of_all: dict[bytes, Session] = {}

    def asks(self, requester: str, session: Session) -> None:
        """Answers to a run of requests go to this session from now on."""
        self._asked_by[requester] = session.address

    def listens(self, session: Session) -> None:
        """A session greeted, or has another key: from now on it hears what it may hear."""
        self.left(session)
        if not session.welcomed:
            return
        accounts = session.listens_to()
        self._listening[session.address] = accounts
        if accounts is None:
            self._of_all[session.address] = session
        else:
            for account_id in accounts:
                self._by_account.setdefault(account_id, {})[session.address] = session

    def left(self, session: Session) -> None:
        """A session is gone."""
        address = session.address
        self._of_all.pop(address, None)
        for account_id in self._listening.pop(address, None) or ():
            listeners = self._by_account.get(account_id, {})
            listeners.pop(address, None)
            if not listeners:
                self._by_account.pop(account_id, None)

    def batch(self, done: Done) -> None:
        """Answer who asked, and give the events to who listens."""
        outcome = done.outcome
        for topic, published in outcome.public:
            self._publish(topic.encode(), bytes(published))
        replies: dict[bytes, list[RawReplies]] = {}
        events: dict[bytes, list[msgspec.Raw]] = {}
        answers, concerns = outcome.direct, outcome.concerns
        for place, parcel in enumerate(done.parcels):
            address = self._asked_by.get(parcel.requester, _NOBODY)
            replies.setdefault(address, []).append(
                RawReplies(parcel.request_ids, parcel.shown_order_ids(), answers[place])
            )
            if self._others_hear(address, concerns[place]):
                self._tell_others(address, answers[place], events)
        for account_id, happened in outcome.private:
            for listener in self._by_account.get(account_id, _NO_SESSIONS).values():
                events.setdefault(listener.address, []).append(happened)
            for listener in self._of_all.values():
                events.setdefault(listener.address, []).append(happened)
        numbers: dict[bytes, list[Numbers]] = {}
        for account_id, span in done.spans.items():
            for listener in self._by_account.get(account_id, _NO_SESSIONS).values():
                numbers.setdefault(listener.address, []).append((account_id, *span))
            for listener in self._of_all.values():
                numbers.setdefault(listener.address, []).append((account_id, *span))
        for address in {**replies, **events}:
            session = self._sessions.get(address)
            if session is not None:
                self.hand_over(
                    session,
                    replies.get(address, []),
                    events.get(address, []),
                    numbers.get(address, []),
                )
        if len(self._asked_by) > MAX_ASKERS:
            self._forget_askers()

    def hand_over(
        self,
        session: Session,
        replies: list[RawReplies],
        events: list[msgspec.Raw],
        numbers: list[Numbers],
    ) -> None:
        """Send a session its next delivery."""
        session.deliveries += 1
        delivery = RawDelivery(session.deliveries, replies, events, numbers)
        self._send(session.address, _encode(delivery))

    def public(self, events: list[Event]) -> None:
        """Publish events of matching."""
        addressing = Addressing()
        for event in events:
            addressing.publish(event)
        for topic, happened in addressing.public():
            self._publish(topic.encode(), encode_frame(happened))

    def sequences(self) -> None:
        """Publish how far the depth of each instrument is: what was published before somebody's
        subscription came, or was dropped, shows although nothing follows it."""
        for instrument_id, book in self._part.depth.items():
            self._publish(
                b"%s%d." % (SEQUENCE_TOPIC, instrument_id),
                _encode(DepthSequence(instrument_id, book.sequence)),
            )

    def _forget_askers(self) -> None:
        """Keep only whose requests are under way."""
        under_way = self._part.in_flight.values()
        waiting = {parcel.requester for parcels in under_way for parcel in parcels}
        self._asked_by = {name: who for name, who in self._asked_by.items() if name in waiting}

    def _others_hear(self, asker: bytes, concerns: list[int]) -> bool:
        """Whether a session that did not ask listens to an account in the answers of a parcel."""
        for account_id in concerns:
            if account_id != NOBODY and (account_id == SEVERAL or self._others(account_id, asker)):
                return True
        return False

    def _tell_others(
        self, asker: bytes, answers: msgspec.Raw, events: dict[bytes, list[msgspec.Raw]]
    ) -> None:
        """Private events of answers for sessions that listen to the account but did not ask."""
        heard: dict[bytes, list[Any]] = {}
        decoded: list[list[Any]] = decode_answers(answers)
        for event in from_wire(chain.from_iterable(decoded)):
            account_id = account_of(event)
            if account_id != NOBODY:
                for session in self._others(account_id, asker):
                    heard.setdefault(session.address, []).append(event)
        for address, happened in heard.items():
            events.setdefault(address, []).append(msgspec.Raw(_encode(happened)))

    def _others(self, account_id: int, asker: bytes) -> list[Session]:
        """Who listens to an account, without one session."""
        found: list[Session] = []
        for session in self._by_account.get(account_id, _NO_SESSIONS).values():
            if session.address != asker:
                found.append(session)
        for session in self._of_all.values():
            if session.address != asker:
                found.append(session)
        return found
