"""The mark is the median of funding basis, average basis and last price (Binance, Bybit)."""

from risk.prices.mark import (
    MARK_METHODS,
    MarkFormula,
    MarkInputs,
    MarkMethod,
    average_basis_price_ticks,
    funding_basis_price_ticks,
    mark_price_ticks,
)
from risk.rulebook import MarkRule


class MedianMark(MarkFormula):
    """Median of three. Without a last price it is the mean of the other two; without a sample in
    the window (a side was empty all along) the average basis is nothing."""

    __slots__ = ()

    def price_ticks(self, inputs: MarkInputs) -> int:
        """At least one tick: a basis far below the index can push two candidates under it."""
        index_ticks = inputs.index_ticks
        funding_price = funding_basis_price_ticks(
            index_ticks,
            inputs.funding_rate_ppb,
            inputs.ns_to_funding,
            inputs.funding_interval_ns,
        )
        average_price = average_basis_price_ticks(
            index_ticks, inputs.twice_basis_sum, inputs.samples
        )
        if inputs.last_ticks <= 0:
            # The median of two is their mean, rounded down.
            return max(1, (funding_price + average_price) // 2)
        return max(1, mark_price_ticks(funding_price, average_price, inputs.last_ticks))


class Median(MarkMethod):
    """Median of index with funding basis, index with average basis, and last."""

    __slots__ = ()

    def build(self, rule: MarkRule) -> MarkFormula:
        """Its samples are kept by the mark itself."""
        return MedianMark()


MARK_METHODS.add(
    Median(
        "median",
        words="median of index and funding basis, index and averaged basis, and last price",
    )
)
