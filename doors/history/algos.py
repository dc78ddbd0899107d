"""Orders that wait for their price, as the venue keeps them apart: from waiting to their end.

The exchange gives such an order one id all along; it is the id of the waiting order and of the
order it becomes.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from doors.history.file import HistoryFile
from doors.history.records import (
    ALGO_CANCELED,
    ALGO_EXPIRED,
    ALGO_FINISHED,
    ALGO_NEW,
    ALGO_OPEN,
    ALGO_REJECTED,
    ALGO_TRIGGERED,
    ALGO_TRIGGERING,
    CANCELED,
    Algo,
    AlgoChange,
    Submission,
    status_of,
    usual_submission,
)
from engine.commands import MARKET, STOP, TAKE_PROFIT
from engine.events import (
    OrderAccepted,
    OrderClosed,
    TriggerAccepted,
    TriggerAmended,
    TriggerFired,
    TriggerRefused,
)
from engine.reasons import in_words

KEPT_ENDED: Final[int] = 2_000

_KINDS: Final[dict[int, tuple[str, str]]] = {
    STOP: ("STOP_MARKET", "STOP"),
    TAKE_PROFIT: ("TAKE_PROFIT_MARKET", "TAKE_PROFIT"),
}
_TRAILING: Final[str] = "TRAILING_STOP_MARKET"


class Algos:
    """Conditional orders by id. ``note`` is told of each change."""

    def __init__(self, file: HistoryFile, note: Callable[[AlgoChange], None]) -> None:
        self._file = file
        self._note = note
        self._algos: dict[int, Algo] = {}
        self._ended: dict[int, None] = {}
        states = ", ".join(f"'{state}'" for state in ALGO_OPEN)
        for algo in file.algos(f"status IN ({states}) ORDER BY order_id", ()):
            self._algos[algo.order_id] = algo
        self.handlers: Final[dict[type, Callable[[Any], None]]] = {
            TriggerAmended: self._amended,
            TriggerFired: self._fired,
            TriggerRefused: self._refused,
        }

    def get(self, order_id: int) -> Algo | None:
        """One that is in memory: every open one."""
        return self._algos.get(order_id)

    def waiting(self, account_id: int) -> list[Algo]:
        """Those of an account that wait, oldest first."""
        return [
            algo
            for algo in self._algos.values()
            if algo.account_id == account_id and algo.status in ALGO_OPEN
        ]

    def find(self, account_id: int, order_id: int) -> Algo | None:
        """One of an account, waiting or over."""
        algo = self._algos.get(order_id)
        if algo is None:
            found = self._file.algos("order_id = ?", (order_id,))
            algo = found[0] if found else None
        return algo if algo is not None and algo.account_id == account_id else None

    def find_client(self, account_id: int, client_id: str) -> Algo | None:
        """The last one of an account that a client gave this name."""
        found = self._file.algos(
            "account_id = ? AND client_id = ? ORDER BY order_id DESC LIMIT 1",
            (account_id, client_id),
        )
        return (self._algos.get(found[0].order_id) or found[0]) if found else None

    def accepted(self, event: TriggerAccepted, submission: Submission | None) -> None:
        """One waits."""
        if event.order_id in self._algos:
            return
        put = submission or usual_submission(event.order_id)
        market, limit = _KINDS.get(event.trigger, (_TRAILING, _TRAILING))
        algo = Algo(
            order_id=event.order_id,
            account_id=event.account_id,
            instrument_id=event.instrument_id,
            client_id=put.client_id,
            side=event.side,
            kind=market if event.order_type == MARKET else limit,
            tif=put.tif,
            qty_lots=event.qty_lots,
            price_ticks=event.price_ticks,
            trigger_ticks=event.trigger_ticks,
            trigger_by=event.trigger_by,
            trail_ppb=event.trail_ppb,
            leg=event.leg,
            reduce_only=event.reduce_only,
            close_position=event.close_position,
            stp=put.stp,
            good_till_ns=event.expire_ns,
            created_ns=event.time_ns,
            updated_ns=event.time_ns,
            old_form=put.old_form,
        )
        self._algos[algo.order_id] = algo
        self._change(algo, ALGO_NEW, event.time_ns)

    def became_order(self, event: OrderAccepted) -> Algo | None:
        """An order was accepted; the conditional one that it was, None if it was none."""
        algo = self._algos.get(event.order_id)
        if algo is not None and algo.status == ALGO_TRIGGERING:
            self._change(algo, ALGO_TRIGGERED, event.time_ns)
        return algo

    def closed(self, event: OrderClosed) -> None:
        """One is over: as it waited, or as the order it became."""
        algo = self._algos.get(event.order_id)
        if algo is None or algo.status not in (*ALGO_OPEN, ALGO_TRIGGERED):
            return
        if algo.status == ALGO_TRIGGERED:
            self._change(algo, ALGO_FINISHED, event.time_ns)
        elif algo.refusal:
            self._change(algo, ALGO_REJECTED, event.time_ns)
        else:
            ended = status_of(event.reason)
            state = ALGO_CANCELED if ended == CANCELED else ALGO_EXPIRED
            self._change(algo, state, event.time_ns)
        self._ended[algo.order_id] = None
        if len(self._ended) > KEPT_ENDED:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._algos.pop(oldest, None)

    def attribute(self, order_id: int, submission: Submission) -> None:
        """Say how a client put one that was heard of without it."""
        algo = self._algos.get(order_id)
        if algo is not None:
            algo.client_id, algo.tif, algo.stp = (
                *(submission.client_id, submission.tif),
                submission.stp,
            )
            algo.old_form = submission.old_form
            self._file.keep(algo)

    def _amended(self, event: TriggerAmended) -> None:
        algo = self._algos.get(event.order_id)
        if algo is not None:
            algo.qty_lots, algo.price_ticks = event.qty_lots, event.price_ticks
            algo.trigger_ticks, algo.trail_ppb = event.trigger_ticks, event.trail_ppb
            self._change(algo, algo.status, event.time_ns)

    def _fired(self, event: TriggerFired) -> None:
        algo = self._algos.get(event.order_id)
        if algo is not None:
            algo.triggered_ns = event.time_ns
            self._change(algo, ALGO_TRIGGERING, event.time_ns)

    def _refused(self, event: TriggerRefused) -> None:
        algo = self._algos.get(event.order_id)
        if algo is not None:
            words = in_words(event.reason)
            algo.refusal = f"{words}: {event.detail}" if event.detail else words

    def _change(self, algo: Algo, status: str, time_ns: int) -> None:
        algo.status, algo.updated_ns = status, time_ns
        self._file.keep(algo)
        self._note(AlgoChange(msgspec.structs.replace(algo), time_ns))
