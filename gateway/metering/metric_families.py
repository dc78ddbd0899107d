"""The containers behind the metrics: plain dictionaries and lists, read only when scraped.

The services count millions of events; the instruments of `prometheus_client` take a lock for each.
Here counting is one dictionary or list operation, and the collector turns the numbers into
Prometheus families at a scrape.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gateway.door.tally import Durations

COUNTER: Final[str] = "counter"
GAUGE: Final[str] = "gauge"
HISTOGRAM: Final[str] = "histogram"

NANO: Final[float] = 1e-9

Labels = tuple[str, ...]
Values = dict[Labels, float]


class Family:
    """A counter or gauge: one value per combination of label values.

    A family without labels starts at 0, so that its first increase is seen. `read`, where set,
    supplies the values at the moment of the scrape instead.
    """

    __slots__ = ("help_text", "kind", "labels", "name", "read", "values")

    def __init__(self, kind: str, name: str, help_text: str, labels: Labels = ()) -> None:
        self.kind = kind
        self.name = name
        self.help_text = help_text
        self.labels = labels
        self.values: Values = defaultdict(int)
        if not labels:
            self.values[()] = 0
        self.read: Callable[[], Values] | None = None

    def start(self, *combinations: Labels) -> None:
        """Show these label values from the beginning, at 0."""
        for combination in combinations:
            self.values[combination] += 0

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Raise one value."""
        self.values[labels] += amount

    def collect(self) -> Metric:
        """The present values. A dictionary is copied in one step, so no lock is needed."""
        values = dict(self.values) if self.read is None else self.read()
        family: CounterMetricFamily | GaugeMetricFamily
        if self.kind == COUNTER:
            family = CounterMetricFamily(self.name, self.help_text, labels=self.labels)
        else:
            family = GaugeMetricFamily(self.name, self.help_text, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


class Histogram:
    """Durations in nanoseconds, shown in seconds. ``bounds_ns`` are the buckets' upper ends."""

    __slots__ = ("durations", "help_text", "kind", "labels", "name")

    def __init__(self, name: str, help_text: str, bounds_ns: Sequence[int]) -> None:
        self.kind = HISTOGRAM
        self.name = name
        self.help_text = help_text
        self.labels: Labels = ()
        self.durations = Durations(bounds_ns)

    def observe(self, duration_ns: int) -> None:
        """Count one duration."""
        self.durations.observe(duration_ns)

    def collect(self) -> Metric:
        """The present counts, cumulative as Prometheus wants them."""
        total = 0
        buckets: list[tuple[str, float]] = []
        durations = self.durations
        ends = [*(f"{bound * NANO:.9g}" for bound in durations.bounds_ns), "+Inf"]
        for end, count in zip(ends, list(durations.counts), strict=True):
            total += count
            buckets.append((end, total))
        family = HistogramMetricFamily(self.name, self.help_text)
        family.add_metric([], buckets, durations.sum_ns * NANO)
        return family


class FamilyCollector:
    """What a `prometheus_client` registry asks at every scrape; it calls ``before`` first."""

    def __init__(
        self, families: Sequence[Family | Histogram], before: Callable[[], object] = bool
    ) -> None:
        self._families = families
        self._before = before

    def collect(self) -> Iterator[Metric]:
        """Every family with its present values."""
        self._before()
        for family in self._families:
            yield family.collect()


def steps(first_ns: int, last_ns: int) -> list[int]:
    """Bucket ends 1, 2.5, 5, 10 and so on times ``first_ns``, up to ``last_ns``."""
    ends: list[int] = []
    decade_ns = first_ns
    while decade_ns <= last_ns:
        # 2.5 rounded down; exact from 2 ns on.
        ends += [decade_ns, decade_ns * 5 // 2, decade_ns * 5]
        decade_ns *= 10
    return [end for end in ends if end <= last_ns]
