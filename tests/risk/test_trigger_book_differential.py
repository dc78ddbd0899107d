"""The book of trigger orders and a plain list of them: the same ones fire, in the same order."""

import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.commands import (
    BUY,
    BY_INDEX,
    BY_LAST,
    BY_MARK,
    SELL,
    STOP,
    TAKE_PROFIT,
    TRAILING,
    SubmitTrigger,
)
from engine.units import COMPILED, PPB
from risk.accounts import Trader
from risk.triggers import trails
from risk.triggers.trigger import Trigger
from risk.triggers.trigger_book import TriggerBook

PRICES = (BY_LAST, BY_MARK, BY_INDEX)


class Twin:
    """Every order in one list; each price looks at all of them."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def add(self, trigger: Trigger, best: int) -> None:
        self.rows.append(SimpleNamespace(trigger=trigger, terms=trigger.terms, best=best))

    def drop(self, trigger: Trigger) -> None:
        self.rows = [row for row in self.rows if row.trigger is not trigger]

    def best(self, trigger: Trigger) -> int:
        (row,) = (row for row in self.rows if row.trigger is trigger)
        return int(row.best)

    def move(self, by: int, price: int) -> list[Trigger]:
        found = []
        for row in self.rows:
            terms = row.terms
            if terms.trigger_by != by:
                continue
            level = self._level(row, price)
            if level is not None:
                found.append((level[0], level[1], row.trigger.number, row))
        for *_, row in found:
            self.rows.remove(row)
        return [row.trigger for *_, row in sorted(found, key=lambda each: each[:3])]

    @staticmethod
    def _level(row: Any, price: int) -> tuple[int, int] | None:
        """0 falling or 1 rising, and the place of the level on the way; None: it waits on."""
        terms, sell = row.terms, row.terms.side == SELL
        if terms.trigger == TRAILING:
            if not row.best:
                start = terms.trigger_ticks
                if not start or (price >= start if sell else price <= start):
                    row.best = price
                return None
            row.best = max(row.best, price) if sell else min(row.best, price)
            if terms.trail_ticks:
                level = row.best - terms.trail_ticks if sell else row.best + terms.trail_ticks
            elif sell:
                level = row.best * (PPB - terms.trail_ppb) // PPB
            else:
                level = -(-row.best * (PPB + terms.trail_ppb) // PPB)
            falls = sell
        else:
            level = terms.trigger_ticks
            falls = sell == (terms.trigger == STOP)
        if falls:
            return (0, -level) if price <= level else None
        return (1, level) if price >= level else None


class Pair:
    """Both, driven together."""

    def __init__(self) -> None:
        self.book = TriggerBook()
        self.twin = Twin()
        self.trader = Trader(100, [])
        self.waiting: list[Trigger] = []
        self.numbers = 0
        self.fired = 0

    def add(
        self, side: int, kind: int, level: int, by: int, ticks: int, rate_ppb: int, best: int
    ) -> None:
        self.numbers += 1
        trailing = kind == TRAILING
        terms = SubmitTrigger(
            *(0, 100, 0, self.numbers, side, 1, kind, level, by),
            trail_ticks=ticks if trailing else 0,
            trail_ppb=rate_ppb if trailing and not ticks else 0,
        )
        trigger = Trigger(terms, self.trader, self.numbers)
        best = best if trailing else 0
        self.book.add(trigger, best)
        self.twin.add(trigger, best)
        self.waiting.append(trigger)

    def drop(self, which: int) -> None:
        if self.waiting:
            trigger = self.waiting.pop(which % len(self.waiting))
            self.book.drop(trigger)
            self.twin.drop(trigger)

    def move(self, by: int, price: int) -> None:
        fired = self.book.move(by, price)
        assert [each.number for each in fired] == [
            each.number for each in self.twin.move(by, price)
        ]
        self.fired += len(fired)
        self.waiting = [each for each in self.waiting if each not in fired]
        assert all(each.fired_ticks and each.trail is None for each in fired)
        assert self.book.count == len(self.waiting) == len(self.twin.rows)
        for trigger in self.waiting:
            best = 0 if trigger.trail is None else trigger.trail.best_ticks()
            assert best == self.twin.best(trigger)


_SIDES = st.sampled_from((BUY, SELL))
_ADDS = st.tuples(
    st.just("add"),
    _SIDES,
    st.sampled_from((STOP, TAKE_PROFIT, TRAILING, TRAILING)),
    st.integers(1, 30),
    st.sampled_from(PRICES),
    st.integers(0, 9),
    st.sampled_from((1, 50_000_000, 333_333_333, PPB - 1)),
    st.one_of(st.just(0), st.integers(1, 30)),
)
_DROPS = st.tuples(st.just("drop"), st.integers(0, 99))
_MOVES = st.tuples(st.just("move"), st.sampled_from(PRICES), st.integers(1, 30))


@given(st.lists(st.one_of(_ADDS, _DROPS, _MOVES, _MOVES), max_size=60))
def test_any_orders_and_prices_fire_alike(commands: list[tuple[Any, ...]]) -> None:
    pair = Pair()
    for name, *arguments in commands:
        getattr(pair, name)(*arguments)


@pytest.mark.parametrize("seed", range(3))
def test_long_walks_of_the_price_fire_alike(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair()
    price = 10_000
    for _ in range(3_000):
        dice = rng.random()
        if dice < 0.5:
            kind = rng.choice((STOP, TAKE_PROFIT, TRAILING, TRAILING))
            level = max(1, price + rng.randint(-300, 300))
            best = rng.choice((0, price))
            ticks = rng.choice((0, rng.randint(1, 400)))
            rate_ppb = rng.randint(1, 40_000_000)
            pair.add(rng.choice((BUY, SELL)), kind, level, BY_LAST, ticks, rate_ppb, best)
        elif dice < 0.6:
            pair.drop(rng.randrange(1_000))
        else:
            price = max(1, price + rng.randint(-150, 150))
            pair.move(BY_LAST, price)
    assert pair.fired > 300


@pytest.mark.skipif(COMPILED, reason="compiled functions cannot be watched from outside")
def test_a_price_looks_only_at_those_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand wait: a step that fires nothing asks a handful for their level."""
    pair = Pair()
    for number in range(10_000):
        pair.book.add(_trailing(number, 10**5 + number % 997), 10**6)
    asked = []
    level = trails._level
    monkeypatch.setattr(trails, "_level", lambda *args: asked.append(args) or level(*args))
    for price in range(10**6 + 1, 10**6 + 101):
        assert pair.book.move(BY_LAST, price) == []
    assert len(asked) < 1_000


def _trailing(number: int, ticks: int) -> Trigger:
    terms = SubmitTrigger(*(0, 100, 0, number, SELL, 1, TRAILING, 0, BY_LAST), trail_ticks=ticks)
    return Trigger(terms, Trader(100, []), number)
