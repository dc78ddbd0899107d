"""The pre-trade check: may this order go to the book?

Field checks come first, then the margin check: equity must cover the initial margin of everything
the account would carry if its worse side filled, the loss the order would start with, and its fee.
An order that can only close is never refused for margin, whatever it loses by its price.
"""

from typing import Final

from engine.commands import (
    BUY,
    FOK,
    GTC,
    LEG_NET,
    LEG_SHORT,
    LIMIT,
    MARKET,
    MAX_AMOUNT_Q,
    MAX_LOTS,
    MAX_ORDER_ID,
    MAX_TICKS,
    MAX_WIRE,
    SELL,
    STP_CANCEL_NEWEST,
    STP_NONE,
    SubmitOrder,
)
from engine.instruments import Instrument
from engine.native import mypyc_attr
from engine.reasons import Reason
from engine.units import PPB, Rate, apply_rate_down, apply_rate_up
from risk.accounts import MarginAccount, Position, Trader
from risk.health import (
    collateral_q,
    evaluate,
    initial_and_equity_q,
    initial_requirement_q,
    isolated_need_q,
    open_losses_but_for_q,
    open_losses_q,
    order_loss_q,
    pot_need_q,
    unrealised_profit_q,
)
from risk.listing import Listing
from risk.rulebook import Rulebook

OK: Final[int] = 0


@mypyc_attr(acyclic=True, free_list_len=1)
class Verdict:
    """Outcome of a check: a reason (0 when passed) and the figures it rests on, in quanta."""

    __slots__ = ("detail", "free_q", "reason", "required_q")

    def __init__(self, reason: int, required_q: int = 0, free_q: int = 0, detail: str = "") -> None:
        self.reason = reason
        self.required_q = required_q
        self.free_q = free_q
        self.detail = detail


PASSED: Final = Verdict(OK)


def check_fields(order: SubmitOrder) -> Verdict:
    """Values that make no order, whatever the account."""
    if not 0 < order.order_id <= MAX_ORDER_ID:
        detail = f"order_id {order.order_id}; allowed: 1 to {MAX_ORDER_ID}"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    if order.side != BUY and order.side != SELL:
        return Verdict(Reason.INVALID_FIELD, detail=f"side {order.side}; allowed: 1 buy, -1 sell")
    if order.order_type != LIMIT and order.order_type != MARKET:
        detail = f"order_type {order.order_type}; allowed: 0 limit, 1 market"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    if not GTC <= order.tif <= FOK:
        detail = f"tif {order.tif}; allowed: 0 GTC, 1 IOC, 2 FOK"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    if not STP_CANCEL_NEWEST <= order.stp <= STP_NONE:
        return Verdict(Reason.INVALID_FIELD, detail=f"stp {order.stp}; allowed: 0 to 4")
    if not LEG_NET <= order.leg <= LEG_SHORT:
        detail = f"leg {order.leg}; allowed: 0 net, 1 long, 2 short"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    if order.post_only and (order.order_type == MARKET or order.tif != GTC):
        return Verdict(Reason.INVALID_FIELD, detail="post_only needs a limit order with tif GTC")
    if order.qty_lots <= 0:
        return Verdict(Reason.QTY_NOT_POSITIVE, detail=f"qty_lots {order.qty_lots}")
    if order.qty_lots > MAX_LOTS:
        return Verdict(Reason.NUMBER_TOO_LARGE, detail=f"qty_lots {order.qty_lots}")
    if order.order_type == LIMIT:
        return check_price(order.price_ticks)
    return PASSED


def check_price(price_ticks: int) -> Verdict:
    """A limit price must be positive and within the wire's range."""
    if price_ticks <= 0:
        return Verdict(Reason.PRICE_NOT_POSITIVE, detail=f"price_ticks {price_ticks}")
    if price_ticks > MAX_TICKS:
        return Verdict(Reason.NUMBER_TOO_LARGE, detail=f"price_ticks {price_ticks}")
    return PASSED


def check_expiry(expire_ns: int, now_ns: int) -> Verdict:
    """An order that ends by the clock ends later."""
    if not now_ns < expire_ns <= MAX_WIRE:
        detail = f"expire_ns {expire_ns}; allowed: after {now_ns}"
        return Verdict(Reason.INVALID_FIELD, detail=detail)
    return PASSED


