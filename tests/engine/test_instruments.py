"""Price and size become the same money for both sides, whatever the contract."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.instruments import (
    INVERSE,
    LINEAR,
    AssetSpec,
    Instrument,
    InstrumentSpec,
    MarginSpec,
    build_instrument_spec,
)

USDT = AssetSpec(1, "USDT", 6)
BTC = AssetSpec(2, "BTC", 8)

LOTS = st.integers(1, 10**12)
TICKS = st.integers(1, 10**12)


def spec(**changes: Any) -> InstrumentSpec:
    """BTCUSDT: tick 0.1 USDT, lot 0.001 BTC, so one lot moves 100 quanta per tick."""
    figures: dict[str, Any] = {
        "instrument_id": 1,
        "symbol": "BTCUSDT",
        "kind": LINEAR,
        "asset": USDT,
        "tick": "0.1",
        "lot": "0.001",
        "margin": MarginSpec("linear"),
    }
    return build_instrument_spec(**{**figures, **changes})


def inverse_spec(**changes: Any) -> InstrumentSpec:
    """BTCUSD: contracts of 100 USD paid in BTC, tick 0.5 USD."""
    figures = {"symbol": "BTCUSD", "kind": INVERSE, "asset": BTC, "tick": "0.5", "lot": "1"}
    return spec(**{**figures, "multiplier": "100", **changes})


LINEAR_BTC = Instrument(spec())
INVERSE_BTC = Instrument(inverse_spec())
CONTRACTS = st.sampled_from([LINEAR_BTC, INVERSE_BTC])


def exact_value(contract: Instrument, qty_lots: int, price_ticks: int) -> Fraction:
    if contract.inverse:
        return Fraction(-contract.unit_q * qty_lots, price_ticks)
    return Fraction(contract.unit_q * qty_lots * price_ticks)


def test_a_linear_fill_is_worth_price_times_size() -> None:
    # 2 BTC at 50,000.0 USDT: 2,000 lots, 500,000 ticks, 100,000 USDT
    assert LINEAR_BTC.unit_q == 100
    assert LINEAR_BTC.fill_value_q(2_000, 500_000) == 100_000 * 10**6


def test_an_inverse_fill_is_worth_its_dollars_in_coins() -> None:
    # 10 contracts of 100 USD at 50,000.0 USD: 100,000 ticks, 0.02 BTC; the buyer owes coins less
    assert INVERSE_BTC.unit_q == 200 * 10**8
    assert INVERSE_BTC.fill_value_q(10, 100_000) == -2_000_000


def test_a_long_inverse_position_gains_coins_when_the_price_rises() -> None:
    # 10 contracts from 50,000 to 62,500 USD: 0.02 - 0.016 = 0.004 BTC
    paid = INVERSE_BTC.fill_value_q(10, 100_000)
    assert INVERSE_BTC.position_value_q(10, 125_000) - paid == 400_000


def test_inverse_roundings_by_hand() -> None:
    # 1 contract at 3 ticks (1.5 USD): 20,000,000,000 / 3 = 6,666,666,666.67 quanta
    assert INVERSE_BTC.fill_value_q(1, 3) == -6_666_666_666
    assert INVERSE_BTC.position_value_q(1, 3) == -6_666_666_667
    assert INVERSE_BTC.position_value_q(-1, 3) == 6_666_666_666
    assert INVERSE_BTC.notional_q(1, 3) == INVERSE_BTC.notional_q(-1, 3) == 6_666_666_667


@given(CONTRACTS, LOTS, TICKS)
def test_a_fill_is_the_exact_value_with_its_coins_rounded_down(
    contract: Instrument, lots: int, ticks: int
) -> None:
    assert contract.fill_value_q(lots, ticks) == math.ceil(exact_value(contract, lots, ticks))


@given(CONTRACTS, LOTS, TICKS, st.sampled_from([1, -1]))
def test_a_position_is_valued_at_most_at_its_exact_value(
    contract: Instrument, lots: int, ticks: int, sign: int
) -> None:
    exact = exact_value(contract, sign * lots, ticks)
    assert contract.position_value_q(sign * lots, ticks) == math.floor(exact)


@given(CONTRACTS, LOTS, TICKS, st.sampled_from([1, -1]))
def test_the_notional_is_the_absolute_value_rounded_up(
    contract: Instrument, lots: int, ticks: int, sign: int
) -> None:
    exact = abs(exact_value(contract, lots, ticks))
    assert contract.notional_q(sign * lots, ticks) == math.ceil(exact)


@given(CONTRACTS, LOTS, TICKS)
def test_the_last_price_below_a_notional_is_the_last_one(
    contract: Instrument, lots: int, ticks: int
) -> None:
    notional_q = contract.notional_q(lots, ticks)
    assume(notional_q > 1)
    last = contract.last_below_ticks(lots, notional_q)
    dearer = last - 1 if contract.inverse else last + 1
    assert last == 0 or contract.notional_q(lots, last) < notional_q
    assert dearer == 0 or contract.notional_q(lots, dearer) >= notional_q


@given(CONTRACTS, LOTS, TICKS, TICKS)
def test_opposite_positions_never_value_at_more_than_they_paid(
    contract: Instrument, lots: int, paid_ticks: int, ticks: int
) -> None:
    entry = contract.fill_value_q(lots, paid_ticks)
    long = contract.position_value_q(lots, ticks) - entry
    short = contract.position_value_q(-lots, ticks) + entry
    assert -1 <= long + short <= 0


@given(CONTRACTS, LOTS, TICKS, TICKS)
def test_a_rising_price_favours_longs_and_hurts_shorts(
    contract: Instrument, lots: int, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    assert contract.position_value_q(lots, low) <= contract.position_value_q(lots, high)
    assert contract.position_value_q(-lots, low) >= contract.position_value_q(-lots, high)


def test_decimals_become_lots_and_quanta() -> None:
    built = spec(
        min_qty="0.005", max_qty="100", min_notional="5", max_notional="1000000.5", band_ppb=7
    )
    assert (built.min_lots, built.max_lots) == (5, 100_000)
    assert (built.min_notional_q, built.max_notional_q) == (5_000_000, 1_000_000_500_000)
    assert (str(built.tick_size), str(built.lot_size)) == ("0.1", "0.001")
    assert (built.settle_asset_id, built.band_ppb) == (USDT.asset_id, 7)


def test_limits_left_out_mean_one_lot_and_no_maximum() -> None:
    built = spec()
    assert (built.min_lots, built.max_lots) == (1, 0)
    assert (built.min_notional_q, built.max_notional_q) == (0, 0)


def test_the_hot_form_has_the_figures_of_its_spec() -> None:
    built = spec(min_qty="0.002", max_qty="3", min_notional="1", max_notional="9", band_ppb=11)
    hot = Instrument(built)
    for name in InstrumentSpec.__struct_fields__:
        if name in ("kind", "tick", "lot", "margin"):
            continue
        assert getattr(hot, name) == getattr(built, name), name
    assert hot.spec is built
    assert (hot.inverse, Instrument(inverse_spec()).inverse) == (False, True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"kind": 7}, "kind 7 is unknown; use 'linear' or 'inverse'"),
        ({"tick": "0"}, "tick is 0; it must be positive"),
        ({"lot": "-1"}, "lot is -1; it must be positive"),
        ({"multiplier": "0.0"}, "multiplier is 0.0; it must be positive"),
        ({"tick": "x"}, "tick: 'x' is not a decimal number"),
        ({"lot": 0.5}, "lot: 0.5 must be a decimal string or a whole number"),
        (
            {"tick": "0.0001"},
            "tick x lot x multiplier = 1E-7 USDT is not a whole number of quanta (0.000001 USDT)",
        ),
        ({"tick": "1e999999"}, "tick: '1e999999' has more than 60 digits"),
        ({"min_qty": "0.0005"}, "min_qty: 0.0005 is not a multiple of 0.001"),
        ({"max_qty": "1.2345"}, "max_qty: 1.2345 is not a multiple of 0.001"),
        ({"min_notional": "1e-7"}, "min_notional: 1E-7 is not a multiple of 0.000001"),
        ({"max_notional": "nan"}, "max_notional: 'nan' is not finite"),
    ],
)
def test_a_linear_spec_off_its_grid_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        spec(**changes)
    assert str(caught.value) == f"BTCUSDT: {problem}"


def test_a_fraction_of_a_quantum_beyond_the_28th_digit_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"^BTCUSDT: tick x lot x multiplier = .* is not a whole"):
        spec(tick="0.10000000000000000000000000000000001")


def test_an_inverse_spec_whose_coins_are_no_whole_quanta_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^BTCUSD: lot x multiplier / tick = .* BTC is not a whole"
    ):
        inverse_spec(tick="0.3")


@pytest.mark.parametrize(("decimals", "quantum"), [(0, "1"), (2, "0.01"), (8, "1E-8")])
def test_a_quantum_is_the_last_decimal_of_the_asset(decimals: int, quantum: str) -> None:
    assert str(AssetSpec(1, "X", decimals).quantum) == quantum
