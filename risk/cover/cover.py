"""The cover of open orders: what margin has to pay for while they wait in the book.

An order is checked once, when it is accepted, and may fill much later. In between marks move,
collateral leaves and positions go. So the rule of the check is kept up: what an account has must
cover the initial margin and the open losses of all its orders at every moment, and an order that it
no longer covers is cancelled at once. `docs/margin_check.md` states the rule.
"""

from engine.commands import BUY
from engine.reasons import Reason
from engine.units import scale_down
from risk.accounts import MarginAccount, OpenOrder, Position
from risk.check.pretrade import closable_lots, givable_q
from risk.core import RiskCore
from risk.cover.reservations import Reservations
from risk.frontier import NO_THRESHOLD, ROUNDING_SLACK_Q, high_limit, low_limit, place_holding
from risk.health import (
    evaluate,
    initial_and_equity_q,
    isolated_need_q,
    open_losses_q,
)


def spare_q(core: RiskCore, cross: MarginAccount) -> int:
    """What a cross account has beyond the requirement of all its positions and orders, those of the
    isolated positions it feeds included; negative when they are not covered.

    What isolated positions need has to be there without unrealised profit, which cannot move.
    """
    required_q, free_q = initial_and_equity_q(cross, core.profit_margins_orders)
    left_q = free_q - required_q
    if len(cross.trader.accounts) > 1 and isolated_need_q(cross):
        left_q = min(left_q, givable_q(cross, None))
    return left_q


def keep_covered(
    core: RiskCore,
    reservations: Reservations,
    cross: MarginAccount,
    new: OpenOrder | None = None,
) -> None:
    """Cancel the orders that a cross account no longer covers, and have it looked at again before
    it can fail to cover the rest. A ``new`` order, not in the book yet, stays."""
    trader = cross.trader
    if trader.oldest_order is None or cross.liquidation is not None or trader.is_house():
        return
    left_q = spare_q(core, cross)
    if left_q >= 0:
        place_cover(cross, left_q)
        return
    dropped = _Dropped(core, reservations, cross, new)
    left_q = dropped.openers(left_q)
    if left_q < 0:
        left_q = dropped.losers()
    place_cover(cross, left_q)
    dropped.pull()


def watch_cover(core: RiskCore, cross: MarginAccount) -> None:
    """Have a cross account looked at again before it can fail to cover its orders as they are."""
    trader = cross.trader
    if trader.oldest_order is None or cross.liquidation is not None or trader.is_house():
        return
    left_q = spare_q(core, cross)
    place_cover(cross, left_q if left_q >= 0 else means_q(cross))


def means_q(cross: MarginAccount) -> int:
    """Equity of a cross account beyond what its open orders may lose."""
    evaluate(cross)
    return cross.equity_q - open_losses_q(cross)


class _Dropped:
    """Orders to be cancelled or cut: left out of the requirement while the choice is made, and
    counted again until the book confirms."""

    __slots__ = ("_core", "_cross", "_new", "_reservations", "_rows")

    def __init__(
        self,
        core: RiskCore,
        reservations: Reservations,
        cross: MarginAccount,
        new: OpenOrder | None,
    ) -> None:
        self._core = core
        self._new = new
        self._reservations = reservations
        self._cross = cross
        # Each order with the lots, value and fee hold it had.
        self._rows: list[tuple[OpenOrder, int, int, int]] = []

    def openers(self, left_q: int) -> int:
        """Leave out what orders might open, of those the mark has passed first, then of the newest,
        until the rest is covered: first where the margin matters, then everywhere. Returns what is
        left over then."""
        core = self._core
        for everywhere in (False, True):
            for order in self._candidates():
                if left_q >= 0:
                    return left_q
                lots = 0 if order.reduce_only else lots_that_open(order)
                if not lots:
                    continue
                self._drop(order, lots)
                now_q = spare_q(core, self._cross)
                if now_q > left_q or everywhere:
                    left_q = now_q
                else:
                    self._restore(self._rows.pop())
        return left_q

    def losers(self) -> int:
        """Of an account below initial margin only closing orders are left: leave out those that
        could bankrupt it. Returns its equity beyond what the rest may lose."""
        left_q = means_q(self._cross)
        for order in self._candidates():
            if left_q >= 0:
                break
            if order_is_passed(order):
                self._drop(order, order.remaining_lots)
                left_q = means_q(self._cross)
        return left_q

    def pull(self) -> None:
        """Ask the book to cancel or cut them, oldest first."""
        core = self._core
        kept: dict[int, int] = {}
        while self._rows:
            row = self._rows.pop()
            order = row[0]
            kept.setdefault(_id_of(order), order.remaining_lots)
            self._restore(row)
        for order_id in sorted(kept):
            order = core.orders[order_id]
            order.position.account.trader.touch()
            order.uncovered = True
            if kept[order_id]:
                self._reservations.cut(order, kept[order_id])
            else:
                core.pull(order, Reason.MARGIN_LOST)

    def _candidates(self) -> list[OpenOrder]:
        """Orders that this cross account answers for: passed ones first, then the newest first."""
        core = self._core
        found = [
            order
            for order in self._cross.trader.open_orders()
            if order.remaining_lots
            and not order.liquidation
            and order is not self._new
            and core.cross_of(order.position.account) is self._cross
        ]
        found.reverse()
        passed = [order for order in found if order_is_passed(order)]
        return passed + [order for order in found if not order_is_passed(order)]

    def _drop(self, order: OpenOrder, lots: int) -> None:
        self._rows.append((order, order.remaining_lots, order.value_q, order.hold_q))
        self._reservations.release(order, lots)

    def _restore(self, row: tuple[OpenOrder, int, int, int]) -> None:
        order, lots, value_q, hold_q = row
        self._reservations.release(order, order.remaining_lots)
        order.hold_q = hold_q
        order.position.account.held_q += hold_q
        self._reservations.reserve(order, lots, value_q)