def check_count(trader: Trader, listing: Listing, order_id: int) -> Verdict:
    """An account has no more open orders than the contract allows, those that wait for their
    trigger included. One that fires has its place among them already."""
    most = listing.instrument.max_open_orders
    if trader.order_count + len(trader.triggers) >= most and order_id not in trader.triggers:
        return Verdict(Reason.TOO_MANY_OPEN_ORDERS, detail=f"at most {most}")
    return PASSED


def check_leg(trader: Trader, leg: int) -> Verdict:
    """Hedge mode needs a leg, one-way mode has none."""
    if trader.hedge != (leg != LEG_NET):
        mode = "hedge mode: leg 1 or 2" if trader.hedge else "one-way mode: leg 0"
        return Verdict(Reason.WRONG_LEG, detail=f"leg {leg}; {mode}")
    return PASSED


def check_size(listing: Listing, qty_lots: int, notional_q: int, reduces: bool) -> Verdict:
    """The instrument's size and notional limits; what only reduces may be below the minimum."""
    instrument = listing.instrument
    if notional_q > MAX_AMOUNT_Q:
        return Verdict(Reason.NUMBER_TOO_LARGE, notional_q, MAX_AMOUNT_Q, "notional")
    if not reduces:
        if qty_lots < instrument.min_lots:
            return Verdict(Reason.QTY_BELOW_MINIMUM, instrument.min_lots, qty_lots)
        if notional_q < instrument.min_notional_q:
            return Verdict(Reason.NOTIONAL_BELOW_MINIMUM, instrument.min_notional_q, notional_q)
    if instrument.max_lots and qty_lots > instrument.max_lots:
        return Verdict(Reason.QTY_ABOVE_MAXIMUM, instrument.max_lots, qty_lots)
    if instrument.max_notional_q and notional_q > instrument.max_notional_q:
        return Verdict(Reason.NOTIONAL_ABOVE_MAXIMUM, instrument.max_notional_q, notional_q)
    return PASSED


def band_limits(listing: Listing) -> tuple[int, int]:
    """Lowest price a sell and highest price a buy may cross to, both among the prices there are;
    all of those without a band."""
    if not listing.instrument.band_ppb:
        return 1, MAX_TICKS
    low_ticks = listing.band_low.up(listing.mark_ticks)
    high_ticks = listing.band_high.down(listing.mark_ticks)
    return _as_price(low_ticks), _as_price(high_ticks)


def _as_price(ticks: int) -> int:
    """The nearest price there is."""
    if ticks > MAX_TICKS:
        return MAX_TICKS
    return ticks if ticks > 1 else 1


def check_band(listing: Listing, side: int, price_ticks: int) -> Verdict:
    """A buy far above or a sell far below the mark is refused (fat fingers, self-dealing)."""
    low_ticks, high_ticks = band_limits(listing)
    if (side == BUY and price_ticks > high_ticks) or (side == SELL and price_ticks < low_ticks):
        return Verdict(
            Reason.PRICE_OUTSIDE_BAND,
            detail=f"price {price_ticks}; allowed: {low_ticks} to {high_ticks} ticks",
        )
    return PASSED


def least_reach_ticks(listing: Listing, side: int, slippage_ppb: int, edge_ticks: int) -> int:
    """Price a market order must at least be able to pay for: the mark, worsened by the assumed
    slippage, but no further than the edge of the band."""
    if side == BUY:
        return min(edge_ticks, apply_rate_up(listing.mark_ticks, PPB + slippage_ppb))
    return max(1, edge_ticks, apply_rate_down(listing.mark_ticks, PPB - slippage_ppb))


def can_only_close(position: Position, side: int, qty_lots: int) -> bool:
    """Whether a new order closes whatever fills first: it and all orders on its side fit into the
    position."""
    if side == BUY:
        return qty_lots + position.buy_lots <= -position.qty_lots
    return qty_lots + position.sell_lots <= position.qty_lots


def closable_lots(position: Position, side: int) -> int:
    """Lots of a position that an order of this side closes."""
    against = -position.qty_lots if side == BUY else position.qty_lots
    return against if against > 0 else 0


def margin_equity_q(account: MarginAccount, rulebook: Rulebook) -> int:
    """Equity that counts for new risk; without the unrealised profit if the rulebook says so."""
    evaluate(account)
    if rulebook.profit_margins_orders:
        return account.equity_q
    return account.equity_q - unrealised_profit_q(account)


