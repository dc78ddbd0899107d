"""Ticks, lots and quanta as people write them: decimals, thousands separators, symbols.

For showing only. Prices and sizes are exact; money is cut to the digits that matter, rounded down.
"""

import time
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from engine.events import MarketReport
from engine.instruments import AssetSpec, InstrumentSpec
from engine.units import PPB, SECOND_NS
from risk.accounts import pot_of

CENTS: Final[int] = 2
COIN_DECIMALS: Final[int] = 6
"""An asset with more decimals is a coin: its last two are not shown. Others show cents."""

MINUTE_S: Final[int] = 60
HOUR_S: Final[int] = 3_600


def printable(text: str) -> str:
    """A name from the exchange without characters that would move the cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def clock(time_ns: int) -> str:
    """Time of day in UTC."""
    return time.strftime("%H:%M:%S", time.gmtime(time_ns // SECOND_NS))


def duration(time_ns: int) -> str:
    """A span of time in its two largest units, rounded down; nothing is less than zero."""
    tenths = max(0, time_ns) * 10 // SECOND_NS
    seconds = tenths // 10
    if seconds < MINUTE_S:
        return f"{seconds}.{tenths % 10} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min {seconds % MINUTE_S:02} s"
    return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S:02} min"


def percent(rate_ppb: int, decimals: int = 2) -> str:
    """A rate in per cent, rounded down."""
    return f"{_rounded_down(Decimal(rate_ppb) * 100 / PPB, decimals)} %"


def multiple(ratio_ppb: int) -> str:
    """A ratio as a multiple, rounded down."""
    return f"{_rounded_down(Decimal(ratio_ppb) / PPB, CENTS)} x"


def _rounded_down(value: Decimal, decimals: int) -> str:
    return f"{value.quantize(Decimal(1).scaleb(-decimals), ROUND_FLOOR):,}"


def _decimals(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


class Units:
    """The assets and instruments of a market; what it does not know is shown as it is."""

    def __init__(self, market: MarketReport | None) -> None:
        self.instruments: dict[int, InstrumentSpec] = {}
        self._assets: dict[int, AssetSpec] = {}
        if market is not None:
            self.instruments = {row.spec.instrument_id: row.spec for row in market.instruments}
            self._assets = {row.spec.asset_id: row.spec for row in market.assets}

    def symbol(self, instrument_id: int) -> str:
        """Name of an instrument."""
        spec = self.instruments.get(instrument_id)
        return f"instrument {instrument_id}" if spec is None else printable(spec.symbol)

    def price(self, instrument_id: int, ticks: int) -> str:
        """A price; a dash where there is none (ticks not positive)."""
        if ticks <= 0:
            return "-"
        return self.price_step(instrument_id, ticks)

    def price_step(self, instrument_id: int, ticks: int) -> str:
        """A difference of prices."""
        spec = self.instruments.get(instrument_id)
        if spec is None:
            return f"{ticks} ticks"
        return f"{spec.tick_size * ticks:,.{_decimals(spec.tick_size)}f}"

    def drawn_price(self, instrument_id: int, ticks: int) -> float:
        """A price as a number to be drawn; ticks where the instrument is unknown."""
        spec = self.instruments.get(instrument_id)
        return float(ticks) if spec is None else float(spec.tick_size * ticks)

    def drawn_quantity(self, instrument_id: int, lots: int) -> float:
        """A size in contracts as a number to be drawn; lots where the instrument is unknown."""
        spec = self.instruments.get(instrument_id)
        return float(lots) if spec is None else float(spec.lot_size * lots)

    def drawn_amount(self, asset_id: int, amount_q: int) -> float:
        """Money in whole units as a number to be drawn; quanta where the asset is unknown."""
        spec = self._assets.get(asset_id)
        return float(amount_q) if spec is None else float(spec.quantum * amount_q)

    def quantity(self, instrument_id: int, lots: int) -> str:
        """A size in contracts, with its sign if it is negative."""
        spec = self.instruments.get(instrument_id)
        if spec is None:
            return f"{lots} lots"
        return f"{spec.lot_size * lots:,.{_decimals(spec.lot_size)}f}"

    def amount(self, asset_id: int, amount_q: int) -> str:
        """Money without its symbol, rounded down."""
        spec = self._assets.get(asset_id)
        if spec is None:
            return f"{amount_q} quanta"
        shown = spec.decimals - CENTS if spec.decimals > COIN_DECIMALS else CENTS
        return _rounded_down(spec.quantum * amount_q, min(shown, spec.decimals))

    def money(self, asset_id: int, amount_q: int, signed: bool = False) -> str:
        """Money with its symbol, rounded down; ``signed`` shows a plus too."""
        spec = self._assets.get(asset_id)
        sign = "+" if signed and amount_q > 0 else ""
        name = "" if spec is None else f" {printable(spec.symbol)}"
        return f"{sign}{self.amount(asset_id, amount_q)}{name}"

    def asset_of_account(self, margin_account_id: int) -> int:
        """Id of the asset a margin account is kept in; -1 while its instrument is unknown."""
        asset_id, instrument_id = pot_of(margin_account_id)
        return self.settle_asset(instrument_id) if asset_id < 0 else asset_id

    def settle_asset(self, instrument_id: int) -> int:
        """Id of the asset an instrument settles in; -1 for an unknown instrument."""
        spec = self.instruments.get(instrument_id)
        return -1 if spec is None else spec.settle_asset_id
