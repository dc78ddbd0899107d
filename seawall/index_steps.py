"""A cap on the steps of an index's sources: a print may leave the one before by a share of it.

One thin spot market prints whatever its next trade takes. A venue with few sources bounds what one
update may move; what is left is made up at the next ticks of the clock, and a price that comes back
within them has hardly moved the index.
"""

from collections.abc import Callable

from seawall.price_files.candles import Point


def in_steps(
    points: list[Point], max_step: float, tick_ns: int, is_silent: Callable[[int], bool]
) -> list[Point]:
    """The points with each at most ``max_step`` of the one before away from it, rounded down to
    ticks, but never less than a tick. Between two of them, and after the last, the source prints at
    every tick of the clock until it has arrived or ``is_silent``."""
    result = points[:1]
    for place, (time_ns, wanted) in enumerate(points[1:], 1):
        result.append((time_ns, toward(result[-1][1], wanted, max_step)))
        following = points[place + 1][0] if place + 1 < len(points) else None
        at_ns = time_ns + tick_ns
        while result[-1][1] != wanted and (following is None or at_ns < following):
            if is_silent(at_ns):
                break
            result.append((at_ns, toward(result[-1][1], wanted, max_step)))
            at_ns += tick_ns
    return result


def toward(price: int, wanted: int, max_step: float) -> int:
    """A price moved to the one that is wanted, by at most that share of it, at least a tick."""
    most = max(1, int(price * max_step))
    return max(price - most, min(price + most, wanted))
