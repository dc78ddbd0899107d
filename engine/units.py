"""Units: how the outside's decimals become the inside's integers, and the named ways to round.

Prices are ticks, quantities lots, money quanta of an asset, rates parts per billion, time
nanoseconds. A decimal string is converted once, at a door; a value that does not fit the grid
is refused, never silently rounded.
"""

from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_extensions import i64

PPB: Final[int] = 1_000_000_000
"""One, as a rate: 100 % in parts per billion."""

SECOND_NS: Final[int] = 1_000_000_000
MINUTE_NS: Final[int] = 60 * SECOND_NS
HOUR_NS: Final[int] = 3_600 * SECOND_NS

MAX_DIGITS: Final[int] = 60
"""Longest decimal taken at a door, in digits before or after the point."""

WORD: Final[int] = 2**61
"""Ints below it, and sums of two of them, are safe as ``i64``.

Compiled, a product of ints is fast only while both are below 2**30 and not negative; as ``i64`` it
always is, but wraps silently where it does not fit. So the kernels use ``i64`` behind a check that
the product is below this bound, and the exact long integers otherwise. Plain Python has one int.
"""

HALF_WORD: Final[int] = 2**30
"""The product of two ints below it is below `WORD`."""

MAX_WIRE: Final[int] = 2**63 - 1
"""Largest number every reader of the wire can hold."""

_SMALL_FACTOR: Final[int] = 2**20
_LARGE_AMOUNT: Final[int] = 2**41
"""So is the product of two below these."""

_LONG: Final[int] = 2**48
"""An int below it, times 4,096, is below `WORD`; three days in nanoseconds are."""

_PPB_WORD: Final[int] = WORD // 1_000
"""An int below it, times a thousand, is below `WORD`."""

_WIDE: Final[Context] = Context(prec=4 * MAX_DIGITS)
"""Room for every product of an amount and a step; Decimal's usual 28 digits would round it."""


def magnitude(number: int) -> int:
    """The absolute value; compiled, several times cheaper than the built-in."""
    return number if number >= 0 else -number


def on_wire(number: int) -> int:
    """A derived figure as messages carry it: beyond what the wire holds, the wire's largest.

    What is decided is decided with the exact figure; only what is told is limited.
    """
    if number > MAX_WIRE:
        return MAX_WIRE
    return number if number >= -MAX_WIRE else -MAX_WIRE


def apply_rate_up(amount: int, rate_ppb: int) -> int:
    """``amount * rate`` rounded up: what an account must hold or pay."""
    return scale_up(amount, rate_ppb, PPB)


