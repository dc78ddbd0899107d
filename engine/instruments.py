"""Assets and perpetual contracts as they travel in messages, in integers.

The hot form of a contract, with the formula for its value, is `engine.contract.Instrument`.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from engine.contract import INVERSE as INVERSE
from engine.contract import LINEAR as LINEAR
from engine.contract import Instrument as Instrument
from engine.forms import Hashed
from engine.limits import MAX_AMOUNT_Q, MAX_LOTS
from engine.units import PPB, from_grid, parse_decimal, to_grid

KIND_NAMES: Final[dict[int, str]] = {LINEAR: "linear", INVERSE: "inverse"}


class AssetSpec(msgspec.Struct, frozen=True, array_like=True):
    """An asset accounts are settled in. One quantum is ``10 ** -decimals`` of it."""

    asset_id: int
    symbol: str
    decimals: int

    @property
    def quantum(self) -> Decimal:
        """The smallest amount of the asset, as a decimal."""
        return Decimal(1).scaleb(-self.decimals)


class MarginTier(msgspec.Struct, frozen=True, array_like=True):
    """One row of a margin table; rates in parts per billion, notionals in quanta.

    ``deduction_q`` keeps the maintenance requirement continuous where the rate rises (Binance
    calls it ``cum``). ``max_leverage`` is a whole number.
    """

    floor_q: int
    cap_q: int
    maintenance_ppb: int
    max_leverage: int
    deduction_q: int


class MarginSpec(Hashed, frozen=True, array_like=True):
    """Which margin model an instrument uses and its figures.

    ``model`` is a name known to ``risk.margin.build_margin_model``; ``tiers`` serve the models with
    a table, ``params`` (sorted pairs of name and integer) the others.
    """

    model: str
    tiers: list[MarginTier] = msgspec.field(default_factory=list)
    params: list[tuple[str, int]] = msgspec.field(default_factory=list)


class InstrumentSpec(msgspec.Struct, frozen=True, array_like=True):
    """A perpetual contract in integers, as it travels in messages.

    ``unit_q`` is the settlement value factor of the module text. ``band_ppb`` is how far from the
    mark an order price may cross to (0: no band). Sizes are lots, notionals quanta; a maximum of 0
    means unlimited.
    """

    instrument_id: int
    symbol: str
    kind: int
    settle_asset_id: int
    tick: str
    lot: str
    unit_q: int
    margin: MarginSpec
    min_lots: int = 1
    max_lots: int = 0
    min_notional_q: int = 0
    max_notional_q: int = 0
    band_ppb: int = 0
    max_open_orders: int = 200

    @property
    def tick_size(self) -> Decimal:
        """Price of one tick in the quote currency."""
        return Decimal(self.tick)

    @property
    def lot_size(self) -> Decimal:
        """Size of one lot in contracts (linear: in base asset)."""
        return Decimal(self.lot)


def build_instrument_spec(
    *,
    instrument_id: int,
    symbol: str,
    kind: int,
    asset: AssetSpec,
    tick: str,
    lot: str,
    margin: MarginSpec,
    multiplier: str = "1",
    min_qty: str | None = None,
    max_qty: str | None = None,
    min_notional: str = "0",
    max_notional: str = "0",
    band_ppb: int = 0,
    max_open_orders: int = 200,
) -> InstrumentSpec:
    """Turn an instrument's decimals into integers.

    ``multiplier`` is the value of one contract: base asset per contract (linear) or quote currency
    per contract (inverse).

    Raises:
        ValueError: a figure is not positive, off its grid or beyond its limit, or
            ``tick x lot x multiplier`` is not a whole number of quanta (inverse:
            ``lot x multiplier / tick`` is not).
    """
    if kind not in KIND_NAMES:
        raise ValueError(f"{symbol}: kind {kind!r} is unknown; use 'linear' or 'inverse'")
    exact: list[Fraction] = []
    for name, text in (("tick", tick), ("lot", lot), ("multiplier", multiplier)):
        value = parse_decimal(text, f"{symbol}: {name}")
        if value <= 0:
            raise ValueError(f"{symbol}: {name} is {value}; it must be positive")
        exact.append(Fraction(value))
    tick_size, lot_size, contract = exact
    per_lot = (
        lot_size * contract / tick_size if kind == INVERSE else tick_size * lot_size * contract
    )
    unit = per_lot / Fraction(asset.quantum)
    if unit.denominator != 1:
        rule = "lot x multiplier / tick" if kind == INVERSE else "tick x lot x multiplier"
        shown = Decimal(per_lot.numerator) / per_lot.denominator
        raise ValueError(
            f"{symbol}: {rule} = {shown} {asset.symbol} is not a whole number of quanta "
            f"({asset.quantum} {asset.symbol})"
        )
    if kind == LINEAR and unit.numerator > MAX_AMOUNT_Q:
        largest = lot_size * MAX_AMOUNT_Q / unit
        shown = Decimal(largest.numerator) / largest.denominator
        raise ValueError(
            f"{symbol}: lot {lot} is too large: a lot moves {unit.numerator} quanta per tick; with "
            f"this tick and multiplier the largest lot is {shown:.6g}"
        )
    if band_ppb > PPB:
        raise ValueError(f"{symbol}: band {from_grid(band_ppb, Decimal('1e-9'))} is above 1")
    lots = Decimal(lot), MAX_LOTS
    quanta = asset.quantum, MAX_AMOUNT_Q
    return InstrumentSpec(
        instrument_id=instrument_id,
        symbol=symbol,
        kind=kind,
        settle_asset_id=asset.asset_id,
        tick=str(tick),
        lot=str(lot),
        unit_q=unit.numerator,
        margin=margin,
        min_lots=1 if min_qty is None else _limited(min_qty, *lots, f"{symbol}: min_qty"),
        max_lots=0 if max_qty is None else _limited(max_qty, *lots, f"{symbol}: max_qty"),
        min_notional_q=_limited(min_notional, *quanta, f"{symbol}: min_notional"),
        max_notional_q=_limited(max_notional, *quanta, f"{symbol}: max_notional"),
        band_ppb=band_ppb,
        max_open_orders=max_open_orders,
    )


def _limited(text: str, step: Decimal, most: int, what: str) -> int:
    """How many whole steps a figure is; at most ``most``."""
    count = to_grid(text, step, what)
    if count > most:
        raise ValueError(f"{what}: {text} is too large; the largest is {from_grid(most, step)}")
    return count
