"""The health of an account: equity, what its orders tie up, free collateral, margin level.

Equity is the wallet, plus what balances in collateral assets count for, plus what the positions
have gained since entry, at mark. What the account must have is its `Requirement`'s to say.
Everything is recomputed from the positions each time: they are few, and a figure that is never
stored cannot drift.
"""

from typing import TYPE_CHECKING

from engine.units import PPB, Rate, magnitude
from risk.rulebook import LEVEL_CALL, Rulebook

if TYPE_CHECKING:
    from risk.accounts import MarginAccount, Position


def evaluate(account: "MarginAccount") -> None:
    """Set `equity_q` and `maintenance_q` of an account at current marks."""
    account.requirement.evaluate(account)


def collateral_q(account: "MarginAccount") -> int:
    """What the balances in other assets count for: at their prices, after their haircuts."""
    total_q = 0
    for holding in account.holdings:
        total_q += holding.value_q()
    return total_q


def unrealised_q(position: "Position") -> int:
    """Gain since entry at the mark, rounded down."""
    listing = position.listing
    value_q = listing.instrument.position_value_q(position.qty_lots, listing.mark_ticks)
    return value_q - position.entry_value_q


def open_loss_q(
    position: "Position", mark_ticks: int, reduce_loss_q: int = 0, reduce_lots: int = 0
) -> int:
    """What the open orders of a position would lose against the mark, each at its worst price.

    Every order counts for itself: one that would gain may never fill. Reduce-only orders count up
    to the position, the dearest first; ``reduce_loss_q`` and ``reduce_lots`` are those of one that
    is not remembered yet. Only orders that the mark has passed lose anything, so it mostly takes
    two comparisons.
    """
    if not reduce_loss_q and not edges_are_passed(position, mark_ticks):
        return 0
    total_q = 0
    reducing: list[tuple[int, int]] = []
    if reduce_loss_q:
        reducing.append((reduce_loss_q, reduce_lots))
    order = position.account.trader.oldest_order
    while order is not None:
        if order.position is position and not order.liquidation:
            lots = order.remaining_lots
            loss_q = order_loss_q(position, order.side, lots, order.value_q, mark_ticks)
            if loss_q and order.reduce_only:
                reducing.append((loss_q, lots))
            else:
                total_q += loss_q
        order = order.newer
    return total_q + _reducing_loss_q(reducing, magnitude(position.qty_lots))


