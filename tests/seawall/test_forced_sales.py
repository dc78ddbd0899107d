"""An index that feels its contract's forced sales: share, decay, bound, and whole runs."""

import math

import pytest

from engine.commands import BUY, SELL, Command, IndexPrice
from engine.events import Trade
from seawall.exchange import Exchange
from seawall.index_path import ForcedSalesPlan, IndexTick
from seawall.scenario import Scenario, load_scenario
from seawall.scenario_fields import ScenarioError
from seawall.simulating.forced_sales import ForcedSales
from seawall.simulating.simulation import Simulation

S = 10**9
HALF_LIFE = 10 * S


class Felt:
    """An index at 10,000 ticks and a contract that traded there first."""

    def __init__(self, share: float = 0.5, max_step: float | None = None) -> None:
        plan = ForcedSalesPlan(share=share, half_life_ns=HALF_LIFE)
        self.sales = ForcedSales(plan, 0, max_step)
        self.printed(0, 10_000)
        self.trade(0, 10_000, BUY, forced=False)

    def printed(self, second: int, ticks: int, source_id: int = 1) -> int:
        return self.sales.felt(IndexTick(second * S, 0, source_id, ticks))

    def trade(self, second: int, ticks: int, side: int = SELL, *, forced: bool = True) -> None:
        self.sales.trade(Trade(second * S, 0, 1, ticks, 5, side, forced), 10_000)


def test_the_index_feels_its_share_and_forgets_by_half_lives() -> None:
    felt = Felt(share=0.5)
    felt.trade(1, 9_000)
    assert felt.printed(1, 10_000) == round(10_000 * math.sqrt(0.9))
    assert felt.printed(11, 10_000) == round(10_000 * 0.9**0.25)
    assert felt.printed(500, 10_000) == 10_000


def test_only_forced_trades_that_moved_the_price_their_way_count() -> None:
    felt = Felt()
    felt.trade(1, 9_500, forced=False)
    assert felt.sales.impact == 0.0
    felt.trade(2, 9_600)  # a sale above the last price
    assert felt.sales.impact == 0.0
    other = Trade(3 * S, 1, 1, 5_000, 5, SELL, True)
    felt.sales.trade(other, 10_000)
    assert felt.sales.impact == 0.0
    felt.trade(3, 9_504)
    assert felt.sales.impact == pytest.approx(math.log(0.99))


def test_purchases_count_against_sales_and_a_squeeze_lifts_the_index() -> None:
    felt = Felt(share=1.0)
    felt.trade(1, 9_000)
    felt.trade(1, 9_500, BUY)
    assert felt.printed(1, 10_000) == pytest.approx(9_500, abs=1)
    squeeze = Felt(share=1.0)
    squeeze.trade(1, 11_000, BUY)
    assert squeeze.printed(1, 10_000) == 11_000


def test_the_same_fall_again_and_again_is_one_fall() -> None:
    """Makers come back between the sales; spot is never beyond the contract."""
    felt = Felt(share=1.0)
    for _ in range(20):
        felt.trade(1, 9_900)
        felt.trade(1, 10_000, BUY, forced=False)
    assert felt.printed(1, 10_000) == 9_900


def test_sales_that_only_follow_the_index_are_not_felt() -> None:
    felt = Felt(share=1.0)
    felt.printed(1, 9_000)
    felt.trade(1, 9_000)
    assert felt.printed(2, 9_000) == 9_000


def test_every_source_feels_it_within_the_cap_on_steps() -> None:
    felt = Felt(share=1.0, max_step=0.01)
    felt.printed(0, 10_010, source_id=2)
    felt.trade(1, 9_000)
    assert felt.printed(1, 10_000) == 9_900
    assert felt.printed(1, 10_010, source_id=2) == 9_910
    assert felt.printed(2, 10_000) == 9_801


def test_what_was_heard_can_be_saved() -> None:
    felt, again = Felt(max_step=0.01), Felt(max_step=0.01)
    felt.trade(1, 9_000)
    felt.printed(1, 10_000)
    again.sales.restore(felt.sales.state())
    assert again.sales.state() == felt.sales.state()
    assert again.printed(2, 10_000) == felt.printed(2, 10_000)


# runs

FORCED = ["index.perp.forced={ share = 0.6, half_life = '60s' }"]


class Run:
    """A whole run of the small crash, its commands and its lowest index."""

    def __init__(self, scenario: Scenario) -> None:
        self.exchange = Exchange()
        self.commands: list[Command] = []
        self.exchange.before_command = lambda _, command: self.commands.append(command)
        Simulation(scenario, self.exchange, samples=False).run()
        self.hash = self.exchange.state_hash()

    def lowest(self) -> int:
        return min(each.price_ticks for each in self.commands if isinstance(each, IndexPrice))


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(load_scenario("small_crash", FORCED))


def test_an_index_that_feels_it_falls_deeper(run: Run) -> None:
    assert run.lowest() < Run(load_scenario("small_crash")).lowest()


def test_the_commands_alone_give_the_same_market(run: Run) -> None:
    exchange = Exchange()
    for command in run.commands:
        exchange.send(command)
    assert exchange.state_hash() == run.hash


def test_a_saved_run_goes_on_to_the_same_end(run: Run) -> None:
    scenario = load_scenario("small_crash", FORCED)
    exchange = Exchange()
    simulation = Simulation(scenario, exchange, samples=False)
    simulation.open()
    simulation.advance(scenario.time.start_ns + 100 * S)
    later = Exchange()
    later.resume(exchange.snapshot())
    resumed = Simulation(scenario, later, samples=False)
    resumed.restore(simulation.snapshot())
    resumed.advance(scenario.time.end_ns)
    assert later.state_hash() == run.hash


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{ share = 1.2 }", r"index\.perp\.forced\.share: 1\.2 must be a number from 0 to 1"),
        ("{ half_life = '1m' }", r"index\.perp\.forced\.share"),
        ("{ share = 0.5, half_life = '0s' }", r"index\.perp\.forced\.half_life: .*too short"),
    ],
)
def test_a_wrong_table_is_refused(value: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        load_scenario("small_crash", [f"index.perp.forced={value}"])


def test_a_price_of_collateral_feels_no_contract() -> None:
    with pytest.raises(ScenarioError, match=r"asset_prices\.btc\.forced"):
        load_scenario("collateral_crash", ["asset_prices.btc.forced={ share = 0.5 }"])


def test_an_index_that_falls_with_its_contract_does_not_hide_how_far_that_left_its_path() -> None:
    overrides = ["time.warm_up=3m", "time.duration=1s", "time.warm_up_breach=warn"]
    overrides += ["index.perp.warm_up_from=1.06", "index.perp.forced.half_life=10m"]
    overrides += ["index.perp.forced.share=1", "population.retail.leverage={20=1}"]
    overrides += ["population.retail.utilisation=[0.9,0.98]"]
    scenario = load_scenario("small_crash", overrides)
    simulation = Simulation(scenario, Exchange(), seed=2, samples=False)
    simulation.open()
    simulation.advance(scenario.time.start_ns)
    (contract,) = simulation.result().warm_up["contracts"]
    index_ticks = simulation.views["perp"].index_ticks
    assert index_ticks < 9_000, "forced sales took it along, from a path that ends at 10,000"
    assert contract["worst_basis"] < -0.1
