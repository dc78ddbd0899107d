"""The orders of the door's accounts, kept up to date from the exchange's events.

Open orders and the last ones that ended are in memory; everything goes to the history file. What
happened since the last look is a list of changes, from which user streams are told.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from doors.exchange.decimals import rounded
from doors.history.algos import Algos
from doors.history.earnings import Earnings, Terms
from doors.history.file import HistoryFile
from doors.history.positions import Positions
from doors.history.records import (
    ADL,
    FILLED,
    LIQUIDATION,
    OPEN_STATES,
    PARTLY_FILLED,
    Algo,
    AlgoChange,
    Amendment,
    Change,
    Fill,
    Order,
    Submission,
    forced_submission,
    usual_submission,
)
from engine.commands import BUY, LEG_LONG, LEG_NET, LEG_SHORT, MAX_ORDER_ID, SELL
from engine.events import (
    AccountChanged,
    Deleveraged,
    Event,
    LiquidationEnded,
    OrderAccepted,
    OrderAmended,
    OrderClosed,
    OrderFilled,
    TakenOver,
    TriggerAccepted,
)
from engine.reasons import Reason
from gateway.protocol import Reply
from risk.accounts import cross_account_id, isolated_account_id, owner_of

KEPT_ENDED: Final[int] = 10_000
"""Orders that are over and still in memory."""

FIRST_MADE_ID: Final[int] = 2**61
"""Ids of orders the exchange has no order for (a takeover, a deleveraging) begin here."""

_ON_ITS_WAY: Final[int] = -1
"""In the place of the id of an order that has none yet."""

_LATE_FAULTS: Final[tuple[int, ...]] = (
    Reason.POST_ONLY_WOULD_CROSS,
    Reason.FOK_NOT_FILLABLE,
)
"""Ends in the book that the venue answers with an error: there was no such order."""


class Blotter:
    """Orders by id, and the changes since the last `take_changes`. ``terms`` has what has to be
    known of an instrument."""

    def __init__(self, file: HistoryFile, terms: Callable[[int], Terms]) -> None:
        self._file = file
        self._terms = terms
        self.positions: Final = Positions(file)
        self._orders: dict[int, Order] = {}
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._open: dict[int, dict[int, Order]] = {}
        self._by_client: dict[tuple[int, str], int] = {}
        self._expected: dict[int, tuple[int, Submission]] = {}
        self._changes: list[Change | AlgoChange] = []
        self._earnings = Earnings(file, terms)
        self.algos: Final = Algos(file, lambda change: self._changes.append(change))
        self.settings: dict[tuple[int, int, str], int] = {}
        self.unattributed: dict[int, None] = {}
        self._next_made_id = FIRST_MADE_ID
        self._handlers: dict[type, Callable[[Any], None]] = {
            **self._earnings.handlers,
            **self.algos.handlers,
            OrderAccepted: self._accepted,
            TriggerAccepted: self._waits,
            OrderFilled: self._filled,
            OrderAmended: self._amended,
            OrderClosed: self._closed,
            TakenOver: self._taken_over,
            Deleveraged: self._deleveraged,
            LiquidationEnded: self._liquidation_ended,
            AccountChanged: self._account_changed,
        }
        self._restore()

    def _restore(self) -> None:
        states = ", ".join(f"'{state}'" for state in OPEN_STATES)
        for order in self._file.orders(f"status IN ({states}) ORDER BY order_id", ()):
            self._orders[order.order_id] = order
            self._index(order)
        for account_id, instrument_id, setting, value in self._file.rows("SELECT * FROM settings"):
            self.settings[account_id, instrument_id, setting] = value
        [(highest,)] = self._file.rows("SELECT max(order_id) FROM orders")
        self._next_made_id = max(self._next_made_id, (highest or 0) + 1)

    # looking at it

    def open_orders(self, account_id: int) -> list[Order]:
        """The open orders of an account, oldest first."""
        return list(self._open.get(account_id, {}).values())

    def order(self, order_id: int) -> Order | None:
        """An order of any account that is in memory."""
        return self._orders.get(order_id)

    def find(self, account_id: int, order_id: int) -> Order | None:
        """An order of an account, open or over."""
        order = self._orders.get(order_id)
        if order is None:
            found = self._file.orders("order_id = ?", (order_id,))
            order = found[0] if found else None
        return order if order is not None and order.account_id == account_id else None

    def find_client(self, account_id: int, client_id: str) -> Order | None:
        """The last order of an account that a client gave this name."""
        order_id = self._by_client.get((account_id, client_id), _ON_ITS_WAY)
        if order_id != _ON_ITS_WAY:
            return self._orders[order_id]
        found = self._file.orders(
            "account_id = ? AND client_id = ? ORDER BY order_id DESC LIMIT 1",
            (account_id, client_id),
        )
        return found[0] if found else None

    def is_open_name(self, account_id: int, client_id: str) -> bool:
        """Whether an open order has this name, one that waits, or one that is on its way."""
        if (account_id, client_id) in self._by_client:
            return True
        return any(algo.client_id == client_id for algo in self.algos.waiting(account_id))

    def setting(self, account_id: int, instrument_id: int, name: str) -> int | None:
        """What an account chose; None where it chose nothing."""
        return self.settings.get((account_id, instrument_id, name))

    def is_hedged(self, account_id: int) -> bool:
        """Whether an account is in hedge mode."""
        return bool(self.setting(account_id, -1, "hedge"))

    # taking in

    def expect(self, request_id: int, account_id: int, submission: Submission) -> None:
        """A request with an order is about to be sent."""
        self._expected[request_id] = (account_id, submission)
        self.claim(account_id, submission.client_id)

    def claim(self, account_id: int, client_id: str) -> None:
        """A name is taken by an order that is about to be asked for."""
        self._by_client.setdefault((account_id, client_id), _ON_ITS_WAY)

    def answered(self, request_id: int, reply: Reply) -> None:
        """A request was answered; what is in the answer happened. The name of an order that was
        refused is free again."""
        account_id, submission = self._expected.pop(request_id, (0, None))
        for event in reply.events:
            if type(event) is OrderAccepted:
                self._begin(event, submission)
            elif isinstance(event, TriggerAccepted):
                self.algos.accepted(event, submission)
            else:
                self._handle(event)
        if submission is not None:
            name = (account_id, submission.client_id)
            if self._by_client.get(name) == _ON_ITS_WAY:
                del self._by_client[name]

    def happened(self, events: Sequence[Event]) -> None:
        """Take in events of the accounts."""
        for event in events:
            self._handle(event)

    def take_changes(self) -> list[Change | AlgoChange]:
        """What happened to orders since the last time. One that was refused in the book after all
        is as if it had not been there."""
        changes, self._changes = self._changes, []
        refused = {
            change.order.order_id
            for change in changes
            if isinstance(change, Change)
            and change.order.reason in _LATE_FAULTS
            and not change.order.filled_lots
        }
        return [
            change
            for change in changes
            if isinstance(change, AlgoChange) or change.order.order_id not in refused
        ]

    def attribute(self, order_id: int, submission: Submission) -> None:
        """Say how a client put an order that was heard of without it."""
        self.unattributed.pop(order_id, None)
        self.algos.attribute(order_id, submission)
        order = self._orders.get(order_id)
        if order is not None:
            self._by_client.pop((order.account_id, order.client_id), None)
            order.client_id, order.kind = submission.client_id, submission.kind
            order.tif = submission.tif
            order.leg, order.reduce_only = submission.leg, submission.reduce_only
            order.stp, order.good_till_ns = submission.stp, submission.good_till_ns
            if order.is_open:
                self._by_client[order.account_id, order.client_id] = order_id
            self._file.keep(order)

    def _handle(self, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _waits(self, event: TriggerAccepted) -> None:
        self.unattributed[event.order_id] = None
        self.algos.accepted(event, None)

    def _accepted(self, event: OrderAccepted) -> None:
        algo = self.algos.became_order(event)
        if algo is not None:
            self._begin(event, _submission_of(algo), algo)
        elif event.order_id not in self._orders:
            if event.order_id <= MAX_ORDER_ID:
                self.unattributed[event.order_id] = None
            self._begin(event, None)

    def _begin(
        self, event: OrderAccepted, submission: Submission | None, algo: Algo | None = None
    ) -> None:
        if event.order_id in self._orders:
            return
        put = submission or usual_submission(event.order_id)
        forced = ""
        if event.order_id > MAX_ORDER_ID:
            put, forced = forced_submission(event.order_id), LIQUIDATION
        order = Order(
            order_id=event.order_id,
            account_id=event.account_id,
            instrument_id=event.instrument_id,
            client_id=put.client_id,
            side=event.side,
            kind=put.kind,
            tif=put.tif,
            qty_lots=event.qty_lots,
            price_ticks=event.price_ticks,
            leg=put.leg,
            reduce_only=put.reduce_only,
            stp=put.stp,
            created_ns=event.time_ns,
            updated_ns=event.time_ns,
            good_till_ns=put.good_till_ns,
            forced=forced,
            orig_kind="" if algo is None else algo.kind,
            stop_ticks=0 if algo is None else algo.trigger_ticks,
        )
        self._orders[order.order_id] = order
        self._index(order)
        self._note(Change("NEW", msgspec.structs.replace(order), event.time_ns))

    def _index(self, order: Order) -> None:
        self._open.setdefault(order.account_id, {})[order.order_id] = order
        self._by_client[order.account_id, order.client_id] = order.order_id

    def _note(self, change: Change) -> None:
        self._changes.append(change)
        self._file.keep(change.order)

    def _order_of(self, event: OrderFilled | OrderAmended | OrderClosed) -> Order | None:
        order = self._orders.get(event.order_id)
        return order or self.find(event.account_id, event.order_id)

    def _filled(self, event: OrderFilled) -> None:
        order = self._order_of(event)
        if order is None or (event.trade_id and event.trade_id <= order.last_trade_id):
            return
        order.filled_lots += event.qty_lots
        order.filled_value += event.qty_lots * event.price_ticks
        order.last_trade_id = event.trade_id
        order.updated_ns = event.time_ns
        order.status = FILLED if order.filled_lots >= order.qty_lots else PARTLY_FILLED
        fill = Fill(
            *(event.account_id, event.instrument_id, event.trade_id, event.order_id, event.side),
            *(event.leg, event.qty_lots, event.price_ticks, event.maker, event.fee_q),
            *(event.realised_q, event.time_ns),
        )
        self._file.keep(fill)
        lots = event.position_lots
        self.positions.set(event.account_id, event.instrument_id, event.leg, lots)
        self._earnings.filled(fill)
        self._note(Change("TRADE", msgspec.structs.replace(order), event.time_ns, fill))
        if not order.is_open:
            self._leave(order)

    def _amended(self, event: OrderAmended) -> None:
        order = self._order_of(event)
        if order is None:
            return
        before = (order.price_ticks, order.qty_lots)
        order.price_ticks = event.price_ticks
        order.qty_lots = order.filled_lots + event.remaining_lots
        order.updated_ns = event.time_ns
        order.amendments += 1
        amendment = Amendment(
            *(order.account_id, order.instrument_id, order.order_id, event.time_ns),
            *(before[0], order.price_ticks, before[1], order.qty_lots, order.amendments),
        )
        self._file.keep(amendment)
        self._note(Change("AMENDMENT", msgspec.structs.replace(order), event.time_ns))

    def _closed(self, event: OrderClosed) -> None:
        order = self._orders.get(event.order_id)
        if order is None and self.algos.get(event.order_id) is None:
            order = self.find(event.account_id, event.order_id)
        self._end(order, event)
        self.algos.closed(event)

    def _end(self, order: Order | None, event: OrderClosed) -> None:
        if order is None or not order.is_open:
            return
        order.end(event.reason, event.time_ns)
        word = "CANCELED" if order.status == "CANCELED" else "EXPIRED"
        self._leave(order)
        self._note(Change(word, msgspec.structs.replace(order), event.time_ns))

    def _leave(self, order: Order) -> None:
        """It is over; the oldest of those that are leaves memory."""
        self._open.get(order.account_id, {}).pop(order.order_id, None)
        name = (order.account_id, order.client_id)
        if self._by_client.get(name) == order.order_id:
            del self._by_client[name]
        self._ended[order.order_id] = None
        if len(self._ended) > KEPT_ENDED:
            oldest, _ = self._ended.popitem(last=False)
            self._orders.pop(oldest, None)

    def _taken_over(self, event: TakenOver) -> None:
        account_id = owner_of(event.margin_account_id)
        client_id = f"autoclose-{self._next_made_id}"
        self._made(event, account_id, -event.qty_lots, event.value_q, LIQUIDATION, client_id)

    def _deleveraged(self, event: Deleveraged) -> None:
        account_id = owner_of(event.margin_account_id)
        self._made(event, account_id, event.qty_lots, event.value_q, ADL, "adl_autoclose")

    def _liquidation_ended(self, event: LiquidationEnded) -> None:
        """What a bankrupt account still held was closed against others: only they were told. It is
        told here as closed at the mark, less each position's share of what the account gave up."""
        if event.partial:
            return
        account_id = owner_of(event.margin_account_id)
        left = [
            (instrument_id, leg, lots, lots * terms.mark_ticks * terms.unit_q)
            for instrument_id, leg, lots in self.positions.held(account_id)
            if lots and self._is_in(event.margin_account_id, instrument_id, leg)
            for terms in (self._terms(instrument_id),)
        ]
        whole_q = sum(abs(value_q) for *_, value_q in left)
        for instrument_id, leg, lots, value_q in left:
            given_q = rounded(event.adl_q * abs(value_q), whole_q) if whole_q else 0
            client_id = f"autoclose-{self._next_made_id}"
            closed = _Closed(event.time_ns, instrument_id, leg)
            self._made(closed, account_id, -lots, value_q + given_q, LIQUIDATION, client_id)

    def _is_in(self, margin_account_id: int, instrument_id: int, leg: int) -> bool:
        """Whether a position is in a pot."""
        account_id = owner_of(margin_account_id)
        if self.setting(account_id, instrument_id, "isolated"):
            return margin_account_id == isolated_account_id(account_id, instrument_id, leg)
        asset_id = self._terms(instrument_id).asset_id
        return margin_account_id == cross_account_id(account_id, asset_id)

    def _made(
        self,
        event: "TakenOver | Deleveraged | _Closed",
        account_id: int,
        change_lots: int,
        value_q: int,
        cause: str,
        client_id: str,
    ) -> None:
        """A position changed without an order: tell of it as of one that filled at the price it
        changed hands for, to the nearest tick."""
        lots = abs(change_lots)
        if not lots:
            return
        buys = change_lots > 0
        leg = LEG_NET
        if self.is_hedged(account_id):
            leg = LEG_SHORT if buys else LEG_LONG
        terms = self._terms(event.instrument_id)
        value = rounded(abs(value_q), terms.unit_q)
        self.positions.add(account_id, event.instrument_id, leg, change_lots)
        order_id = self._next_made_id
        self._next_made_id += 1
        put = forced_submission(order_id)
        price_ticks = rounded(value, lots)
        order = Order(
            order_id=order_id,
            account_id=account_id,
            instrument_id=event.instrument_id,
            client_id=client_id,
            side=BUY if buys else SELL,
            kind=put.kind if cause == LIQUIDATION else "MARKET",
            tif=put.tif,
            qty_lots=lots,
            price_ticks=price_ticks,
            leg=leg,
            reduce_only=True,
            stp=put.stp,
            created_ns=event.time_ns,
            updated_ns=event.time_ns,
            status=FILLED,
            filled_lots=lots,
            filled_value=value,
            forced=cause,
        )
        fill = Fill(
            *(account_id, event.instrument_id, 0, order_id, order.side, leg, lots, price_ticks),
            *(False, 0, 0, event.time_ns),
        )
        self._note(Change("CALCULATED", order, event.time_ns, fill))

    def _account_changed(self, event: AccountChanged) -> None:
        key = (event.account_id, event.instrument_id, event.setting)
        self.settings[key] = event.value
        self._file.put("settings", (*key, event.value))


def _submission_of(algo: Algo) -> Submission:
    """How the order that a conditional one became was put."""
    kind = "LIMIT" if algo.kind in ("STOP", "TAKE_PROFIT") else "MARKET"
    return Submission(
        *(algo.client_id, kind, algo.tif, algo.leg, algo.reduce_only, algo.stp, algo.good_till_ns)
    )


class _Closed(NamedTuple):
    """A position that is no more, without an event of its own."""

    time_ns: int
    instrument_id: int
    leg: int
