"""Assets and perpetual contracts, and the one formula that turns price and size into money.

A **linear** contract is worth ``price * lots * unit`` quanta of its settlement asset. An
**inverse** (coin-margined) contract has a fixed value in the quote currency and is worth
``-unit * lots / price`` quanta of the coin: negative, because a rising price makes the same dollars
worth fewer coins. With that sign the profit of any position is ``value now - value paid``.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec

from engine.units import parse_decimal, to_grid

LINEAR: Final[int] = 0
INVERSE: Final[int] = 1

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


class MarginSpec(msgspec.Struct, frozen=True, array_like=True):
    """Which margin model an instrument uses and its figures.

    ``model`` is a name known to ``risk.margin.build_margin_model``; ``tiers`` serve the models with
    a table, ``params`` (sorted pairs of name and integer) the others.
    """

    model: str
    tiers: list[MarginTier] = []
    params: list[tuple[str, int]] = []


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


class Instrument:
    """The hot form of a contract: plain ints for the kernels."""

    __slots__ = (
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

    def __init__(self, spec: InstrumentSpec) -> None:
        self.spec = spec
        self.instrument_id: int = spec.instrument_id
        self.symbol: str = spec.symbol
        self.inverse: bool = spec.kind == INVERSE
        self.settle_asset_id: int = spec.settle_asset_id
        self.unit_q: int = spec.unit_q
        self.min_lots: int = spec.min_lots
        self.max_lots: int = spec.max_lots
        self.min_notional_q: int = spec.min_notional_q
        self.max_notional_q: int = spec.max_notional_q
        self.band_ppb: int = spec.band_ppb
        self.max_open_orders: int = spec.max_open_orders

    def fill_value_q(self, lots: int, price_ticks: int) -> int:
        """What the buyer of ``lots`` books as entry value; the seller books the exact opposite.

        Computed once for both sides, so rounding cannot create money (inverse: the coin amount
        is rounded down). ``lots`` and ``price_ticks`` are positive.
        """
        if self.inverse:
            return -(self.unit_q * lots // price_ticks)
        return self.unit_q * lots * price_ticks

    def position_value_q(self, qty_lots: int, price_ticks: int) -> int:
        """Signed value of a position at a price, rounded down (against the account)."""
        if self.inverse:
            return -self.unit_q * qty_lots // price_ticks
        return self.unit_q * qty_lots * price_ticks

    def notional_q(self, lots: int, price_ticks: int) -> int:
        """Absolute value of ``lots`` (any sign) at a price, rounded up; requirements use it."""
        if lots < 0:
            lots = -lots
        if self.inverse:
            return -(-self.unit_q * lots // price_ticks)
        return self.unit_q * lots * price_ticks


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
        ValueError: a figure is not positive, off its grid, or ``tick x lot x multiplier`` is not a
            whole number of quanta (inverse: ``lot x multiplier / tick`` is not).
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
    return InstrumentSpec(
        instrument_id=instrument_id,
        symbol=symbol,
        kind=kind,
        settle_asset_id=asset.asset_id,
        tick=str(tick),
        lot=str(lot),
        unit_q=unit.numerator,
        margin=margin,
        min_lots=1 if min_qty is None else to_grid(min_qty, Decimal(lot), f"{symbol}: min_qty"),
        max_lots=0 if max_qty is None else to_grid(max_qty, Decimal(lot), f"{symbol}: max_qty"),
        min_notional_q=to_grid(min_notional, asset.quantum, f"{symbol}: min_notional"),
        max_notional_q=to_grid(max_notional, asset.quantum, f"{symbol}: max_notional"),
        band_ppb=band_ppb,
        max_open_orders=max_open_orders,
    )