def _reducing_loss_q(reducing: list[tuple[int, int]], held: int) -> int:
    """The most that reduce-only orders, as losses and lots, can lose on a position of ``held``
    lots; of an order that fits in part its share, rounded up."""
    if len(reducing) > 1:
        # The dearest lot first; orders that cost the same a lot are alike.
        reducing.sort(key=_loss_per_lot_ppb, reverse=True)
    total_q = 0
    for loss_q, lots in reducing:
        part = lots if lots < held else held
        total_q += loss_q if part == lots else -(-loss_q * part // lots)
        held -= part
    return total_q


def _loss_per_lot_ppb(row: tuple[int, int]) -> int:
    """Rounded down."""
    return row[0] * PPB // row[1]


def edges_are_passed(position: "Position", mark_ticks: int) -> bool:
    """Whether the mark has passed the dearest buy or the cheapest sell."""
    low_ticks = position.sell_low_ticks
    return position.buy_high_ticks > mark_ticks or 0 < low_ticks < mark_ticks


def order_loss_q(position: "Position", side: int, lots: int, value_q: int, mark_ticks: int) -> int:
    """What one order would lose against the mark if all its lots filled at its worst price;
    ``value_q`` is what they would book there (buyer's sign)."""
    instrument = position.listing.instrument
    loss_q = value_q - instrument.position_value_q(lots, mark_ticks)
    if side < 0:
        loss_q = -loss_q
    return loss_q if loss_q > 0 else 0


def can_open(position: "Position") -> bool:
    """Whether the plain orders of a position could enlarge or turn it, in any order of filling."""
    qty_lots = position.qty_lots
    buys = position.buy_lots - position.reduce_buy_lots
    sells = position.sell_lots - position.reduce_sell_lots
    if buys and (qty_lots >= 0 or buys + min(position.reduce_buy_lots, -qty_lots) > -qty_lots):
        return True
    return sells != 0 and (
        qty_lots <= 0 or sells + min(position.reduce_sell_lots, qty_lots) > qty_lots
    )


def pot_need_q(
    position: "Position", more_loss_q: int = 0, more_fee_q: int = 0, more_q: int = 0
) -> int:
    """What the cross account keeps free for the open orders of an isolated position.

    Whichever of them fill, and in whatever order, the pot then has the initial margin of the whole
    position at the mark, and none of its fills leaves it below zero. What the pot has beyond its
    own margin counts towards the open losses; the cross account pays the fees. ``more_loss_q`` and
    ``more_fee_q`` are those of an order that is counted in the lots but not remembered yet,
    ``more_q`` is collateral that is to come.
    """
    if not position.buy_lots and not position.sell_lots:
        return 0
    listing = position.listing
    mark_ticks = listing.mark_ticks
    value_q = listing.instrument.position_value_q(position.qty_lots, mark_ticks)
    gain_q = value_q - position.entry_value_q
    # A pot below zero is for its liquidation to settle, not for the cross account.
    present_q = max(0, position.account.wallet_q + gain_q + more_q)
    open_q = open_loss_q(position, mark_ticks)
    loss_q = open_q + more_loss_q
    fees_q = position.account.held_q + more_fee_q
    if not can_open(position):
        # Closing realises the gain, and what it frees pays the fee.
        return max(0, loss_q + fees_q - present_q)
    if gain_q > 0 and not listing.profit_margins_orders:
        present_q = max(0, present_q - gain_q)
    requirement = position.account.requirement
    own_q = requirement.initial_q(position.account)
    growth_q = requirement.with_orders_q(position.account) - open_q - own_q
    return max(0, growth_q) + max(0, loss_q + own_q - present_q) + fees_q


def isolated_need_q(account: "MarginAccount", but_for: "MarginAccount | None" = None) -> int:
    """What a cross account keeps free for the open orders of the isolated positions it feeds, one
    of them left out on request."""
    trader = account.trader
    if trader.oldest_order is None or account.isolated:
        return 0
    total_q = 0
    for pot in trader.accounts:
        if pot.isolated and pot.asset_id == account.asset_id and pot is not but_for:
            position = pot.first_position
            while position is not None:
                total_q += pot_need_q(position)
                position = position.next
    return total_q


def initial_requirement_q(account: "MarginAccount") -> int:
    """Initial margin of all positions and open orders of a cross account, with the fees of the
    orders and what it keeps free for isolated ones.

    Of an isolated account: of its position alone, for the cross account stands for its orders.
    """
    if account.isolated:
        return account.requirement.initial_q(account)
    margin_q = account.requirement.with_orders_q(account)
    return margin_q + account.held_q + isolated_need_q(account)


def open_losses_q(account: "MarginAccount") -> int:
    """What the open orders of an account may cost it besides margin: their losses against the
    marks, their fees, and what a cross account keeps free for isolated ones."""
    total_q = account.held_q
    position = account.first_position
    while position is not None:
        if position.buy_lots or position.sell_lots:
            total_q += open_loss_q(position, position.listing.mark_ticks)
        position = position.next
    return total_q + isolated_need_q(account)


def open_losses_but_for_q(cross: "MarginAccount", pot: "MarginAccount") -> int:
    """What the open orders of a cross account, and of the isolated positions it feeds but one, may
    cost it at most: losses and fees beyond what the pots have, no margin."""
    total_q = cross.held_q
    for account in cross.trader.accounts:
        if account is pot or account.asset_id != cross.asset_id:
            continue
        loss_q = account.held_q if account.isolated else 0
        position = account.first_position
        while position is not None:
            if position.buy_lots or position.sell_lots:
                loss_q += open_loss_q(position, position.listing.mark_ticks)
            if account.isolated:
                loss_q -= max(0, account.wallet_q + unrealised_q(position))
            position = position.next
        total_q += loss_q if loss_q > 0 else 0
    return total_q


def initial_and_equity_q(account: "MarginAccount", profit_counts: bool) -> tuple[int, int]:
    """`initial_requirement_q` of a cross account, and the equity that may meet it.

    Without ``profit_counts`` unrealised profits are left out of the equity, losses never.
    """
    required_q, equity_q = account.requirement.with_orders_and_equity_q(account, profit_counts)
    required_q += account.held_q
    if len(account.trader.accounts) > 1:
        required_q += isolated_need_q(account)
    return required_q, equity_q


def position_notional_q(account: "MarginAccount") -> int:
    """Gross value of the positions at mark."""
    total_q = 0
    position = account.first_position
    while position is not None:
        if position.qty_lots:
            listing = position.listing
            total_q += listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)
        position = position.next
    return total_q


