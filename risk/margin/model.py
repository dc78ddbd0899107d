"""The interface of margin models. Models hold a table and no state."""

from typing import TYPE_CHECKING, Final

from engine.commands import MAX_AMOUNT_Q

if TYPE_CHECKING:
    from risk.margin.rate_meter import RateMeter


class MarginModel:
    """Requirement of one position in quanta, rounded up.

    ``qty_lots`` is signed; ``notional_q`` is its absolute value at the valuation price,
    ``entry_notional_q`` its absolute value when opened, ``leverage`` the account's choice.
    ``cap_q`` is the largest notional, in quanta and inclusive, that an order may lead to.
    """

    __slots__ = ("cap_q",)

    def __init__(self, cap_q: int = MAX_AMOUNT_Q) -> None:
        self.cap_q: Final[int] = cap_q

    by_entry: bool = False
    """Whether requirements depend on what was paid for a position."""
    may_exceed_notional: bool = False
    """Whether initial margin may be more than the notional, and grow faster."""

    rate_rises: bool = False
    """Whether maintenance per notional never falls, but for roundings, as the price makes the
    notional larger."""

    jumps: bool = False
    """Whether `maintenance_q` jumps up at the floor of a tier (`tier_floor_q`)."""

    def new_meter(self) -> "RateMeter | None":
        """What renews the model's initial rate inside a run; None where nothing does."""
        return None

    def at_rate(self, rate_ppb: int) -> "MarginModel":
        """The model at another rate of its meter."""
        return self

    def maintenance_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """Margin below which the position is liquidated."""
        raise NotImplementedError

    def initial_q(
        self, qty_lots: int, notional_q: int, entry_notional_q: int, leverage: int
    ) -> int:
        """Margin needed to open or enlarge the position; above `maintenance_q`."""
        raise NotImplementedError

    def max_leverage(self, notional_q: int) -> int:
        """Largest whole leverage allowed at this notional."""
        raise NotImplementedError

    def less_leverage_from_q(self, notional_q: int, leverage: int) -> int:
        """The notional from which on less leverage counts than at this one, where ``leverage`` is
        chosen; 0 where none does."""
        return 0

    def slope_bound_ppb(self, qty_lots: int) -> int:
        """An upper bound on how fast `maintenance_q` grows with notional, for this size.

        The frontier uses it: however far the price moves, the requirement rises by at most this
        rate times the change in notional. Of a model that jumps it holds within each tier.
        """
        raise NotImplementedError

    def tier_floor_q(self, notional_q: int) -> int:
        """Where the tier of this notional begins; 0 in the lowest, and for models without tiers."""
        return 0
