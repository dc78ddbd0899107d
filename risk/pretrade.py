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
    SELL,
    STP_CANCEL_NEWEST,
    STP_DECREMENT,
    SubmitOrder,
)
from engine.native import mypyc_attr
from engine.reasons import Reason
from engine.units import PPB, apply_rate_down, apply_rate_up
from risk.accounts import MarginAccount, Position, Trader
from risk.health import (
    collateral_q,
    evaluate,
    initial_and_equity_q,
    initial_requirement_q,
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
    if not STP_CANCEL_NEWEST <= order.stp <= STP_DECREMENT:
        return Verdict(Reason.INVALID_FIELD, detail=f"stp {order.stp}; allowed: 0 to 3")
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


def estimate_price_ticks(listing: Listing, side: int, slippage_ppb: int) -> int:
    """Price a market order is margined at: the mark, worsened by the assumed slippage."""
    if side == BUY:
        return apply_rate_up(listing.mark_ticks, PPB + slippage_ppb)
    return max(1, apply_rate_down(listing.mark_ticks, PPB - slippage_ppb))


def opening_lots(position: Position, side: int, qty_lots: int) -> int:
    """How many lots of a new order could enlarge the position, given the orders before it."""
    if side == BUY:
        before = position.qty_lots + position.buy_lots
    else:
        before = position.sell_lots - position.qty_lots
    if before >= 0:
        return qty_lots
    after = before + qty_lots
    return after if after > 0 else 0


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
    evaluate(cross)
    present_q = cross.equity_q - unrealised_profit_q(cross)
    free_q = present_q - initial_requirement_q(cross)
    if cross.holdings:
        free_q = min(free_q, present_q - collateral_q(cross) - cross.held_q)
    return free_q


def check_cross_margin(
    position: Position, side: int, qty_lots: int, value_q: int, fee_q: int, profit_counts: bool
) -> Verdict:
    """Would the cross account still meet initial margin with this order open?

    ``value_q`` is what the order would book at its limit, in the buyer's sign; ``profit_counts``
    whether unrealised profit margins orders. The requirement is computed with the order counted in
    and the position restored before returning.
    """
    if side == BUY:
        position.buy_lots += qty_lots
        position.buy_value_q += value_q
    else:
        position.sell_lots += qty_lots
        position.sell_value_q += value_q
    required_q, free_q = initial_and_equity_q(position.account, profit_counts)
    if side == BUY:
        position.buy_lots -= qty_lots
        position.buy_value_q -= value_q
    else:
        position.sell_lots -= qty_lots
        position.sell_value_q -= value_q
    required_q += fee_q
    if required_q > free_q:
        return Verdict(Reason.INSUFFICIENT_MARGIN, required_q, free_q)
    return PASSED


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
    limit = listing.model.max_leverage(notional_q)
    if position.leverage > limit:
        detail = f"leverage {position.leverage}; at most {limit} at this notional"
        return Verdict(Reason.LEVERAGE_ABOVE_MAXIMUM, detail=detail)
    return PASSED
