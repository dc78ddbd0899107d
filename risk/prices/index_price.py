"""The index: one price made of several sources, robust against stale and stray ones.

How the sources that count become one price is one file in ``risk/indices``.
"""

from typing import Final

from engine.native import mypyc_attr
from engine.units import PPB
from risk.registry import Figure, Mechanism, Registry
from risk.rulebook import IndexRule

DEFAULT_WEIGHT: Final[int] = 1


@mypyc_attr(allow_interpreted_subclasses=True)
class IndexMethod(Mechanism):
    """A way to make the index, by name. ``weighs``: the rulebook's weights count."""

    __slots__ = ("weighs",)

    def __init__(
        self, name: str, figures: tuple[Figure, ...] = (), weighs: bool = False, words: str = ""
    ) -> None:
        super().__init__(name, figures, words)
        self.weighs: Final[bool] = weighs

    def price_ticks(
        self, prices: list[tuple[int, int]], weights: dict[int, int], figures: list[int]
    ) -> int:
        """The index of ``(source_id, price_ticks)`` by id, at least one: neither stale nor stray.

        ``figures`` are the method's own, in the order it declares them.
        """
        raise NotImplementedError


INDEX_METHODS: Final[Registry[IndexMethod]] = Registry("index.method", "risk.indices")


def median_ticks(prices: list[int]) -> int:
    """The middle price; of an even count the mean of the middle two, rounded down.

    Raises:
        ValueError: there are no prices.
    """
    if not prices:
        raise ValueError("the median of no prices is undefined; give at least one")
    ordered = sorted(prices)
    half = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[half]
    # Mean of the middle two, rounded down to a whole tick.
    return (ordered[half - 1] + ordered[half]) // 2


def weighted_median_ticks(prices: list[tuple[int, int]]) -> int:
    """The price at which half of the weight is reached, from ``(price_ticks, weight)`` pairs.

    When exactly half of the weight lies on either side of a gap, the mean of its two ends,
    rounded down; equal weights therefore give `median_ticks`. Hyperliquid weighs the spot
    prices of its oracle this way.

    Raises:
        ValueError: there are no prices, or a weight is not positive.
    """
    if not prices:
        raise ValueError("the median of no prices is undefined; give at least one")
    total = 0
    for _, weight in prices:
        if weight <= 0:
            raise ValueError(f"weight {weight} is not allowed; it must be positive")
        total += weight
    ordered = sorted(prices)
    reached = 0
    for place, (price_ticks, weight) in enumerate(ordered):
        reached += weight
        if 2 * reached == total:
            # Mean of the two ends of the gap, rounded down to a whole tick.
            return (price_ticks + ordered[place + 1][0]) // 2
        if 2 * reached > total:
            return price_ticks
    raise AssertionError("cumulative weight never reached half of the total")


class Source:
    """What one source said last, and when."""

    __slots__ = ("price_ticks", "source_id", "time_ns")

    def __init__(self, source_id: int, price_ticks: int, time_ns: int) -> None:
        self.source_id = source_id
        self.price_ticks = price_ticks
        self.time_ns = time_ns


