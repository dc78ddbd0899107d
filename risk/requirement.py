"""The requirement of a margin account: one figure for all its positions, asked in one place.

A requirement takes the account as a whole. Today it is the sum over the positions, each by the
margin model of its contract; one that looks at the portfolio (a scan of scenarios) is another
`Requirement`, and code that needs to know what an account has to have asks the account's own.
An order that is not open yet is asked about by counting it in first (`Position.count_in`).
"""

from typing import TYPE_CHECKING, Final

from engine.native import mypyc_attr
from engine.units import PPB, magnitude, scale_down
from risk.frontier import NO_THRESHOLD, ROUNDING_SLACK_Q
from risk.health import collateral_q, open_loss_q, unrealised_q
from risk.solve import PriceLine, last_in_tier_ticks

if TYPE_CHECKING:
    from engine.internal import AccountFacts, PositionFacts
    from risk.accounts import MarginAccount, Position
    from risk.liquidation.policy import MarginedContract
    from risk.listing import Listing


@mypyc_attr(allow_interpreted_subclasses=True)
class Requirement:
    """Requirements of a margin account at current marks, in quanta, rounded up."""

    __slots__ = ()

    def follows_notional(self) -> bool:
        """Whether a smaller notional of one position, all else equal, never raises the requirement.
        Where positions offset each other it may, and price bands look both ways."""
        return True

    def evaluate(self, account: "MarginAccount") -> None:
        """Set `equity_q` and `maintenance_q` of an account: below that it is liquidated."""
        raise NotImplementedError

    def initial_q(self, account: "MarginAccount") -> int:
        """Initial margin of the positions alone, as if no order was open."""
        raise NotImplementedError

    def with_orders_q(self, account: "MarginAccount") -> int:
        """Initial margin of the positions whichever open orders fill, and the orders' open
        losses."""
        raise NotImplementedError

    def with_orders_and_equity_q(
        self, account: "MarginAccount", profit_counts: bool
    ) -> tuple[int, int]:
        """`with_orders_q`, and the equity that may meet it: what every new order asks.

        Without ``profit_counts`` unrealised profits are left out of the equity, losses never.
        """
        raise NotImplementedError

    def share_q(self, position: "Position") -> int:
        """The part of the account's maintenance that stands for one position; together they are
        all of it."""
        raise NotImplementedError

    def initial_share_q(self, position: "Position") -> int:
        """The part of `with_orders_q` that stands for one position and its orders."""
        raise NotImplementedError

    def initial_alone_q(self, position: "Position") -> int:
        """The part of `initial_q` that stands for one position."""
        raise NotImplementedError

    def slope_bound_ppb(self, position: "Position") -> int:
        """An upper bound on how fast the account's maintenance changes with the notional of one
        position of this size, whatever the prices are, but for jumps."""
        raise NotImplementedError

    def jumps(self, position: "Position") -> bool:
        """Whether the account's maintenance jumps somewhere as the price of one position moves."""
        raise NotImplementedError

    def within_tier_ticks(self, position: "Position", edge_ticks: int) -> int:
        """The last price, on the way from the mark to an edge, up to which maintenance does not
        jump."""
        raise NotImplementedError

    def rate_bound_ppb(self, position: "Position", low_ticks: int, high_ticks: int) -> int:
        """A rate for each position such that, while its mark is between the two, the account's
        maintenance is at most the sum of rate times notional over its positions."""
        raise NotImplementedError

    def growing_lots(self, position: "Position", lots: int) -> int:
        """Lots whose notional moves at least as fast as the initial margin of ``lots`` (open
        orders included) does, up to `last_steady_ticks`."""
        raise NotImplementedError

    def last_steady_ticks(self, position: "Position", lots: int, edge_ticks: int) -> int:
        """The last price, on the way from the mark to an edge, up to which the initial margin of
        ``lots`` does not jump."""
        raise NotImplementedError

    def price_line(self, account: "MarginAccount", listing: "Listing") -> PriceLine:
        """Equity and maintenance of an account as the price of one contract moves."""
        raise NotImplementedError

    def left_q(
        self,
        contract: "MarginedContract",
        facts: "AccountFacts",
        position: "PositionFacts",
        lots: int,
    ) -> int:
        """Maintenance of an account in liquidation once ``lots`` of a position are closed at its
        mark; the entry value shrinks in proportion (rounded down)."""
        raise NotImplementedError


