"""Active trailing orders: each fires where the price comes back from its best by the trail.

Orders whose best price is the same are one trail, in the order of their distances. A new best price
makes one trail of all that it has passed, the smaller ones going into the largest, so an order is
moved no more often than the number of orders has bits. A price that comes back asks each trail for
its nearest level only.

Prices are counted in their good direction here: upwards for sells, and for buys from zero down.
"""

from typing import Final

from sortedcontainers import SortedDict, SortedList

from engine.commands import SubmitTrigger
from engine.units import PPB
from risk.triggers.ladder import Row
from risk.triggers.trigger import Trigger


def trail_level_ticks(terms: SubmitTrigger, best_ticks: int) -> int:
    """The price at which a trailing order fires, from its best one; 0 where no price is so low."""
    side: int = terms.side
    return max(0, -side * _level(terms, -side * best_ticks))


def _level(terms: SubmitTrigger, best: int) -> int:
    """The best price less the trail: ticks, or a share of it, rounded down to the next whole price
    that is far enough."""
    ticks: int = terms.trail_ticks
    if ticks:
        return best - ticks
    # A buy counts below zero, where what is further away is a larger multiple.
    return best * (PPB + terms.side * terms.trail_ppb) // PPB


class Trail:
    """Orders of one side with one best price; rows are distance, number and order."""

    __slots__ = ("_by_rate", "_by_ticks", "_side", "best")

    def __init__(self, side: int, best: int) -> None:
        self.best = best
        self._side: Final[int] = side
        self._by_ticks: SortedList[Row] = SortedList()
        self._by_rate: SortedList[Row] = SortedList()

    def __len__(self) -> int:
        return len(self._by_ticks) + len(self._by_rate)

    def best_ticks(self) -> int:
        """The best price, as a price."""
        return -self._side * self.best

    def level(self, trigger: Trigger) -> int:
        """Where an order fires."""
        return _level(trigger.terms, self.best)

    def nearest(self) -> int:
        """The level a price that comes back meets first."""
        found = [self.level(rows[0][2]) for rows in (self._by_ticks, self._by_rate) if rows]
        return max(found)

    def add(self, trigger: Trigger) -> None:
        """Take an order in."""
        trigger.trail = self
        self._rows_of(trigger).add(self._row(trigger))

    def drop(self, trigger: Trigger) -> None:
        """Let an order go.

        Raises:
            ValueError: it is not here.
        """
        self._rows_of(trigger).remove(self._row(trigger))
        trigger.trail = None

    def take(self, reached: int) -> list[Row]:
        """The orders whose level a price has come back to, with their levels; they are no longer
        here."""
        found: list[Row] = []
        for rows in (self._by_ticks, self._by_rate):
            while rows and (level := self.level(rows[0][2])) >= reached:
                trigger = rows.pop(0)[2]
                trigger.trail = None
                found.append((-level, trigger.number, trigger))
        return found

    def take_in(self, other: "Trail") -> None:
        """Take all orders of another trail in."""
        for rows in (other._by_ticks, other._by_rate):
            for row in rows:
                self.add(row[2])

    def members(self) -> list[Trigger]:
        """The orders, in no order that matters."""
        return [row[2] for rows in (self._by_ticks, self._by_rate) for row in rows]

    def _rows_of(self, trigger: Trigger) -> "SortedList[Row]":
        return self._by_ticks if trigger.terms.trail_ticks else self._by_rate

    def _row(self, trigger: Trigger) -> Row:
        distance: int = trigger.terms.trail_ticks or trigger.terms.trail_ppb
        return distance, trigger.number, trigger


class Trails:
    """The trails of one side that follow one price: by best price and by nearest level."""

    __slots__ = ("_by_best", "_by_level", "_side")

    def __init__(self, side: int) -> None:
        self._side: Final[int] = side
        self._by_best: SortedDict[int, Trail] = SortedDict()
        # The nearest level and the best price of each trail.
        self._by_level: SortedList[tuple[int, int]] = SortedList()

    def __len__(self) -> int:
        return len(self._by_best)

    def add(self, trigger: Trigger, best_ticks: int) -> None:
        """Let an order follow the price from its best one so far."""
        best = -self._side * best_ticks
        trail = self._by_best.get(best)
        if trail is None:
            trail = self._by_best[best] = Trail(self._side, best)
        else:
            self._by_level.remove((trail.nearest(), best))
        trail.add(trigger)
        self._by_level.add((trail.nearest(), best))

    def drop(self, trigger: Trigger) -> None:
        """Let an order follow no more."""
        trail = trigger.trail
        assert trail is not None, "only an order that follows a price can leave its trail"
        self._by_level.remove((trail.nearest(), trail.best))
        trail.drop(trigger)
        self._keep(trail)

    def move(self, price_ticks: int) -> list[Row]:
        """Follow the price; returns the orders that it fires, which follow no more."""
        price = -self._side * price_ticks
        self._follow(price)
        found: list[Row] = []
        levels = self._by_level
        while levels and levels[-1][0] >= price:
            _, best = levels.pop()
            trail = self._by_best[best]
            found += trail.take(price)
            self._keep(trail)
        return found

    def members(self) -> list[Trigger]:
        """All orders here, in no order that matters."""
        return [each for trail in self._by_best.values() for each in trail.members()]

    def _follow(self, price: int) -> None:
        """Make one trail of those whose best price this one beats."""
        beaten: list[Trail] = []
        by_best = self._by_best
        while by_best and by_best.peekitem(0)[0] < price:
            trail = by_best.popitem(0)[1]
            self._by_level.remove((trail.nearest(), trail.best))
            beaten.append(trail)
        if not beaten:
            return
        if price in by_best:
            trail = by_best[price]
            self._by_level.remove((trail.nearest(), price))
            beaten.append(trail)
        largest = max(beaten, key=len)
        largest.best = price
        for trail in beaten:
            if trail is not largest:
                largest.take_in(trail)
        by_best[price] = largest
        self._by_level.add((largest.nearest(), price))

    def _keep(self, trail: Trail) -> None:
        """Put a trail back among the levels, or forget an empty one."""
        if len(trail):
            self._by_level.add((trail.nearest(), trail.best))
        else:
            del self._by_best[trail.best]
