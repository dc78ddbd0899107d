"""The index is the average of the sources, each held within a bound of their median (Deribit, OKX,
later Binance)."""

from engine.units import PPB, Rate
from risk.prices.index_price import DEFAULT_WEIGHT, INDEX_METHODS, IndexMethod, median_ticks
from risk.registry import RATE, Figure

_PAIR = 2
"""So few sources that each counts the same."""


def clamped_average_ticks(prices: list[tuple[int, int]], bound_ppb: int) -> int:
    """Average of ``(price_ticks, weight)``, stray prices counting at the bound.

    Bounds are rounded towards the median, the average down. Two sources count the same whatever
    they weigh, as no median says which is stray. Source: support.deribit.com 25954416110877; OKX
    help, spot index prices.
    """
    middle = median_ticks([price for price, _ in prices])
    low = Rate(PPB - bound_ppb).up(middle)
    high = Rate(PPB + bound_ppb).down(middle)
    total = 0
    weights = 0
    for price, weight in prices:
        counted = 1 if len(prices) == _PAIR else weight
        total += max(low, min(high, price)) * counted
        weights += counted
    return total // weights


class ClampedAverage(IndexMethod):
    """Stray sources pull the index no further than the bound."""

    __slots__ = ()

    def price_ticks(
        self, prices: list[tuple[int, int]], weights: dict[int, int], figures: list[int]
    ) -> int:
        """`clamped_average_ticks`."""
        (bound_ppb,) = figures
        weighed = [(price, weights.get(source, DEFAULT_WEIGHT)) for source, price in prices]
        return clamped_average_ticks(weighed, bound_ppb)


INDEX_METHODS.add(
    ClampedAverage(
        "clamped_average",
        (Figure("bound", RATE, above="0", below="1"),),
        weighs=True,
        words="average of the sources, each held within a bound of their median",
    )
)