def lots_that_open(order: OpenOrder) -> int:
    """How many lots of a plain order could enlarge or turn its position if it filled last."""
    position = order.position
    against = closable_lots(position, order.side)
    lots = order.remaining_lots
    if order.side == BUY:
        behind = position.buy_lots - position.reduce_buy_lots
        behind += min(position.reduce_buy_lots, against)
    else:
        behind = position.sell_lots - position.reduce_sell_lots
        behind += min(position.reduce_sell_lots, against)
    return min(lots, max(0, behind - against))


def _id_of(order: OpenOrder) -> int:
    return int(order.order_id)


def order_is_passed(order: OpenOrder) -> bool:
    """Whether an order would lose against the mark at its worst price."""
    mark_ticks = order.position.listing.mark_ticks
    return order.price_ticks > mark_ticks if order.side == BUY else order.price_ticks < mark_ticks


# when to look again


def place_cover(cross: MarginAccount, left_q: int) -> None:
    """Put bands in force within which prices cannot use up ``left_q``, what is left over beside the
    orders of a cross account and of the isolated positions it feeds.

    It is shared out over what moves it: positions, open orders and collateral, by their gross value
    (rounded down).
    """
    trader = cross.trader
    if trader.oldest_order is None:
        return
    only = cross.first_position
    alone = only is not None and only.next is None and len(trader.accounts) == 1
    if only is not None and alone and not cross.holdings:
        _place(only, left_q - ROUNDING_SLACK_Q)
        return
    members = _members(cross)
    gross_q = [_gross_q(position) for position in members]
    total_q = sum(gross_q)
    holdings = [
        holding
        for holding in cross.holdings
        if holding.source.wallet_q > 0 and holding.asset.price_ppb > 0
    ]
    values_q = [holding.value_q() for holding in holdings]
    total_q += sum(values_q)
    left_q = max(0, left_q - ROUNDING_SLACK_Q * (len(members) + len(holdings)))
    if not total_q:
        return
    for position, part_q in zip(members, gross_q, strict=True):
        _place(position, scale_down(left_q, part_q, total_q))
    for holding, part_q in zip(holdings, values_q, strict=True):
        place_holding(holding, scale_down(left_q, part_q, total_q), -1, False)


def _members(cross: MarginAccount) -> list[Position]:
    """Positions whose price moves the cover of a cross account."""
    found = [
        position
        for position in cross.positions
        if position.qty_lots or position.buy_lots or position.sell_lots
    ]
    for pot in cross.trader.accounts:
        if pot.isolated and pot.asset_id == cross.asset_id and pot.liquidation is None:
            found += [each for each in pot.positions if each.buy_lots or each.sell_lots]
    return found


def _gross_q(position: Position) -> int:
    listing = position.listing
    lots = abs(position.qty_lots) + position.buy_lots + position.sell_lots
    return listing.instrument.notional_q(lots, listing.mark_ticks)


def _place(position: Position, room_q: int) -> None:
    """The band of one position and its orders.

    Below the mark a long and all open buys lose, above it a short and all open sells; where the
    notional grows, the margin of the larger side grows with it, by no more than the notional does.
    """
    listing = position.listing
    mark_ticks = listing.mark_ticks
    if not mark_ticks:
        return
    instrument = listing.instrument
    held = position.qty_lots
    down = position.buy_lots + (held if held > 0 else 0)
    up = position.sell_lots - (held if held < 0 else 0)
    growing = down if down > up else up
    requirement = position.account.requirement
    growing = requirement.growing_lots(position, growing)
    grows_down = instrument.inverse or not requirement.follows_notional()
    grows_up = not instrument.inverse or not requirement.follows_notional()
    if grows_down:
        down += growing
    if grows_up:
        up += growing
    if room_q < 0:
        room_q = 0
    low_ticks = NO_THRESHOLD
    high_ticks = NO_THRESHOLD
    if down:
        low_ticks = low_limit(instrument, down, mark_ticks, room_q)
    if up:
        high_ticks = high_limit(instrument, up, mark_ticks, room_q)
    if grows_down:
        low_ticks = requirement.last_steady_ticks(position, growing, max(1, low_ticks))
    if grows_up:
        high_ticks = requirement.last_steady_ticks(position, growing, high_ticks)
    listing.frontier.place(position, low_ticks, high_ticks, False)
