"""Funding of venues whose way no rulebook can name yet, in integers like `risk.prices.funding`."""

from engine.units import PPB
from risk.prices.funding import clamp, divide_towards_zero


def interest_difference_ppb(quote_daily_ppb: int, base_daily_ppb: int, intervals: int) -> int:
    """BitMEX: interest per interval, ``(quote - base) / intervals per day``, towards zero.

    Source: bitmex.com, perpetual contracts guide.
    """
    return divide_towards_zero(quote_daily_ppb - base_daily_ppb, intervals)


def dydx_funding_cap_ppb(clamp_factor_ppb: int, initial_ppb: int, maintenance_ppb: int) -> int:
    """dYdX v4: largest eight-hour rate, ``factor x (initial - maintenance)``, rounded down.

    Source: v4-documentation, concepts/trading/funding.
    """
    return clamp_factor_ppb * (initial_ppb - maintenance_ppb) // PPB


def impact_notional_q(margin_q: int, initial_ppb: int) -> int:
    """Notional a fixed margin can open, ``margin / initial rate``: the size of impact prices.

    Rounded down. Source: v4-documentation, concepts/trading/funding (500 USDC); Binance (200 USDT).
    """
    return margin_q * PPB // initial_ppb


def dydx_index_delta(
    rate_8h_ppm: int, seconds: int, price: int, price_exponent: int, resolution: int
) -> int:
    """dYdX v4: step of the funding index, in millionths of a quote quantum per base quantum.

    ``rate x time / 8 h x price x 10^price_exponent x 10^resolution``, rounded towards zero, where
    ``resolution`` is the base's atomic resolution minus the quote's. Source: v4-chain,
    x/perpetuals/funding.
    """
    exponent = price_exponent + resolution
    numerator = rate_8h_ppm * seconds * price * 10 ** max(0, exponent)
    return divide_towards_zero(numerator, 8 * 3_600 * 10 ** max(0, -exponent))


def time_weighted_sum(
    start: int, points: list[tuple[int, int]], end: int, gaps: list[tuple[int, int]]
) -> tuple[int, int]:
    """Vega: a step function's integral over ``[0, end)`` without the gaps, and the time it covers.

    ``points`` are ``(time, value)`` in order of time; gaps are auctions, apart from one another.
    The time-weighted average price is the ratio of the two. Source: 0053-PERP.
    """
    total = 0
    covered = 0
    since = 0
    value = start
    for time, following in [*points, (end, 0)]:
        until = min(time, end)
        length = until - since
        for gap_from, gap_to in gaps:
            length -= max(0, min(until, gap_to) - max(since, gap_from))
        total += value * length
        covered += length
        since = until
        value = following
    return total, covered


def vega_funding_payment(
    internal: int, external: int, interest_ppb: int, clamp_low_ppb: int, clamp_high_ppb: int
) -> int:
    """Vega: ``f - s + min(u s, max(l s, (1 + r dt) s - f))``, in the unit of the two averages.

    ``interest_ppb`` is ``r dt``, the interest of the period. Products are rounded towards zero.
    Source: 0053-PERP.
    """
    low = divide_towards_zero(clamp_low_ppb * external, PPB)
    high = divide_towards_zero(clamp_high_ppb * external, PPB)
    carry = divide_towards_zero((PPB + interest_ppb) * external, PPB) - internal
    return internal - external + min(high, max(low, carry))


def vega_funding_rate_ppb(
    payment: int, external: int, scale_ppb: int, lowest_ppb: int, highest_ppb: int
) -> int:
    """Vega: the payment over the external average, scaled first and bounded after.

    Rounded towards zero. Source: 0053-PERP.
    """
    return clamp(divide_towards_zero(payment * scale_ppb, external), lowest_ppb, highest_ppb)