def movable_q(cross: MarginAccount) -> int:
    """Collateral a cross account can give to an isolated position: what initial margin leaves free.

    Unrealised profit stays behind whatever the rulebook says, for it is not in the wallet, and so
    does what only collateral in other assets covers.
    """
    free_q = givable_q(cross, None)
    if cross.holdings:
        free_q = min(free_q, free_cash_q(cross))
    return free_q


def free_cash_q(cross: MarginAccount) -> int:
    """What an evaluated cross account has in its asset itself: neither unrealised profit nor
    collateral in other assets, nor what its orders hold or isolated positions were promised."""
    own_q = cross.equity_q - unrealised_profit_q(cross) - collateral_q(cross)
    return own_q - cross.held_q - isolated_need_q(cross)


def givable_q(cross: MarginAccount, pot: MarginAccount | None) -> int:
    """What a cross account has free for one isolated position, what it keeps for the orders of that
    position included. Collateral in other assets may stand for it; unrealised profit may not."""
    evaluate(cross)
    needs_q = isolated_need_q(cross)
    kept_q = needs_q if pot is None else isolated_need_q(cross, pot)
    present_q = cross.equity_q - unrealised_profit_q(cross)
    return present_q - (initial_requirement_q(cross) - needs_q + kept_q)


def promised_q(cross: MarginAccount, pot: MarginAccount) -> int:
    """What a cross account gives an isolated position at a fill.

    Mostly what it has free beside all others. Where a close or a move of the mark that was under
    way together with the fill took more, the fill comes first, as long as the losses of the open
    orders stay covered: those whose margin is missing then are cancelled.
    """
    free_q = givable_q(cross, pot)
    return max(0, free_q, cross.equity_q - open_losses_but_for_q(cross, pot))


def check_reduces(position: Position, side: int, qty_lots: int, counts: bool) -> Verdict:
    """A reduce-only order needs something to reduce.

    With ``counts`` (a rulebook setting) the open reduce-only orders come first: what they leave of
    the position is all that another may ask for, and the refusal names the first in the way.
    """
    against = closable_lots(position, side)
    if not against:
        return Verdict(Reason.NOTHING_TO_REDUCE)
    taken = position.reduce_buy_lots if side == BUY else position.reduce_sell_lots
    if counts and taken and taken + qty_lots > against:
        for order in position.account.trader.open_orders():
            if order.position is position and order.reduce_only and order.side == side:
                detail = (
                    f"order {order.order_id} is to reduce {order.remaining_lots} lots already; "
                    f"open reduce-only orders leave {max(0, against - taken)} of {against} lots"
                )
                return Verdict(Reason.NOTHING_TO_REDUCE, detail=detail)
    return PASSED


def check_open_interest(listing: Listing, qty_lots: int) -> Verdict:
    """Open interest, if every open buy fills, stays what the engine's numbers can carry at the
    highest price the contract may have."""
    limit = listing.max_open_lots
    lots = listing.long_lots + listing.open_buy_lots + qty_lots
    if lots > limit:
        detail = f"open interest could become {lots} lots; at most {limit}"
        return Verdict(Reason.NUMBER_TOO_LARGE, lots, limit, detail)
    return PASSED


def check_cross_margin(
    position: Position, side: int, qty_lots: int, value_q: int, fee_q: int, profit_counts: bool
) -> Verdict:
    """Would the cross account still meet initial margin with this order open?

    ``value_q`` is what the order would book at its worst price, in the buyer's sign;
    ``profit_counts`` whether unrealised profit margins orders.
    """
    position.count_in(side, qty_lots, value_q)
    try:
        account = position.account
        required_q, free_q = initial_and_equity_q(account, profit_counts)
        if len(account.trader.accounts) > 1 and profit_counts and isolated_need_q(account):
            # What isolated positions need cannot be unrealised profit.
            free_q -= unrealised_profit_q(account)
    finally:
        position.count_in(side, -qty_lots, -value_q)
    required_q += fee_q
    required_q += order_loss_q(position, side, qty_lots, value_q, position.listing.mark_ticks)
    if required_q > free_q:
        return Verdict(Reason.INSUFFICIENT_MARGIN, required_q, free_q)
    return Verdict(OK, required_q, free_q)


