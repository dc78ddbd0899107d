"""Variation margin, and who bears a loss when the bankrupt account cannot."""

from fractions import Fraction

ZERO = Fraction(0)


def mark_to_market(
    volume: Fraction,
    previous_mark: Fraction,
    fills: list[tuple[Fraction, Fraction]],
    mark: Fraction,
) -> Fraction:
    """Settlement since the last mark: ``volume x (mark - previous) + sum(size x (mark - price))``.

    ``fills`` are signed sizes with prices. Source: Vega specification 0003-MTMK.
    """
    moved = volume * (mark - previous_mark)
    return moved + sum((size * (mark - price) for size, price in fills), ZERO)


def takeover_book(
    takeovers: list[tuple[Fraction, Fraction]], final_mark: Fraction
) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Position, average entry, realised and unrealised profit of who takes positions at mark.

    ``takeovers`` are signed sizes with the mark of the moment; average cost. Source: Vega
    specification 0012-POSR.
    """
    position, average, realised = ZERO, ZERO, ZERO
    for size, mark in takeovers:
        if position * size >= 0:
            average = (average * abs(position) + mark * abs(size)) / abs(position + size)
            position += size
            continue
        direction = 1 if position > 0 else -1
        closed = min(abs(size), abs(position))
        realised += direction * closed * (mark - average)
        if abs(size) > abs(position):
            average = mark
        position += size
    return position, average, realised, position * (final_mark - average)


def fund_then_socialise(shortfall: Fraction, pool: Fraction) -> tuple[Fraction, Fraction]:
    """What the pool pays, and what is left for everyone. Source: Vega specification 0053-PERP."""
    paid = min(shortfall, pool)
    return paid, shortfall - paid


def scale_gains(gains: list[int], collected: int) -> list[int]:
    """Gains paid as far as money was collected: ``floor(gain x collected / expected)`` each, the
    remainder to the last receiver. Source: Vega core, ``simple_distributor``."""
    expected = sum(gains)
    if collected >= expected:
        return list(gains)
    paid = [gain * collected // expected for gain in gains]
    paid[-1] += collected - sum(paid)
    return paid


def funding_style_rate(loss: Fraction, base_long: Fraction, base_short: Fraction) -> Fraction:
    """Loss per unit of base, charged to longs and shorts alike, rounded up to a millionth.

    Source: Drift protocol-v2, ``calculate_funding_rate_deltas_to_resolve_bankruptcy``.
    """
    per_base = loss / (abs(base_long) + abs(base_short))
    return Fraction(-(-per_base * 1_000_000 // 1), 1_000_000)
