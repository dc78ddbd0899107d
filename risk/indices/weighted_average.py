"""The index is the average of the sources by weight, without a stray one (Binance)."""

from engine.units import PPB
from risk.prices.index_price import DEFAULT_WEIGHT, INDEX_METHODS, IndexMethod, median_ticks
from risk.registry import RATE, Figure


def weighted_average_ticks(prices: list[tuple[int, int]], stray_ppb: int) -> int:
    """Average of ``(price_ticks, weight)``: one price further than ``stray_ppb`` from the median
    has no weight; with several of them the median itself is the index.

    Rounded down. Source: Binance FAQ 547ba48141474ab3bddc5d7898f97928.
    """
    middle = median_ticks([price for price, _ in prices])
    total = 0
    weights = 0
    stray = 0
    for price, weight in prices:
        if abs(price - middle) * PPB > stray_ppb * middle:
            stray += 1
            continue
        total += price * weight
        weights += weight
    return middle if stray > 1 else total // weights


class WeightedAverage(IndexMethod):
    """Sources count by their weight."""

    __slots__ = ()

    def price_ticks(
        self, prices: list[tuple[int, int]], weights: dict[int, int], figures: list[int]
    ) -> int:
        """`weighted_average_ticks`."""
        (stray_ppb,) = figures
        weighed = [(price, weights.get(source, DEFAULT_WEIGHT)) for source, price in prices]
        return weighted_average_ticks(weighed, stray_ppb)


INDEX_METHODS.add(
    WeightedAverage(
        "weighted_average",
        (Figure("stray", RATE, above="0", below="1"),),
        weighs=True,
        words="average of the sources by weight, without a single stray one",
    )
)
