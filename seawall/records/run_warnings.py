"""Warnings of a run about itself: parts of its scenario that did nothing, or could not.

A run that ends well may still be another than was meant: its own price path left out by the others,
a file that ends before the window, accounts whose money does not reach for one order. Such things
are told, in the terminal, the summary and the report.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from statistics import median
from typing import Any, Final

from engine.events import CommandRejected
from engine.instruments import InstrumentSpec
from engine.reasons import Reason
from engine.units import SECOND_NS, from_grid
from seawall.index_csv import CANDLES_CSV
from seawall.index_path import IndexPlan, SourcePlan
from seawall.price_files.candles import Point
from seawall.time_plan import TimePlan

SELDOM: Final[Decimal] = Decimal("0.1")
"""A source that counts at less than this share of the clock's ticks is told of."""

ENTERED: Final[Decimal] = Decimal("0.95")
"""So is a group of which less than this share ever held a position."""

_HOLE_STEPS: Final[int] = 10
"""A stretch without a price is a hole when it is this many times as long as most."""
_DEFAULT_STALE_NS: Final[int] = 60 * SECOND_NS
_PRICES_OF_A_CANDLE: Final[int] = 4


class SourceCount:
    """Counts at how many ticks of the path each source of an index was part of it."""

    def __init__(self, place: str, plan: IndexPlan, counting: Callable[[int], list[int]]) -> None:
        self._place = place
        self._names = {source.source_id: source.name for source in plan.sources}
        self._counting = counting
        self._ticks = 0
        self._counted = dict.fromkeys(self._names, 0)

    def look(self, time_ns: int) -> None:
        """A tick of the clock."""
        self._ticks += 1
        for source_id in self._counting(time_ns):
            self._counted[source_id] += 1

    def state(self) -> list[Any]:
        """What was counted so far."""
        return [self._ticks, list(self._counted.items())]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        self._ticks, counted = state
        self._counted = dict(counted)

    def warnings(self) -> list[str]:
        """Sources that never or hardly ever counted, unless none did anything else."""
        result = []
        for source_id, counted in self._counted.items():
            place = f"{self._place}.sources.{self._names[source_id]}"
            if not counted:
                result.append(
                    f"{place} never counted: it had no fresh price, or the others outvoted it"
                )
            elif counted < SELDOM * self._ticks:
                share = f"{counted:,} of {self._ticks:,} ticks"
                result.append(f"{place} counted at {share} only: stale, or outvoted by the others")
        return result


class Coverage:
    """Whether files of prices cover the window they are used for."""

    def __init__(self, stale_ns: int) -> None:
        self._stale_ns = stale_ns or _DEFAULT_STALE_NS
        self.warnings: list[str] = []

    def look(self, source: SourcePlan, points: Sequence[Point], time: TimePlan) -> None:
        """The prices of a file, in order, as they were read."""
        times = [time_ns for time_ns, _ in points]
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        usual = int(median(steps)) if steps else 0
        patience = max(self._stale_ns, _HOLE_STEPS * usual)
        inside = [t for t in times if time.start_ns <= t <= time.end_ns]
        first, last = (inside[0], inside[-1]) if inside else (time.end_ns, time.start_ns)
        if time.start_ns - times[0] < 0 and first - time.start_ns > patience:
            self._add(source, f"begins {_seconds(first - time.start_ns)} after the path does")
        if times[-1] < time.end_ns and time.end_ns - last > patience:
            gone = _seconds(time.end_ns - last)
            self._add(source, f"ends {gone} before the path does; its last price stands till then")
        holes = [b - a for a, b in itertools.pairwise(inside) if b - a > patience]
        if holes:
            self._add(source, f"has {len(holes)} holes; the longest is {_seconds(max(holes))}")
        if source.kind == CANDLES_CSV:
            self._look_at_widths(source, times, usual, time)

    def _look_at_widths(
        self, source: SourcePlan, times: Sequence[int], usual: int, time: TimePlan
    ) -> None:
        """Candles of which the clock does not see all four prices: most of a file, or a few."""
        unseen = f"and a clock of {_seconds(time.tick_ns)} does not see their highs and lows"
        if 0 < usual < time.tick_ns:
            width = _seconds(_PRICES_OF_A_CANDLE * usual)
            self._add(source, f"has candles of {width}, {unseen}")
            return
        narrow = sum(
            second - first < time.tick_ns and time.start_ns <= second <= time.end_ns
            for first, second in zip(
                times[::_PRICES_OF_A_CANDLE], times[1::_PRICES_OF_A_CANDLE], strict=True
            )
        )
        if narrow:
            width = _seconds(_PRICES_OF_A_CANDLE * time.tick_ns)
            self._add(source, f"has {narrow:,} candles narrower than {width}, {unseen}")

    def _add(self, source: SourcePlan, what: str) -> None:
        self.warnings.append(f"{source.file} (source {source.name}) {what}")


class Entrants:
    """Counts per table of the scenario how many accounts there are, may trade and did."""

    def __init__(self) -> None:
        self._all: dict[str, int] = {}
        self._poor: dict[str, int] = {}
        self._least: dict[str, str] = {}
        self._idle: dict[str, int] = {}

    def add(
        self,
        place: str,
        able: bool,
        spec: InstrumentSpec,
        price_ticks: int,
        lack: str = "money does",
    ) -> None:
        """An account of this table; ``able`` if it reaches for the least order, else ``lack`` says
        what of it does not."""
        self._all[place] = self._all.get(place, 0) + 1
        if not able:
            self._poor[place] = self._poor.get(place, 0) + 1
            size = from_grid(spec.min_lots, spec.lot_size)
            price = from_grid(price_ticks, spec.tick_size)
            self._least[place] = (
                f"their {lack} not reach for the least order, {size} {spec.symbol} at {price}"
            )

    def idle(self, places: Iterable[str]) -> None:
        """The tables of all accounts that never had a position, or never an order in the book."""
        self._idle = {}
        for place in places:
            self._idle[place] = self._idle.get(place, 0) + 1

    def warnings(self) -> list[str]:
        """Tables with accounts that could never trade, or of which too few did."""
        result = []
        for place, count in self._all.items():
            poor = self._poor.get(place, 0)
            idle = self._idle.get(place, 0) - poor
            if poor:
                result.append(
                    f"{place}: {poor:,} of {count:,} accounts could never trade: "
                    f"{self._least[place]}"
                )
            if idle > (1 - ENTERED) * count:
                result.append(f"{place}: {idle:,} of {count:,} accounts never traded")
        return result


class Uncountable:
    """Counts orders that were refused because the engine's numbers end there: no venue refuses
    them, and a market without them is another one."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._words = ""

    def refused(self, place: str, event: CommandRejected) -> None:
        """The venue refused something to an account of this table; only orders count."""
        if event.order_id and event.reason == Reason.NUMBER_TOO_LARGE:
            self._counts[place] = self._counts.get(place, 0) + 1
            self._words = self._words or event.words

    def warnings(self) -> list[str]:
        """Whose orders they were, and why the first was refused."""
        if not self._counts:
            return []
        told = ", ".join(f"{place} {count:,}" for place, count in sorted(self._counts.items()))
        return [
            f"orders were refused ({told}) because they are more than can be counted: the first by "
            f"{self._words}; fewer decimals of the settlement asset or a larger lot make room"
        ]

    def state(self) -> list[Any]:
        """What was counted so far."""
        return [list(self._counts.items()), self._words]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        counts, self._words = state
        self._counts = dict(counts)


def _seconds(time_ns: int) -> str:
    return f"{from_grid(time_ns // 1_000_000, Decimal('0.001'))} s"
