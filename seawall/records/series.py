"""Time series of a run, in plain lists: prices, book, open interest and margin ratios."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from engine.commands import BUY, SELL
from seawall.agents.view import MarketView

DEPTH_BPS: Final[tuple[int, ...]] = (10, 50, 200, 1000)
"""Distances from the mid, in basis points, within which resting lots are counted."""

PERCENTILES: Final[tuple[int, ...]] = (1, 5, 25, 50, 75, 95)

Columns = dict[str, list[int]]


class Accounts(Protocol):
    """Where margin ratios come from."""

    def margin_ratios_ppb(self, account_id: int) -> list[int]:
        """Equity over position value of a trader's margin accounts with positions."""


class SeriesRecorder:
    """Samples every instrument's view, and the margin ratios of a fixed set of accounts."""

    def __init__(self, views: Mapping[str, MarketView]) -> None:
        self._views = views
        names = ["time_ns", "mark_ticks", "index_ticks", "last_ticks", "bid_ticks", "ask_ticks"]
        names += ["open_interest_lots"]
        names += [f"depth_{side}_{bps}" for side in ("bid", "ask") for bps in DEPTH_BPS]
        self.instruments: dict[int, Columns] = {
            view.instrument_id: {name: [] for name in names} for view in views.values()
        }
        self.margin_ratio: dict[str, list[float]] = {
            name: [] for name in ("time_ns", *(f"p{percent:02d}" for percent in PERCENTILES))
        }

    def sample(self, time_ns: int) -> None:
        """Add one row per instrument."""
        for view in self._views.values():
            columns = self.instruments[view.instrument_id]
            columns["time_ns"].append(time_ns)
            columns["mark_ticks"].append(view.mark_ticks)
            columns["index_ticks"].append(view.index_ticks)
            columns["last_ticks"].append(view.last_ticks)
            columns["bid_ticks"].append(view.best_bid())
            columns["ask_ticks"].append(view.best_ask())
            columns["open_interest_lots"].append(view.open_interest_lots)
            self._depth(view, columns)

    def _depth(self, view: MarketView, columns: Columns) -> None:
        mid = view.mid()
        for name, side in (("bid", BUY), ("ask", SELL)):
            totals = [0] * len(DEPTH_BPS)
            limits = [mid * bps / 10_000 for bps in DEPTH_BPS]
            for price, lots, _ in view.book.depth(side):
                away = abs(price - mid)
                if away > limits[-1]:
                    break
                for place, limit in enumerate(limits):
                    if away <= limit:
                        totals[place] += lots
            for bps, total in zip(DEPTH_BPS, totals, strict=True):
                columns[f"depth_{name}_{bps}"].append(total)

    def sample_ratios(self, time_ns: int, account_ids: list[int], accounts: Accounts) -> None:
        """Percentiles of equity over position value among the accounts that hold a position."""
        ratios: list[int] = []
        for account_id in account_ids:
            ratios.extend(accounts.margin_ratios_ppb(account_id))
        if not ratios:
            return
        ratios.sort()
        self.margin_ratio["time_ns"].append(time_ns)
        for percent in PERCENTILES:
            rank = min(len(ratios) - 1, len(ratios) * percent // 100)
            self.margin_ratio[f"p{percent:02d}"].append(ratios[rank] / 1e9)

    def state(self) -> list[Any]:
        """All samples so far."""
        return [list(self.instruments.items()), self.margin_ratio]

    def restore(self, state: list[Any]) -> None:
        """Take over what `state` returned."""
        instruments, self.margin_ratio = state
        self.instruments = dict(instruments)
