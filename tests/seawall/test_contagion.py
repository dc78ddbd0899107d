"""Two coins in one account: the fall of one carries over to the other, and does not without."""

import pytest

from engine.events import Deleveraged, Event, LiquidationStarted, MarkUpdated, TakenOver, Trade
from engine.units import SECOND_NS
from seawall.exchange import Exchange
from seawall.profiles import draw_population
from seawall.scenario import Scenario, load_scenario
from seawall.simulating.simulation import Simulation

SHARED, APART = "two_coin_crash", "two_coins_apart"
WAVE, REEF = 0, 1


class Fall:
    """Both coins up to the low of the index that falls."""

    def __init__(self, name: str) -> None:
        self.scenario = load_scenario(name, ("output.check_invariants_every=2000",))
        self.index_ticks = {WAVE: 0, REEF: 0}
        self.first_index_ticks = {WAVE: 0, REEF: 0}
        self.worst_basis = {WAVE: 0.0, REEF: 0.0}
        self.forced_lots = {WAVE: 0, REEF: 0}
        self.liquidated: set[int] = set()
        exchange = Exchange(check_invariants_every=2_000)
        exchange.subscribe(self._on_event)
        simulation = Simulation(self.scenario, exchange, samples=False)
        simulation.open()
        simulation.advance(self.scenario.time.start_ns + 380 * SECOND_NS)
        exchange.check_invariants()

    def _on_event(self, event: Event) -> None:
        if event.time_ns < self.scenario.time.start_ns:
            return
        if isinstance(event, MarkUpdated):
            self.index_ticks[event.instrument_id] = event.index_ticks
            first = self.first_index_ticks
            first[event.instrument_id] = first[event.instrument_id] or event.index_ticks
        elif isinstance(event, Trade):
            index_ticks = self.index_ticks[event.instrument_id]
            if index_ticks:
                basis = event.price_ticks / index_ticks - 1
                worst = self.worst_basis
                worst[event.instrument_id] = min(worst[event.instrument_id], basis)
            self.forced_lots[event.instrument_id] += event.qty_lots * event.liquidation
        elif isinstance(event, TakenOver | Deleveraged):
            self.forced_lots[event.instrument_id] += abs(event.qty_lots)
        elif isinstance(event, LiquidationStarted):
            self.liquidated.add(event.margin_account_id)

    def index_fall(self, instrument_id: int) -> float:
        """The last index over the first, less one."""
        return self.index_ticks[instrument_id] / self.first_index_ticks[instrument_id] - 1


@pytest.fixture(scope="module")
def shared() -> Fall:
    return Fall(SHARED)


@pytest.fixture(scope="module")
def apart() -> Fall:
    return Fall(APART)


def test_the_indices_are_the_same_and_one_hardly_moves(shared: Fall, apart: Fall) -> None:
    for fall in (shared, apart):
        assert fall.index_fall(WAVE) < -0.3
        assert -0.04 < fall.index_fall(REEF) < -0.02
    assert shared.index_ticks == apart.index_ticks


def test_a_coin_crashes_because_of_another_in_the_same_accounts(shared: Fall) -> None:
    assert shared.worst_basis[REEF] < -0.12
    assert shared.forced_lots[REEF] > 200_000  # about two million dollars


def test_without_shared_accounts_it_stands_still(shared: Fall, apart: Fall) -> None:
    assert apart.worst_basis[REEF] > -0.03
    assert apart.forced_lots[REEF] < shared.forced_lots[REEF] / 20
    assert len(apart.liquidated) > 300, "the other coin falls as before"


def exposure(scenario: Scenario) -> dict[str, float]:
    """What all positions of each contract would be worth, longs less shorts."""
    total = dict.fromkeys(scenario.instruments, 0.0)
    for profile in draw_population(scenario.population, 100, scenario.seed):
        side = 1 if profile.is_long else -1
        for name, share in profile.instruments:
            margin = profile.wealth * profile.utilisation * share
            total[name] += side * margin * profile.leverage
    return total


def test_the_control_has_the_same_positions_in_balance() -> None:
    both, single = load_scenario(SHARED), load_scenario(APART)
    assert all(len(group.instruments) == 1 for group in single.population)
    assert {len(group.instruments) for group in both.population} == {1, 2}
    # chance decides who is rich: a tenth of the 20 million that longs of a contract are worth
    for name, value in exposure(both).items():
        assert exposure(single)[name] == pytest.approx(value, abs=2_000_000)
        assert abs(value) < 2_000_000
