"""Routing of a batch's events: to accounts, to topics of the market data, or only to the asker.

Done once, where events are made or first read; from there on they travel as bytes.
"""

from collections.abc import Sequence
from typing import Any, Final

from engine.events import (
    AccountReport,
    BackstopChanged,
    BookLevel,
    CollateralPriceChanged,
    CommandRejected,
    FundChanged,
    FundingSettled,
    IndexStale,
    MarginRateChanged,
    MarketReport,
    MarkUpdated,
    OrderAccepted,
    OrderClosed,
    OrdersReport,
    RiskReport,
    SystemChanged,
    Trade,
    TriggerAccepted,
)
from engine.messages import EVENT_TYPES
from engine.native_message import ready_for_wire
from engine.services.answering import AnswerSink
from gateway.door.frames import AddressedOutcome, EndedRow, OpenedRow
from gateway.protocol import DEPTH_TOPIC, FUNDING_TOPIC, MARK_TOPIC, SYSTEM_TOPIC, TRADE_TOPIC
from risk.accounts import owner_of

NOBODY: Final[int] = -1
"""In the place of an account: only the asker hears the answer."""

SEVERAL: Final[int] = -2
"""In the place of an account: the answer's events concern several, look at each."""

_TOPICS: Final[dict[type, str]] = {
    Trade: TRADE_TOPIC.decode(),
    BookLevel: DEPTH_TOPIC.decode(),
    MarkUpdated: MARK_TOPIC.decode(),
    IndexStale: MARK_TOPIC.decode(),
    MarginRateChanged: MARK_TOPIC.decode(),
    FundingSettled: FUNDING_TOPIC.decode(),
}
_SYSTEM: Final[tuple[type, ...]] = (
    SystemChanged,
    FundChanged,
    BackstopChanged,
    CollateralPriceChanged,
)
_FOR_THE_ASKER: Final[tuple[type, ...]] = (AccountReport, MarketReport, OrdersReport, RiskReport)
"""Answers to queries: only the asker hears them."""

_BY_INSTRUMENT: Final[int] = 0
_OF_SYSTEM: Final[int] = 1
_OF_ASKER: Final[int] = 2
_OF_TRADER: Final[int] = 3
_OF_MARGIN_ACCOUNT: Final[int] = 4


def _kind_of(event_type: type) -> int:
    if event_type in _TOPICS:
        return _BY_INSTRUMENT
    if event_type in _SYSTEM:
        return _OF_SYSTEM
    if event_type in _FOR_THE_ASKER:
        return _OF_ASKER
    if hasattr(event_type, "account_id"):
        return _OF_TRADER
    # What names no account is everybody's.
    return _OF_MARGIN_ACCOUNT if hasattr(event_type, "margin_account_id") else _OF_SYSTEM


_KINDS: Final[dict[type, int]] = {found: _kind_of(found) for found in EVENT_TYPES}


