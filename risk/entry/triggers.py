"""Trigger orders on the risk side: entry and amendment, and their turn as an order.

What waits ties nothing up. Once a price fires it, it is checked as any new order is, at the marks
and with the means of that moment, and what does not pass ends with the reason.
"""

from typing import Final

from msgspec.structs import replace

from engine.commands import (
    BUY,
    BY_INDEX,
    BY_LAST,
    LIMIT,
    MARKET,
    MAX_LOTS,
    MAX_TICKS,
    STOP,
    TRAILING,
    AmendOrder,
    AmendTrigger,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import TriggerAccepted, TriggerAmended, TriggerRefused
from engine.internal import FireTrigger
from engine.reasons import Reason
from engine.units import PPB, on_wire
from risk.accounts import Position, Trader
from risk.check.pretrade import (
    OK,
    PASSED,
    Verdict,
    band_limits,
    check_count,
    check_expiry,
    check_fields,
    check_leg,
    check_price,
    check_size,
    closable_lots,
    least_reach_ticks,
)
from risk.core import RiskCore
from risk.entry.orders import Orders, closes_leg
from risk.listing import Listing
from risk.triggers.trails import trail_level_ticks
from risk.triggers.trigger import Trigger

_EXPIRED: Final[int] = Reason.EXPIRED.value


class Triggers:
    """Takes trigger orders in, and lets those that fired become orders."""

    __slots__ = ("_core", "_orders")

    def __init__(self, core: RiskCore, orders: Orders) -> None:
        self._core = core
        self._orders = orders

    def submit(self, command: SubmitTrigger) -> None:
        """Let an order wait for its trigger, or answer why not."""
        core = self._core
        trader = core.ledger.trader(command.account_id)
        listing = core.listing(command.instrument_id)
        if trader is None or listing is None:
            unknown = Reason.UNKNOWN_ACCOUNT if trader is None else Reason.UNKNOWN_INSTRUMENT
            core.reject(command.account_id, command.order_id, Verdict(unknown))
            return
        verdict = self._check(command, trader, listing)
        if verdict.reason != OK:
            core.reject(command.account_id, command.order_id, verdict)
            return
        best_ticks = _first_best_ticks(command, listing)
        core.apply()
        core.triggers.add(command, trader, listing, best_ticks)
        if command.expire_ns:
            core.expiries.add(command.order_id, command.expire_ns)
        core.emit(_accepted(core.now_ns, command))

    def _check(self, command: SubmitTrigger, trader: Trader, listing: Listing) -> Verdict:
        core = self._core
        if trader.is_house():
            return Verdict(Reason.HOUSE_ACCOUNT)
        if command.order_id in core.orders or command.order_id in core.triggers:
            return Verdict(Reason.DUPLICATE_ID)
        verdict = _check_terms(command)
        if verdict.reason == OK and command.expire_ns:
            verdict = check_expiry(command.expire_ns, core.now_ns)
        if verdict.reason == OK:
            verdict = check_leg(trader, command.leg)
        if verdict.reason == OK and listing.mark_ticks == 0:
            verdict = Verdict(Reason.NO_MARK_PRICE)
        if verdict.reason == OK and core.is_locked(trader, listing, command.leg):
            verdict = Verdict(Reason.ACCOUNT_IN_LIQUIDATION)
        if verdict.reason == OK:
            verdict = check_count(trader, listing, command.order_id)
        if verdict.reason == OK:
            verdict = _check_size(command, listing)
        if verdict.reason == OK:
            verdict = _check_waits(command, listing, 0)
        return verdict

    def amend_order(self, command: AmendOrder) -> None:
        """New price and size of an order that waits for its trigger."""
        core = self._core
        trigger = core.triggers.get(command.order_id)
        assert trigger is not None, "the engine asks only for orders that wait"
        terms = trigger.terms
        self.amend(
            AmendTrigger(
                command.time_ns,
                command.account_id,
                command.order_id,
                command.qty_lots,
                terms.trigger_ticks,
                command.price_ticks,
                terms.trail_ticks,
                terms.trail_ppb,
            )
        )

    def amend(self, command: AmendTrigger) -> None:
        """Give an order that waits other terms, or answer why not."""
        core = self._core
        trigger = core.triggers.get(command.order_id)
        if trigger is None or trigger.trader.account_id != command.account_id:
            core.reject(command.account_id, command.order_id, Verdict(Reason.UNKNOWN_ORDER))
            return
        terms = replace(
            trigger.terms,
            time_ns=core.now_ns,
            qty_lots=command.qty_lots,
            trigger_ticks=command.trigger_ticks,
            price_ticks=command.price_ticks,
            trail_ticks=command.trail_ticks,
            trail_ppb=command.trail_ppb,
        )
        listing = core.listings[terms.instrument_id]
        verdict = self._check_amend(trigger, terms, listing)
        if verdict.reason != OK:
            core.reject(command.account_id, command.order_id, verdict)
            return
        best_ticks = trigger.best_ticks() or _first_best_ticks(terms, listing)
        core.apply()
        core.triggers.change(trigger, terms, listing, best_ticks)
        core.emit(
            TriggerAmended(
                core.now_ns,
                terms.account_id,
                terms.order_id,
                terms.instrument_id,
                terms.qty_lots,
                terms.trigger_ticks,
                terms.price_ticks,
                terms.trail_ticks,
                terms.trail_ppb,
            )
        )

    def _check_amend(self, trigger: Trigger, terms: SubmitTrigger, listing: Listing) -> Verdict:
        if trigger.fired_ticks:
            return Verdict(Reason.UNKNOWN_ORDER, detail="it has fired and is on its way")
        start_ticks: int = terms.trigger_ticks
        if trigger.trail is not None and start_ticks not in (0, trigger.terms.trigger_ticks):
            detail = f"trigger_ticks {start_ticks}; it is active, and begins nowhere anew"
            return Verdict(Reason.INVALID_FIELD, detail=detail)
        verdict = _check_terms(terms)
        if verdict.reason == OK:
            verdict = _check_size(terms, listing)
        if verdict.reason == OK:
            verdict = _check_waits(terms, listing, trigger.best_ticks())
        return verdict

    def fire(self, message: FireTrigger) -> None:
        """Check an order whose price has come and pass it to the book, or end it with the reason.

        One that was cancelled meanwhile is over already.
        """
        core = self._core
        trigger = core.triggers.get(message.order_id)
        if trigger is None or not trigger.fired_ticks:
            return
        terms = trigger.terms
        listing = core.listings[terms.instrument_id]
        position = trigger.trader.find_position(terms.instrument_id, terms.leg)
        lots: int = terms.qty_lots
        if terms.close_position:
            lots = 0 if position is None else self._lots_to_close(position, terms.side)
        verdict = Verdict(Reason.NOTHING_TO_REDUCE)
        if lots:
            order = _order_of(terms, core.now_ns, lots)
            # A close of the whole position waits for no other order that reduces it.
            counts = core.reduce_only_counts and not terms.close_position
            verdict = self._orders.place(order, trigger.trader, listing, counts)
        if verdict.reason != OK:
            self.refuse(trigger, verdict)
            return
        core.triggers.drop(trigger, listing)

    def _lots_to_close(self, position: Position, side: int) -> int:
        """What an order of this side closes of a position: all of it, or as much as one order may
        hold."""
        listing = position.listing
        instrument = listing.instrument
        lots = min(closable_lots(position, side), instrument.max_lots or MAX_LOTS)
        if instrument.max_notional_q:
            low_ticks, high_ticks = band_limits(listing)
            edge_ticks = high_ticks if side == BUY else low_ticks
            ticks = least_reach_ticks(listing, side, self._core.slippage_ppb, edge_ticks)
            lots = min(lots, instrument.most_lots(instrument.max_notional_q, ticks))
        return lots

    def refuse(self, trigger: Trigger, verdict: Verdict) -> None:
        """End an order that fired and cannot be."""
        core = self._core
        core.apply()
        terms = trigger.terms
        core.emit(
            TriggerRefused(
                core.now_ns,
                terms.account_id,
                trigger.order_id,
                terms.instrument_id,
                int(verdict.reason),
                on_wire(verdict.required_q),
                on_wire(verdict.free_q),
                verdict.detail,
            )
        )
        core.end_trigger(trigger, verdict.reason)

    def expire(self) -> None:
        """The clock ticked: end the orders whose time has come."""
        core = self._core
        for order_id in core.expiries.take_due(core.now_ns):
            trigger = core.triggers.get(order_id)
            if trigger is not None:
                core.end_trigger(trigger, _EXPIRED)
            else:
                core.pull(core.orders[order_id], _EXPIRED)


def _first_best_ticks(terms: SubmitTrigger, listing: Listing) -> int:
    """The price that a trailing order without a start of its own follows from; 0 for any other, and
    while no price is known."""
    if terms.trigger != TRAILING or terms.trigger_ticks:
        return 0
    return listing.price_ticks(terms.trigger_by)


def _order_of(terms: SubmitTrigger, time_ns: int, qty_lots: int) -> SubmitOrder:
    """The order that a trigger order becomes."""
    return SubmitOrder(
        time_ns,
        terms.account_id,
        terms.instrument_id,
        terms.order_id,
        terms.side,
        qty_lots,
        terms.price_ticks,
        terms.order_type,
        terms.tif,
        terms.post_only,
        terms.reduce_only or terms.close_position,
        terms.stp,
        terms.leg,
    )


def _accepted(time_ns: int, terms: SubmitTrigger) -> TriggerAccepted:
    return TriggerAccepted(
        time_ns,
        terms.account_id,
        terms.order_id,
        terms.instrument_id,
        terms.leg,
        terms.side,
        terms.qty_lots,
        terms.trigger,
        terms.trigger_by,
        terms.trigger_ticks,
        terms.trail_ticks,
        terms.trail_ppb,
        terms.order_type,
        terms.price_ticks,
        terms.tif,
        terms.post_only,
        terms.reduce_only,
        terms.close_position,
        terms.expire_ns,
    )


def _check_terms(terms: SubmitTrigger) -> Verdict:
    """Values that make no trigger order, whatever the account."""
    if not STOP <= terms.trigger <= TRAILING:
        detail = f"trigger {terms.trigger}; allowed: 0 stop, 1 take profit, 2 trailing"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    if not BY_LAST <= terms.trigger_by <= BY_INDEX:
        detail = f"trigger_by {terms.trigger_by}; allowed: 0 last, 1 mark, 2 index"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    lots: int = terms.qty_lots
    if terms.close_position:
        if lots or terms.order_type != MARKET:
            detail = "close_position needs order_type 1 and qty_lots 0"
            return Verdict(Reason.INVALID_FIELD, detail=detail)
        lots = 1
    if terms.order_type == MARKET and terms.price_ticks:
        detail = f"price_ticks {terms.price_ticks}; 0 where order_type is 1"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    verdict = check_fields(_order_of(terms, 0, lots))
    if verdict.reason != OK:
        return verdict
    if terms.trigger == TRAILING:
        return _check_trail(terms)
    if terms.trail_ticks or terms.trail_ppb:
        detail = "trail_ticks and trail_ppb are of trigger 2 only"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    return _check_trigger_price(terms.trigger_ticks)


def _check_trail(terms: SubmitTrigger) -> Verdict:
    ticks: int = terms.trail_ticks
    rate_ppb: int = terms.trail_ppb
    in_ticks = 0 < ticks <= MAX_TICKS and rate_ppb == 0
    in_share = 0 < rate_ppb < PPB and ticks == 0
    if not in_ticks and not in_share:
        detail = (
            f"trail_ticks {ticks}, trail_ppb {rate_ppb}; allowed: one of them, "
            f"up to {MAX_TICKS} ticks or below {PPB} ppb"
        )
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    return _check_trigger_price(terms.trigger_ticks) if terms.trigger_ticks else PASSED


def _check_trigger_price(trigger_ticks: int) -> Verdict:
    verdict = check_price(trigger_ticks)
    if verdict.reason != OK:
        return Verdict(verdict.reason, detail=f"trigger_ticks {trigger_ticks}")
    return verdict


def _check_size(terms: SubmitTrigger, listing: Listing) -> Verdict:
    """The contract's limits of size, at the price the order is to have or, of a market order, at
    the one that fires it."""
    if terms.close_position:
        return PASSED
    ticks: int = terms.price_ticks if terms.order_type == LIMIT else terms.trigger_ticks
    lots: int = terms.qty_lots
    notional_q = listing.instrument.notional_q(lots, ticks or listing.mark_ticks)
    reduces = bool(terms.reduce_only) or closes_leg(terms.leg, terms.side)
    return check_size(listing, lots, notional_q, reduces)


def _check_waits(terms: SubmitTrigger, listing: Listing, best_ticks: int) -> Verdict:
    """An order that would fire at the present price is refused, and so is a trailing one that would
    be active at once by the price it names. ``best_ticks`` is that of one that is active."""
    price_ticks = listing.price_ticks(terms.trigger_by)
    level_ticks: int = terms.trigger_ticks
    direction: int = terms.side if terms.trigger == STOP else -terms.side
    if best_ticks:
        level_ticks = trail_level_ticks(terms, best_ticks)
        direction = terms.side
    if level_ticks and price_ticks and direction * (price_ticks - level_ticks) >= 0:
        detail = f"the price is {price_ticks} ticks, the trigger {level_ticks}"
        return Verdict(Reason.WOULD_TRIGGER_AT_ONCE, detail=detail)
    return PASSED
