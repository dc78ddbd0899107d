"""Funding: the rate's shape, the sample window, and payments that cannot create money."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.instruments import INVERSE, LINEAR, Instrument, InstrumentSpec, MarginSpec
from engine.units import PPB
from risk.prices.funding import (
    PremiumWindow,
    divide_towards_zero,
    funding_payment_q,
    funding_rate_ppb,
    position_funding_q,
    premium_ppb,
)
from risk.rulebook import FundingRule
from tests.venues.funding import time_weighted_sum

SECOND = 10**9
EIGHT_HOURS = 8 * 3_600 * SECOND
BINANCE = FundingRule(
    interval_ns=EIGHT_HOURS, interest_ppb=100_000, clamp_ppb=500_000, cap_ppb=3_000_000
)
RATES = st.integers(-(10**8), 10**8)


def contract(kind: int, unit_q: int) -> Instrument:
    spec = InstrumentSpec(
        instrument_id=1,
        symbol="X",
        kind=kind,
        settle_asset_id=1,
        tick="1",
        lot="1",
        unit_q=unit_q,
        margin=MarginSpec(model="flat"),
    )
    return Instrument(spec)


@pytest.mark.parametrize(
    ("premium", "expected"),
    [
        (0, 100_000),  # inside the clamp the rate is the interest
        (600_000, 100_000),  # the clamp just reaches
        (600_001, 100_001),
        (-400_000, 100_000),
        (-400_001, 99_999),
        (2_000_000, 1_500_000),
        (10_000_000, 3_000_000),  # cap
        (-10_000_000, -3_000_000),
    ],
)
def test_rate_is_interest_inside_the_clamp_and_premium_beyond_it_up_to_the_cap(
    premium: int, expected: int
) -> None:
    assert funding_rate_ppb(premium, BINANCE) == expected


def test_cap_of_zero_means_no_cap() -> None:
    assert funding_rate_ppb(10**8, FundingRule(clamp_ppb=500_000)) == 10**8 - 500_000


def test_interval_pays_its_share_of_the_rate_period_and_the_cap_is_per_interval() -> None:
    rule = FundingRule(
        interval_ns=EIGHT_HOURS // 8,
        rate_period_ns=EIGHT_HOURS,
        interest_ppb=100_000,
        clamp_ppb=500_000,
        cap_ppb=40_000_000,
    )
    assert funding_rate_ppb(10_000_000, rule) == 1_187_500  # 0.95 % / 8
    assert funding_rate_ppb(-10_000_001, rule) == -1_187_500  # towards zero
    assert funding_rate_ppb(10**9, rule) == 40_000_000


@given(RATES, st.integers(0, 10**7), st.integers(0, 10**7))
def test_a_clamp_without_interest_is_a_dampener(premium: int, damp: int, extra: int) -> None:
    """Deribit's ``max(d, P) + min(-d, P)``: 0 inside the band, what lies beyond it outside."""
    cap = damp + extra + 1
    rule = FundingRule(clamp_ppb=damp, cap_ppb=cap)
    beyond = max(damp, premium) + min(-damp, premium)
    assert funding_rate_ppb(premium, rule) == max(-cap, min(cap, beyond))


@pytest.mark.parametrize(
    ("bid", "ask", "index", "expected"),
    [
        (10_100, 10_110, 10_000, 10_000_000),  # both above: bid over index
        (9_890, 9_900, 10_000, -10_000_000),
        (9_990, 10_010, 10_000, 0),  # the index lies inside the spread
        (0, 9_900, 10_000, -10_000_000),  # an empty side adds nothing
        (10_100, 0, 10_000, 10_000_000),
        (0, 0, 10_000, 0),
        (4, 5, 3, 333_333_333),
        (1, 2, 3, -333_333_333),  # towards zero
    ],
)
def test_premium_is_how_far_the_book_lies_beside_the_index(
    bid: int, ask: int, index: int, expected: int
) -> None:
    assert premium_ppb(bid, ask, index) == expected


def test_premium_without_an_index_is_refused() -> None:
    with pytest.raises(ValueError, match="index_ticks is 0"):
        premium_ppb(1, 2, 0)


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"), [(7, 2, 3), (-7, 2, -3), (-8, 2, -4), (0, 5, 0)]
)
def test_division_towards_zero(numerator: int, denominator: int, expected: int) -> None:
    assert divide_towards_zero(numerator, denominator) == expected


