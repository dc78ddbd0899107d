"""Margin models: worked tables, what the tables must satisfy, and properties over all notionals."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.instruments import MarginSpec, MarginTier
from engine.units import PPB
from risk.margin import (
    BracketMargin,
    LinearInSizeMargin,
    MarginModel,
    UsedMargin,
    WholeTierMargin,
    build_margin_model,
    validate_tiers,
    with_deductions,
)

PERCENT = PPB // 100

TIERS = with_deductions(
    [
        MarginTier(0, 50_000, 4_000_000, 125, 0),
        MarginTier(50_000, 600_000, 5_000_000, 100, 0),
        MarginTier(600_000, 3_000_000, 6_500_000, 75, 0),
        MarginTier(3_000_000, 12_000_000, 10_000_000, 50, 0),
    ]
)
"""The first rows of Binance's BTCUSDT table, one quantum being one dollar."""


@st.composite
def tier_tables(draw: st.DrawFn) -> list[MarginTier]:
    """Valid tables: rising floors and rates, falling leverages, maintenance below initial."""
    rows = draw(st.integers(1, 6))
    caps = sorted(draw(st.sets(st.integers(1, 10**9), min_size=rows, max_size=rows)))
    leverages = sorted(draw(st.lists(st.integers(1, 125), min_size=rows, max_size=rows)))[::-1]
    tiers, floor_q, rate_ppb = [], 0, 1
    for cap_q, leverage in zip(caps, leverages, strict=True):
        highest = (PPB - 1) // leverage
        rate_ppb = draw(st.integers(min(rate_ppb, highest), highest))
        tiers.append(MarginTier(floor_q, cap_q, rate_ppb, leverage, 0))
        floor_q = cap_q
    return with_deductions(tiers)


linear_models = st.builds(
    lambda maintenance, gap, slope, extra, lots: LinearInSizeMargin(
        maintenance + gap, maintenance, slope + extra, slope, lots
    ),
    st.integers(1, 40 * PERCENT),
    st.integers(1, 40 * PERCENT),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 1_000),
)
used_models = st.builds(UsedMargin, st.integers(1, PPB - 1), st.integers(1, 10))
models: st.SearchStrategy[MarginModel] = st.one_of(
    tier_tables().map(BracketMargin), linear_models, used_models
)
notionals = st.integers(1, 4 * 10**9)


@pytest.mark.parametrize(
    ("notional_q", "maintenance_q", "tier", "max_leverage"),
    [
        (0, 0, 0, 125),
        (1, 1, 0, 125),  # 0.004 rounded up
        (49_999, 200, 0, 125),  # 199.996 rounded up
        (50_000, 200, 1, 100),  # 250 - 50: the bound belongs to the higher tier
        (600_000, 2_950, 2, 75),  # 3,900 - 950
        (12_000_000, 108_550, 3, 50),  # the last cap: 120,000 - 11,450
        (20_000_000, 188_550, 3, 50),  # beyond it the last tier goes on
    ],
)
def test_bracket_maintenance_is_rate_times_notional_less_deduction(
    notional_q: int, maintenance_q: int, tier: int, max_leverage: int
) -> None:
    model = BracketMargin(TIERS)
    assert model.maintenance_q(1, notional_q, 0, 10) == maintenance_q
    assert model.tier_of(notional_q) == tier
    assert model.max_leverage(notional_q) == max_leverage


@pytest.mark.parametrize(
    ("notional_q", "leverage", "initial_q"),
    [
        (0, 20, 0),
        (40_000, 20, 2_000),
        (40_001, 20, 2_001),  # rounded up
        (40_000, 200, 320),  # no more than 125 in this tier
        (60_000, 125, 600),  # no more than 100 in this one
        (1, 1, 2),  # one quantum above the maintenance of 1
    ],
)
def test_bracket_initial_is_notional_over_leverage_held_by_the_tier(
    notional_q: int, leverage: int, initial_q: int
) -> None:
    assert BracketMargin(TIERS).initial_q(1, notional_q, 0, leverage) == initial_q


def test_deductions_follow_the_venue_identity() -> None:
    assert [tier.deduction_q for tier in TIERS] == [0, 50, 950, 11_450]


