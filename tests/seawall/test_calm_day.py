"""The built-in calm day: a contract that stays with its index, and nobody in trouble."""

import os

import pytest

from engine.events import (
    Event,
    FundingSettled,
    LiquidationStarted,
    MarginCallIssued,
    MarkUpdated,
    Trade,
)
from seawall.exchange import Exchange
from seawall.runs.light_run import light_run
from seawall.scenario import load_scenario
from seawall.simulating.simulation import Simulation

LONG = os.environ.get("SEAWALL_PROFILE") == "long"
LIMIT = 0.01


class Day:
    """What is seen of a day: trades beside the index before them, and what must not happen."""

    def __init__(self, seed: int, *overrides: str) -> None:
        self.gaps: list[float] = []
        self.trouble: list[Event] = []
        self.fundings = 0
        self._index_ticks = 0
        self.run = light_run(load_scenario("calm_day", overrides), seed=seed, before=self._listen)

    def _listen(self, exchange: Exchange, _: Simulation) -> None:
        exchange.subscribe(self._on_event)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, MarkUpdated):
            self._index_ticks = event.index_ticks
        elif isinstance(event, Trade) and self._index_ticks:
            self.gaps.append(abs(event.price_ticks / self._index_ticks - 1))
        elif isinstance(event, LiquidationStarted | MarginCallIssued):
            self.trouble.append(event)
        self.fundings += isinstance(event, FundingSettled)


def assert_calm(day: Day) -> None:
    assert len(day.gaps) > 300
    assert max(day.gaps) < LIMIT
    assert day.trouble == []
    assert day.run.figures["entered"] == day.run.figures["accounts"] == 300
    assert day.run.warnings == []


@pytest.mark.parametrize("seed", [1, 2])
def test_the_first_hour_of_a_calm_day_is_calm(seed: int) -> None:
    assert_calm(Day(seed, "time.duration=1h"))


@pytest.mark.skipif(not LONG, reason="eight whole days: SEAWALL_PROFILE=long")
@pytest.mark.parametrize("seed", range(1, 9))
def test_a_whole_day_is_calm_and_pays_funding_every_eight_hours(seed: int) -> None:
    day = Day(seed)
    assert_calm(day)
    assert day.fundings == 4, "at both midnights, too"
