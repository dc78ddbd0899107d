"""Volatility of an index as a margin rate: an exponentially weighted estimate, and what keeps it
from rising as fast as it falls due.

All in integers: returns are logarithms in parts of 10**-18, rounded towards zero; the variance is
rounded down, its root too.
"""

from math import isqrt
from typing import Any, Final

from engine.units import PPB
from risk.margin.rate_meter import RateMeter

E18: Final[int] = 10**18
_E9: Final[int] = 10**9


def log_return_e18(before: int, after: int) -> int:
    """``ln(after / before)`` times 10**18 of two positive prices, rounded towards zero term by
    term: ``2 (z + z^3/3 + z^5/5 + ...)`` with ``z = (after - before) / (after + before)``."""
    sign = 1 if after >= before else -1
    z = abs(after - before) * E18 // (after + before)
    square = z * z // E18
    term = z
    total = 0
    order = 1
    while term:
        total += term // order
        term = term * square // E18
        order += 2
    return 2 * sign * total


class VolatilityRules:
    """The figures of `VolatilityMeter`.

    Every ``interval_ns`` the variance takes ``1 - decay`` of a squared return. The rate is
    ``multiplier`` times the root of ``(1 - stressed_weight) variance + stressed_weight x
    stressed_variance``, with standard deviations of one interval's return. Then in this order:
    at least ``floor``; with ``buffer``, ``1 + buffer`` times as much while that is at most
    ``buffer_until``, else ``buffer_until`` while the rate is at most that, else the rate; at most
    ``1 + rise_limit`` times the last one (0: no limit); at most ``ceiling``.
    """

    __slots__ = (
        "buffer_ppb",
        "buffer_until_ppb",
        "ceiling_ppb",
        "decay_ppb",
        "floor_ppb",
        "interval_ns",
        "multiplier_ppb",
        "rise_limit_ppb",
        "start_ppb",
        "stressed_ppb",
        "stressed_weight_ppb",
    )

    def __init__(
        self,
        interval_ns: int,
        decay_ppb: int,
        multiplier_ppb: int,
        start_ppb: int,
        floor_ppb: int,
        ceiling_ppb: int,
        buffer_ppb: int,
        buffer_until_ppb: int,
        stressed_ppb: int,
        stressed_weight_ppb: int,
        rise_limit_ppb: int,
    ) -> None:
        self.interval_ns: Final[int] = interval_ns
        self.decay_ppb: Final[int] = decay_ppb
        self.multiplier_ppb: Final[int] = multiplier_ppb
        self.start_ppb: Final[int] = start_ppb
        self.floor_ppb: Final[int] = floor_ppb
        self.ceiling_ppb: Final[int] = ceiling_ppb
        self.buffer_ppb: Final[int] = buffer_ppb
        self.buffer_until_ppb: Final[int] = buffer_until_ppb
        self.stressed_ppb: Final[int] = stressed_ppb
        self.stressed_weight_ppb: Final[int] = stressed_weight_ppb
        self.rise_limit_ppb: Final[int] = rise_limit_ppb


class VolatilityMeter(RateMeter):
    """The estimate of one contract, from samples of its index.

    Of several samples that have passed at once the return is one's: nobody knows how it came about.
    """

    __slots__ = ("_price", "_rules", "_variance_e36")

    def __init__(self, rules: VolatilityRules) -> None:
        self._rules = rules
        self._variance_e36 = (rules.start_ppb * _E9) ** 2
        self._price = 0
        super().__init__(rules.interval_ns, self._wanted_ppb())

    def _take(self, index_ticks: int, open_q: int) -> None:
        before, self._price = self._price, index_ticks
        if before:
            self.add(log_return_e18(before, index_ticks))

    def add(self, return_e18: int) -> bool:
        """Take one return; whether the rate has changed."""
        rules = self._rules
        squared = return_e18 * return_e18
        self._variance_e36 = (
            rules.decay_ppb * self._variance_e36 + (PPB - rules.decay_ppb) * squared
        ) // PPB
        before = self.rate_ppb
        rate_ppb = self._wanted_ppb()
        if rules.rise_limit_ppb:
            rate_ppb = min(rate_ppb, before * (PPB + rules.rise_limit_ppb) // PPB)
        self.rate_ppb = max(1, rate_ppb)
        return self.rate_ppb != before

    def _wanted_ppb(self) -> int:
        """The rate without a limit to its rise."""
        rules = self._rules
        weight_ppb = rules.stressed_weight_ppb
        stressed_e36 = (rules.stressed_ppb * _E9) ** 2
        variance_e36 = ((PPB - weight_ppb) * self._variance_e36 + weight_ppb * stressed_e36) // PPB
        rate_ppb = isqrt(variance_e36) * rules.multiplier_ppb // E18
        rate_ppb = max(rate_ppb, rules.floor_ppb)
        if rules.buffer_ppb:
            more_ppb = rate_ppb * (PPB + rules.buffer_ppb) // PPB
            rate_ppb = max(rate_ppb, min(more_ppb, rules.buffer_until_ppb))
        return max(1, min(rate_ppb, rules.ceiling_ppb))

    def state(self) -> list[Any]:
        """What it remembers."""
        return [self._next_ns, self._price, self._variance_e36, self.rate_ppb]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._next_ns, self._price, self._variance_e36, self.rate_ppb = state
