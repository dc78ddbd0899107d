"""Requirements by size, as venues state them: brackets, steps, slopes and square roots."""

from fractions import Fraction
from math import isqrt

PPM = 1_000_000
BPS = 10_000


def bracket_deductions(floors: list[Fraction], rates: list[Fraction]) -> list[Fraction]:
    """``cum[0] = 0``, ``cum[n] = cum[n-1] + floor[n] x (rate[n] - rate[n-1])``.

    Source: Binance FAQ, leverage and margin of USD-M futures; Hyperliquid docs, "Margin tiers".
    """
    result = [Fraction(0)]
    for index in range(1, len(floors)):
        step = floors[index] * (rates[index] - rates[index - 1])
        result.append(result[-1] + step)
    return result


def bracket_slices(notional: Fraction, floors: list[Fraction], rates: list[Fraction]) -> Fraction:
    """Maintenance as the sum over slices: what lies in a bracket pays that bracket's rate.

    Source: Bybit help, "Maintenance Margin (USDT Contract)".
    """
    total = Fraction(0)
    for index, floor in enumerate(floors):
        top = floors[index + 1] if index + 1 < len(floors) else notional
        inside = min(notional, max(top, floor)) - floor
        if inside > 0:
            total += inside * rates[index]
    return total


def half_of_initial(max_leverage: Fraction) -> Fraction:
    """Maintenance rate ``1 / (2 x max leverage)``. Source: Hyperliquid docs, "Margin tiers"."""
    return 1 / (2 * max_leverage)


def linear_rate(base: Fraction, step_per_unit: Fraction, size: Fraction) -> Fraction:
    """``base + size x step``: the rate of a position rises with its own size.

    Source: Deribit support 25944738177565, linear perpetuals.
    """
    return base + step_per_unit * size


def risk_limit_steps(value: Fraction, base_limit: Fraction, risk_step: Fraction) -> int:
    """Steps above the base limit that hold the value; a value equal to a limit is beyond it.

    Source: BitMEX, risk limit examples, whose ranges are written with "<".
    """
    if value < base_limit:
        return 0
    return (value - base_limit) // risk_step + 1


def risk_limit_rates(steps: int, base_mm: Fraction, base_im: Fraction) -> tuple[Fraction, Fraction]:
    """Maintenance and initial rate: each step adds one base maintenance rate to both, and the
    whole position pays it. Source: BitMEX, risk limit examples."""
    return base_mm * (1 + steps), base_im + steps * base_mm


def open_interest_scaled_ppm(
    base_ppm: int, lower_cap: int, upper_cap: int, open_notional: int
) -> int:
    """Initial rate rising in a straight line from its base to 100 % between two open notionals.

    The increase is rounded down; an upper cap of 0 switches the rule off. Maintenance is untouched.
    Source: dYdX v4-chain, perpetuals ``liquidity_tier``.
    """
    if upper_cap == 0 or open_notional <= lower_cap:
        return base_ppm
    if open_notional >= upper_cap:
        return PPM
    return base_ppm + (PPM - base_ppm) * (open_notional - lower_cap) // (upper_cap - lower_cap)


def initial_margin_up(notional: int, rate_ppm: int) -> int:
    """``ceil(notional x rate)`` in quantums. Source: dYdX v4-chain, ``liquidity_tier``."""
    return -(-notional * rate_ppm // PPM)


def size_premium_bps(weight_bps: int, imf_ppm: int, size: int) -> int:
    """Liability weight with a square-root premium: ``max(w, 0.8 w + imf x sqrt(size))``.

    A fifth of the weight and the root (to five decimals) and product are rounded down.
    Source: Drift protocol-v2, ``calculate_size_premium_liability_weight``.
    """
    root = isqrt(size * 10**10 + 1)
    premium = root * imf_ppm * BPS // (10**5 * PPM)
    return max(weight_bps, weight_bps - weight_bps // 5 + premium)


def size_discount_bps(weight_bps: int, imf_ppm: int, size: int) -> int:
    """Asset weight that shrinks with size: ``min(w, 1.1 / (1 + imf x sqrt(size)))``, rounded down.

    Source: Drift protocol-v2, ``calculate_size_discount_asset_weight``.
    """
    root = isqrt(size * 10**10 + 1)
    one = 10**5 * PPM
    return min(weight_bps, BPS * 11 * one // (10 * (one + root * imf_ppm)))


def slippage_maintenance(
    mark_price: Fraction, size: Fraction, slippage_factor: Fraction, risk_factor: Fraction
) -> Fraction:
    """``mark x slippage x |size| + risk factor x |size| x mark``.

    Source: Vega specification 0019-MCAL.
    """
    return mark_price * abs(size) * (slippage_factor + risk_factor)


def funding_payment_estimate(
    spot_twap: Fraction,
    perp_twap: Fraction,
    accrual: Fraction,
    clamp_lower: Fraction,
    clamp_upper: Fraction,
) -> Fraction:
    """What a long unit would owe: ``f - s + min(u x s, max(l x s, (1 + accrual) x s - f))``.

    ``accrual`` is interest rate times time. Source: Vega specification 0053-PERP.
    """
    interest = (1 + accrual) * spot_twap - perp_twap
    clamped = min(clamp_upper * spot_twap, max(clamp_lower * spot_twap, interest))
    return perp_twap - spot_twap + clamped


def perpetual_maintenance(
    futures_margin: Fraction, funding_factor: Fraction, size: Fraction, funding_payment: Fraction
) -> Fraction:
    """Futures margin plus ``factor x max(0, size x payment)``: only the side that pays is charged.

    Source: Vega specification 0019-MCAL.
    """
    return futures_margin + funding_factor * max(Fraction(0), size * funding_payment)


def standard_margins(
    notional: Fraction, initial_rate: Fraction, maintenance_rate: Fraction
) -> tuple[Fraction, Fraction]:
    """Fixed rates of the notional. Source: nautilus_trader, ``StandardMarginModel``."""
    return notional * initial_rate, notional * maintenance_rate


def leveraged_margins(
    notional: Fraction, leverage: Fraction, initial_rate: Fraction, maintenance_rate: Fraction
) -> tuple[Fraction, Fraction]:
    """Fixed rates of notional over leverage, maintenance included, which no venue does.

    Source: nautilus_trader, ``LeveragedMarginModel``.
    """
    return standard_margins(notional / leverage, initial_rate, maintenance_rate)


def max_leverage_for_margin(margin: Fraction, tiers: list[tuple[Fraction, Fraction]]) -> Fraction:
    """The highest leverage this much margin can use, with tiers ``(cap, max leverage)``.

    In each tier leverage is held by its maximum and by ``cap / margin``; the best tier counts.
    Source: freqtrade, ``get_max_leverage``.
    """
    return max(min(leverage, cap / margin) for cap, leverage in tiers)
