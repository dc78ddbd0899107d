"""How lively a stretch of a file of prices is: volume, volatility, trades, spread.

Volatility is the root of the mean squared change of the log price over `LAG_NS`, at every second of
the stretch, by the last price before: over less, the bounce between bid and ask would count as
moves. Candles narrower than that are sampled like trades; over wider ones a change is a candle's.
"""

import math
from bisect import bisect_left, bisect_right
from itertools import pairwise
from statistics import fmean
from typing import Final

import msgspec

from engine.units import HOUR_NS, MINUTE_NS, SECOND_NS
from seawall.price_files.candles import widths_ns
from seawall.price_files.price_table import PriceTable
from seawall.price_files.shapes import CANDLES, CONTRACTS, plain
from seawall.price_files.times import utc
from seawall.scenario_fields import ScenarioError

LAG_NS: Final[int] = 30 * SECOND_NS
_PAIR_NS: Final[int] = 5 * SECOND_NS
"""A buy and a sell further apart say more of the price's way than of the spread."""
_MOST_SAMPLES: Final[int] = 10_000_000
"""Seconds, or candles, that are looked at: a coin's calm is not measured over years of seconds."""


class UnmeasuredError(ScenarioError):
    """Nothing is wrong with a stretch, but it does not show what is asked for."""


class WrongStretchError(UnmeasuredError):
    """Another stretch of the same file may show it."""


class Stretch(msgspec.Struct, frozen=True):
    """The rows of a table from ``begin_ns`` up to before ``end_ns``."""

    table: PriceTable
    begin_ns: int
    end_ns: int

    @property
    def rows(self) -> range:
        """The numbers of the rows, from 0."""
        times_ns = self.table.times_ns
        return range(bisect_left(times_ns, self.begin_ns), bisect_left(times_ns, self.end_ns))

    @property
    def length_ns(self) -> int:
        """How long it is."""
        return self.end_ns - self.begin_ns

    @property
    def minutes(self) -> float:
        """How long it is, in minutes."""
        return self.length_ns / MINUTE_NS

    def error(self, problem: str) -> ScenarioError:
        """What is wrong with the stretch."""
        return ScenarioError(f"{self._place()}: {problem}")

    def without(self, problem: str) -> UnmeasuredError:
        """What the stretch does not show, and why."""
        return UnmeasuredError(f"{self._place()}: {problem}")

    def too_little(self, problem: str) -> WrongStretchError:
        """What the stretch does not show, but another may."""
        return WrongStretchError(f"{self._place()}: {problem}")

    def _place(self) -> str:
        return f"{self.table.where} from {utc(self.begin_ns)} to {utc(self.end_ns)}"


def volume_per_minute(stretch: Stretch, contract_value: float = 0.0) -> float:
    """Traded value in quote currency per minute: amount times price, or contracts times
    ``contract_value`` where that is given.

    Raises:
        UnmeasuredError: the file has no amounts, or counts contracts and nobody says what one is
            worth, or nothing was traded.
        ScenarioError: an amount of the stretch is none, or they are beyond counting.
    """
    table = stretch.table
    if not table.amounts:
        raise stretch.without("the file has no column of amounts, such as amount, qty or volume")
    if plain(table.layout.amount_name) == CONTRACTS and not contract_value:
        raise stretch.without("the file counts contracts; what one is worth has to be given")
    total = 0.0
    for row in stretch.rows:
        amount = table.amounts[row]
        if math.isnan(amount):
            place = f"{table.word} {table.places[row]}"
            raise stretch.error(
                f"{place}: {table.layout.amount_name} must be a number of 0 or more"
            )
        total += amount * (contract_value or float(table.prices[-1][row]))
    if total <= 0:
        raise stretch.too_little("nothing was traded")
    if total == math.inf:
        raise stretch.error("its amounts are too large to be added up")
    return total / stretch.minutes


def trades_per_minute(stretch: Stretch) -> float:
    """Trades per minute."""
    return len(stretch.rows) / stretch.minutes


def volatility(stretch: Stretch) -> float:
    """Volatility of the price per root second.

    Raises:
        UnmeasuredError: the stretch is shorter than two changes, or the price does not move in it.
        ScenarioError: it is too long.
    """
    step_ns, lag, samples = _sampled(stretch)
    changes = [after - before for before, after in zip(samples, samples[lag:], strict=False)]
    if len(changes) < max(2, lag):
        needed = 2 * lag * step_ns // SECOND_NS
        raise stretch.too_little(f"prices of {needed} s or more are needed to measure volatility")
    mean_square = fmean(change * change for change in changes)
    if mean_square <= 0:
        raise stretch.too_little("the price does not move, so there is no volatility")
    return math.sqrt(mean_square / (lag * step_ns / SECOND_NS))


def _sampled(stretch: Stretch) -> tuple[int, int, list[float]]:
    """The step between samples, how many steps a change spans, and log prices at each step; those
    of candles are known at their ends."""
    table, rows = stretch.table, stretch.rows
    width_ns = widths_ns(table.times_ns)[-1] if table.kind == CANDLES else 0
    step_ns = max(SECOND_NS, width_ns)
    known_ns = [table.times_ns[row] + width_ns for row in rows]
    logs = [math.log(_price(table, row)) for row in rows]
    if not rows:
        raise stretch.too_little("no price lies in it")
    instants = range(known_ns[0], stretch.end_ns + 1, step_ns)
    if len(instants) > _MOST_SAMPLES:
        hours = _MOST_SAMPLES * step_ns // HOUR_NS
        raise stretch.error(f"volatility is measured over at most {hours:,} h of such prices")
    samples = [logs[bisect_right(known_ns, instant) - 1] for instant in instants]
    return step_ns, max(1, LAG_NS // step_ns), samples


def _price(table: PriceTable, row: int) -> float:
    """The price of a trade, the close of a candle, the middle of a quote."""
    if table.kind == CANDLES:
        return float(table.prices[-1][row])
    return fmean(float(column[row]) for column in table.prices)


def trade_spread(stretch: Stretch) -> float | None:
    """The mean distance, as a share, of a buy from a sell next to it, if no more than five seconds
    lie between them; None where the file has no sides, or no such pair."""
    table = stretch.table
    if not table.sides:
        return None
    distances = [
        abs(math.log(_price(table, after) / _price(table, before)))
        for before, after in pairwise(stretch.rows)
        if table.sides[before] * table.sides[after] < 0
        and table.times_ns[after] - table.times_ns[before] <= _PAIR_NS
    ]
    return fmean(distances) if distances else None
