"""At which value the positions of an account must close for its equity to end at zero."""

from engine.units import Rate
from risk.accounts import MarginAccount, Position
from risk.bankruptcy_split import BankruptcySplit
from risk.health import unrealised_q


def mark_value_q(position: Position) -> int:
    """What a position is worth at its mark, rounded down."""
    return unrealised_q(position) + position.entry_value_q


def bankruptcy_values(
    account: MarginAccount, split: BankruptcySplit, keeps_equity: bool
) -> list[tuple[Position, int]]:
    """Every open position of an evaluated account with its value at bankruptcy.

    Equity is shared out by the weights of ``split`` (rounded down, the last position takes the
    remainder). With ``keeps_equity`` positive equity stays with the account and positions go at
    mark.
    """
    live = [position for position in account.positions if position.qty_lots]
    equity_q = account.equity_q
    if keeps_equity and equity_q > 0:
        equity_q = 0
    # Where no position has a weight, each still has to take a share.
    weights = [max(1, split.weight_q(position)) for position in live]
    total_q = sum(weights)
    values: list[tuple[Position, int]] = []
    given_q = 0
    seen_q = 0
    for position, weight_q in zip(live, weights, strict=True):
        seen_q += weight_q
        upto_q = equity_q * seen_q // total_q
        values.append((position, mark_value_q(position) - (upto_q - given_q)))
        given_q = upto_q
    return values


def within_distance_q(position: Position, value_q: int, distance: Rate) -> int:
    """``value_q``, or the bound it lies beyond: this share of the position's value from its mark.

    Rounded towards the mark.
    """
    listing = position.listing
    at_mark_q = mark_value_q(position)
    most_q = distance.down(listing.instrument.notional_q(position.qty_lots, listing.mark_ticks))
    return max(at_mark_q - most_q, min(at_mark_q + most_q, value_q))