def test_linear_in_size_rates_rise_with_every_lot() -> None:
    # Deribit BTC_USDC: 2 % and 1 %, plus 0.005 % per BTC, in lots of 0.001 BTC at 100,000.
    model = LinearInSizeMargin(2 * PERCENT, PERCENT, PERCENT // 200, PERCENT // 200, 1_000)
    notional_q = 25 * 100_000
    assert model.initial_q(25_000, notional_q, 0, 50) == 53_125  # 2.125 %, as printed
    assert model.maintenance_q(-25_000, notional_q, 0, 50) == 28_125  # 1.125 %, as printed
    assert model.initial_q(25_000, notional_q, 0, 10) == 250_000  # chosen leverage
    assert model.max_leverage(notional_q) == 50
    assert model.slope_bound_ppb(-25_000) == 11_250_000


def test_used_margin_stands_at_entry_for_a_long_and_follows_the_price_for_a_short() -> None:
    model = UsedMargin(40 * PERCENT, 5)
    assert model.initial_q(3, 80_000, 45_000, 5) == 9_000
    assert model.initial_q(-3, 80_000, 45_000, 5) == 16_000
    assert model.maintenance_q(3, 80_000, 45_000, 5) == 3_600
    assert model.maintenance_q(-3, 80_000, 45_000, 5) == 6_400
    assert model.initial_q(3, 80_000, 45_000, 50) == 9_000  # held by the maximum
    assert model.slope_bound_ppb(3) == 0
    assert model.slope_bound_ppb(-3) == 40 * PERCENT


@given(tier_tables(), notionals)
def test_bracket_maintenance_never_falls_nor_jumps(
    tiers: list[MarginTier], notional_q: int
) -> None:
    model = BracketMargin(tiers)
    for at in [notional_q, *(tier.floor_q for tier in tiers[1:])]:
        step = model.maintenance_q(1, at, 0, 1) - model.maintenance_q(1, at - 1, 0, 1)
        assert step in (0, 1)


@given(tier_tables(), notionals)
def test_bracket_maintenance_is_the_sum_over_slices_to_a_quantum_per_tier(
    tiers: list[MarginTier], notional_q: int
) -> None:
    exact = Fraction(0)
    for tier in tiers:
        top = notional_q if tier is tiers[-1] else min(notional_q, tier.cap_q)
        exact += Fraction(max(0, top - tier.floor_q) * tier.maintenance_ppb, PPB)
    assert abs(BracketMargin(tiers).maintenance_q(1, notional_q, 0, 1) - exact) <= len(tiers)


@given(models, notionals, notionals, st.integers(1, 500), st.integers(-(10**6), 10**6))
def test_maintenance_is_strictly_below_initial_at_every_notional(
    model: MarginModel, notional_q: int, entry_q: int, leverage: int, qty_lots: int
) -> None:
    assume(qty_lots != 0)
    leverage = min(leverage, model.max_leverage(notional_q))
    maintenance_q = model.maintenance_q(qty_lots, notional_q, entry_q, leverage)
    assert 0 < maintenance_q < model.initial_q(qty_lots, notional_q, entry_q, leverage)


@given(models, notionals, notionals, st.integers(1, 10), st.integers(-(10**6), 10**6))
def test_slope_bound_holds_between_any_two_notionals(
    model: MarginModel, one_q: int, other_q: int, leverage: int, qty_lots: int
) -> None:
    low_q, high_q = sorted((one_q, other_q))
    rise = model.maintenance_q(qty_lots, high_q, low_q, leverage) - model.maintenance_q(
        qty_lots, low_q, low_q, leverage
    )
    bound = Fraction(model.slope_bound_ppb(qty_lots) * (high_q - low_q), PPB)
    assert 0 <= rise < bound + (1 if not isinstance(model, UsedMargin) else 2)


def row(index: int, **change: int) -> list[MarginTier]:
    """`TIERS` with fields of one row changed."""
    names = ("floor_q", "cap_q", "maintenance_ppb", "max_leverage", "deduction_q")
    tiers = list(TIERS)
    old = tiers[index]
    tiers[index] = MarginTier(*(change.get(name, getattr(old, name)) for name in names))
    return tiers


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([], "no rows"),
        (row(0, floor_q=1), "row 1: floor 1 must be 0"),
        (row(0, deduction_q=3), "row 1: deduction 3 must be 0"),
        (row(1, floor_q=50_001), "row 2: floor 50001 leaves a gap; .* row 1, 50000"),
        (row(1, floor_q=49_999), "row 2: floor 49999 leaves an overlap; .* row 1, 50000"),
        (row(2, cap_q=600_000), "row 3: cap 600000 must be above its floor 600000"),
        (row(2, maintenance_ppb=4_999_999), "row 3: maintenance rate 4999999 ppb falls"),
        (row(2, maintenance_ppb=0), "row 3: maintenance rate 0 ppb must be positive"),
        (row(2, max_leverage=101), "row 3: max leverage 101 rises; .* row 2, 100"),
        (row(2, max_leverage=0), "row 3: max leverage 0 must be 1 or more"),
        (row(2, deduction_q=951), "row 3: deduction 951 .* must be 950"),
        (row(3, maintenance_ppb=20_000_000), "row 4: .* 20000000 ppb .* at most 19999999 ppb"),
        (row(3, max_leverage=75, maintenance_ppb=13_333_334), "row 4: .* at most 13333333 ppb"),
    ],
)
def test_invalid_table_is_refused_with_row_value_and_rule(
    tiers: list[MarginTier], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        validate_tiers(tiers)


@given(tier_tables())
def test_generated_tables_are_valid(tiers: list[MarginTier]) -> None:
    validate_tiers(tiers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((PERCENT, PERCENT, 0, 0, 1), "strictly below initial_ppb"),
        ((PPB + 1, PERCENT, 0, 0, 1), "at most 1000000000"),
        ((2 * PERCENT, 0, 0, 0, 1), "must be positive"),
        ((2 * PERCENT, PERCENT, 1, 2, 1), "maintenance_slope_ppb 2"),
        ((2 * PERCENT, PERCENT, 1, -1, 1), "maintenance_slope_ppb -1"),
        ((2 * PERCENT, PERCENT, 1, 1, 0), "slope_lots 0"),
    ],
)
def test_linear_in_size_refuses_rates_without_room(
    arguments: tuple[int, int, int, int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LinearInSizeMargin(*arguments)


@pytest.mark.parametrize(("share", "leverage"), [(0, 5), (PPB, 5), (PERCENT, 0)])
def test_used_margin_refuses_figures_out_of_range(share: int, leverage: int) -> None:
    with pytest.raises(ValueError, match="used_margin"):
        UsedMargin(share, leverage)


FLAT = [("maintenance_ppb", 5_000_000), ("max_leverage", 100)]


def test_build_makes_the_named_model() -> None:
    assert isinstance(build_margin_model(MarginSpec("brackets", TIERS)), BracketMargin)
    flat = build_margin_model(MarginSpec("flat", [], FLAT))
    assert flat.maintenance_q(1, 100_000, 0, 20) == 500
    assert flat.initial_q(1, 100_000, 0, 20) == 5_000
    linear = [("initial_ppb", 2 * PERCENT), ("initial_slope_ppb", 3), ("maintenance_ppb", PERCENT)]
    model = build_margin_model(
        MarginSpec("linear_in_size", [], [*linear, ("maintenance_slope_ppb", 2)])
    )
    assert model.slope_bound_ppb(10) == PERCENT + 20
    used = [("maintenance_of_used_ppb", 40 * PERCENT), ("max_leverage", 5)]
    assert build_margin_model(MarginSpec("used_margin", [], used)).max_leverage(1) == 5


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (MarginSpec("span"), "'span' is unknown; allowed are brackets, "),
        (MarginSpec("brackets"), "no rows"),
        (MarginSpec("brackets", TIERS, FLAT), "'maintenance_ppb' is unknown; allowed are none"),
        (MarginSpec("flat", TIERS, FLAT), "takes no tiers, 4 given"),
        (MarginSpec("flat", [], FLAT[:1]), "'max_leverage' is missing"),
        (MarginSpec("flat", [], [*FLAT, FLAT[0]]), "'maintenance_ppb' is given twice"),
        (MarginSpec("flat", [], [*FLAT, ("slope_lots", 1)]), "'slope_lots' is unknown"),
    ],
)
def test_build_refuses_a_wrong_specification(spec: MarginSpec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_margin_model(spec)


@pytest.mark.parametrize("percent", [2, 3, 7, 30, 60, 100])
def test_linear_in_size_charges_its_rate_at_the_largest_leverage(percent: int) -> None:
    """3 % is a leverage of 33.3: 33, the largest whole one, asks for 3 %, not for 1/33."""
    model = LinearInSizeMargin(percent * 10_000_000, 1_000_000, 0, 0, 1)
    largest = model.max_leverage(10**9)
    assert largest == 100 // percent
    assert model.initial_q(1, 10**9, 0, largest) == percent * 10_000_000
    if largest > 1:
        assert model.initial_q(1, 10**9, 0, largest - 1) == -(-(10**9) // (largest - 1))


@given(tier_tables(), notionals, st.integers(1, 200))
def test_less_leverage_counts_from_the_next_stricter_tier_on(
    tiers: list[MarginTier], notional_q: int, leverage: int
) -> None:
    whole = [MarginTier(t.floor_q, t.cap_q, t.maintenance_ppb, t.max_leverage, 0) for t in tiers]
    for model in (BracketMargin(tiers), WholeTierMargin(whole)):
        counts = min(leverage, model.max_leverage(notional_q))
        from_q = model.less_leverage_from_q(notional_q, leverage)
        assert from_q == 0 or from_q > notional_q
        last_q = from_q - 1 if from_q else 10**12
        assert min(leverage, model.max_leverage(last_q)) == counts
        if from_q:
            assert min(leverage, model.max_leverage(from_q)) < counts
