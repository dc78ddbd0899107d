"""Ticks, lots and quanta as people read them."""

import pytest

from engine.events import AssetReport, InstrumentReport, MarketReport
from engine.instruments import INVERSE, LINEAR, AssetSpec, build_instrument_spec
from engine.units import PPB, SECOND_NS
from risk.accounts import cross_account_id, isolated_account_id
from seawall.terminal.watch_units import Units, clock, duration, multiple, percent, printable
from tests.market import flat

USD = AssetSpec(1, "USD", 6)
COIN = AssetSpec(2, "COIN", 8)
WHOLE = AssetSpec(3, "WHOLE", 0)
MINUTE_NS = 60 * SECOND_NS


def units() -> Units:
    linear = build_instrument_spec(
        instrument_id=4,
        symbol="LIN",
        kind=LINEAR,
        asset=USD,
        tick="0.05",
        lot="0.001",
        margin=flat(),
    )
    inverse = build_instrument_spec(
        instrument_id=5, symbol="INV", kind=INVERSE, asset=COIN, tick="0.5", lot="10", margin=flat()
    )
    return Units(
        MarketReport(
            0,
            "test",
            [],
            [AssetReport(spec, 0, 0) for spec in (USD, COIN, WHOLE)],
            [InstrumentReport(spec, 0, 0, 0, 0, 0, 0) for spec in (linear, inverse)],
        )
    )


def test_prices_have_the_decimals_of_their_tick() -> None:
    assert units().price(4, 2_000_002) == "100,000.10"
    assert units().price(5, 3) == "1.5"
    assert units().price_step(4, 1) == "0.05"


@pytest.mark.parametrize("ticks", [0, -1])
def test_a_price_that_is_not_known_is_a_dash(ticks: int) -> None:
    assert units().price(4, ticks) == "-"


def test_sizes_have_the_decimals_of_their_lot() -> None:
    assert units().quantity(4, -1_234_567) == "-1,234.567"
    assert units().quantity(5, 7) == "70"


@pytest.mark.parametrize(
    ("asset_id", "amount_q", "shown"),
    [
        (1, 1_234_567_899_999, "1,234,567.89 USD"),
        (1, -1, "-0.01 USD"),
        (1, 0, "0.00 USD"),
        (2, 123_456_789, "1.234567 COIN"),
        (3, 12_345, "12,345 WHOLE"),
    ],
)
def test_money_is_cut_to_what_matters_and_rounded_down(
    asset_id: int, amount_q: int, shown: str
) -> None:
    assert units().money(asset_id, amount_q) == shown


def test_a_change_of_money_has_its_sign() -> None:
    assert units().money(1, 5_000_000, signed=True) == "+5.00 USD"
    assert units().money(1, -5_000_000, signed=True) == "-5.00 USD"


def test_what_is_not_known_is_shown_as_it_is() -> None:
    nothing = Units(None)
    assert nothing.price(9, 5) == "5 ticks"
    assert nothing.quantity(9, 5) == "5 lots"
    assert nothing.money(9, 5) == "5 quanta"
    assert nothing.symbol(9) == "instrument 9"


def test_a_margin_account_is_kept_in_the_asset_it_settles_in() -> None:
    known = units()
    assert known.asset_of_account(cross_account_id(100, 2)) == 2
    assert known.asset_of_account(isolated_account_id(100, 4, 0)) == 1
    assert known.asset_of_account(isolated_account_id(100, 9, 0)) == -1


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (-5, "0.0 s"),
        (59 * SECOND_NS + 999_999_999, "59.9 s"),
        (MINUTE_NS, "1 min 00 s"),
        (60 * MINUTE_NS - 1, "59 min 59 s"),
        (125 * MINUTE_NS, "2 h 05 min"),
    ],
)
def test_a_duration_has_two_units(time_ns: int, shown: str) -> None:
    assert duration(time_ns) == shown


def test_rates_and_ratios_are_rounded_down() -> None:
    assert percent(10**5, 4) == "0.0100 %"
    assert percent(-1, 2) == "-0.01 %"
    assert multiple(2 * PPB - 1) == "1.99 x"


def test_the_time_of_day_is_utc() -> None:
    assert clock(86_400 * SECOND_NS + 43_200 * SECOND_NS) == "12:00:00"


def test_a_name_cannot_move_the_cursor() -> None:
    assert printable("\x1b[2Jwav\ne\x00") == "?[2Jwav?e?"
