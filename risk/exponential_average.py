"""An average over time in which what is past fades exponentially, in integers.

Hyperliquid averages the basis of its mark this way over 150 s, Deribit over 30 s.
"""

from typing import Final

E18: Final[int] = 10**18
"""Fixed-point one."""


def decay_e18(elapsed_ns: int, tau_ns: int) -> int:
    """``exp(-elapsed / tau)`` times 10**18, rounded down, in integers and so equal everywhere.

    Raises:
        ValueError: ``tau_ns`` is not positive or ``elapsed_ns`` is negative.
    """
    if tau_ns <= 0 or elapsed_ns < 0:
        raise ValueError(f"decay over {elapsed_ns} ns with tau {tau_ns} ns is undefined")
    # exp(-42) is below 10**-18, so nothing is left.
    if elapsed_ns >= 42 * tau_ns:
        return 0
    # 1 / exp(x) by its series: all terms are positive, nothing cancels. Each is rounded down.
    total = 0
    term = E18
    order = 0
    while term > 0:
        total += term
        order += 1
        term = term * elapsed_ns // (order * tau_ns)
    return E18 * E18 // total


def ema_step(
    weighted_sum_e18: int, weight_e18: int, sample: int, elapsed_ns: int, tau_ns: int
) -> tuple[int, int]:
    """One step of a time-weighted exponential average; the average is the ratio of the two.

    ``sum <- sum x exp(-t / tau) + sample x t`` and the same for the weight with a sample of 1.
    Products are rounded down at 10**-18. Source: hyperliquid.gitbook.io, robust price indices.
    """
    decay = decay_e18(elapsed_ns, tau_ns)
    return (
        weighted_sum_e18 * decay // E18 + sample * elapsed_ns * E18,
        weight_e18 * decay // E18 + elapsed_ns * E18,
    )


class ExponentialAverage:
    """The average of samples as they come; a sample counts for the time since the one before.

    The first has no such time: it is the average until there is a second one.
    """

    __slots__ = ("_sampled_ns", "_sum_e18", "_tau_ns", "_weight_e18")

    def __init__(self, tau_ns: int) -> None:
        self._tau_ns = tau_ns
        self._sum_e18 = 0
        self._weight_e18 = 0
        self._sampled_ns = -1

    def add(self, time_ns: int, sample: int) -> None:
        """Take a sample; time goes on from one to the next."""
        if self._sampled_ns < 0:
            self._sum_e18 = sample
            self._weight_e18 = 1
        elif time_ns > self._sampled_ns:
            self._sum_e18, self._weight_e18 = ema_step(
                self._sum_e18,
                self._weight_e18,
                sample,
                time_ns - self._sampled_ns,
                self._tau_ns,
            )
        self._sampled_ns = time_ns

    def known(self) -> bool:
        """Whether there was a sample."""
        return self._sampled_ns >= 0

    def value(self) -> int:
        """The average, rounded down; 0 without a sample."""
        return self._sum_e18 // self._weight_e18 if self._weight_e18 else 0

    def state(self) -> list[int]:
        """What it remembers, for hashes and snapshots."""
        return [self._sampled_ns, self._sum_e18, self._weight_e18]

    def restore(self, state: list[int]) -> None:
        """Take over what `state` returned."""
        self._sampled_ns, self._sum_e18, self._weight_e18 = state
