"""What an asset counts for in another one, and which rules about it make sense."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import AssetSpec
from engine.settings import SettingFault
from engine.units import PPB
from risk.collateral import MAX_PRICE_PPB, CollateralAsset, collateral_assets
from risk.rulebook import CollateralAssetRule, CollateralRule, IndexRule, Rulebook
from risk.rules.rulebook_check import check_rulebook
from tests.market import BTC, ETH, USD, collateral, rules
from tests.risk.venue_vectors import Vector, parameters

ASSETS = {asset.asset_id: asset for asset in (USD, BTC, ETH)}


def asset(
    haircut: str = "0.1", price: str = "50000", decimals: int = 8, margin_decimals: int = 6
) -> CollateralAsset:
    found = CollateralAsset(
        AssetSpec(1, "COIN", decimals),
        AssetSpec(0, "MONEY", margin_decimals),
        int(Fraction(haircut) * PPB),
        IndexRule(),
    )
    found.set_price(int(Fraction(price) * PPB))
    return found


@pytest.mark.parametrize(
    ("amount_q", "haircut", "price", "value_q"),
    [
        (10_000_000, "0.1", "50000", 4_500_000_000),
        (10_000_000, "0", "50000", 5_000_000_000),
        (-10_000_000, "0.1", "50000", -5_000_000_000),
        (0, "0.1", "50000", 0),
        # One hundred-millionth at 0.9 x 100.005: 0.900045 millionths, down to 0.
        (1, "0.1", "100.005", 0),
        # Owed, at the full price: 1.00005 millionths, against the account.
        (-1, "0.1", "100.005", -2),
        # 3 x 0.9 x 123.456789 = 333.3333303 hundredths of a millionth.
        (3, "0.1", "123.456789", 3),
        (10_000_000, "0.1", "0", 0),
    ],
)
def test_balances_are_cut_and_rounded_down_debts_are_not_made_smaller(
    amount_q: int, haircut: str, price: str, value_q: int
) -> None:
    assert asset(haircut, price).value_q(amount_q) == value_q


@pytest.mark.parametrize("vector", parameters(lambda v: v["kind"] == "collateral_value"))
def test_venue_vectors(vector: Vector) -> None:
    """In integers, at nine decimals both."""
    equity_q = 0
    for row in vector["inputs"]["assets"]:
        haircut = str(1 - Fraction(row["collateral_rate"]))
        found = asset(haircut, row["index_price"], decimals=9, margin_decimals=9)
        equity_q += found.value_q(int(Fraction(row["net"]) * 10**9))
    assert equity_q == Fraction(vector["expected"]["equity"]) * 10**9


AMOUNTS = st.integers(1, 2**50)
PRICES = st.integers(1, 10**17)
DECIMALS = st.integers(0, 12)


@given(
    amount_q=st.integers(-(2**50), 2**50),
    price_ppb=PRICES,
    haircut_ppb=st.integers(0, PPB - 1),
    decimals=DECIMALS,
    margin_decimals=DECIMALS,
)
def test_value_is_the_exact_fraction_rounded_once(
    amount_q: int, price_ppb: int, haircut_ppb: int, decimals: int, margin_decimals: int
) -> None:
    found = CollateralAsset(
        AssetSpec(1, "COIN", decimals),
        AssetSpec(0, "MONEY", margin_decimals),
        haircut_ppb,
        IndexRule(),
    )
    found.set_price(price_ppb)
    full = Fraction(amount_q * price_ppb, PPB) * Fraction(10**margin_decimals, 10**decimals)
    cut = full * Fraction(PPB - haircut_ppb, PPB)
    assert found.value_q(amount_q) == min(full, cut) // 1
    assert found.full_value_q(amount_q) == found.value_at_q(amount_q, price_ppb) == full // 1


@given(amount_q=AMOUNTS, value_q=st.integers(0, 2**50), price_ppb=PRICES, decimals=DECIMALS)
def test_amount_for_a_value_is_the_smallest_that_is_enough(
    amount_q: int, value_q: int, price_ppb: int, decimals: int
) -> None:
    found = asset(decimals=decimals)
    found.set_price(price_ppb)
    enough_q = found.amount_for_q(value_q)
    assert found.value_q(enough_q) >= value_q
    assert enough_q == 0 or found.value_q(enough_q - 1) < value_q
    # What two parts count for is at most a quantum less than the whole.
    part_q = min(amount_q, enough_q)
    split_q = found.value_q(part_q) + found.value_q(amount_q - part_q)
    assert 0 <= found.value_q(amount_q) - split_q <= 1


@given(
    amount_q=AMOUNTS,
    fall_q=st.integers(-1, 2**50),
    rise_q=st.integers(-1, 2**50),
    price_ppb=PRICES,
    decimals=DECIMALS,
)
def test_inside_its_band_a_balance_moves_by_no_more_than_its_room(
    amount_q: int, fall_q: int, rise_q: int, price_ppb: int, decimals: int
) -> None:
    found = asset(decimals=decimals)
    found.set_price(price_ppb)
    value_q = found.value_q(amount_q)
    low_ppb, high_ppb = found.band(amount_q, fall_q, rise_q)
    assert (low_ppb == -1) or (0 < low_ppb <= price_ppb and fall_q >= 0)
    assert (high_ppb == -1) == (rise_q < 0)
    if fall_q >= 0:
        found.set_price(max(1, low_ppb))
        assert value_q - found.value_q(amount_q) <= fall_q + 1
    if rise_q >= 0:
        found.set_price(high_ppb)
        assert found.value_q(amount_q) - value_q <= rise_q + 1


@given(amount_q=AMOUNTS, value_q=st.integers(-10, 2**50), price_ppb=PRICES)
def test_first_price_below_is_below_and_the_next_one_is_not(
    amount_q: int, value_q: int, price_ppb: int
) -> None:
    found = asset()
    found.set_price(price_ppb)
    below_ppb = found.first_price_below(amount_q, value_q)
    if below_ppb > 0:
        found.set_price(below_ppb)
        assert found.value_q(amount_q) < value_q
    if value_q > 0:
        found.set_price(max(below_ppb, 0) + 1)
        assert found.value_q(amount_q) >= value_q


# rules


def test_assets_are_found_by_symbol_and_prices_survive_new_rules() -> None:
    book = rules(collateral=collateral(ETH="0.2", BTC="0.1", SOL="0.3", debt_limit=5))
    check_rulebook(book)
    found = collateral_assets(book, ASSETS, [], {})
    assert sorted(found) == [1, 2]
    assert [(found[key].place, found[key].haircut_ppb) for key in (2, 1)] == [
        (0, 200_000_000),
        (1, 100_000_000),
    ]
    assert found[1].debt_limit_q == 5_000_000
    found[1].index.update(1, 7 * PPB, 0)
    found[1].set_price(7 * PPB)
    milder = rules(collateral=collateral(BTC="0"))
    again = collateral_assets(milder, ASSETS, [], found)
    assert sorted(again) == [1]
    assert (again[1].price_ppb, again[1].value_q(100)) == (7 * PPB, 7)
    assert again[1].index.value(0) == 7 * PPB
    # In another margin asset it is another price.
    other = rules(collateral=collateral(margin_asset="ETH", BTC="0"))
    assert collateral_assets(other, ASSETS, [], found)[1].price_ppb == 0


def test_collateral_of_assets_nobody_knows_yet_waits_for_them() -> None:
    book = rules(collateral=collateral(margin_asset="EUR", BTC="0.1"))
    assert collateral_assets(book, ASSETS, [], {}) == {}


def test_an_asset_that_settles_an_instrument_is_no_collateral() -> None:
    book = rules(collateral=collateral(BTC="0.1"))
    with pytest.raises(ValueError, match="BTC settles an instrument; an asset is either"):
        collateral_assets(book, ASSETS, [0, 1], {})


def test_a_name_of_two_assets_is_refused() -> None:
    book = rules(collateral=collateral(BTC="0.1"))
    twice = {**ASSETS, 7: AssetSpec(7, "BTC", 8)}
    with pytest.raises(ValueError, match="BTC is the name of assets 1 and 7"):
        collateral_assets(book, twice, [], {})


FAULTS = {
    "no margin asset": (collateral(margin_asset=" ", BTC="0"), "[1].margin_asset: is empty"),
    "two tables": (
        [*collateral(BTC="0"), *collateral(ETH="0")],
        "[2].margin_asset: 'USD' is given twice; use one table",
    ),
    "nothing counts": (collateral(), "[1].assets: is empty; name at least one asset"),
    "no name": ([CollateralRule("USD", [CollateralAssetRule("", 0)])], "[1].assets[1].asset: is"),
    "itself": (collateral(USD="0"), "[1].assets[1].asset: 'USD' is a margin asset; it cannot"),
    "a chain": (
        [*collateral(BTC="0"), *collateral(margin_asset="BTC", ETH="0")],
        "[1].assets[1].asset: 'BTC' is a margin asset",
    ),
    "counted twice": (
        [*collateral(BTC="0"), *collateral(margin_asset="EUR", BTC="0")],
        "[2].assets[1].asset: 'BTC' already counts in 'USD'; a balance counts once",
    ),
    "all is cut": (collateral(BTC="1"), "[1].assets[1].haircut: 1 is out of range; allowed are 0 "),
    "negative": (collateral(BTC="-0.1"), "[1].assets[1].haircut: -0.1 is out of range"),
    "no limit": (collateral(BTC="0", debt_limit=-1), "[1].debt_limit: -1 is out of range; "),
}


@pytest.mark.parametrize(("given_rules", "problem"), FAULTS.values(), ids=list(FAULTS))
def test_a_wrong_rule_is_refused_with_its_place(
    given_rules: list[CollateralRule], problem: str
) -> None:
    with pytest.raises(SettingFault) as fault:
        check_rulebook(rules(collateral=given_rules))
    assert f"collateral{problem}" in str(fault.value)


def test_rules_without_collateral_keep_their_message_form() -> None:
    plain: Rulebook = rules()
    assert "collateral" not in plain.to_json()
    assert "collateral" in rules(collateral=collateral(BTC="0.1")).to_json()


def test_the_largest_price_is_a_number_like_any_other() -> None:
    found = asset(price="0")
    found.set_price(MAX_PRICE_PPB)
    assert found.value_q(1) == 10**9 * 10**6 * 9 // (10 * 10**8)
