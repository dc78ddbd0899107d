"""How an account stands: equity, requirements, free collateral, margin level.

Equity is the wallet, plus what balances in collateral assets count for, plus what the positions
have gained since entry, at mark. Requirements are sums over positions. Everything is recomputed
from the positions each time: they are few, and a figure that is never stored cannot drift.
"""

from engine.units import Rate, magnitude
from risk.accounts import MarginAccount, Position
from risk.rulebook import LEVEL_CALL, Rulebook


def evaluate(account: MarginAccount) -> None:
    """Set `equity_q` and `maintenance_q` of an account at current marks."""
    equity_q = account.wallet_q
    if account.holdings:
        equity_q += collateral_q(account)
    maintenance_q = 0
    position = account.first_position
    while position is not None:
        qty_lots = position.qty_lots
        if qty_lots:
            listing = position.listing
            mark_ticks = listing.mark_ticks
            instrument = listing.instrument
            entry_q = position.entry_value_q
            value_q = instrument.position_value_q(qty_lots, mark_ticks)
            notional_q = instrument.notional_of_value_q(value_q, qty_lots, mark_ticks)
            equity_q += value_q - entry_q
            maintenance_q += listing.model.maintenance_q(
                qty_lots, notional_q, entry_q if entry_q >= 0 else -entry_q, position.leverage
            )
        position = position.next
    account.equity_q = equity_q
    account.maintenance_q = maintenance_q


def collateral_q(account: MarginAccount) -> int:
    """What the balances in other assets count for: at their prices, after their haircuts."""
    total_q = 0
    for holding in account.holdings:
        total_q += holding.value_q()
    return total_q


def position_maintenance_q(position: Position) -> int:
    """Maintenance requirement of one position at its mark."""
    listing = position.listing
    return listing.model.maintenance_q(
        position.qty_lots,
        listing.instrument.notional_q(position.qty_lots, listing.mark_ticks),
        magnitude(position.entry_value_q),
        position.leverage,
    )


def unrealised_q(position: Position) -> int:
    """Gain since entry at the mark, rounded down."""
    listing = position.listing
    value_q = listing.instrument.position_value_q(position.qty_lots, listing.mark_ticks)
    return value_q - position.entry_value_q


def initial_q(position: Position, value_q: int, mark_ticks: int) -> int:
    """Initial margin of a position with its open orders, on the worse side.

    The larger of "all buys fill" and "all sells fill" is what must be margined; orders priced
    through the mark also need the loss they would start with. ``value_q`` is the position's value
    at the mark.
    """
    qty_lots = position.qty_lots
    buys = position.buy_lots
    sells = position.sell_lots
    listing = position.listing
    instrument = listing.instrument
    buys_q = instrument.position_value_q(buys, mark_ticks) if buys else 0
    sells_q = instrument.position_value_q(sells, mark_ticks) if sells else 0
    open_loss_q = 0
    if buys and position.buy_value_q > buys_q:
        open_loss_q = position.buy_value_q - buys_q
    if sells and sells_q > position.sell_value_q:
        open_loss_q += sells_q - position.sell_value_q
    worst_lots = qty_lots + buys
    short_side = sells - qty_lots
    entry_q = position.entry_value_q if position.entry_value_q >= 0 else -position.entry_value_q
    if worst_lots >= short_side:
        worst_q = value_q + buys_q
        if qty_lots >= 0:
            entry_q += magnitude(position.buy_value_q)
    else:
        worst_lots = -short_side
        worst_q = value_q - sells_q
        if qty_lots <= 0:
            entry_q += magnitude(position.sell_value_q)
    if not worst_lots:
        return open_loss_q
    notional_q = instrument.notional_of_value_q(worst_q, worst_lots, mark_ticks)
    return open_loss_q + listing.model.initial_q(worst_lots, notional_q, entry_q, position.leverage)


def initial_requirement_q(account: MarginAccount) -> int:
    """Initial margin of all positions and open orders, plus what is held for isolated orders."""
    total_q = account.held_q
    position = account.first_position
    while position is not None:
        qty_lots = position.qty_lots
        if qty_lots or position.buy_lots or position.sell_lots:
            listing = position.listing
            value_q = listing.instrument.position_value_q(qty_lots, listing.mark_ticks)
            total_q += initial_q(position, value_q, listing.mark_ticks)
        position = position.next
    return total_q


def initial_and_equity_q(account: MarginAccount, profit_counts: bool) -> tuple[int, int]:
    """`initial_requirement_q`, and the equity that may meet it, in one pass over the positions.

    Without ``profit_counts`` unrealised profits are left out of the equity, losses never.
    """
    required_q = account.held_q
    equity_q = account.wallet_q
    if account.holdings:
        equity_q += collateral_q(account)
    position = account.first_position
    while position is not None:
        qty_lots = position.qty_lots
        ordered = position.buy_lots != 0 or position.sell_lots != 0
        value_q = 0
        listing = position.listing
        mark_ticks = listing.mark_ticks
        if qty_lots:
            instrument = listing.instrument
            entry_q = position.entry_value_q
            value_q = instrument.position_value_q(qty_lots, mark_ticks)
            notional_q = instrument.notional_of_value_q(value_q, qty_lots, mark_ticks)
            gain_q = value_q - entry_q
            if profit_counts or gain_q < 0:
                equity_q += gain_q
            if not ordered:
                required_q += listing.model.initial_q(
                    qty_lots, notional_q, entry_q if entry_q >= 0 else -entry_q, position.leverage
                )
        if ordered:
            required_q += initial_q(position, value_q, mark_ticks)
        position = position.next
    return required_q, equity_q


def position_notional_q(account: MarginAccount) -> int:
    """Gross value of the positions at mark."""
    total_q = 0
    position = account.first_position
    while position is not None:
        if position.qty_lots:
            listing = position.listing
            total_q += listing.instrument.notional_q(position.qty_lots, listing.mark_ticks)
        position = position.next
    return total_q


def unrealised_profit_q(account: MarginAccount) -> int:
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

    def level_of(self, account: MarginAccount) -> int:
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

    def call_limit_q(self, account: MarginAccount) -> int:
        """The least equity outside the call band of an evaluated account, rounded up; 0 where the
        rulebook calls nobody."""
        if self.call_level == self.liquidate_level:
            return 0
        return self._rates[self.call_level - 1].up(account.maintenance_q)

    def worse_headroom_q(self, account: MarginAccount) -> int:
        """Equity above the next worse level, rounded down; -1 at the last level.

        An inclusive liquidation level is reached one quantum earlier.
        """
        level = account.level
        if level >= self.liquidate_level:
            return -1
        limit_q = self._rates[level].up(account.maintenance_q)
        headroom_q = account.equity_q - limit_q - int(self.inclusive)
        return headroom_q if headroom_q > 0 else 0

    def better_gap_q(self, account: MarginAccount) -> int:
        """Equity missing to leave the present level, rounded down; -1 when healthy."""
        level = account.level
        if level == 0:
            return -1
        gap_q = self._rates[level - 1].down(account.maintenance_q) - account.equity_q
        return gap_q if gap_q > 0 else 0
