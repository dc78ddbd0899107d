"""What a contract's prices and volumes did in the window of a run, from its events alone.

The window begins where the scenario's path does; the warm-up before it does not count. Prices are
last trades over the index at the beginning of the window.
"""

from copy import deepcopy
from typing import Any

from engine.events import Deleveraged, MarkUpdated, TakenOver, Trade
from engine.instruments import Instrument, InstrumentSpec
from engine.units import SECOND_NS


class PriceFigures:
    """Hears the events of one contract.

    `low` and `high` are shares of the index at the beginning, less one, and `low_s` and `high_s`
    seconds after it; `end` is the last trade; None without a trade. The basis is last trade over
    index, less one: `basis_start` at the first mark of the window, `basis_worst` the largest by
    size, after which it took `basis_half_s` until it was no more than half of that (None: it never
    was). Open interest is in contracts, of one side.
    """

    def __init__(self, spec: InstrumentSpec, start_ns: int) -> None:
        self._instrument = Instrument(spec)
        self._start_ns = start_ns
        self._index = self._last = 0
        self._low = self._high = self._end = 0
        self._lot = float(spec.lot_size)
        self._open_start_lots = self._open_end_lots = 0
        self._low_ns = self._high_ns = 0
        self.basis_start: float | None = None
        self._worst = 0.0
        self._worst_ns = self._half_ns = -1
        self._forced_by_second: dict[int, int] = {}
        self.volume_q = 0
        self.forced_q = 0
        self.taken_over_q = 0
        self.deleveraged_q = 0
        self.adl_fills = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> "PriceFigures":
        """A copy that goes on by itself; the instrument never changes, and compiled has no copy."""
        memo[id(self._instrument)] = self._instrument
        twin = PriceFigures.__new__(PriceFigures)
        memo[id(self)] = twin
        twin.__dict__.update(deepcopy(self.__dict__, memo))
        return twin

    def trade(self, event: Trade) -> None:
        """A price, and volume that was forced or not."""
        if event.time_ns < self._start_ns:
            return
        price = self._end = event.price_ticks
        if not self._low or price < self._low:
            self._low, self._low_ns = price, event.time_ns
        if price > self._high:
            self._high, self._high_ns = price, event.time_ns
        value_q = self._instrument.notional_q(event.qty_lots, price)
        self.volume_q += value_q
        if event.liquidation:
            self.forced_q += value_q
            second = event.time_ns // SECOND_NS
            self._forced_by_second[second] = self._forced_by_second.get(second, 0) + value_q

    def mark(self, event: MarkUpdated) -> None:
        """Index and last price together."""
        if event.time_ns < self._start_ns or not event.index_ticks or not event.last_ticks:
            return
        basis = event.last_ticks / event.index_ticks - 1
        if self.basis_start is None:
            self.basis_start, self._index = basis, event.index_ticks
            self._open_start_lots = event.open_interest_lots
        self._open_end_lots = event.open_interest_lots
        if abs(basis) > abs(self._worst):
            self._worst, self._worst_ns, self._half_ns = basis, event.time_ns, -1
        elif self._half_ns < 0 <= self._worst_ns and abs(basis) <= abs(self._worst) / 2:
            self._half_ns = event.time_ns

    def taken_over(self, event: TakenOver) -> None:
        """A position went to the house."""
        self.taken_over_q += abs(event.value_q)

    def deleveraged(self, event: Deleveraged) -> None:
        """A position closed against a counterparty's."""
        self.adl_fills += 1
        self.deleveraged_q += abs(event.value_q)

    def _of_start(self, price: int) -> float | None:
        return price / self._index - 1 if price and self._index else None

    def _after_start(self, time_ns: int) -> float | None:
        return (time_ns - self._start_ns) / SECOND_NS if time_ns > 0 else None

    def row(self, unit_q: int) -> dict[str, Any]:
        """The figures by name; ``unit_q`` is a whole unit of the asset the contract settles in.

        ``adl_share`` is the part of all that was taken from accounts in liquidation (sold in the
        book, taken over, deleveraged) that went to auto-deleveraging.
        """
        half_ns = self._half_ns - self._worst_ns
        taken_q = self.forced_q + self.taken_over_q + self.deleveraged_q
        return {
            "low": self._of_start(self._low),
            "low_s": self._after_start(self._low_ns),
            "high": self._of_start(self._high),
            "high_s": self._after_start(self._high_ns),
            "end": self._of_start(self._end),
            "open_interest_start": self._open_start_lots * self._lot,
            "open_interest_end": self._open_end_lots * self._lot,
            "basis_start": self.basis_start,
            "basis_worst": self._worst,
            "basis_worst_s": self._after_start(self._worst_ns),
            "basis_half_s": half_ns / SECOND_NS if self._half_ns >= 0 else None,
            "volume": self.volume_q / unit_q,
            "forced_volume": self.forced_q / unit_q,
            "forced_peak_per_s": max(self._forced_by_second.values(), default=0) / unit_q,
            "taken_over": self.taken_over_q / unit_q,
            "adl_fills": self.adl_fills,
            "adl_value": self.deleveraged_q / unit_q,
            "adl_share": self.deleveraged_q / taken_q if taken_q else 0.0,
        }
