"""The history made anew from the journal: every batch there ever was, worked through once more.

What the journal has not are the texts that clients named their orders with; such an order is called
after its id.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from doors.history.records import Submission
from doors.usdm.door import Door
from doors.usdm.endpoints.conditional import TRIGGERS, WITH_PRICE
from doors.usdm.endpoints.entry import GOOD_TILL_DATE, POST_ONLY, STP_MODES, TIMES
from engine.commands import (
    LIMIT,
    AddAsset,
    AddInstrument,
    Command,
    QueryMarket,
    SetRulebook,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import Event, MarketReport
from engine.native_message import from_wire
from engine.record.journal import JournalError
from engine.record.service_journal import read_inputs
from engine.routing.topology import GATEWAY
from engine.services.rounds import Batch, Outputs, encode_frame, recorded_batches
from engine.services.service_config import ALL, ServiceConfig
from gateway.door.addressing import account_of
from gateway.door.frames import AddressedOutcome
from gateway.host.one_process import taken_in
from gateway.host.parts import RiskHolder
from gateway.protocol import Reply

_outcome: Final = msgspec.msgpack.Decoder(AddressedOutcome)
_LISTING: Final[tuple[type, ...]] = (AddAsset, AddInstrument, SetRulebook)
_KIND_OF: Final[dict[tuple[int, bool], str]] = {
    (trigger, kind in WITH_PRICE): kind for kind, trigger in TRIGGERS.items()
}
_TIF_OF: Final[dict[int, str]] = {tif: name for name, tif in reversed(TIMES.items())}
_STP_OF: Final[dict[int, str]] = {mode: name for name, mode in STP_MODES.items()}


def rebuild(door: Door, accounts: list[int]) -> dict[int, int]:
    """Fill the history of these accounts and of the market; returns the number of the last event of
    each account that is in it. Without a journal here there is nothing to fill it with.

    Raises:
        JournalError: the journal cannot be read, or is not what was written.
    """
    config = door.config
    journal = config.journal(config.recorder())
    if not journal.exists():
        return {}
    work = _Work(door, accounts)
    for batch in _batches(config, journal):
        work.batch(batch)
    door.candles.keep_current()
    print(f"history made from {journal}: {work.batches:,} batches", flush=True)
    return work.numbers


def _batches(config: ServiceConfig, journal: Path) -> Iterator[Batch]:
    read = taken_in if config.recorder() == ALL else recorded_batches
    try:
        yield from read(read_inputs(journal))
    except OSError as error:
        raise JournalError(f"{journal}: {error.strerror}") from None


class _Work:
    """An exchange of one's own that is given the batches, and what it says put into the history."""

    def __init__(self, door: Door, accounts: list[int]) -> None:
        self._door = door
        self._accounts = frozenset(accounts)
        self._risk = RiskHolder()
        self._hub = self._risk.merged_hub(publish_depth=False)
        self._requests = 0
        self.batches = 0
        self.numbers: dict[int, int] = {}

    def batch(self, batch: Batch) -> None:
        """Work through a batch and take in what happened."""
        self.batches += 1
        out: Outputs = []
        self._hub.handle(GATEWAY, encode_frame(batch), out)
        outcome = _outcome.decode(out[0][1])
        if any(isinstance(command, _LISTING) for command in batch.commands):
            self._list()
        answers = (answer for parcel in outcome.direct for answer in parcel)
        for command, events in zip(batch.commands, answers, strict=True):
            self._answer(command, self._own(from_wire(events)))
        for account_id, events in outcome.private:
            if account_id in self._accounts:
                self._door.happened(from_wire(events))
        for _, events in outcome.public:
            self._door.published(from_wire(events))
        for account_id, count in outcome.counts:
            if account_id in self._accounts:
                self.numbers[account_id] = self.numbers.get(account_id, 0) + count
        self._door.blotter.take_changes()
        if self._door.file.is_full:
            self._door.file.flush()

    def _list(self) -> None:
        [report] = self._risk.answer(QueryMarket(0))
        if isinstance(report, MarketReport):
            self._door.listed.take(report)

    def _own(self, events: list[Any]) -> list[Event]:
        return [event for event in events if account_of(event) in self._accounts]

    def _answer(self, command: Command, events: list[Event]) -> None:
        if not events:
            return
        self._requests += 1
        if isinstance(command, SubmitOrder | SubmitTrigger):
            blotter = self._door.blotter
            blotter.expect(self._requests, command.account_id, _submission_of(command))
        self._door.answered(self._requests, Reply(self._requests, 0, events))


def _submission_of(command: SubmitOrder | SubmitTrigger) -> Submission:
    """How a command of the journal would have been put by a client."""
    kind = "LIMIT" if command.order_type == LIMIT else "MARKET"
    if isinstance(command, SubmitTrigger):
        kind = _KIND_OF[command.trigger, command.order_type == LIMIT]
    tif = _TIF_OF[command.tif]
    if command.post_only:
        tif = POST_ONLY
    elif command.expire_ns:
        tif = GOOD_TILL_DATE
    stp = _STP_OF.get(command.stp, "EXPIRE_BOTH")
    name = f"web_{command.order_id}"
    terms = (name, kind, tif, command.leg, command.reduce_only, stp, command.expire_ns)
    return Submission(*terms)
