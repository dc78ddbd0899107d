"""The trigger orders of one contract that wait, by the price they look at.

A new price meets the orders it has reached and no other: an order costs a logarithm of their number
when it comes, goes and fires.
"""

from engine.commands import BUY, BY_INDEX, BY_LAST, BY_MARK, SELL
from risk.triggers.ladder import Ladder, Row
from risk.triggers.trails import Trails
from risk.triggers.trigger import Trigger


class _Price:
    """What waits for one of the prices of a contract."""

    __slots__ = ("buy_trails", "falling", "rising", "sell_trails")

    def __init__(self) -> None:
        self.rising = Ladder(1)
        self.falling = Ladder(-1)
        self.buy_trails = Trails(BUY)
        self.sell_trails = Trails(SELL)

    def ladder(self, trigger: Trigger) -> Ladder:
        """Where an order with a fixed level waits."""
        return self.rising if trigger.direction() > 0 else self.falling

    def trails(self, trigger: Trigger) -> Trails:
        """Where an active trailing order waits."""
        return self.buy_trails if trigger.terms.side == BUY else self.sell_trails

    def move(self, price_ticks: int) -> list[Trigger]:
        """The orders that a new price fires, in their order."""
        falling = self.falling.take(price_ticks)
        rising = self.rising.take(price_ticks)
        fired: list[Trigger] = []
        began: list[Trigger] = []
        for rows, trails in ((falling, self.sell_trails), (rising, self.buy_trails)):
            fires: list[Row] = []
            for row in rows:
                if row[2].trails():
                    began.append(row[2])
                else:
                    fires.append(row)
            if len(trails):
                fires += trails.move(price_ticks)
                fires.sort(key=_place_of)
            for row in fires:
                row[2].fired_ticks = abs(row[0])
                fired.append(row[2])
        for trigger in began:
            self.trails(trigger).add(trigger, price_ticks)
        return fired


class TriggerBook:
    """All that wait in one contract; `count` of them."""

    __slots__ = ("_prices", "count")

    def __init__(self) -> None:
        self._prices: list[_Price] = [_Price() for _ in (BY_LAST, BY_MARK, BY_INDEX)]
        self.count = 0

    def add(self, trigger: Trigger, best_ticks: int) -> None:
        """Let an order wait; a trailing one is active from its best price on (0: not yet)."""
        price = self._prices[trigger.terms.trigger_by]
        if best_ticks:
            price.trails(trigger).add(trigger, best_ticks)
        else:
            price.ladder(trigger).add(trigger)
        self.count += 1

    def drop(self, trigger: Trigger) -> None:
        """Let an order wait no more.

        Raises:
            ValueError: it does not wait.
        """
        price = self._prices[trigger.terms.trigger_by]
        if trigger.trail is None:
            price.ladder(trigger).drop(trigger)
        else:
            price.trails(trigger).drop(trigger)
        self.count -= 1

    def move(self, trigger_by: int, price_ticks: int) -> list[Trigger]:
        """One of the prices is this now: the orders that it fires, which wait no more, the nearest
        to the price before first and of one level the oldest."""
        fired = self._prices[trigger_by].move(price_ticks)
        self.count -= len(fired)
        return fired

    def active(self) -> list[Trigger]:
        """The trailing orders that follow a price, by id."""
        found = [
            trigger
            for price in self._prices
            for trails in (price.buy_trails, price.sell_trails)
            for trigger in trails.members()
        ]
        return sorted(found, key=_id_of)


def _id_of(trigger: Trigger) -> int:
    return trigger.order_id


def _place_of(row: Row) -> tuple[int, int]:
    return row[0], row[1]