class PositionSum(Requirement):
    """The sum over the positions, each by the margin model of its contract."""

    __slots__ = ()

    def evaluate(self, account: "MarginAccount") -> None:
        """Equity and maintenance, in one pass over the positions."""
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

    def initial_q(self, account: "MarginAccount") -> int:
        """Each position's initial margin at its mark."""
        total_q = 0
        position = account.first_position
        while position is not None:
            if position.qty_lots:
                total_q += self.initial_alone_q(position)
            position = position.next
        return total_q

    def with_orders_q(self, account: "MarginAccount") -> int:
        """Each position's worse side and the open losses of its orders."""
        total_q = 0
        position = account.first_position
        while position is not None:
            if position.qty_lots or position.buy_lots or position.sell_lots:
                total_q += self.initial_share_q(position)
            position = position.next
        return total_q

    def with_orders_and_equity_q(
        self, account: "MarginAccount", profit_counts: bool
    ) -> tuple[int, int]:
        """Both in one pass over the positions."""
        required_q = 0
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
                        qty_lots,
                        notional_q,
                        entry_q if entry_q >= 0 else -entry_q,
                        position.leverage,
                    )
            if ordered:
                required_q += _worst_initial_q(position, value_q, mark_ticks)
                required_q += open_loss_q(position, mark_ticks)
            position = position.next
        return required_q, equity_q

    def share_q(self, position: "Position") -> int:
        """The maintenance of the position by its model."""
        listing = position.listing
        return listing.model.maintenance_q(
            position.qty_lots,
            listing.instrument.notional_q(position.qty_lots, listing.mark_ticks),
            magnitude(position.entry_value_q),
            position.leverage,
        )

    def initial_share_q(self, position: "Position") -> int:
        """The worse side of the position by its model, and the open losses of its orders."""
        listing = position.listing
        mark_ticks = listing.mark_ticks
        value_q = listing.instrument.position_value_q(position.qty_lots, mark_ticks)
        worst_q = _worst_initial_q(position, value_q, mark_ticks)
        return worst_q + open_loss_q(position, mark_ticks)

    def initial_alone_q(self, position: "Position") -> int:
        """The initial margin of the position by its model."""
        listing = position.listing
        return listing.model.initial_q(
            position.qty_lots,
            listing.instrument.notional_q(position.qty_lots, listing.mark_ticks),
            magnitude(position.entry_value_q),
            position.leverage,
        )

    def slope_bound_ppb(self, position: "Position") -> int:
        """The bound of the margin model."""
        return position.listing.model.slope_bound_ppb(position.qty_lots)

    def jumps(self, position: "Position") -> bool:
        """As the margin model does."""
        return position.listing.model.jumps

    def within_tier_ticks(self, position: "Position", edge_ticks: int) -> int:
        """The edge, or the last price before it in the tier of the mark."""
        listing = position.listing
        lots = position.qty_lots
        return last_in_tier_ticks(
            listing.instrument, listing.model, lots, listing.mark_ticks, edge_ticks
        )

    def rate_bound_ppb(self, position: "Position", low_ticks: int, high_ticks: int) -> int:
        """Maintenance per notional where the notional is largest, or, of a model whose rate may
        fall, that maintenance per least notional; rounded up."""
        listing = position.listing
        instrument = listing.instrument
        lots = position.qty_lots
        at_low_q = instrument.notional_q(lots, low_ticks)
        at_high_q = instrument.notional_q(lots, high_ticks)
        most_q = max(at_low_q, at_high_q)
        least_q = max(1, min(at_low_q, at_high_q))
        entry_q = magnitude(position.entry_value_q)
        maintenance_q = listing.model.maintenance_q(lots, most_q, entry_q, position.leverage)
        per_q = max(1, most_q) if listing.model.rate_rises else least_q
        # What was rounded counts for most where the notional is least.
        return -(-maintenance_q * PPB // per_q) + -(-ROUNDING_SLACK_Q * PPB // least_q)

    def growing_lots(self, position: "Position", lots: int) -> int:
        """The lots themselves, or more where the model asks for more than the notional."""
        listing = position.listing
        if not listing.model.may_exceed_notional:
            return lots
        notional_q = listing.instrument.notional_q(lots, listing.mark_ticks)
        margin_q = listing.model.initial_q(lots, notional_q, notional_q, position.leverage)
        # Rounded up: more lots make the band narrower, which is safe.
        return -(-lots * margin_q // notional_q) if margin_q > notional_q else lots

    def last_steady_ticks(self, position: "Position", lots: int, edge_ticks: int) -> int:
        """The edge, or the last price before it at which ``lots`` may have the leverage they have
        now: where a tier allows less, initial margin jumps."""
        if edge_ticks == NO_THRESHOLD or not lots:
            return edge_ticks
        listing = position.listing
        instrument = listing.instrument
        notional_q = instrument.notional_q(lots, listing.mark_ticks)
        limit_q = listing.model.less_leverage_from_q(notional_q, position.leverage)
        if not limit_q or instrument.notional_q(lots, edge_ticks) < limit_q:
            return edge_ticks
        return instrument.last_below_ticks(lots, limit_q)

    def price_line(self, account: "MarginAccount", listing: "Listing") -> PriceLine:
        """The positions in the contract move, both legs of a hedge together; the others' figures
        stand still."""
        self.evaluate(account)
        other_equity_q = account.equity_q
        other_maintenance_q = account.maintenance_q
        moving: list[Position] = []
        for position in account.positions:
            if position.listing is listing and position.qty_lots:
                moving.append(position)
                other_equity_q -= unrealised_q(position)
                other_maintenance_q -= self.share_q(position)
        line = PriceLine(
            listing.instrument,
            listing.model,
            other_equity_q,
            other_maintenance_q,
            listing.mark_ticks,
        )
        for position in moving:
            line.add_leg(position.qty_lots, position.entry_value_q, position.leverage)
        return line

    def left_q(
        self,
        contract: "MarginedContract",
        facts: "AccountFacts",
        position: "PositionFacts",
        lots: int,
    ) -> int:
        """The others' maintenance, and what the model asks for the rest of this one."""
        others_q: int = facts.maintenance_q - position.maintenance_q
        total = magnitude(position.qty_lots)
        left = total - lots
        if left == 0:
            return others_q
        return others_q + contract.model.maintenance_q(
            left if position.qty_lots > 0 else -left,
            contract.instrument.notional_q(left, position.mark_ticks),
            scale_down(magnitude(position.entry_value_q), left, total),
            position.leverage,
        )


SUM_OF_POSITIONS: Final[Requirement] = PositionSum()
"""What an account has to have unless it is told otherwise. It keeps nothing: all share it."""


def _worst_initial_q(position: "Position", value_q: int, mark_ticks: int) -> int:
    """Initial margin of the largest position that the open orders can lead to, on either side.

    Reduce-only orders close first in the worst case, so that plain orders behind them open; they
    count up to the position and no further. ``value_q`` is the position's value at the mark.
    """
    qty_lots = position.qty_lots
    buys = position.buy_lots
    sells = position.sell_lots
    if position.reduce_buy_lots:
        buys -= _idle_lots(position.reduce_buy_lots, -qty_lots)
    if position.reduce_sell_lots:
        sells -= _idle_lots(position.reduce_sell_lots, qty_lots)
    listing = position.listing
    if listing.model.by_entry:
        # A long is margined by what was paid and a short by what it is worth: either may need more.
        return max(
            _side_initial_q(position, buys, value_q, mark_ticks),
            _side_initial_q(position, -sells, value_q, mark_ticks),
        )
    if qty_lots + buys >= sells - qty_lots:
        return _side_initial_q(position, buys, value_q, mark_ticks)
    return _side_initial_q(position, -sells, value_q, mark_ticks)


def _side_initial_q(position: "Position", more_lots: int, value_q: int, mark_ticks: int) -> int:
    """Initial margin of a position and ``more_lots`` (signed) of its open orders at the mark."""
    listing = position.listing
    instrument = listing.instrument
    lots = position.qty_lots + more_lots
    if not lots:
        return 0
    entry_q = position.entry_value_q if position.entry_value_q >= 0 else -position.entry_value_q
    if more_lots > 0:
        value_q += instrument.position_value_q(more_lots, mark_ticks)
        if position.qty_lots >= 0:
            entry_q += magnitude(position.buy_value_q)
        elif listing.model.by_entry and lots > 0:
            # The orders that open may be the dearest, and are no more than all of them. (Of an
            # inverse contract the cheapest price is worth most: all of them count.)
            entry_q = magnitude(position.buy_value_q)
            if not instrument.inverse:
                entry_q = min(entry_q, instrument.notional_q(lots, position.buy_high_ticks))
    elif more_lots < 0:
        value_q -= instrument.position_value_q(-more_lots, mark_ticks)
        if position.qty_lots <= 0:
            entry_q += magnitude(position.sell_value_q)
    notional_q = instrument.notional_of_value_q(value_q, lots, mark_ticks)
    return listing.model.initial_q(lots, notional_q, entry_q, position.leverage)


def _idle_lots(reduce_lots: int, against_lots: int) -> int:
    """Lots of reduce-only orders beyond the position they close."""
    if against_lots <= 0:
        return reduce_lots
    return reduce_lots - against_lots if reduce_lots > against_lots else 0
