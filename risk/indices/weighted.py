"""The index is the price at which half of the sources' weight is reached."""

from risk.prices.index_price import (
    DEFAULT_WEIGHT,
    INDEX_METHODS,
    IndexMethod,
    weighted_median_ticks,
)


class Weighted(IndexMethod):
    """A source counts by its weight."""

    __slots__ = ()

    def price_ticks(
        self, prices: list[tuple[int, int]], weights: dict[int, int], figures: list[int]
    ) -> int:
        """`weighted_median_ticks`."""
        return weighted_median_ticks(
            [(price, weights.get(source, DEFAULT_WEIGHT)) for source, price in prices]
        )


INDEX_METHODS.add(
    Weighted("weighted", weighs=True, words="price at which half of the sources' weight is reached")
)
