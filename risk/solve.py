"""The price at which a position meets a margin level, in ticks, found with the engine's integers.

No closed form: the requirement is asked of the margin model at each tried price, so the tier at
the answer decides, and substituting the answer gives the same verdict the engine would give.
"""

from typing import Final

from engine.commands import MAX_TICKS
from engine.instruments import Instrument
from engine.native import mypyc_attr
from engine.units import PPB
from risk.margin.model import MarginModel

LOWEST_TICKS: Final[int] = 1


@mypyc_attr(allow_interpreted_subclasses=True)
class PriceLine:
    """Equity and requirement of a margin account as one instrument's price moves.

    ``other_equity_q`` is the wallet plus the unrealised profit of every other position,
    ``other_maintenance_q`` their requirement; both stand still. Up to two legs are added: one in
    one-way mode, a long and a short in hedge mode. ``start_ticks`` is the present price where there
    is one (0: none): with a model that jumps the search begins there.
    """

    __slots__ = (
        "_entry_values",
        "_instrument",
        "_leverages",
        "_model",
        "_other_equity_q",
        "_other_maintenance_q",
        "_quantities",
        "_start_ticks",
        "net_lots",
    )

    def __init__(
        self,
        instrument: Instrument,
        model: MarginModel,
        other_equity_q: int,
        other_maintenance_q: int,
        start_ticks: int = 0,
    ) -> None:
        self._start_ticks = start_ticks
        self._instrument = instrument
        self._model = model
        self._other_equity_q = other_equity_q
        self._other_maintenance_q = other_maintenance_q
        self._quantities: list[int] = []
        self._entry_values: list[int] = []
        self._leverages: list[int] = []
        self.net_lots: int = 0

    def add_leg(self, qty_lots: int, entry_value_q: int, leverage: int) -> None:
        """A position that moves with the price; ``qty_lots`` and ``entry_value_q`` are signed."""
        self._quantities.append(qty_lots)
        self._entry_values.append(entry_value_q)
        self._leverages.append(leverage)
        self.net_lots += qty_lots

    def equity_q(self, price_ticks: int) -> int:
        """Equity at a price; inverse position values are rounded down."""
        total = self._other_equity_q
        for i in range(len(self._quantities)):
            value = self._instrument.position_value_q(self._quantities[i], price_ticks)
            total += value - self._entry_values[i]
        return total

    def maintenance_q(self, price_ticks: int) -> int:
        """Maintenance at a price, each leg rounded up by its model."""
        total = self._other_maintenance_q
        for i in range(len(self._quantities)):
            qty = self._quantities[i]
            entry = self._entry_values[i]
            total += self._model.maintenance_q(
                qty,
                self._instrument.notional_q(qty, price_ticks),
                entry if entry >= 0 else -entry,
                self._leverages[i],
            )
        return total

    def below(self, price_ticks: int, factor_ppb: int, inclusive: bool) -> bool:
        """Whether the level is breached: equity under ``ceil(factor x maintenance)``.

        ``inclusive`` makes equality a breach.
        """
        required = -(-self.maintenance_q(price_ticks) * factor_ppb // PPB)
        equity = self.equity_q(price_ticks)
        return equity < required or (inclusive and equity == required)

    def level_ticks(self, factor_ppb: int, inclusive: bool) -> int | None:
        """First breached price on the way down (net long) or up (net short or flat).

        About forty trials: a bisection over all prices from one tick to ``MAX_TICKS``, or over
        those of one tier after the other where the requirement jumps between them.
        """
        worst = LOWEST_TICKS if self.net_lots > 0 else MAX_TICKS
        best = MAX_TICKS if self.net_lots > 0 else LOWEST_TICKS
        step = -1 if self.net_lots > 0 else 1
        if not self._model.jumps:
            if not self.below(worst, factor_ppb, inclusive):
                return None
            return self._between(worst, best - step, factor_ppb, inclusive)
        near = self._start_ticks or best
        if self.below(near, factor_ppb, inclusive):
            return self._between(near, best - step, factor_ppb, inclusive)
        while True:
            far = self._last_in_tiers(near, worst)
            if self.below(far, factor_ppb, inclusive):
                return self._between(far, near - step, factor_ppb, inclusive)
            if far == worst:
                return None
            near = far + step

    def _between(self, breached: int, safe: int, factor_ppb: int, inclusive: bool) -> int:
        """A breached price next to one that is not, between two such."""
        while abs(breached - safe) > 1:
            middle = (breached + safe) // 2  # rounded down: any price strictly between serves
            if self.below(middle, factor_ppb, inclusive):
                breached = middle
            else:
                safe = middle
        return breached

    def _last_in_tiers(self, near: int, far: int) -> int:
        """The last price, on the way from one to another, up to which no leg changes its tier."""
        for lots in self._quantities:
            far = last_in_tier_ticks(self._instrument, self._model, lots, near, far)
        return far


def last_in_tier_ticks(
    instrument: Instrument, model: MarginModel, lots: int, near_ticks: int, far_ticks: int
) -> int:
    """The last price, on the way from one to another, at which ``lots`` are in the tier they are in
    at the first. Found by halving."""
    floor_q = model.tier_floor_q(instrument.notional_q(lots, near_ticks))
    if model.tier_floor_q(instrument.notional_q(lots, far_ticks)) == floor_q:
        return far_ticks
    within = near_ticks
    beyond = far_ticks
    while abs(beyond - within) > 1:
        middle = (within + beyond) // 2
        if model.tier_floor_q(instrument.notional_q(lots, middle)) == floor_q:
            within = middle
        else:
            beyond = middle
    return within


def liquidation_price_ticks(
    instrument: Instrument,
    model: MarginModel,
    qty_lots: int,
    entry_value_q: int,
    leverage: int,
    other_equity_q: int,
    other_maintenance_q: int,
    factor_ppb: int = PPB,
    inclusive: bool = False,
) -> int | None:
    """First price, going against the position, at which equity < ``ceil(factor x maintenance)``.

    The highest such price for a long, the lowest for a short; the next safer tick is not breached.
    Other positions' figures stand still, so for a cross account it is the price "all else equal".
    A factor above one gives the price of an alert or margin call.

    Prices are clamped to one tick below and ``MAX_TICKS`` above: a long that is safe at one tick,
    or a short that is safe at ``MAX_TICKS``, cannot be liquidated (None); a position breached
    at every price gets ``MAX_TICKS`` (long) or one tick (short).

    The rates of the model times the factor must stay below 100 %. Health then falls all the way for
    linear contracts at factor 1 and for inverse longs, and the price is unique. A larger factor, or
    an inverse short, may have several within the few quanta that rounding moves: it is one of them.
    Where the requirement jumps a gain may breach too; the first price from the safe end counts.
    """
    if qty_lots == 0:
        return None
    line = PriceLine(instrument, model, other_equity_q, other_maintenance_q)
    line.add_leg(qty_lots, entry_value_q, leverage)
    return line.level_ticks(factor_ppb, inclusive)


def hedge_liquidation_price_ticks(
    instrument: Instrument,
    model: MarginModel,
    long_lots: int,
    long_entry_value_q: int,
    short_lots: int,
    short_entry_value_q: int,
    leverage: int,
    other_equity_q: int,
    other_maintenance_q: int,
    factor_ppb: int = PPB,
    inclusive: bool = False,
) -> int | None:
    """The one price both legs of a hedged instrument share in a cross account.

    Each leg pays its own maintenance. A net long is searched downwards, a net short upwards; legs
    of equal size upwards, where their requirement grows. ``short_lots`` is negative. Otherwise as
    `liquidation_price_ticks`.
    """
    line = PriceLine(instrument, model, other_equity_q, other_maintenance_q)
    line.add_leg(long_lots, long_entry_value_q, leverage)
    line.add_leg(short_lots, short_entry_value_q, leverage)
    return line.level_ticks(factor_ppb, inclusive)


def bankruptcy_price_ticks(
    instrument: Instrument, qty_lots: int, entry_value_q: int, other_equity_q: int
) -> int | None:
    """The last price at which equity is not negative: what a liquidation order may not pass.

    The lowest such price for a long (rounded up to the tick), the highest for a short (rounded
    down). None when no price from one tick to ``MAX_TICKS`` makes equity negative. An account that
    no price saves gets the best end of that range: ``MAX_TICKS`` for a long, one for a short.
    """
    if qty_lots == 0:
        return None
    # equity = other equity + value(price) - entry value, so value may fall to this and no further
    least_value_q = entry_value_q - other_equity_q
    unit_q = instrument.unit_q * abs(qty_lots)
    if instrument.inverse:
        if qty_lots > 0:
            return _long(-(unit_q // least_value_q) if least_value_q < 0 else MAX_TICKS + 1)
        return _short(unit_q // least_value_q if least_value_q > 0 else MAX_TICKS + 1)
    if qty_lots > 0:
        return _long(-(-least_value_q // unit_q))
    return _short(-least_value_q // unit_q)


def _long(ticks: int) -> int | None:
    """Clamp the lowest solvent price of a long."""
    if ticks <= LOWEST_TICKS:
        return None
    return ticks if ticks <= MAX_TICKS else MAX_TICKS


def _short(ticks: int) -> int | None:
    """Clamp the highest solvent price of a short."""
    if ticks >= MAX_TICKS:
        return None
    return ticks if ticks >= LOWEST_TICKS else LOWEST_TICKS
