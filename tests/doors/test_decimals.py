"""Decimals of the door: exact both ways, whatever the step."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doors.exchange.contracts import Contract, OffGrid, base_of, counts_in_base
from doors.exchange.decimals import decimals_of, fixed, plain, rounded, scaled
from engine.instruments import LINEAR, AssetSpec, MarginSpec, build_instrument_spec

USDT = AssetSpec(1, "USDT", 8)


def contract(tick: str = "0.10", lot: str = "0.001", multiplier: str = "1") -> Contract:
    spec = build_instrument_spec(
        instrument_id=1,
        symbol="BTCUSDT",
        kind=LINEAR,
        asset=USDT,
        tick=tick,
        lot=lot,
        margin=MarginSpec("flat"),
        multiplier=multiplier,
    )
    return Contract(spec, USDT)


@given(st.integers(-(10**25), 10**25), st.integers(0, 18))
def test_what_is_written_is_read_again(count: int, decimals: int) -> None:
    text = fixed(count, decimals)
    assert Fraction(text) == Fraction(count, 10**decimals)
    assert scaled(text, decimals) == scaled(plain(count, decimals), decimals) == count


@pytest.mark.parametrize(
    "text", ["", ".", "1e5", "0x1", "1,0", " 1", "--1", "1.2.3", "٣", "9" * 41]
)
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a decimal"):
        scaled(text, 8)


def test_digits_beyond_the_last_decimal_are_told_from_zeros() -> None:
    assert scaled("1.2300", 2) == 123
    assert scaled("1.231", 2) is None


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12))
def test_the_nearest_whole_number(numerator: int, denominator: int) -> None:
    distance = abs(Fraction(numerator, denominator) - rounded(numerator, denominator))
    assert distance <= Fraction(1, 2)


def test_ticks_and_lots_of_odd_steps() -> None:
    found = contract("0.25", "0.005")
    assert decimals_of("0.25") == (2, 25)
    assert (found.price(3), found.qty(3)) == ("0.75", "0.015")
    assert (found.ticks_of("0.750"), found.lots_of(".015")) == (3, 3)
    with pytest.raises(OffGrid):
        found.ticks_of("0.80")
    with pytest.raises(OffGrid):
        found.lots_of("0.0051")


def test_an_average_is_between_its_prices() -> None:
    found = contract()
    assert found.average(600_000 * 3 + 600_001, 4) == "60000.02500"
    assert found.average(0, 0) == "0.00000"


def test_only_contracts_of_one_base_asset_have_a_form_here() -> None:
    assert counts_in_base(contract().spec, USDT)
    assert not counts_in_base(contract(multiplier="10").spec, USDT)


@pytest.mark.parametrize(
    ("symbol", "base"),
    [("BTCUSDT", "BTC"), ("WAVE-PERP", "WAVE"), ("ETH-USDT", "ETH"), ("USDT", "USDT")],
)
def test_the_base_asset_of_a_symbol(symbol: str, base: str) -> None:
    assert base_of(symbol, "USDT") == base
