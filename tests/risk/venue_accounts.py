"""Venue examples as integer positions, on a grid fine enough for the venue's own decimals."""

from fractions import Fraction

from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    Instrument,
    MarginSpec,
    build_instrument_spec,
)

MONEY = AssetSpec(asset_id=1, symbol="USD", decimals=18)
COIN = AssetSpec(asset_id=2, symbol="BTC", decimals=18)

LOT = "0.000001"
QUANTA = 10**18


def linear(tick: str) -> Instrument:
    spec = build_instrument_spec(
        instrument_id=1,
        symbol="LINEAR",
        kind=LINEAR,
        asset=MONEY,
        tick=tick,
        lot=LOT,
        margin=MarginSpec("flat"),
    )
    return Instrument(spec)


def inverse(tick: str) -> Instrument:
    """One contract is one unit of quote currency."""
    spec = build_instrument_spec(
        instrument_id=2,
        symbol="INVERSE",
        kind=INVERSE,
        asset=COIN,
        tick=tick,
        lot="1",
        margin=MarginSpec("flat"),
    )
    return Instrument(spec)


def fine_tick(price: Fraction) -> str:
    """A tick of at most a ten-millionth of the price, with prices well inside the range."""
    return "0.000001" if price > 1_000 else "0.00000001"


def quanta(amount: Fraction) -> int:
    """An amount in quanta, rounded down: a billionth of a billionth is not the venue's to print."""
    return amount * QUANTA // 1


def lots(qty: Fraction) -> int:
    count = qty / Fraction(LOT)
    assert count.denominator == 1
    return int(count)


def price_of(ticks: int, tick: str) -> Fraction:
    return ticks * Fraction(tick)