class Index:
    """The index of one instrument, in ticks.

    Only updates change the state; reading never does. When every source has gone stale the index
    stays what it was at the last instant one of them was fresh, and `stale` says so.
    """

    __slots__ = (
        "_figures",
        "_latest",
        "_method",
        "_newest_ns",
        "_newest_ticks",
        "_outlier_ppb",
        "_sources",
        "_stale_ns",
        "_weights",
    )

    def __init__(self, rule: IndexRule) -> None:
        self._stale_ns: int = rule.stale_ns
        self._outlier_ppb: int = rule.outlier_ppb
        self._method = INDEX_METHODS.get(rule.method)
        self._figures = self._method.values(rule.params)
        self._weights: dict[int, int] = dict(rule.weights)
        self._sources: dict[int, Source] = {}
        # Who spoke last, often the only one.
        self._latest: Source | None = None
        self._newest_ns: int = -1
        self._newest_ticks: int = 0

    def update(self, source_id: int, price_ticks: int, time_ns: int) -> None:
        """Take one source's price; one older than what that source already said is ignored.

        Raises:
            ValueError: the price is not positive.
        """
        if price_ticks <= 0:
            raise ValueError(
                f"index source {source_id}: price_ticks is {price_ticks}; it must be positive"
            )
        source = self._latest
        if source is None or source.source_id != source_id:
            source = self._sources.get(source_id)
            if source is None:
                source = Source(source_id, price_ticks, time_ns)
                self._sources[source_id] = source
            self._latest = source
        if source.time_ns > time_ns:
            return
        source.price_ticks = price_ticks
        source.time_ns = time_ns
        self._newest_ticks = price_ticks
        if time_ns > self._newest_ns:
            self._newest_ns = time_ns

    def value(self, time_ns: int) -> int:
        """The index at ``time_ns``; 0 while no source has ever reported.

        Stale sources are left out first, then those further than the outlier rule allows from the
        median of the fresh ones. Should that rule leave none (two sources that disagree), all
        fresh sources count.
        """
        if len(self._sources) <= 1:
            # Alone, a source is never stray, and stale only together with the index.
            return self._newest_ticks
        fresh = self._fresh(self._as_of(time_ns))
        return self._method.price_ticks(self._without_outliers(fresh), self._weights, self._figures)

    def weighs(self, source_id: int) -> bool:
        """Whether the rules give this source a weight."""
        return source_id in self._weights

    def fresh_value(self, time_ns: int) -> int:
        """`value` of the sources that are fresh at ``time_ns``; 0 without any."""
        return 0 if self.stale(time_ns) else self.value(time_ns)

    def counting(self, time_ns: int) -> list[int]:
        """Ids of the sources the index is made of at ``time_ns``: neither stale nor stray."""
        if self.stale(time_ns):
            return []
        if len(self._sources) == 1:
            return list(self._sources)
        return [source for source, _ in self._without_outliers(self._fresh(time_ns))]

    def stale(self, time_ns: int) -> bool:
        """Whether no source is fresh at ``time_ns`` (also when none has ever reported)."""
        return self._newest_ns < 0 or self._as_of(time_ns) < time_ns

    def sources(self) -> list[tuple[int, int, int]]:
        """``(source_id, price_ticks, time_ns)`` of every source, by id."""
        return [
            (source_id, source.price_ticks, source.time_ns)
            for source_id, source in sorted(self._sources.items())
        ]

    def state(self) -> list[list[int]]:
        """Canonical form for hashes and snapshots: one list per source, by id."""
        return [[source, price_ticks, time_ns] for source, price_ticks, time_ns in self.sources()]

    def restore(self, state: list[list[int]]) -> None:
        """Take over what `state` returned."""
        self._sources = {}
        self._latest = None
        self._newest_ns = -1
        self._newest_ticks = 0
        for source, price_ticks, time_ns in state:
            self.update(source, price_ticks, time_ns)

    def _as_of(self, time_ns: int) -> int:
        """``time_ns``, or the last instant at which any source was still fresh."""
        if self._stale_ns == 0:
            return time_ns
        return min(time_ns, self._newest_ns + self._stale_ns)

    def _fresh(self, time_ns: int) -> list[tuple[int, int]]:
        stale_ns = self._stale_ns
        return [
            (source_id, source.price_ticks)
            for source_id, source in sorted(self._sources.items())
            if stale_ns == 0 or time_ns - source.time_ns <= stale_ns
        ]

    def _without_outliers(self, fresh: list[tuple[int, int]]) -> list[tuple[int, int]]:
        outlier_ppb = self._outlier_ppb
        if outlier_ppb == 0:
            return fresh
        middle = median_ticks([price for _, price in fresh])
        kept = [
            (source, price)
            for source, price in fresh
            if abs(price - middle) * PPB <= outlier_ppb * middle
        ]
        return kept if kept else fresh
