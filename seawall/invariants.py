"""The checks behind `engine.invariants`, over the components of one exchange.

Where every account or position is looked at, figures become a text only once something broke.
"""

from engine.invariants import (
    BOOK_SOUND,
    CALLED,
    CONSERVATION_FULL,
    NO_MISSED_CROSSING,
    NOT_NEGATIVE,
    ONE_STAGE,
    ORDERS_COVERED,
    POSITIONS_KNOWN_TO_THE_BOOK,
    POSITIONS_SUM_TO_ZERO,
    RESERVATIONS,
    STATE_HASHED,
    TRIGGERS_WAIT,
    require,
)
from matching.matching_engine import MatchingEngine
from risk.accounts import BACKSTOP, FUND, NO_THRESHOLD, MarginAccount, OpenOrder, Position
from risk.cover.cover import means_q, order_is_passed, spare_q
from risk.frontier import Banded
from risk.health import can_open, evaluate
from risk.liquidation.engine import LiquidationEngine
from risk.listing import Listing
from risk.risk_engine import RiskEngine
from risk.triggers.trails import trail_level_ticks
from risk.triggers.trigger import Trigger
from seawall.state_hash import condensed_hash, recounted_hash


def check_cheap(risk: RiskEngine) -> None:
    """Conservation by the running sums: constant time, after every command."""
    risk.core.ledger.check_conservation()


def check_full(risk: RiskEngine, matching: MatchingEngine, liquidation: LiquidationEngine) -> None:
    """Every invariant, at rest (no message under way).

    Raises:
        AssertionError: the first one that does not hold.
    """
    core = risk.core
    for asset_id in core.assets:
        residue_q = core.ledger.residue_q(asset_id)
        require(residue_q == 0, CONSERVATION_FULL, f"residue {residue_q} in asset {asset_id}")
    _check_positions(risk)
    _check_books_positions(risk, matching)
    for instrument_id, book in matching.books.items():
        try:
            book.check()
        except AssertionError as error:
            require(False, BOOK_SOUND, f"instrument {instrument_id}: {error}")
    _check_reservations(risk, matching)
    for account in core.ledger.accounts.values():
        _check_level(risk, account)
        _check_cover(risk, account)
        _check_call(risk, account)
    locked = sorted(
        account.margin_account_id
        for account in core.ledger.accounts.values()
        if account.liquidation is not None
    )
    require(locked == sorted(liquidation.liquidations), ONE_STAGE, f"risk has {locked}")
    _check_triggers(risk)
    kept = condensed_hash(risk, matching, liquidation)
    counted = recounted_hash(risk, matching, liquidation)
    require(kept == counted, STATE_HASHED, f"kept {kept}, counted {counted}")


def _check_positions(risk: RiskEngine) -> None:
    for listing in risk.core.listings.values():
        total = 0
        longs = 0
        for account in risk.core.ledger.accounts.values():
            for position in account.positions:
                if position.listing is listing:
                    total += position.qty_lots
                    longs += max(0, position.qty_lots)
        require(total == 0, POSITIONS_SUM_TO_ZERO, f"{listing.instrument.symbol}: sum {total}")
        require(
            longs == listing.long_lots,
            POSITIONS_SUM_TO_ZERO,
            f"{listing.instrument.symbol}: longs {longs}, open interest {listing.long_lots}",
        )


def _check_books_positions(risk: RiskEngine, matching: MatchingEngine) -> None:
    held: dict[int, list[tuple[int, int, int]]] = {known: [] for known in matching.books}
    for account in risk.core.ledger.accounts.values():
        for position in account.positions:
            if position.qty_lots:
                row = (account.trader.account_id, position.leg, position.qty_lots)
                held[position.listing.instrument_id].append(row)
    for instrument_id, book in matching.books.items():
        known = book.positions.state()
        expected = sorted(held[instrument_id])
        if known != expected:
            figures = f"instrument {instrument_id}: book {known}, risk {expected}"
            require(False, POSITIONS_KNOWN_TO_THE_BOOK, figures)


def _check_reservations(risk: RiskEngine, matching: MatchingEngine) -> None:
    resting = {
        order.order_id: order.remaining_lots
        for book in matching.books.values()
        for order in book.orders()
    }
    known = {order.order_id: order.remaining_lots for order in risk.core.orders.values()}
    require(resting == known, RESERVATIONS, f"book {resting}, risk {known}")
    for account in risk.core.ledger.accounts.values():
        held_q = 0
        for order in account.trader.open_orders():
            if order.position.account is account:
                held_q += order.hold_q
        if held_q != account.held_q:
            figures = f"held {account.held_q}, orders {held_q}"
            require(False, RESERVATIONS, f"account {account.margin_account_id}: {figures}")
        for position in account.positions:
            _check_position_orders(position)


def _check_position_orders(position: Position) -> None:
    lots = [0, 0, 0, 0]
    value_q = [0, 0]
    for order in position.account.trader.open_orders():
        if order.position is position:
            side = 0 if order.side > 0 else 1
            lots[side] += order.remaining_lots
            value_q[side] += order.value_q
            lots[2 + side] += order.remaining_lots if order.reduce_only else 0
    booked = [
        position.buy_lots,
        position.sell_lots,
        position.reduce_buy_lots,
        position.reduce_sell_lots,
    ]
    if lots != booked:
        require(False, RESERVATIONS, f"position {position.uid}: {booked}, orders {lots}")
    values = [position.buy_value_q, position.sell_value_q]
    if value_q != values:
        require(False, RESERVATIONS, f"position {position.uid}: {values}, {value_q}")


