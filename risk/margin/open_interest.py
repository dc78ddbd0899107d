"""Open interest of a contract as an initial margin rate."""

from typing import Final

from engine.units import PPB
from risk.margin.rate_meter import RateMeter


class OpenInterestRules:
    """The figures of `OpenInterestMeter`.

    The rate is ``initial`` while the open interest, its notional on one side, is at most
    ``lower_cap``; it rises in a straight line from there and is 1 from ``upper_cap`` on. An
    ``upper_cap`` of 0 leaves it at ``initial``. Source: dYdX v4-chain, perpetuals
    ``liquidity_tier``.

    Raises:
        ValueError: the rate is not above 0 and at most 1, the caps are negative or out of order,
            or the interval is not positive.
    """

    __slots__ = ("initial_ppb", "interval_ns", "lower_cap_q", "upper_cap_q")

    def __init__(
        self, initial_ppb: int, lower_cap_q: int, upper_cap_q: int, interval_ns: int
    ) -> None:
        if not 0 < initial_ppb <= PPB:
            raise ValueError(f"by_open_interest: initial_ppb {initial_ppb}; allowed: 1 to {PPB}")
        if not 0 <= lower_cap_q <= upper_cap_q:
            raise ValueError(
                f"by_open_interest: lower_cap_q {lower_cap_q}; allowed: 0 to upper_cap_q "
                f"{upper_cap_q}"
            )
        if interval_ns <= 0:
            raise ValueError(f"by_open_interest: interval_ns {interval_ns} must be positive")
        self.initial_ppb: Final[int] = initial_ppb
        self.lower_cap_q: Final[int] = lower_cap_q
        self.upper_cap_q: Final[int] = upper_cap_q
        self.interval_ns: Final[int] = interval_ns

    def rate_ppb(self, open_q: int) -> int:
        """The rate at this open interest; what it has risen by is rounded down, as at the venue."""
        beyond_q = open_q - self.lower_cap_q
        if not self.upper_cap_q or beyond_q <= 0:
            return self.initial_ppb
        if open_q >= self.upper_cap_q:
            return PPB
        width_q = self.upper_cap_q - self.lower_cap_q
        return self.initial_ppb + (PPB - self.initial_ppb) * beyond_q // width_q


class OpenInterestMeter(RateMeter):
    """The rate of one contract, from samples of its open interest."""

    __slots__ = ("_rules",)

    def __init__(self, rules: OpenInterestRules) -> None:
        super().__init__(rules.interval_ns, rules.initial_ppb)
        self._rules: Final[OpenInterestRules] = rules

    def _take(self, index_ticks: int, open_q: int) -> None:
        self.rate_ppb = self._rules.rate_ppb(open_q)
