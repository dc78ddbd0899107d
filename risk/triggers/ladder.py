"""Triggers with a fixed level, in the order in which one price meets them."""

from typing import Final

from sortedcontainers import SortedList

from risk.triggers.trigger import Trigger

Row = tuple[int, int, Trigger]
"""Where a trigger stands: the price it fires at, counted in the price's direction, and its number.
Rows sort as they fire."""


class Ladder:
    """Triggers that a price reaches on its way up (``direction`` 1) or down (-1)."""

    __slots__ = ("_direction", "_rows")

    def __init__(self, direction: int) -> None:
        self._direction: Final[int] = direction
        self._rows: SortedList[Row] = SortedList()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, trigger: Trigger) -> None:
        """Let a trigger wait at its level."""
        self._rows.add(self._row(trigger))

    def drop(self, trigger: Trigger) -> None:
        """Let a trigger wait no more.

        Raises:
            ValueError: it does not wait here.
        """
        self._rows.remove(self._row(trigger))

    def take(self, price_ticks: int) -> list[Row]:
        """Those that a price has reached, nearest first; they wait no more."""
        reached = self._direction * price_ticks
        rows = self._rows
        found: list[Row] = []
        while rows and rows[0][0] <= reached:
            found.append(rows.pop(0))
        return found

    def _row(self, trigger: Trigger) -> Row:
        return self._direction * trigger.level_ticks(), trigger.number, trigger
