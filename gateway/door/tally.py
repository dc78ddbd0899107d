"""Counts of what passes a hundred thousand times a second: commands, orders, fills, durations.

Compiled, and nothing but dictionary and list operations. The numbers only grow, so another thread
may read them at any time (`gateway.metering.metrics.Metrics` does at a scrape).
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from engine.events import CommandRejected, OrderAccepted, OrderClosed, OrderFilled


class Durations:
    """How many durations ended up to each of ``bounds_ns`` (and beyond the last), and their sum."""

    __slots__ = ("bounds_ns", "counts", "sum_ns")

    def __init__(self, bounds_ns: Sequence[int]) -> None:
        self.bounds_ns = list(bounds_ns)
        self.counts = [0] * (len(self.bounds_ns) + 1)
        self.sum_ns = 0

    def observe(self, duration_ns: int) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds_ns, duration_ns)] += 1
        self.sum_ns += duration_ns


class Tally:
    """Commands by type, orders by instrument or reason, fills by maker and liquidation, trades and
    lots by instrument."""

    __slots__ = (
        "accepted",
        "closed",
        "commands",
        "fills",
        "liquidated_lots",
        "rejected",
        "traded_lots",
        "trades",
    )

    def __init__(self) -> None:
        self.commands: dict[type, int] = {}
        self.accepted: dict[int, int] = {}
        self.closed: dict[int, int] = {}
        self.rejected: dict[int, int] = {}
        self.fills: dict[tuple[bool, bool], int] = {}
        self.trades: dict[int, int] = {}
        self.traded_lots: dict[int, int] = {}
        self.liquidated_lots: dict[int, int] = {}

    def command(self, kind: type) -> None:
        """Count a command."""
        self.commands[kind] = self.commands.get(kind, 0) + 1

    def event(self, event: Any) -> bool:
        """Count an event if it is of one of the frequent types; whether it was."""
        kind = type(event)
        if kind is OrderAccepted:
            _add(self.accepted, event.instrument_id, 1)
        elif kind is OrderFilled:
            self._fill(event)
        elif kind is OrderClosed:
            _add(self.closed, event.reason, 1)
        elif kind is CommandRejected:
            _add(self.rejected, event.reason, 1)
        else:
            return False
        return True

    def _fill(self, event: Any) -> None:
        maker: bool = event.maker
        liquidation: bool = event.liquidation
        instrument_id: int = event.instrument_id
        qty_lots: int = event.qty_lots
        key = (maker, liquidation)
        self.fills[key] = self.fills.get(key, 0) + 1
        if maker:
            # Every trade has one maker.
            _add(self.trades, instrument_id, 1)
            _add(self.traded_lots, instrument_id, qty_lots)
        if liquidation:
            _add(self.liquidated_lots, instrument_id, qty_lots)


def _add(counts: dict[int, int], key: int, amount: int) -> None:
    counts[key] = counts.get(key, 0) + amount