@pytest.mark.parametrize(
    ("notional", "rate", "sign", "expected"),
    [
        (1_000_000, 100_000, 1, -100),  # the long pays a positive rate
        (1_000_000, 100_000, -1, 100),
        (1_000_000, -100_000, 1, 100),
        (1_000_000, -100_000, -1, -100),
        (1_000_001, 100_000, 1, -101),  # the payer pays the ceiling of 100.0001
        (1_000_001, 100_000, -1, 100),  # the receiver gets its floor
        (1, 1, 1, -1),
        (1, 1, -1, 0),
        (0, 5, 1, 0),
    ],
)
def test_payer_pays_the_ceiling_and_receiver_gets_the_floor(
    notional: int, rate: int, sign: int, expected: int
) -> None:
    assert funding_payment_q(notional, rate, sign) == expected


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), RATES)
def test_position_funding_of_a_linear_contract_is_the_payment_on_its_notional(
    lots: int, price: int, rate: int
) -> None:
    linear = contract(LINEAR, 7)
    sign = 1 if lots >= 0 else -1
    expected = funding_payment_q(linear.notional_q(lots, price), rate, sign)
    assert position_funding_q(linear, lots, price, rate) == expected


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=12),
    st.integers(1, 10**9),
    RATES,
    st.sampled_from([LINEAR, INVERSE]),
)
def test_residue_of_a_settlement_is_not_negative_and_below_one_quantum_per_position(
    lots: list[int], price: int, rate: int, kind: int
) -> None:
    market = [*lots, -sum(lots)]
    instrument = contract(kind, 13 if kind == LINEAR else 10**11)
    amounts = [position_funding_q(instrument, qty, price, rate) for qty in market]
    residue = -sum(amounts)
    assert 0 <= residue < len(market)


def test_funding_on_rounded_up_inverse_notionals_could_create_money_and_exact_values_do_not() -> (
    None
):
    inverse = contract(INVERSE, 3)
    positions = [-1] * 10 + [10]  # each short is worth 1.5 quanta, its notional says 2
    rate = PPB // 2
    rounded = [
        funding_payment_q(inverse.notional_q(qty, 2), rate, 1 if qty > 0 else -1)
        for qty in positions
    ]
    exact = [position_funding_q(inverse, qty, 2, rate) for qty in positions]
    assert sum(rounded) == 10 - 8
    assert sum(exact) == -8


def test_window_takes_one_sample_per_interval_and_settles_their_mean() -> None:
    window = PremiumWindow(BINANCE)
    window.sample(0, 10_020, 10_030, 10_000)  # 0.2 %
    window.sample(5 * SECOND - 1, 20_000, 20_000, 10_000)
    window.sample(5 * SECOND, 10_010, 10_030, 10_000)  # 0.1 %
    assert window.mean_ppb() == 1_500_000
    assert window.settle() == 1_000_000
    assert window.mean_ppb() == 0
    window.sample(10 * SECOND, 10_010, 10_030, 10_000)
    assert window.mean_ppb() == 1_000_000


def test_window_without_samples_settles_the_interest() -> None:
    assert PremiumWindow(BINANCE).settle() == 100_000


def test_window_ignores_an_unknown_index_and_an_empty_book() -> None:
    window = PremiumWindow(BINANCE)
    window.sample(0, 10, 11, 0)
    window.sample(0, 0, 0, 10)
    assert window.state() == [0, 0, -1]


def test_sample_spacing_carries_over_a_settlement() -> None:
    window = PremiumWindow(BINANCE)
    window.sample(0, 10_020, 10_030, 10_000)
    window.settle()
    window.sample(SECOND, 10_020, 10_030, 10_000)
    assert window.mean_ppb() == 0


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 100), st.integers(1, 10**6))))
def test_mean_equals_the_exact_mean_cut_towards_zero_and_survives_a_snapshot(
    samples: list[tuple[int, int, int]],
) -> None:
    rule = FundingRule(sample_interval_ns=1)
    window = PremiumWindow(rule)
    for time, (bid, spread, index) in enumerate(samples):
        window.sample(time, bid, bid + spread, index)
    premiums = [premium_ppb(bid, bid + spread, index) for bid, spread, index in samples]
    expected = int(Fraction(sum(premiums), len(premiums))) if premiums else 0
    copy = PremiumWindow(rule)
    copy.restore(window.state())
    assert window.mean_ppb() == copy.mean_ppb() == expected


def test_time_weighted_sum_leaves_gaps_out() -> None:
    # 10 for [0, 2), 20 for [2, 3) and [7, 10): the gap [3, 7) is neither counted nor covered.
    assert time_weighted_sum(10, [(2, 20)], 10, [(3, 7)]) == (2 * 10 + 4 * 20, 6)
