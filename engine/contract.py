"""The one formula that turns price and size into money, in the form the kernels use.

A **linear** contract is worth ``price * lots * unit`` quanta of its settlement asset. An
**inverse** (coin-margined) contract has a fixed value in the quote currency and is worth
``-unit * lots / price`` quanta of the coin: negative, because a rising price makes the same dollars
worth fewer coins. With that sign the profit of any position is ``value now - value paid``.
"""

from typing import TYPE_CHECKING, Final

from engine.units import COMPILED, WORD

if TYPE_CHECKING:
    from mypy_extensions import i64

    from engine.instruments import InstrumentSpec

LINEAR: Final[int] = 0
INVERSE: Final[int] = 1

_USUAL_LOTS: Final[int] = 2**24
_USUAL_TICKS: Final[int] = 2**24
_USUAL_PER_TICK_Q: Final[int] = 2**37
"""A price and a value per tick below these have a product below `engine.units.WORD`, which a few
comparisons with constants tell; the general answer takes a division."""


class Instrument:
    """The hot form of a contract: plain ints for the kernels."""

    __slots__ = (
        "_usual_unit_q",
        "_word_lots",
        "band_ppb",
        "instrument_id",
        "inverse",
        "max_lots",
        "max_notional_q",
        "max_open_orders",
        "min_lots",
        "min_notional_q",
        "settle_asset_id",
        "spec",
        "symbol",
        "unit_q",
    )

    def __init__(self, spec: "InstrumentSpec") -> None:
        self.spec = spec
        self.instrument_id: int = spec.instrument_id
        self.symbol: str = spec.symbol
        self.inverse: bool = spec.kind == INVERSE
        self.settle_asset_id: int = spec.settle_asset_id
        self.unit_q: int = spec.unit_q
        # The unit, or too much for any lot to be usual.
        self._usual_unit_q: i64 = min(spec.unit_q, _USUAL_PER_TICK_Q)
        # Below so many lots, unit times lots fits a machine word.
        self._word_lots: int = WORD // spec.unit_q if spec.unit_q > 0 else 0
        self.min_lots: int = spec.min_lots
        self.max_lots: int = spec.max_lots
        self.min_notional_q: int = spec.min_notional_q
        self.max_notional_q: int = spec.max_notional_q
        self.band_ppb: int = spec.band_ppb
        self.max_open_orders: int = spec.max_open_orders

    def _linear_q(self, lots: int, price_ticks: int) -> int:
        """``unit * lots * price``, exact."""
        if not COMPILED:
            return self.unit_q * lots * price_ticks
        if -_USUAL_LOTS < lots < _USUAL_LOTS and 0 < price_ticks < _USUAL_TICKS:
            word_lots: i64 = lots
            word_price: i64 = price_ticks
            per_tick: i64 = self._usual_unit_q * word_lots
            if -_USUAL_PER_TICK_Q < per_tick < _USUAL_PER_TICK_Q:
                return per_tick * word_price
        return self._large_linear_q(lots, price_ticks)

    def _large_linear_q(self, lots: int, price_ticks: int) -> int:
        """The same at any size; see `engine.units.WORD`."""
        limit = self._word_lots
        if -limit < lots < limit and 0 < price_ticks < WORD:
            word_unit: i64 = self.unit_q
            word_lots: i64 = lots
            word_price: i64 = price_ticks
            per_tick: i64 = word_unit * word_lots
            room: i64 = WORD // word_price
            if -room < per_tick < room:
                return per_tick * word_price
        return self.unit_q * lots * price_ticks

    def _inverse_q(self, lots: int, price_ticks: int) -> int:
        """``unit * lots / price`` rounded down."""
        limit = self._word_lots
        if COMPILED and -limit < lots < limit and 0 < price_ticks < WORD:
            word_unit: i64 = self.unit_q
            word_lots: i64 = lots
            word_price: i64 = price_ticks
            return word_unit * word_lots // word_price
        return self.unit_q * lots // price_ticks

    def fill_value_q(self, lots: int, price_ticks: int) -> int:
        """What the buyer of ``lots`` books as entry value; the seller books the exact opposite.

        Computed once for both sides, so rounding cannot create money (inverse: the coin amount
        is rounded down). ``lots`` and ``price_ticks`` are positive.
        """
        if self.inverse:
            return -self._inverse_q(lots, price_ticks)
        return self._linear_q(lots, price_ticks)

    def position_value_q(self, qty_lots: int, price_ticks: int) -> int:
        """Signed value of a position at a price, rounded down (against the account)."""
        if self.inverse:
            return self._inverse_q(-qty_lots, price_ticks)
        return self._linear_q(qty_lots, price_ticks)

    def notional_of_value_q(self, value_q: int, qty_lots: int, price_ticks: int) -> int:
        """`notional_q` of a position whose `position_value_q` at this price is known already.

        A linear contract's is its magnitude; an inverse one's is rounded the other way.
        """
        if self.inverse:
            return self.notional_q(qty_lots, price_ticks)
        return value_q if value_q >= 0 else -value_q

    def notional_q(self, lots: int, price_ticks: int) -> int:
        """Absolute value of ``lots`` (any sign) at a price, rounded up; requirements use it."""
        if lots < 0:
            lots = -lots
        if self.inverse:
            return -self._inverse_q(-lots, price_ticks)
        return self._linear_q(lots, price_ticks)

    def most_lots(self, notional_q: int, price_ticks: int) -> int:
        """The most lots whose `notional_q` at a price is no more than this. Exact."""
        if self.inverse:
            return notional_q * price_ticks // self.unit_q
        return notional_q // (self.unit_q * price_ticks)

    def last_below_ticks(self, lots: int, notional_q: int) -> int:
        """The last price, on the way to where they are worth more, at which the notional of
        ``lots`` (positive) is below ``notional_q`` (at least 2): the highest such price, or the
        lowest of an inverse contract. Exact, for what it inverts is rounded up."""
        if self.inverse:
            return -(-self.unit_q * lots // (notional_q - 1))
        return (notional_q - 1) // (self.unit_q * lots)