def _check_triggers(risk: RiskEngine) -> None:
    core = risk.core
    owned = [
        trigger.order_id
        for trader in core.ledger.traders.values()
        for trigger in trader.triggers.values()
    ]
    known = [trigger.order_id for trigger in core.triggers.values()]
    require(sorted(owned) == known, TRIGGERS_WAIT, f"by trader {sorted(owned)}, by id {known}")
    for listing in core.listings.values():
        counted = 0
        for trigger in core.triggers.values():
            if trigger.terms.instrument_id == listing.instrument_id:
                counted += 1
                _check_trigger(trigger, listing)
        waiting = 0 if listing.triggers is None else listing.triggers.count
        figures = f"{listing.instrument.symbol}: {waiting} wait, {counted} are open"
        require(waiting == counted, TRIGGERS_WAIT, figures)


def _check_trigger(trigger: Trigger, listing: Listing) -> None:
    """Of a trigger order at rest, when none is on its way."""
    terms = trigger.terms
    price_ticks = listing.price_ticks(terms.trigger_by)
    direction, level_ticks = trigger.direction(), trigger.level_ticks()
    if trigger.trail is not None:
        direction, level_ticks = terms.side, trail_level_ticks(terms, trigger.best_ticks())
    reached = price_ticks and level_ticks and direction * (price_ticks - level_ticks) >= 0
    if trigger.fired_ticks or reached:
        figures = f"order {trigger.order_id} at {level_ticks}, the price is {price_ticks}"
        require(False, TRIGGERS_WAIT, figures)


def _check_level(risk: RiskEngine, account: MarginAccount) -> None:
    if account.liquidation is not None:
        return
    evaluate(account)
    if account.trader.is_house():
        solvent = account.equity_q >= 0 or risk.core.is_halted(account)
        if not solvent and account.trader.account_id in (FUND, BACKSTOP):
            require(False, NOT_NEGATIVE, f"{account.margin_account_id}: equity {account.equity_q}")
        return
    level = risk.core.levels.level_of(account)
    account_id = account.margin_account_id
    if level != account.level:
        figures = f"level {account.level}, revalued {level}"
        require(False, NO_MISSED_CROSSING, f"account {account_id}: {figures}")
    if account.equity_q < 0 and not risk.core.is_halted(account):
        require(False, NOT_NEGATIVE, f"account {account_id}: equity {account.equity_q}")
    for position in account.positions:
        price = position.listing.mark_ticks
        if not _in_band(position, price):
            figures = f"price {price} outside its band"
            require(False, NO_MISSED_CROSSING, f"position {position.uid}: {figures}")
    for holding in account.holdings:
        price = holding.asset.price_ppb
        if not _in_band(holding, price):
            figures = f"price {price} outside its band"
            require(False, NO_MISSED_CROSSING, f"collateral of {account_id}: {figures}")


def _check_cover(risk: RiskEngine, account: MarginAccount) -> None:
    """Of a trader's cross account, for all orders it answers for."""
    trader = account.trader
    if account.isolated or account.liquidation is not None or trader.is_house():
        return
    orders = [
        order
        for order in trader.open_orders()
        if risk.core.cross_of(order.position.account) is account and not order.liquidation
    ]
    left_q = spare_q(risk.core, account) + _rounding_q(orders) if orders else 0
    if left_q >= 0:
        return
    for order in orders:
        if can_open(order.position):
            figures = f"account {account.margin_account_id} lacks {-left_q}"
            require(False, ORDERS_COVERED, f"{figures}, order {order.order_id} might open")
    if means_q(account) < 0 and any(order_is_passed(order) for order in orders):
        figures = f"account {account.margin_account_id} lacks {-means_q(account)} for its orders"
        require(False, ORDERS_COVERED, figures)


def _rounding_q(orders: list[OpenOrder]) -> int:
    """What fills of inverse contracts may have rounded away: a quantum each, at most one a lot."""
    total_q = 0
    for position in {order.position.uid: order.position for order in orders}.values():
        if position.listing.instrument.inverse:
            total_q += abs(position.qty_lots) + position.buy_lots + position.sell_lots
    return total_q


def _check_call(risk: RiskEngine, account: MarginAccount) -> None:
    """Of an account whose level was just checked."""
    if account.trader.is_house() or account.liquidation is not None:
        return
    core = risk.core
    levels = core.levels
    if account.call is not None:
        over = risk.watch.calls.is_over(account)
        require(not over, CALLED, f"account {account.margin_account_id}: a call that is over")
    elif levels.call_level <= account.level < levels.liquidate_level:
        rule = core.rulebook.call
        may_be_over = rule.grace_ns >= 0 and rule.on_expiry == "notify"
        require(may_be_over, CALLED, f"account {account.margin_account_id}: no call")


def _in_band(member: Banded, price: int) -> bool:
    return (member.low == NO_THRESHOLD or member.low <= price) and (
        member.high == NO_THRESHOLD or price <= member.high
    )
