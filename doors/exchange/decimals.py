"""Integers as decimal text with a fixed number of decimals, and back without rounding."""

import re
from typing import Final

MOST_CHARACTERS: Final[int] = 40
MONEY_DECIMALS: Final[int] = 8
"""Decimals of an amount of money, as at the venue."""

_DECIMAL: Final = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?", re.ASCII)


def fixed(count: int, decimals: int) -> str:
    """``count`` units of ten to the minus ``decimals``: ``fixed(-5, 3)`` is -0.005."""
    if decimals <= 0:
        return str(count)
    sign, digits = ("-", str(-count)) if count < 0 else ("", str(count))
    digits = digits.rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def money(amount_q: int, decimals: int) -> str:
    """An amount of an asset with so many decimals; at least `MONEY_DECIMALS` are shown."""
    more = max(0, MONEY_DECIMALS - decimals)
    return fixed(amount_q * 10**more, decimals + more)


def scaled(text: str, decimals: int) -> int | None:
    """How many units of ten to the minus ``decimals`` a decimal text is; None when it has digits
    beyond them.

    Raises:
        ValueError: it is no decimal.
    """
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) > MOST_CHARACTERS or not (found[2] or found[3]):
        raise ValueError(f"not a decimal: {text[:MOST_CHARACTERS]!r}")
    sign, whole, part = found[1], found[2], (found[3] or "").rstrip("0")
    if len(part) > decimals:
        return None
    count = int((whole or "0") + part.ljust(decimals, "0"))
    return -count if sign == "-" else count


def decimals_of(step: str) -> tuple[int, int]:
    """Decimals of a step and how many units of its last one it is: 0.05 is 5 of 2 decimals."""
    whole, _, part = step.partition(".")
    part = part.rstrip("0")
    return len(part), int(whole + part)


def rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves upwards; for what is only shown."""
    return (2 * numerator + denominator) // (2 * denominator)


def plain(count: int, decimals: int) -> str:
    """As `fixed` without zeros at the end."""
    text = fixed(count, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text