class Addressing(AnswerSink):
    """Collects the events of one batch until its `outcome` is taken.

    ``concerns`` has an entry per answer: the account whose events are in it, `NOBODY` or
    `SEVERAL`. ``private`` has what is not in an answer by account; everything public is kept by
    topic. Each is in the order it happened.
    """

    __slots__ = (
        "_by_instrument",
        "_counts",
        "_ended",
        "_opened",
        "_system",
        "concerns",
        "private",
    )

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.concerns: list[int] = []
        self.private: dict[int, list[Any]] = {}
        self._counts: dict[int, int] = {}
        self._opened: list[OpenedRow] = []
        self._ended: list[EndedRow] = []
        self._system: list[Any] = []
        self._by_instrument: dict[type, dict[int, list[Any]]] = {}

    def answer(self, events: list[Any]) -> None:
        """What was said to the next command at once; the asker gets it as a whole."""
        found = NOBODY
        for event in events:
            kind = _KINDS[type(event)]
            if kind <= _OF_SYSTEM:
                self._make_public(event, kind)
            elif kind != _OF_ASKER:
                account_id: int = event.account_id if kind == _OF_TRADER else _owner(event)
                if account_id != found:
                    found = account_id if found == NOBODY else SEVERAL
                self._number(account_id, event)
        self.concerns.append(found)

    def publish(self, event: Any) -> None:
        """Take an event that is in no answer."""
        kind = _KINDS[type(event)]
        if kind <= _OF_SYSTEM:
            self._make_public(event, kind)
        elif kind != _OF_ASKER:
            account_id: int = event.account_id if kind == _OF_TRADER else _owner(event)
            events = self.private.get(account_id)
            if events is None:
                self.private[account_id] = [event]
            else:
                events.append(event)
            self._number(account_id, event)

    def _number(self, account_id: int, event: Any) -> None:
        kind = type(event)
        if kind is OrderAccepted:
            row = (event.order_id, event.side, event.qty_lots, event.price_ticks)
            self._opened.append(row)
        elif kind is TriggerAccepted:
            ticks = event.price_ticks or event.trigger_ticks
            self._opened.append((event.order_id, event.side, event.qty_lots, ticks))
        elif kind is OrderClosed:
            self._ended.append(
                (
                    *(account_id, event.order_id, event.instrument_id),
                    *(event.remaining_lots, event.reason),
                )
            )
        if is_numbered(event):
            self._counts[account_id] = self._counts.get(account_id, 0) + 1

    def outcome(
        self, number: int, direct: list[list[Any]], parcels: Sequence[int]
    ) -> AddressedOutcome:
        """All of it, ready for the wire, as the outcome of a batch with these answers, of so many
        to each parcel; begins anew."""
        answers: list[list[list[Any]]] = []
        concerns: list[list[int]] = []
        place = 0
        for size in parcels:
            answers.append([ready_for_wire(events) for events in direct[place : place + size]])
            concerns.append(list(dict.fromkeys(self.concerns[place : place + size])))
            place += size
        assert place == len(direct), "every command is in a parcel"
        private = [(who, ready_for_wire(events)) for who, events in self.private.items()]
        public = [(topic, ready_for_wire(events)) for topic, events in self.public()]
        counts = list(self._counts.items())
        outcome = AddressedOutcome(
            *(number, answers, concerns, private, public, counts),
            *(self._opened, self._ended),
        )
        self._begin()
        return outcome

    def public(self) -> list[tuple[str, list[Any]]]:
        """The public events with their topics."""
        found = [
            (f"{_TOPICS[kind]}{instrument_id}.", events)
            for kind, lists in self._by_instrument.items()
            for instrument_id, events in lists.items()
        ]
        if self._system:
            found.append((SYSTEM_TOPIC.decode(), self._system))
        return found

    def _make_public(self, event: Any, kind: int) -> None:
        if kind == _OF_SYSTEM:
            self._system.append(event)
            return
        lists = self._by_instrument.get(type(event))
        if lists is None:
            lists = self._by_instrument[type(event)] = {}
        instrument_id: int = event.instrument_id
        events = lists.get(instrument_id)
        if events is None:
            lists[instrument_id] = [event]
        else:
            events.append(event)


def is_numbered(event: Any) -> bool:
    """Whether an event of an account has a number (`gateway.door.event_log`): a refusal has none,
    for nothing happened."""
    return type(event) is not CommandRejected


def _owner(event: Any) -> int:
    return owner_of(event.margin_account_id)


def account_of(event: Any) -> int:
    """The account of a private event; `NOBODY` for any other."""
    kind = _KINDS[type(event)]
    if kind == _OF_TRADER:
        account_id: int = event.account_id
        return account_id
    return _owner(event) if kind == _OF_MARGIN_ACCOUNT else NOBODY


def address_outcome(
    number: int, direct: list[list[Any]], later: list[Any], parcels: Sequence[int]
) -> AddressedOutcome:
    """The outcome of a batch with its events by receiver."""
    addressing = Addressing()
    for events in direct:
        addressing.answer(events)
    for event in later:
        addressing.publish(event)
    return addressing.outcome(number, direct, parcels)
