"""Funding keeps a perpetual contract near its index: longs pay shorts when the rate is positive.

Formulas are pure and in parts per billion; `PremiumWindow` keeps the samples of one interval.
The variants of other venues stand at the end.
"""

from engine.instruments import Instrument
from engine.units import PPB, scale_down
from risk.rulebook import FundingRule


def clamp(value: int, lowest: int, highest: int) -> int:
    """``value``, or the bound it lies beyond."""
    return max(lowest, min(highest, value))


def divide_towards_zero(numerator: int, denominator: int) -> int:
    """Quotient rounded towards zero, so that neither side of the market is favoured.

    ``denominator`` is positive.
    """
    if numerator < 0:
        return -(-numerator // denominator)
    return numerator // denominator


def premium_ppb(bid_ticks: int, ask_ticks: int, index_ticks: int) -> int:
    """``(max(0, bid - index) - max(0, index - ask)) / index``, rounded towards zero.

    The venues use impact prices (the average price of a standard size); the best prices stand in
    for them here. An empty side is 0 and adds nothing. Source: funding pages of Binance, BitMEX,
    Hyperliquid and dYdX.

    Raises:
        ValueError: the index is not positive.
    """
    if index_ticks <= 0:
        raise ValueError(f"index_ticks is {index_ticks}; a premium needs a positive index")
    above = max(0, bid_ticks - index_ticks)
    below = max(0, index_ticks - ask_ticks) if ask_ticks > 0 else 0
    return divide_towards_zero((above - below) * PPB, index_ticks)


def funding_rate_ppb(mean_premium_ppb: int, rule: FundingRule) -> int:
    """Rate per interval: ``P + clamp(I - P, +-clamp)``, its share of the period, limited to +-cap.

    ``I`` and ``P`` belong to the rule's rate period (0: the interval itself). A venue that computes
    an eight-hour rate and pays an eighth of it every hour has a period of eight hours; the share is
    rounded towards zero. A cap of 0 means none. Source: funding pages of Binance, Bybit, BitMEX and
    Hyperliquid.
    """
    pull = clamp(rule.interest_ppb - mean_premium_ppb, -rule.clamp_ppb, rule.clamp_ppb)
    rate = mean_premium_ppb + pull
    if rule.rate_period_ns != 0:
        rate = divide_towards_zero(rate * rule.interval_ns, rule.rate_period_ns)
    if rule.cap_ppb == 0:
        return rate
    return clamp(rate, -rule.cap_ppb, rule.cap_ppb)


def funding_payment_q(notional_q: int, rate_ppb: int, qty_sign: int) -> int:
    """What one position receives (positive) or pays (negative): ``-sign x notional x rate``.

    Rounded down: the payer pays the ceiling, the receiver gets the floor, so the exchange never
    pays more than it collects. ``notional_q`` is not negative, ``qty_sign`` is 1 for a long and -1
    for a short. With notionals rounded beforehand (inverse contracts) use `position_funding_q`.
    """
    return -qty_sign * notional_q * rate_ppb // PPB


def position_funding_q(
    instrument: Instrument, qty_lots: int, price_ticks: int, rate_ppb: int
) -> int:
    """`funding_payment_q` from the exact value of a position, rounded down once.

    Over positions that sum to zero lots what is paid exceeds what is received by less than one
    quantum per position, for linear and inverse contracts alike.
    """
    exposure = -qty_lots * instrument.unit_q * rate_ppb
    if instrument.inverse:
        return exposure // (PPB * price_ticks)
    return scale_down(exposure, price_ticks, PPB)


class PremiumWindow:
    """Premium samples since the last settlement and their plain mean, in parts per billion."""

    __slots__ = ("_count", "_interval_ns", "_rule", "_sampled_ns", "_sum_ppb")

    def __init__(self, rule: FundingRule) -> None:
        self._rule = rule
        self._interval_ns: int = rule.sample_interval_ns
        self._sum_ppb: int = 0
        self._count: int = 0
        self._sampled_ns: int = -1

    def sample(self, time_ns: int, bid_ticks: int, ask_ticks: int, index_ticks: int) -> None:
        """Offer the book's top at a clock tick; taken at most once per ``sample_interval_ns``.

        Not taken while the index is unknown (0) or the book is empty on both sides.
        """
        if index_ticks <= 0 or (bid_ticks <= 0 and ask_ticks <= 0):
            return
        if self._sampled_ns >= 0 and time_ns - self._sampled_ns < self._interval_ns:
            return
        self._sampled_ns = time_ns
        self._sum_ppb += premium_ppb(bid_ticks, ask_ticks, index_ticks)
        self._count += 1

    def mean_ppb(self) -> int:
        """Plain mean of the samples, rounded towards zero; 0 without samples."""
        if self._count == 0:
            return 0
        return divide_towards_zero(self._sum_ppb, self._count)

    def rate_ppb(self) -> int:
        """The rate that would settle if the interval ended now."""
        return funding_rate_ppb(self.mean_ppb(), self._rule)

    def settle(self) -> int:
        """The rate of the interval that ends; a new window begins."""
        rate = self.rate_ppb()
        self._sum_ppb = 0
        self._count = 0
        return rate

    def state(self) -> list[int]:
        """Canonical form for hashes and snapshots."""
        return [self._sum_ppb, self._count, self._sampled_ns]

    def restore(self, state: list[int]) -> None:
        """Take over what `state` returned."""
        self._sum_ppb, self._count, self._sampled_ns = state


# Variants of other venues


def dampened_rate_ppb(mean_premium_ppb: int, damp_ppb: int, cap_ppb: int) -> int:
    """Deribit: ``max(d, P) + min(-d, P)``, zero inside the dampener's band, limited to +-cap.

    Source: support.deribit.com, article 31424939178397.
    """
    rate = max(damp_ppb, mean_premium_ppb) + min(-damp_ppb, mean_premium_ppb)
    return clamp(rate, -cap_ppb, cap_ppb)


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
