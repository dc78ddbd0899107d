"""Numbers and tables as text of the page; everything that goes into HTML is escaped here."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any, Final

import msgspec

_DECIMAL: Final[re.Pattern[str]] = re.compile(r"-?\d{1,40}(\.\d+)?")
_SECOND_NS: Final[int] = 1_000_000_000
_DURATIONS: Final[tuple[tuple[int, str], ...]] = (
    (3_600 * _SECOND_NS, "h"),
    (60 * _SECOND_NS, "min"),
    (_SECOND_NS, "s"),
    (1_000_000, "ms"),
)


def money(amount_q: int, decimals: int) -> str:
    """Quanta as an exact decimal with thousands separators."""
    sign = "-" if amount_q < 0 else ""
    whole, part = divmod(abs(amount_q), 10**decimals)
    return f"{sign}{whole:,}.{part:0{decimals}d}" if decimals else f"{sign}{whole:,}"


def utc(time_ns: int) -> str:
    """A UTC time to the millisecond, rounded down."""
    seconds, rest_ns = divmod(time_ns, _SECOND_NS)
    stamp = datetime.fromtimestamp(seconds, UTC)
    return f"{stamp:%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d}"


def duration(time_ns: int) -> str:
    """A length of time in the largest unit that fits."""
    for unit_ns, name in _DURATIONS:
        if time_ns >= unit_ns:
            return f"{time_ns / unit_ns:,.3g} {name}"
    return f"{time_ns} ns" if time_ns else "0 s"


def clock(time_ns: int) -> str:
    """The time of day in UTC, to the second, rounded down."""
    return utc(time_ns)[11:19]


def at(time_ns: int) -> str:
    """Month, day and time of day in UTC, to the second, rounded down."""
    return utc(time_ns)[5:19]


def short(value: float) -> str:
    """An amount to three or four figures, with k, M or B."""
    for scale, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:,.1f}{suffix}"
    return f"{value:,.4g}"


def rounded(value: Decimal | float | str) -> str:
    """An amount for a sentence: whole from a thousand on, two decimals from one on, else three
    figures."""
    number = Decimal(value) if not isinstance(value, float) else Decimal(repr(value))
    size = abs(number)
    if size >= 1_000:
        return f"{number:,.0f}"
    if size >= 1 or not size:
        return f"{number:,.2f}".removesuffix(".00")
    return f"{number:.3g}"


def counted(number: int, one: str, many: str = "") -> str:
    """A count with its noun: ``1 account``, ``2,000 accounts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def plain(value: Any) -> str:
    """Any value of the summary as readable text (not escaped)."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case dict():
            return "\n".join(f"{plain(item)} {name}" for name, item in value.items()) or "none"
        case list():
            return ", ".join(plain(item) for item in value) or "none"
        case None:
            return "not recorded"
        case str():
            return _grouped(value)
    return msgspec.json.encode(value).decode()


def _grouped(text: str) -> str:
    """Thousands separators for a decimal string, without trailing zeros; other text unchanged."""
    if not _DECIMAL.fullmatch(text):
        return text
    whole, _, part = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    part = part.rstrip("0")
    return f"{sign}{int(digits):,}" + (f".{part}" if part else "")


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways where it is too wide; the first column is text, the others are
    aligned as numbers."""
    first, *others = header
    corner = f'<th scope="col">{escape(first)}</th>' if first else "<td></td>"
    head = corner + "".join(f'<th scope="col">{escape(cell)}</th>' for cell in others)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return (
        '<div class="table" tabindex="0" role="group"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