def check_isolated_margin(
    position: Position,
    cross: MarginAccount,
    side: int,
    qty_lots: int,
    value_q: int,
    fee_q: int,
) -> Verdict:
    """Could the cross account give what the isolated position would need with this order open?

    As `check_cross_margin`: margin of the whole position at the mark, open losses beyond what the
    pot has to spare, and the fee.
    """
    free_q = givable_q(cross, position.account)
    if cross.holdings:
        free_q = min(free_q, movable_q(cross) + pot_need_q(position))
    position.count_in(side, qty_lots, value_q)
    try:
        loss_q = order_loss_q(position, side, qty_lots, value_q, position.listing.mark_ticks)
        required_q = pot_need_q(position, loss_q, fee_q)
    finally:
        position.count_in(side, -qty_lots, -value_q)
    if required_q > free_q:
        return Verdict(Reason.INSUFFICIENT_MARGIN, required_q, free_q)
    return Verdict(OK, required_q, free_q)


def closing_means_q(position: Position) -> int:
    """What a closing order may lose, fee included: equity at the marks, less what the open orders
    of the account may cost already. Of an isolated position only the pot counts."""
    account = position.account
    evaluate(account)
    return account.equity_q - open_losses_q(account)


def worst_paid_ticks(
    position: Position, side: int, qty_lots: int, edge_ticks: int, means_q: int, fee: Rate
) -> int:
    """The worst price up to ``edge_ticks`` at which an order loses, with its fee, no more than
    ``means_q`` against the mark; the mark itself where it cannot even pay its fee."""
    mark_ticks = position.listing.mark_ticks
    over_q = _cost_q(position, side, qty_lots, edge_ticks, fee) - means_q
    if over_q <= 0:
        return edge_ticks
    left_q = means_q - _cost_q(position, side, qty_lots, mark_ticks, fee)
    if left_q < 0:
        return mark_ticks
    away = 1 if edge_ticks > mark_ticks else -1
    paid = 0
    beyond = away * (edge_ticks - mark_ticks)
    halve = False
    while beyond - paid > 1:
        # Cost is nearly a straight line: where that line uses up the means, and half in turns.
        share = (beyond - paid) // 2 if halve else (beyond - paid) * left_q // (left_q + over_q)
        halve = not halve
        between = paid + min(max(share, 1), beyond - paid - 1)
        at_q = means_q - _cost_q(position, side, qty_lots, mark_ticks + away * between, fee)
        if at_q >= 0:
            paid, left_q = between, at_q
        else:
            beyond, over_q = between, -at_q
    return mark_ticks + away * paid


def fee_hold_q(fee: Rate, notional_q: int) -> int:
    """What an order holds for its fee: nothing where the rate is a rebate."""
    return fee.up(notional_q) if fee.ppb > 0 else 0


def rounding_hold_q(instrument: Instrument, lots: int) -> int:
    """What a closing order holds for roundings: the value of an inverse contract is rounded once a
    fill, and a fill may be a single lot."""
    return lots if instrument.inverse else 0


def _cost_q(position: Position, side: int, qty_lots: int, price_ticks: int, fee: Rate) -> int:
    """Loss against the mark and fee of an order that fills at a price."""
    listing = position.listing
    instrument = listing.instrument
    value_q = instrument.fill_value_q(qty_lots, price_ticks)
    loss_q = order_loss_q(position, side, qty_lots, value_q, listing.mark_ticks)
    notional_q = instrument.notional_of_value_q(value_q, qty_lots, price_ticks)
    return loss_q + fee_hold_q(fee, notional_q) + rounding_hold_q(instrument, qty_lots)


def check_leverage(position: Position, side: int, qty_lots: int) -> Verdict:
    """The position the order could lead to must lie in the margin table, and be allowed there at
    the chosen leverage."""
    listing = position.listing
    if side == BUY:
        lots = position.qty_lots + position.buy_lots + qty_lots
    else:
        lots = position.qty_lots - position.sell_lots - qty_lots
    notional_q = listing.instrument.notional_q(lots, listing.mark_ticks)
    cap_q = listing.model.cap_q
    if notional_q > cap_q:
        detail = f"a position of {notional_q}; the margin table ends at {cap_q}"
        return Verdict(Reason.NOTIONAL_ABOVE_MAXIMUM, cap_q, notional_q, detail)
    if listing.allowance.refuses(lots, notional_q):
        detail = "a position beyond what the rulebook lets it borrow"
        return Verdict(Reason.NOTIONAL_ABOVE_MAXIMUM, detail=detail)
    limit = listing.model.max_leverage(notional_q)
    if position.leverage > limit:
        detail = f"leverage {position.leverage}; at most {limit} at this notional"
        return Verdict(Reason.LEVERAGE_ABOVE_MAXIMUM, detail=detail)
    return PASSED
