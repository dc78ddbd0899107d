"""The way of the price inside a candle: four prints at its quarters, or a seeded bridge.

A candle says open, high, low and close and nothing of the way between them. The four prints go by
the extreme nearer to the open first, and the price stands still between them. The bridge takes the
same order, puts the extremes at random steps of the clock, and walks from one to the next; it meets
open, high, low and close exactly and never leaves the candle.
"""

import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median_low
from typing import Final

Point = tuple[int, int]
"""Time in nanoseconds and price in ticks."""

_CANDLE_NS: Final[int] = 60_000_000_000
"""Width of a candle that is alone in its file."""
_ALIKE: Final[int] = 4
"""A gap is common if one in this many is as wide."""
_PRICES: Final[int] = 4
"""Of a candle; a bridge needs as many steps."""
_RANGE_TO_DEVIATION: Final[float] = 1 / (2 * math.sqrt(math.log(2)))
"""Standard deviation of a random walk over a stretch, from its range in it (Parkinson 1980)."""


def candle_walk(candle: Sequence[int]) -> list[int]:
    """Open, the nearer extreme, the other extreme, close."""
    first, high, low, last = candle
    inner = [high, low] if high - first < first - low else [low, high]
    return [first, *inner, last]


def quarters(starts_ns: Sequence[int], candles: Sequence[Sequence[int]]) -> list[Point]:
    """The four prices of each candle at 0, 1/4, 1/2 and 3/4 of its interval.

    An interval goes to the next candle, and is at most as wide as most are: one candle that is out
    of step, or missing, changes nothing else.
    """
    return [
        (start_ns + quarter * width_ns // _PRICES, price)
        for start_ns, width_ns, candle in zip(starts_ns, widths_ns(starts_ns), candles, strict=True)
        for quarter, price in enumerate(candle_walk(candle))
    ]


def bridges(
    starts_ns: Sequence[int],
    candles: Sequence[Sequence[int]],
    step_ns: int,
    between_ns: tuple[int, int],
    seed: str,
) -> Iterator[Point]:
    """The bridge of each candle from the last that begins no later than ``between_ns`` to its end,
    a print every ``step_ns``.

    Each candle has a generator of its own, so its bridge does not depend on where a run begins. One
    with room for less than four steps prints at its quarters.
    """
    first = max(0, bisect_right(starts_ns, between_ns[0]) - 1)
    last = bisect_right(starts_ns, between_ns[1])
    widths = widths_ns(starts_ns)
    for number in range(first, last):
        start_ns, width_ns, candle = starts_ns[number], widths[number], candles[number]
        walk = candle_walk(candle)
        steps = width_ns // step_ns
        if steps < _PRICES:
            yield from (
                (start_ns + quarter * width_ns // _PRICES, price)
                for quarter, price in enumerate(walk)
            )
            continue
        prices = _bridge(walk, steps, random.Random(f"{seed}:{start_ns}"))
        yield from ((start_ns + n * step_ns, price) for n, price in enumerate(prices))


def _bridge(walk: list[int], steps: int, rng: random.Random) -> list[int]:
    """Prices at 0 to ``steps - 1``: through the walk's four, its extremes at random places."""
    low, high = min(walk), max(walk)
    deviation = (high - low) * _RANGE_TO_DEVIATION / math.sqrt(steps)
    places = [0, *sorted(rng.sample(range(1, steps - 1), 2)), steps - 1]
    prices = [walk[0]]
    for (begin, end), (from_, to) in zip(pairwise(places), pairwise(walk), strict=True):
        count = end - begin
        noise = brownian_bridge(count, deviation, rng)
        between = (
            from_ + (to - from_) * n / count + drift for n, drift in enumerate(noise[:-1], 1)
        )
        prices += [round(_folded(price, low, high)) for price in between]
        prices.append(to)
    return prices


def brownian_bridge(count: int, step: float, rng: random.Random) -> list[float]:
    """A Brownian bridge from 0 to 0 in ``count`` steps (the last value is 0)."""
    walk: list[float] = []
    level = 0.0
    for _ in range(count):
        level += rng.gauss(0.0, step)
        walk.append(level)
    return [value - level * n / count for n, value in enumerate(walk, 1)]


def _folded(price: float, low: int, high: int) -> float:
    """A price beyond a bound is mirrored back inside."""
    if high == low:
        return low
    over = (price - low) % (2 * (high - low))
    return low + min(over, 2 * (high - low) - over)


def widths_ns(starts_ns: Sequence[int]) -> list[int]:
    """How long each candle lasts."""
    gaps = [later - earlier for earlier, later in pairwise(starts_ns)]
    usual = usual_width_ns(gaps)
    return [*(min(gap, usual) for gap in gaps), usual]


def usual_width_ns(gaps: list[int]) -> int:
    """How wide most candles are; a minute where there is no gap.

    The commonest gap, the narrowest of equally common ones; but no wider than the middle one, which
    also stands in where hardly any two gaps are alike, as with starts that jitter. Too narrow a
    width costs a candle part of its interval; too wide a one would carry its low out of the run.
    """
    if not gaps:
        return _CANDLE_NS
    middle = median_low(gaps)
    width, count = min(Counter(gaps).items(), key=lambda each: (-each[1], each[0]))
    if count == 1 or count * _ALIKE < len(gaps):
        return middle
    return min(width, middle)
