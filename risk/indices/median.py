"""The index is the median of the sources."""

from risk.prices.index_price import INDEX_METHODS, IndexMethod, median_ticks


class Median(IndexMethod):
    """Every source counts once."""

    __slots__ = ()

    def price_ticks(
        self, prices: list[tuple[int, int]], weights: dict[int, int], figures: list[int]
    ) -> int:
        """`median_ticks`."""
        return median_ticks([price for _, price in prices])


INDEX_METHODS.add(Median("median", words="median of the sources"))
