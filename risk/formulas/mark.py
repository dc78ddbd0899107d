"""Hyperliquid's mark, in integers like `risk.mark`; its rulebook uses a plain average instead."""

from typing import Final

from risk.index_price import median_ticks

E18: Final[int] = 10**18
"""Fixed-point one of the exponential average."""


def hyperliquid_mark_ticks(
    oracle_ticks: int,
    ema_basis_ticks: int,
    bid_ticks: int,
    ask_ticks: int,
    last_ticks: int,
    perp_median_ticks: int,
) -> int:
    """Median of oracle plus averaged basis, median(bid, ask, last), and other venues' perpetuals.

    ``ema_basis_ticks`` is the 150 s exponential average of mid minus oracle. Source:
    hyperliquid.gitbook.io, robust price indices.
    """
    book_ticks = median_ticks([bid_ticks, ask_ticks, last_ticks])
    return median_ticks([oracle_ticks + ema_basis_ticks, book_ticks, perp_median_ticks])


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
