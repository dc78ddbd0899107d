"""The door itself: one line to the exchange, what it remembers, and who is told.

Everything runs in one event loop. What comes from the exchange is taken in before anybody who waits
for an answer goes on (`doors.exchange.link`).
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from doors.exchange.contracts import Contract, Listed
from doors.exchange.decimals import plain
from doors.exchange.link import Link
from doors.history.blotter import Blotter
from doors.history.candles import INDEX, MARK, Candles
from doors.history.earnings import Terms
from doors.history.file import HistoryFile
from doors.history.records import AlgoChange, Change, FundingRate, PublicTrade, Submission
from doors.history.submission_log import SubmissionLog
from doors.history.tape import Tape
from doors.keys.keyring import Keyring
from doors.usdm.countdowns import Countdowns
from doors.usdm.errors import VenueError, of_rejection, outside_band, unavailable
from doors.usdm.limits import Limits
from doors.usdm.listen_keys import ListenKeys
from engine.commands import (
    Command,
    QueryAccount,
    QueryMarket,
    QueryOrders,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import (
    AccountReport,
    CommandRejected,
    Event,
    FundingSettled,
    InstrumentReport,
    MarketReport,
    MarkUpdated,
    OrderReport,
    OrdersReport,
    SystemChanged,
    Trade,
)
from engine.reasons import Reason
from engine.reports import EndedOrder, TriggerReport
from engine.services.service_config import DOOR, ServiceConfig
from gateway.client import NoAnswer
from gateway.connection import Address
from gateway.host.pulse import Pulse
from gateway.protocol import Reply
from risk.rulebook import Rulebook
from risk.rulebook_file import load_rulebook

HISTORY: Final[str] = "door.sqlite"
"""The history file in the run directory."""

SUBMISSIONS: Final[str] = ".submissions"
"""Ending of the file beside it that says how clients put their orders."""

KEEP_S: Final[float] = 0.1
LOOK_S: Final[float] = 1.0
"""Between two writes of the history, and two looks at what is listed and at the keys."""

KEEP_CANDLES_S: Final[float] = 1.0
CATCH_UP_S: Final[float] = 10.0

PATIENCE: Final[int] = 100
PATIENCE_S: Final[float] = 0.01


class Audience(Protocol):
    """Who is told of what happens."""

    def orders_changed(self, changes: list[Change | AlgoChange]) -> None:
        """Orders changed."""

    def happened(self, events: Sequence[Event]) -> None:
        """Something happened to accounts; what it did to orders was told."""

    def traded(self, trade: PublicTrade) -> None:
        """A trade was printed."""

    def published(self, events: Sequence[Event]) -> None:
        """Market data came; the depth has been brought up to date."""

    def delivered(self) -> None:
        """All that came at once has been told."""

    def listed(self, instrument_ids: list[int]) -> None:
        """These are new."""

    def unheard(self, listen_key: str) -> None:
        """A listen key is over."""


class Door:
    """The state of a door. ``clock`` is the wall clock in nanoseconds.

    Raises:
        ConfigError: the keys cannot be used.
        HistoryError: the history file cannot be used.
    """

    def __init__(self, config: ServiceConfig, clock: Callable[[], int] = time.time_ns) -> None:
        self.config: Final = config
        self.clock: Final = clock
        self.keyring: Final = Keyring(config.door)
        self.limits: Final = Limits(config.door, clock)
        self.listed: Final = Listed(self._rulebook)
        history = Path(config.door.history or Path(config.run_dir) / HISTORY)
        self.file: Final = HistoryFile(history)
        self.submissions: Final = SubmissionLog(history.with_suffix(SUBMISSIONS))
        self.blotter: Final = Blotter(self.file, self._terms)
        self.candles: Final = Candles(self.file)
        self.tapes: Final[dict[int, Tape]] = {}
        self.audiences: Final[list[Audience]] = []
        self.countdowns: Final = Countdowns()
        self.listen_keys: Final = ListenKeys(clock)
        self._link: Link | None = None
        self.market_time_ns = 0
        self._followed: dict[int, None] = {}
        self._unsaved: list[tuple[int, Submission]] = []
        self._numbers: dict[int, int] = {}
        self._accounts: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._look_now = asyncio.Event()

    @property
    def link(self) -> Link:
        """The line to the gateway; there is one from `start` on."""
        assert self._link is not None, "the door has been started"
        return self._link

    # beginning and end

    async def start(self, numbers: Mapping[int, int], patience_s: float | None) -> None:
        """Connect, learn what is listed, and take in what was missed: the events of each account
        behind the last one that is in the history, by account in ``numbers``. A gateway is waited
        for ``patience_s``, with None for as long as it takes.

        Raises:
            NoAnswer: no gateway answers.
        """
        door = self.config.door
        keys = (door.server_public, door.public, door.secret)
        gateway = self.config.gateway
        self._accounts = self.keyring.accounts()
        self._numbers = {account_id: numbers.get(account_id, 0) for account_id in self._accounts}
        self.file.keep_numbers(self._numbers.items())
        address = Address(gateway.commands, gateway.market_data, *keys)
        self._link = Link(address, self._accounts, self._numbers, self)
        await self.link.connect(patience_s)
        self.link.subscribe_system()
        await self._look_at_market()
        await self._catch_up()
        await self._wait(lambda: all(map(self.link.connection.hears, self.listed.by_id)))
        loops = (self._keep_history(), self._look(), self._keep_candles())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def close(self) -> None:
        """Leave; what is remembered is in the file."""
        self.countdowns.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
            self._keep_now()
        self.file.close()
        self.submissions.close()

    async def _catch_up(self) -> None:
        """Wait until the events that were missed came, and say whose the orders among them are."""
        feed = self.link.connection.feed
        await self._wait(lambda: not feed.is_behind)
        if feed.lost:
            text = f"{feed.lost} events are no longer kept by the gateway; remove "
            print(f"{text}{self.file.path} to have it made anew", file=sys.stderr, flush=True)
        for account_id in sorted({self._owner(one) for one in self.blotter.unattributed}):
            await self._attribute(account_id)

    async def _wait(self, holds: Callable[[], bool]) -> None:
        limit = time.monotonic() + CATCH_UP_S
        while not holds() and time.monotonic() < limit:
            await asyncio.sleep(PATIENCE_S)

    def _owner(self, order_id: int) -> int:
        found = self.blotter.order(order_id) or self.blotter.algos.get(order_id)
        return 0 if found is None else found.account_id

    async def _attribute(self, account_id: int) -> None:
        """Ask which request placed the orders of an account that were heard of without theirs."""
        reply = await self.link.call(QueryOrders(0, account_id))
        report = reply.events[0] if reply.events else None
        if not isinstance(report, OrdersReport):
            return
        named: list[OrderReport | EndedOrder | TriggerReport] = [
            *report.orders,
            *report.triggers,
            *report.ended,
        ]
        for one in named:
            if one.order_id in self.blotter.unattributed:
                submission = self.submissions.known.get((one.run, one.request_id))
                if submission is not None:
                    self.blotter.attribute(one.order_id, submission)

    # what comes from the exchange

    def answered(self, request_id: int, reply: Reply) -> None:
        """A request was answered."""
        self.blotter.answered(request_id, reply)
        self._tell(reply.events)

    def happened(self, events: Sequence[Event]) -> None:
        """Something happened to the door's accounts."""
        self.blotter.happened(events)
        self._tell(events)

    def _tell(self, events: Sequence[Event]) -> None:
        for audience in self.audiences:
            audience.happened(events)

    def published(self, events: Sequence[Event]) -> None:
        """Market data came."""
        for event in events:
            kind = type(event)
            if kind is Trade:
                self._traded(event)  # type: ignore[arg-type]
            elif kind is MarkUpdated:
                self._marked(event)  # type: ignore[arg-type]
            elif isinstance(event, FundingSettled):
                self.file.keep(
                    FundingRate(
                        event.instrument_id, event.time_ns, event.rate_ppb, event.mark_ticks
                    )
                )
            elif isinstance(event, SystemChanged):
                self._look_now.set()
        for audience in self.audiences:
            audience.published(events)

    def _traded(self, event: Trade) -> None:
        tape = self.tape(event.instrument_id)
        trade = PublicTrade(
            *(event.instrument_id, event.trade_id, event.price_ticks, event.qty_lots),
            *(event.taker_side, event.time_ns),
        )
        tape.trades.append(trade)
        tape.last_ticks = event.price_ticks
        self.candles.trade(trade)
        self.file.keep(trade)
        for audience in self.audiences:
            audience.traded(trade)

    def _marked(self, event: MarkUpdated) -> None:
        self._take_prices(event.instrument_id, event, event.time_ns)

    def _take_prices(
        self, instrument_id: int, prices: MarkUpdated | InstrumentReport, time_ns: int
    ) -> None:
        tape = self.tape(instrument_id)
        tape.mark_ticks, tape.index_ticks = prices.mark_ticks, prices.index_ticks
        tape.last_ticks = prices.last_ticks or tape.last_ticks
        tape.open_interest_lots = prices.open_interest_lots
        tape.time_ns = time_ns
        if prices.mark_ticks:
            self.candles.price(MARK, instrument_id, prices.mark_ticks, time_ns)
        if prices.index_ticks:
            self.candles.price(INDEX, instrument_id, prices.index_ticks, time_ns)

    def delivered(self) -> None:
        """All that came at once has been told: now the changes to orders are whole."""
        changes = self.blotter.take_changes()
        for audience in self.audiences:
            if changes:
                audience.orders_changed(changes)
            audience.delivered()
        if self.file.is_full:
            self._keep_now()

    def sending(self) -> None:
        """Orders are about to leave: note how clients put them."""
        if self._unsaved:
            unsaved, self._unsaved = self._unsaved, []
            self.submissions.add(self.link.run, unsaved)

    # what is asked of the exchange

    async def call(self, command: Command) -> Reply:
        """Carry out a command.

        Raises:
            VenueError: the exchange does not answer.
        """
        try:
            return await self.link.call(command)
        except NoAnswer:
            raise unavailable() from None

    async def submit(self, command: SubmitOrder | SubmitTrigger, submission: Submission) -> int:
        """Place an order, conditional or not; returns its id.

        Raises:
            VenueError: it was refused, or the exchange does not answer.
        """

        def note(number: int) -> None:
            self.blotter.expect(number, command.account_id, submission)
            self._unsaved.append((number, submission))

        self.blotter.claim(command.account_id, submission.client_id)
        try:
            reply = await self.link.wait(self.link.ask(command, note))
        except NoAnswer:
            raise unavailable() from None
        if reply.rejection is not None:
            raise self._refusal(command, reply.rejection)
        return reply.order_id

    def _refusal(
        self, command: SubmitOrder | SubmitTrigger, rejection: CommandRejected
    ) -> VenueError:
        """The error for a refused order, with the figures the exchange decided by."""
        if rejection.reason == Reason.PRICE_OUTSIDE_BAND:
            return outside_band(command.side, rejection.detail)
        contract = self.listed.by_id[command.instrument_id]
        figures = ""
        if rejection.required_q:
            required, free = contract.money(rejection.required_q), contract.money(rejection.free_q)
            figures = f"Required {required}, free {free}."
        least = plain(contract.spec.min_notional_q, contract.asset.decimals)
        return of_rejection(rejection, figures, least)

    async def account(self, account_id: int) -> AccountReport:
        """The figures of an account.

        Raises:
            VenueError: there is none, or the exchange does not answer.
        """
        reply = await self.call(QueryAccount(0, account_id))
        if reply.rejection is not None:
            raise of_rejection(reply.rejection)
        report = reply.events[0]
        assert isinstance(report, AccountReport)
        return report

    def end_listening(self, account_id: int) -> None:
        """End the listen key of an account, if it has one."""
        key = self.listen_keys.close(account_id)
        if key is not None:
            for audience in self.audiences:
                audience.unheard(key)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait a moment for what follows an answer; with matching in another process it may come
        after it."""
        for _ in range(PATIENCE):
            if holds():
                return
            await asyncio.sleep(PATIENCE_S)

    def tape(self, instrument_id: int) -> Tape:
        """Public prices of an instrument."""
        found = self.tapes.get(instrument_id)
        if found is None:
            found = self.tapes[instrument_id] = Tape()
        return found

    def contract(self, symbol: str) -> Contract:
        """The contract of a symbol.

        Raises:
            VenueError: there is none.
        """
        found = self.listed.find(symbol)
        if found is None:
            raise VenueError(-1121, "Invalid symbol.")
        return found

    def _terms(self, instrument_id: int) -> Terms:
        report = self.listed.reports.get(instrument_id)
        if report is None:
            return Terms(0, 1, 0)
        mark_ticks = self.tape(instrument_id).mark_ticks
        return Terms(report.spec.settle_asset_id, report.spec.unit_q, mark_ticks)

    def _rulebook(self, name: str) -> Rulebook | None:
        given = self.config.rulebook
        with suppress(OSError, ValueError):
            return load_rulebook(given if given.endswith(".toml") else name).rulebook
        return None

    # in the background

    async def _look_at_market(self) -> None:
        reply = await self.link.call(QueryMarket(0))
        report = reply.events[0]
        if not isinstance(report, MarketReport):
            return
        self.market_time_ns = report.time_ns
        hidden = self.listed.hidden
        self.listed.take(report)
        new = [one for one in self.listed.by_id if one not in self._followed]
        for symbol in self.listed.hidden:
            if symbol not in hidden:
                print(f"{symbol}: not shown; only linear contracts are", flush=True)
        for one in report.instruments:
            self._take_prices(one.spec.instrument_id, one, report.time_ns)
        for instrument_id in new:
            self._followed[instrument_id] = None
            self.link.subscribe(instrument_id)
        if new:
            for audience in self.audiences:
                audience.listed(new)

    async def _look(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), LOOK_S)
            self._look_now.clear()
            with suppress(NoAnswer):
                await self._look_at_market()
            if self.keyring.look(time.monotonic_ns()):
                self._accounts = self.keyring.accounts()
                self.link.listen_to(self._accounts)
            for account_id in self.keyring.take_ended():
                # Whoever had the key may know the listen key; the other holders open a new one.
                self.end_listening(account_id)

    async def _keep_history(self) -> None:
        pulse = Pulse(Path(self.config.run_dir), DOOR, time.monotonic_ns)
        while True:
            pulse.beat()
            await asyncio.sleep(KEEP_S)
            self._keep_now()

    async def _keep_candles(self) -> None:
        while True:
            await asyncio.sleep(KEEP_CANDLES_S)
            self.candles.keep_current()

    def _keep_now(self) -> None:
        """Write what waits, with the numbers of the last events it comes from."""
        known = self.link.connection.feed.numbers
        new = [
            (account_id, known[account_id])
            for account_id in self._accounts
            if known.get(account_id, 0) != self._numbers.get(account_id, 0)
        ]
        self._numbers.update(new)
        self.file.keep_numbers(new)
        self.file.flush()
