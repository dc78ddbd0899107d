"""The events of accounts to who holds their listen key.

Orders are told at once and in their order; balances and positions are asked for and told after
them, once for all that happened together.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from doors.history.records import AlgoChange, Change, PublicTrade
from doors.usdm.call import ms
from doors.usdm.door import Door
from doors.usdm.errors import VenueError
from doors.usdm.streams.names import Spec
from doors.usdm.streams.subscribers import Hub, Subscriber, Topic, encode
from doors.usdm.streams.user_events import (
    AccountNews,
    algo_event,
    expired_event,
    leverage_event,
    margin_call,
    order_event,
    trade_lite,
    waiting_event,
)
from engine.events import (
    AccountChanged,
    BalanceChanged,
    BorrowFeePaid,
    CollateralExchanged,
    Deleveraged,
    Event,
    FundingPaid,
    LiquidationEnded,
    LossSocialised,
    MarginCallIssued,
    TakenOver,
)
from risk.accounts import owner_of, pot_of

USER: Final[str] = "user"
EXPIRE_S: Final[float] = 1.0
NO_INSTRUMENT: Final[int] = -1


class UserStream:
    """Tells the holders of listen keys what happens to their accounts."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._hub = Hub(self._topic_changed)
        self._news: dict[int, AccountNews] = {}
        self._calls: dict[int, list[MarginCallIssued]] = {}
        self._telling: dict[int, asyncio.Task[None]] = {}

    def _topic_changed(self, topic: Topic, begins: bool) -> None:
        """Topics have no state of their own here."""

    def subscribe(self, subscriber: Subscriber, key: str) -> bool:
        """Let a subscriber hear the account of a listen key; whether there is one."""
        account_id = self._door.listen_keys.account_of(key)
        if account_id is None:
            return False
        self._hub.subscribe(subscriber, key, Spec(USER, account_id))
        return True

    def unsubscribe(self, subscriber: Subscriber, key: str) -> None:
        """Let it hear it no longer."""
        self._hub.unsubscribe(subscriber, key)

    def leave(self, subscriber: Subscriber) -> None:
        """It is gone."""
        for topic in self._hub.all():
            if subscriber in topic.subscribers:
                self._hub.unsubscribe(subscriber, topic.name)

    async def run(self) -> None:
        """End listen keys whose time is over, until cancelled."""
        while True:
            await asyncio.sleep(EXPIRE_S)
            for key, _ in self._door.listen_keys.take_expired():
                self.unheard(key)

    def unheard(self, listen_key: str) -> None:
        """A listen key is over: say so, and nothing after it."""
        for topic in self._hub.all():
            if topic.name == listen_key:
                topic.publish(encode(expired_event(listen_key, self._now_ms())))
                for subscriber in list(topic.subscribers):
                    self._hub.unsubscribe(subscriber, listen_key)

    # an audience of the door

    def published(self, events: Sequence[Event]) -> None:
        """Public."""

    def traded(self, trade: PublicTrade) -> None:
        """Public."""

    def listed(self, instrument_ids: list[int]) -> None:
        """Public."""

    def orders_changed(self, changes: list[Change | AlgoChange]) -> None:
        """Orders changed."""
        for change in changes:
            if isinstance(change, AlgoChange):
                self._algo_changed(change)
                continue
            account_id = change.order.account_id
            if not self._hears(account_id):
                continue
            self._tell(account_id, order_event(self._door, change, self._now_ms()))
            if change.fill is not None:
                if change.execution == "TRADE":
                    event = trade_lite(self._door, change, change.fill, self._now_ms())
                    self._tell(account_id, event)
                self._note(account_id, "ORDER", change.time_ns, change.order.instrument_id)

    def _algo_changed(self, change: AlgoChange) -> None:
        account_id = change.algo.account_id
        if not self._hears(account_id):
            return
        now_ms = self._now_ms()
        if change.algo.old_form:
            told = waiting_event(self._door, change, now_ms)
            if told is not None:
                self._tell(account_id, told)
        else:
            self._tell(account_id, algo_event(self._door, change, now_ms))

    def happened(self, events: Sequence[Event]) -> None:
        """Something else happened to accounts."""
        for event in events:
            if isinstance(event, AccountChanged):
                self._setting_changed(event)
            elif isinstance(event, MarginCallIssued):
                self._called(event)
            else:
                self._balance_changed(event)

    def delivered(self) -> None:
        """All that came at once was told: now balances and positions."""
        for account_id in [*self._news, *self._calls]:
            if account_id not in self._telling:
                task = asyncio.get_running_loop().create_task(self._tell_account(account_id))
                self._telling[account_id] = task

    # what is told

    def _now_ms(self) -> int:
        return ms(self._door.clock())

    def _hears(self, account_id: int) -> bool:
        return self._hub.has(USER, account_id)

    def _tell(self, account_id: int, event: dict[str, Any]) -> None:
        self._hub.publish(USER, account_id, event)

    def _note(
        self, account_id: int, cause: str, time_ns: int, instrument_id: int = NO_INSTRUMENT
    ) -> AccountNews | None:
        """Something is to be told of an account once its figures were asked for."""
        if not self._hears(account_id):
            return None
        news = self._news.get(account_id)
        if news is None:
            news = self._news[account_id] = AccountNews()
            news.cause = cause
        news.time_ns = time_ns
        if instrument_id != NO_INSTRUMENT:
            news.instruments[instrument_id] = None
        return news

    def _setting_changed(self, event: AccountChanged) -> None:
        if not self._hears(event.account_id):
            return
        contract = self._door.listed.by_id.get(event.instrument_id)
        if event.setting == "leverage" and contract is not None:
            told = leverage_event(contract, event.value, event.time_ns, self._now_ms())
            self._tell(event.account_id, told)
        elif event.setting == "isolated":
            cause = "MARGIN_TYPE_CHANGE"
            self._note(event.account_id, cause, event.time_ns, event.instrument_id)

    def _called(self, event: MarginCallIssued) -> None:
        account_id = owner_of(event.margin_account_id)
        if self._hears(account_id):
            self._calls.setdefault(account_id, []).append(event)

    def _balance_changed(self, event: Event) -> None:
        if isinstance(event, BalanceChanged):
            cause = _CAUSES.get(event.cause, "MARGIN_TRANSFER")
            _, instrument_id = pot_of(event.margin_account_id)
            account_id = owner_of(event.margin_account_id)
            news = self._note(account_id, cause, event.time_ns, instrument_id)
            if news is not None and event.cause in _CAUSES:
                moved_q = news.transferred_q.get(event.asset_id, 0)
                news.transferred_q[event.asset_id] = moved_q + event.amount_q
        elif isinstance(event, FundingPaid):
            # Of a cross position only the balance is told.
            _, instrument_id = pot_of(event.margin_account_id)
            account_id = owner_of(event.margin_account_id)
            self._note(account_id, "FUNDING_FEE", event.time_ns, instrument_id)
        elif isinstance(event, TakenOver | Deleveraged):
            account_id = owner_of(event.margin_account_id)
            self._note(account_id, "ORDER", event.time_ns, event.instrument_id)
        elif isinstance(event, LiquidationEnded):
            account_id = owner_of(event.margin_account_id)
            self._note(account_id, "ORDER", event.time_ns)
        elif isinstance(event, LossSocialised):
            account_id = owner_of(event.margin_account_id)
            self._note(account_id, "INSURANCE_CLEAR", event.time_ns)
        elif isinstance(event, BorrowFeePaid | CollateralExchanged):
            self._note(owner_of(event.margin_account_id), "ADJUSTMENT", event.time_ns)

    async def _tell_account(self, account_id: int) -> None:
        """Ask for the figures of an account and tell them; what happens meanwhile is told next."""
        try:
            while account_id in self._news or account_id in self._calls:
                report = await self._door.account(account_id)
                # What was heard of before the answer is in it.
                news, calls = self._news.pop(account_id, None), self._calls.pop(account_id, [])
                now_ms = self._now_ms()
                if news is not None:
                    self._tell(account_id, news.event(self._door, report, now_ms))
                for call in calls:
                    self._tell(account_id, margin_call(self._door, report, call, now_ms))
        except VenueError:
            self._news.pop(account_id, None)
            self._calls.pop(account_id, None)
        finally:
            del self._telling[account_id]


_CAUSES: Final[dict[str, str]] = {"deposit": "DEPOSIT", "withdrawal": "WITHDRAW"}
"""The venue's words for causes that bring money in or take it out."""
