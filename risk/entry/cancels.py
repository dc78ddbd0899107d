"""Cancels on the risk side: of orders, which the book has to let go, and of those that wait."""

from typing import Final

from engine.commands import ALL_INSTRUMENTS, CancelAll, CancelOrder
from engine.reasons import Reason
from risk.accounts import OpenOrder
from risk.check.pretrade import Verdict
from risk.core import RiskCore

_CANCELLED_BY_OWNER: Final[int] = Reason.CANCELLED_BY_OWNER.value


class Cancels:
    """Ends orders because their owner says so."""

    __slots__ = ("_core",)

    def __init__(self, core: RiskCore) -> None:
        self._core = core

    def cancel(self, command: CancelOrder) -> None:
        """Ask the book to cancel one order of the account; one that waits for its trigger ends at
        once."""
        core = self._core
        account_id = command.account_id
        order_id = command.order_id
        core.advance(command.time_ns)
        found = own_order(core, account_id, order_id)
        if isinstance(found, OpenOrder):
            core.pull(found, _CANCELLED_BY_OWNER, account_id)
            return
        trigger = core.triggers.get(order_id)
        if trigger is not None and trigger.trader.account_id == account_id:
            core.apply()
            core.end_trigger(trigger, _CANCELLED_BY_OWNER)
        else:
            core.reject(account_id, order_id, found)

    def cancel_all(self, command: CancelAll) -> None:
        """Ask the book to cancel the account's orders in one instrument or in all; those that wait
        for their trigger end at once."""
        core = self._core
        trader = core.trader(command.account_id)
        if trader is None:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_ACCOUNT))
            return
        instrument_id = command.instrument_id
        if instrument_id != ALL_INSTRUMENTS and instrument_id not in core.listings:
            core.reject(command.account_id, 0, Verdict(Reason.UNKNOWN_INSTRUMENT))
            return
        for order in trader.open_orders():
            wanted = instrument_id == ALL_INSTRUMENTS or instrument_id == order.instrument_id
            if wanted and not order.liquidation:
                core.pull(order, _CANCELLED_BY_OWNER, 0)
        core.apply()
        for trigger in list(trader.triggers.values()):
            if instrument_id in (ALL_INSTRUMENTS, trigger.terms.instrument_id):
                core.end_trigger(trigger, _CANCELLED_BY_OWNER)


def own_order(core: RiskCore, account_id: int, order_id: int) -> "OpenOrder | Verdict":
    """An open order of the account that is its own to cancel or change, or why there is none."""
    order = core.orders.get(order_id)
    if order is None:
        return Verdict(Reason.UNKNOWN_ORDER)
    if order.position.account.trader.account_id != account_id:
        return Verdict(Reason.UNKNOWN_ORDER)
    if order.liquidation:
        return Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
    return order