def scale_up(amount: int, numerator: int, denominator: int) -> int:
    """``amount * numerator / denominator`` rounded up (towards plus infinity)."""
    if COMPILED and -WORD < amount < WORD and 0 < numerator < WORD and 0 < denominator < WORD:
        word_amount: i64 = amount
        word_numerator: i64 = numerator
        word_denominator: i64 = denominator
        if _fits(word_amount, word_numerator):
            raised: i64 = word_amount * word_numerator + word_denominator - 1
            return raised // word_denominator
    return -(-amount * numerator // denominator)


def scale_down(amount: int, numerator: int, denominator: int) -> int:
    """``amount * numerator / denominator`` rounded down (towards minus infinity)."""
    if COMPILED and -WORD < amount < WORD and 0 < numerator < WORD and 0 < denominator < WORD:
        word_amount: i64 = amount
        word_numerator: i64 = numerator
        word_denominator: i64 = denominator
        if _fits(word_amount, word_numerator):
            return word_amount * word_numerator // word_denominator
        # Whole and rest apart: the rest is below the denominator.
        whole: i64 = word_amount // word_denominator
        rest: i64 = word_amount - whole * word_denominator
        if _fits(whole, word_numerator):
            if _fits(rest, word_numerator):
                return whole * word_numerator + rest * word_numerator // word_denominator
            if word_numerator < _LONG and word_denominator < _LONG:
                share: i64 = _share_of(rest, word_numerator, word_denominator)
                return whole * word_numerator + share
    return amount * numerator // denominator


def _share_of(rest: "i64", numerator: "i64", denominator: "i64") -> "i64":
    """``rest * numerator / denominator`` rounded down, for a rest from 0 to below the denominator
    and all of them below `_LONG`.

    Long multiplication and division, twelve binary digits of the rest at a time: each step fits a
    word.
    """
    result: i64 = 0
    left: i64 = 0
    shift: i64 = 36
    while shift >= 0:
        left = left * 4_096 + ((rest >> shift) & 4_095) * numerator
        digits: i64 = left // denominator
        left -= digits * denominator
        result = result * 4_096 + digits
        shift -= 12
    return result


def share_ppb(part: int, whole: int) -> int:
    """``part / whole`` as a rate, rounded down; ``part`` is not negative, ``whole`` positive."""
    if COMPILED and part < _PPB_WORD and whole < _PPB_WORD:
        # Long division, three decimals at a time: each step fits a machine word.
        rest: i64 = part
        word_whole: i64 = whole
        rate: i64 = rest // word_whole
        if rate < HALF_WORD:
            rest -= rate * word_whole
            for _ in range(3):
                rest *= 1_000
                digits: i64 = rest // word_whole
                rest -= digits * word_whole
                rate = rate * 1_000 + digits
            return rate
    return part * PPB // whole


def _fits(amount: "i64", factor: "i64") -> bool:
    """Whether the product is within `WORD`; the usual sizes are told without a division."""
    if factor < _SMALL_FACTOR and -_LARGE_AMOUNT < amount < _LARGE_AMOUNT:
        return True
    if factor == 1 or (factor < HALF_WORD and -HALF_WORD < amount < HALF_WORD):
        return True
    most: i64 = WORD // factor
    return -most < amount < most


COMPILED: Final[bool] = type(scale_up).__name__ != "function"
"""Whether this module, and with it every kernel, runs compiled; plain Python skips the checks that
only ``i64`` needs."""


def apply_rate_down(amount: int, rate_ppb: int) -> int:
    """``amount * rate`` rounded down: what an account is credited."""
    return scale_down(amount, rate_ppb, PPB)


class Rate:
    """A rate that is applied again and again, worked with as the fraction in lowest terms.

    2 % is 1/50: the results are the same as in parts per billion, and nearly every product fits a
    machine word. Amounts and the rate may be negative.
    """

    __slots__ = ("_denominator", "_most", "_numerator", "ppb")

    def __init__(self, ppb: int) -> None:
        self.ppb: int = ppb
        common = gcd(ppb, PPB)
        numerator = ppb // common
        fits = -WORD < numerator < WORD
        self._numerator: i64 = numerator if fits else 0
        self._denominator: i64 = PPB // common
        # Up to it, an amount times either of them, plus a denominator, is below `WORD`.
        largest = max(magnitude(numerator), PPB // common)
        self._most: int = (WORD - PPB) // largest if fits else 0

    def up(self, amount: int) -> int:
        """``amount * rate`` rounded up (towards plus infinity)."""
        if not COMPILED:
            return -(-amount * self.ppb // PPB)
        if -self._most <= amount <= self._most:
            word: i64 = amount
            raised: i64 = word * self._numerator + self._denominator - 1
            return raised // self._denominator
        return scale_up(amount, self.ppb, PPB)

    def down(self, amount: int) -> int:
        """``amount * rate`` rounded down (towards minus infinity)."""
        if not COMPILED:
            return amount * self.ppb // PPB
        if -self._most <= amount <= self._most:
            word: i64 = amount
            return word * self._numerator // self._denominator
        return scale_down(amount, self.ppb, PPB)

    def is_above(self, part: int, whole: int) -> bool:
        """Whether ``whole * rate`` is more than ``part``; nothing is rounded."""
        most = self._most
        if COMPILED and -most <= part <= most and -most <= whole <= most:
            word_part: i64 = part
            word_whole: i64 = whole
            return word_part * self._denominator < word_whole * self._numerator
        return part * PPB < whole * self.ppb

    def is_exactly(self, part: int, whole: int) -> bool:
        """Whether ``whole * rate`` is ``part``; nothing is rounded."""
        return self.up(whole) == part == self.down(whole)


def parse_decimal(text: object, what: str) -> Decimal:
    """A finite decimal from a string or an int; floats are refused because they are not exact.

    Raises:
        ValueError: ``text`` is no finite decimal number, or has more than `MAX_DIGITS` digits
            before or after the point; the message names ``what``.
    """
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise ValueError(f"{what}: {text!r} must be a decimal string or a whole number")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{what}: {text!r} is not a decimal number") from None
    if not value.is_finite():
        raise ValueError(f"{what}: {text!r} is not finite")
    _, digits, exponent = value.as_tuple()
    if int(exponent) < -MAX_DIGITS or len(digits) + int(exponent) > MAX_DIGITS:
        raise ValueError(f"{what}: {text!r:.80} has more than {MAX_DIGITS} digits")
    return value


def to_grid(text: object, step: Decimal, what: str) -> int:
    """How many whole ``step`` fit ``text`` exactly.

    Raises:
        ValueError: ``text`` is not a decimal or not a multiple of ``step``.
    """
    value = parse_decimal(text, what)
    count = Fraction(value) / Fraction(step)
    if count.denominator != 1:
        raise ValueError(f"{what}: {value} is not a multiple of {step}")
    return count.numerator


def to_ppb(text: object, what: str) -> int:
    """A rate as parts per billion; at most nine decimals.

    Raises:
        ValueError: not a decimal, or finer than one part per billion.
    """
    return to_grid(text, Decimal("1e-9"), what)


def to_ns(text: object, what: str) -> int:
    """Seconds, as a decimal, in nanoseconds."""
    return to_grid(text, Decimal("1e-9"), what)


def from_grid(count: int, step: Decimal) -> str:
    """The decimal string of ``count`` steps, without exponent or trailing noise."""
    value = _WIDE.multiply(Decimal(count), step)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_ppb(rate_ppb: int) -> str:
    """A rate in parts per billion as a decimal string."""
    return from_grid(rate_ppb, Decimal("1e-9"))
