"""Funding keeps a perpetual contract near its index: longs pay shorts when the rate is positive.

Formulas are pure and in parts per billion; `PremiumWindow` keeps the samples of one interval. Each
way from premium to rate is one file in ``risk/funding_rates``.
"""

from typing import Final

from engine.instruments import Instrument
from engine.native import mypyc_attr
from engine.units import PPB, scale_down
from risk.registry import Mechanism, Registry
from risk.rulebook import RISING, FundingRule


@mypyc_attr(allow_interpreted_subclasses=True)
class FundingMethod(Mechanism):
    """A way from premium to rate, by name."""

    __slots__ = ()

    def period_rate_ppb(self, mean_premium_ppb: int, rule: FundingRule, figures: list[int]) -> int:
        """The rate of the rule's rate period, before the share and the cap of an interval.

        ``figures`` are the method's own, in the order it declares them.
        """
        raise NotImplementedError


FUNDING_METHODS: Final[Registry[FundingMethod]] = Registry("funding.method", "risk.funding_rates")


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

    Best prices, or impact prices (the average price of a standard size) in the same fraction of a
    tick as the index. An empty side is 0 and adds nothing. Source: funding pages of Binance,
    BitMEX, Hyperliquid and dYdX.

    Raises:
        ValueError: the index is not positive.
    """
    if index_ticks <= 0:
        raise ValueError(f"index_ticks is {index_ticks}; a premium needs a positive index")
    above = max(0, bid_ticks - index_ticks)
    below = max(0, index_ticks - ask_ticks) if ask_ticks > 0 else 0
    return divide_towards_zero((above - below) * PPB, index_ticks)


def funding_rate_ppb(mean_premium_ppb: int, rule: FundingRule) -> int:
    """Rate per interval: an interval's share of the method's rate, limited to +-cap.

    Interest and premium belong to the rule's rate period (0: the interval itself). A venue that
    computes an eight-hour rate and pays an eighth of it every hour has a period of eight hours; the
    share is rounded towards zero. A cap of 0 means none.
    """
    method = FUNDING_METHODS.get(rule.method)
    rate = method.period_rate_ppb(mean_premium_ppb, rule, method.values(rule.params))
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
    """Premium samples since the last settlement and their mean, in parts per billion: plain, or
    the n-th sample counting n times."""

    __slots__ = ("_count", "_interval_ns", "_rising", "_rule", "_sampled_ns", "_sum_ppb")

    def __init__(self, rule: FundingRule) -> None:
        self._rule = rule
        self._interval_ns: int = rule.sample_interval_ns
        self._rising = rule.averaging == RISING
        self._sum_ppb: int = 0
        self._count: int = 0
        self._sampled_ns: int = -1

    def sample(self, time_ns: int, bid_ticks: int, ask_ticks: int, index_ticks: int) -> None:
        """Offer the book's top at a clock tick; taken at most once per ``sample_interval_ns``.

        Not taken while the index is unknown (0) or the book is empty on both sides.
        """
        if index_ticks <= 0 or (bid_ticks <= 0 and ask_ticks <= 0):
            return
        if not self.is_due(time_ns):
            return
        self._sampled_ns = time_ns
        self._count += 1
        premium = premium_ppb(bid_ticks, ask_ticks, index_ticks)
        self._sum_ppb += premium * self._count if self._rising else premium

    def is_due(self, time_ns: int) -> bool:
        """Whether a sample would be taken at this time."""
        return self._sampled_ns < 0 or time_ns - self._sampled_ns >= self._interval_ns

    def mean_ppb(self) -> int:
        """Mean of the samples, rounded towards zero; 0 without samples."""
        count = self._count
        if count == 0:
            return 0
        weights = count * (count + 1) // 2 if self._rising else count  # 1 + 2 + ... + n
        return divide_towards_zero(self._sum_ppb, weights)

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

    def take_over(self, before: "PremiumWindow") -> None:
        """Go on from the samples under the rules before, unless they are weighed otherwise now."""
        if before._rising == self._rising:
            self.restore(before.state())
