"""Decimals become integers exactly or not at all, and each rounding goes the way its name says."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.units import (
    HOUR_NS,
    MINUTE_NS,
    PPB,
    SECOND_NS,
    Rate,
    apply_rate_down,
    apply_rate_up,
    from_grid,
    from_ppb,
    parse_decimal,
    scale_down,
    scale_up,
    share_ppb,
    to_grid,
    to_ns,
    to_ppb,
)

INTS = st.integers(-(10**40), 10**40)
STEPS = st.sampled_from(["1", "10", "0.5", "0.25", "1e-8", "0.0001", "3", "0.7", "1e-18"])


@given(INTS, st.integers(-PPB, 2 * PPB))
def test_a_rate_rounds_up_for_what_is_owed_and_down_for_what_is_credited(
    amount: int, rate_ppb: int
) -> None:
    exact = Fraction(amount * rate_ppb, PPB)
    assert apply_rate_up(amount, rate_ppb) == math.ceil(exact)
    assert apply_rate_down(amount, rate_ppb) == math.floor(exact)


@given(INTS, INTS, st.integers(-PPB, 2**70))
def test_a_rate_as_a_fraction_rounds_and_compares_as_the_exact_one(
    amount: int, part: int, rate_ppb: int
) -> None:
    rate = Rate(rate_ppb)
    exact = Fraction(amount * rate_ppb, PPB)
    assert rate.ppb == rate_ppb
    assert rate.up(amount) == math.ceil(exact)
    assert rate.down(amount) == math.floor(exact)
    for other in (part, math.ceil(exact), math.floor(exact)):
        assert rate.is_above(other, amount) == (other < exact)
        assert rate.is_exactly(other, amount) == (other == exact)


@given(st.integers(-(2**62), 2**62), st.integers(-(2**50), 2**50), st.integers(1, 2**50))
def test_scaling_rounds_once_the_way_its_name_says(
    amount: int, numerator: int, denominator: int
) -> None:
    exact = Fraction(amount * numerator, denominator)
    assert scale_up(amount, numerator, denominator) == math.ceil(exact)
    assert scale_down(amount, numerator, denominator) == math.floor(exact)


@given(st.data())
def test_a_share_of_an_amount_is_rounded_down_at_any_length(data: st.DataObject) -> None:
    denominator = data.draw(st.integers(1, 2**49))
    numerator = data.draw(st.integers(1, denominator))
    amount = data.draw(st.integers(-(2**61), 2**61))
    exact = math.floor(Fraction(amount * numerator, denominator))
    assert scale_down(amount, numerator, denominator) == exact


@given(st.integers(0, 10**20), st.integers(1, 10**20))
def test_a_share_as_a_rate_is_rounded_down(part: int, whole: int) -> None:
    assert share_ppb(part, whole) == math.floor(Fraction(part, whole) * PPB)


@pytest.mark.parametrize("whole", [1, 3, 999, 10**9, 2**51, 2**61 // 1_000, 2**61])
@pytest.mark.parametrize("times", [0, 1, 2**30 - 1, 2**30, 2**40])
def test_a_share_as_a_rate_is_exact_around_the_limits_of_a_word(whole: int, times: int) -> None:
    for part in (whole * times, whole * times + whole - 1):
        assert share_ppb(part, whole) == part * PPB // whole


@pytest.mark.parametrize(
    ("amount", "rate_ppb", "up", "down"),
    [
        (100, 500_000_000, 50, 50),
        (101, 500_000_000, 51, 50),
        (-101, 500_000_000, -50, -51),
        (1, 1, 1, 0),
        (0, 500_000_000, 0, 0),
        (3_333, 400_000, 2, 1),
    ],
)
def test_rates_by_hand(amount: int, rate_ppb: int, up: int, down: int) -> None:
    assert apply_rate_up(amount, rate_ppb) == up
    assert apply_rate_down(amount, rate_ppb) == down


def test_an_hour_is_sixty_minutes_of_sixty_seconds() -> None:
    assert (HOUR_NS, MINUTE_NS, SECOND_NS) == (3_600 * 10**9, 60 * 10**9, 10**9)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.50", "1.5"), (" 7 ", "7"), ("-0.25", "-0.25"), ("1e3", "1000"), (42, "42"), ("0", "0")],
)
def test_decimals_are_read_exactly(text: str | int, value: str) -> None:
    assert parse_decimal(text, "price") == Decimal(value)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (0.1, "0.1 must be a decimal string or a whole number"),
        (True, "True must be a decimal string or a whole number"),
        (None, "None must be a decimal string or a whole number"),
        ([], r"\[\] must be a decimal string or a whole number"),
        ("", "'' is not a decimal number"),
        ("1,5", "'1,5' is not a decimal number"),
        ("0x10", "'0x10' is not a decimal number"),
        ("NaN", "'NaN' is not finite"),
        ("-Infinity", "'-Infinity' is not finite"),
    ],
)
def test_what_is_no_plain_decimal_is_refused_by_name(bad: object, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^order price: {problem}$"):
        parse_decimal(bad, "order price")  # type: ignore[arg-type]


@given(st.integers(-(10**30), 10**30), STEPS)
def test_every_multiple_of_the_step_survives_the_way_out_and_back(count: int, step: str) -> None:
    text = from_grid(count, Decimal(step))
    assert to_grid(text, Decimal(step), "value") == count
    assert Fraction(text) == count * Fraction(step)


@given(st.integers(-(10**30), 10**30), STEPS, st.integers(1, 999))
def test_what_lies_between_two_steps_is_refused(count: int, step: str, thousandths: int) -> None:
    between = (count + Fraction(thousandths, 1000)) * Fraction(step)
    text = from_grid(int(between * 10**21), Decimal("1e-21"))
    with pytest.raises(ValueError, match=r"^qty: .* is not a multiple of"):
        to_grid(text, Decimal(step), "qty")


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("1.0000000000000000000000000000000001", "1"),
        ("123456789012345678901234567890.5", "1"),
        ("0.3333333333333333333333333333333333", "0.1"),
    ],
)
def test_digits_beyond_the_28th_are_not_lost(text: str, step: str) -> None:
    with pytest.raises(ValueError, match="is not a multiple of"):
        to_grid(text, Decimal(step), "price")


@pytest.mark.parametrize("text", ["1e60", "-1e60", "1e-61", "1e999999", "1e-999999"])
def test_a_number_of_absurd_length_is_refused_before_any_arithmetic(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^price: '{text}' has more than 60 digits$"):
        to_grid(text, Decimal("0.1"), "price")


@pytest.mark.parametrize(
    ("count", "step", "text"),
    [
        (0, "0.01", "0"),
        (150, "0.01", "1.5"),
        (100, "0.01", "1"),
        (100, "1", "100"),
        (5, "1e3", "5000"),
        (-1, "1e-8", "-0.00000001"),
        (123456789012345678901234567890123, "0.1", "12345678901234567890123456789012.3"),
    ],
)
def test_a_count_is_shown_without_exponent_or_trailing_zeros(
    count: int, step: str, text: str
) -> None:
    assert from_grid(count, Decimal(step)) == text


@pytest.mark.parametrize(
    ("text", "rate_ppb"), [("0.0005", 500_000), ("1", PPB), ("-0.000000001", -1), (0, 0)]
)
def test_a_rate_is_counted_in_parts_per_billion(text: str | int, rate_ppb: int) -> None:
    assert to_ppb(text, "fee") == rate_ppb
    assert Decimal(from_ppb(rate_ppb)) == Decimal(text)


def test_a_rate_finer_than_one_part_per_billion_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^fee: 1E-10 is not a multiple of 1E-9$"):
        to_ppb("0.0000000001", "fee")


def test_seconds_become_nanoseconds() -> None:
    assert to_ns("1.5", "grace") == 1_500_000_000
    assert to_ns(3600, "interval") == HOUR_NS