def unrealised_profit_q(account: "MarginAccount") -> int:
    """The part of equity that is unrealised profit (losses are never left out)."""
    total_q = 0
    position = account.first_position
    while position is not None:
        if position.qty_lots:
            gain_q = unrealised_q(position)
            total_q += gain_q if gain_q > 0 else 0
        position = position.next
    return total_q


class Levels:
    """The rulebook's margin levels as multiples of maintenance, mildest first."""

    __slots__ = (
        "_rates",
        "call_level",
        "factors_ppb",
        "inclusive",
        "liquidate_level",
        "names",
    )

    def __init__(self, rulebook: Rulebook) -> None:
        self.factors_ppb: list[int] = [level.factor_ppb for level in rulebook.levels]
        self._rates: list[Rate] = [Rate(factor_ppb) for factor_ppb in self.factors_ppb]
        self.names: list[str] = ["healthy", *(level.name for level in rulebook.levels)]
        self.liquidate_level = len(self.factors_ppb)
        self.inclusive = rulebook.liquidation.inclusive
        self.call_level = self.liquidate_level
        for number, level in enumerate(rulebook.levels, start=1):
            if level.kind == LEVEL_CALL:
                self.call_level = number

    def level_of(self, account: "MarginAccount") -> int:
        """How many levels the account is below, from its last evaluation; no rounding decides."""
        equity_q = account.equity_q
        maintenance_q = account.maintenance_q
        level = 0
        for rate in self._rates:
            if not rate.is_above(equity_q, maintenance_q):
                break
            level += 1
        if self.inclusive and level == self.liquidate_level - 1 and maintenance_q:
            level += self._rates[level].is_exactly(equity_q, maintenance_q)
        return level

    def call_limit_q(self, account: "MarginAccount") -> int:
        """The least equity outside the call band of an evaluated account, rounded up; 0 where the
        rulebook has no calls."""
        if self.call_level == self.liquidate_level:
            return 0
        return self._rates[self.call_level - 1].up(account.maintenance_q)

    def worse_headroom_q(self, account: "MarginAccount") -> int:
        """Equity above the next worse level, rounded down; -1 at the last level.

        An inclusive liquidation level is reached one quantum earlier.
        """
        level = account.level
        if level >= self.liquidate_level:
            return -1
        limit_q = self._rates[level].up(account.maintenance_q)
        headroom_q = account.equity_q - limit_q - int(self.inclusive)
        return headroom_q if headroom_q > 0 else 0

    def better_gap_q(self, account: "MarginAccount") -> int:
        """Equity missing to leave the present level, rounded down; -1 when healthy."""
        level = account.level
        if level == 0:
            return -1
        gap_q = self._rates[level - 1].down(account.maintenance_q) - account.equity_q
        return gap_q if gap_q > 0 else 0
