"""The opening: makers first, and nobody meets a book that is empty or holds one far bid."""

import os
from pathlib import Path

import pytest

from engine.commands import AmendOrder, CancelOrder, Command, SubmitOrder
from risk.accounts import FIRST_TRADER
from seawall.agents.market_maker import MarketMaker
from seawall.exchange import Exchange
from seawall.scenario import Scenario, load_scenario
from seawall.simulating.opening import MAKERS_FIRST_NS, Opening
from seawall.simulating.simulation import Simulation
from tests.seawall.warm_ups import worst_basis

ROOT = Path(__file__).parents[2]
OCTOBER = str(ROOT / "examples" / "oct10_avax.toml")
INVERSE = str(ROOT / "examples" / "oct10_avax_inverse.toml")
SMALL_CRASH = str(ROOT / "examples" / "small_crash.toml")
LONG = os.environ.get("SEAWALL_PROFILE") == "long"
LIMIT = 0.01

FEW = [
    "population.retail.accounts=100",
    "population.funds.accounts=10",
    "population.hedgers.accounts=50",
    "time.warm_up=30s",
]

# Without an opening the first trade of each of these is far from the index, or soon after one is.
BAD = [("flash_crash", 1), ("flash_crash", 8), ("flash_crash", 12), (OCTOBER, 14), (OCTOBER, 1)]

with_october = pytest.mark.skipif(
    not (ROOT.parent / "shared" / "data").is_dir(), reason="needs ../shared/data"
)


@pytest.mark.parametrize(
    ("name", "seed"),
    [pytest.param(*each, marks=with_october if each[0] == OCTOBER else ()) for each in BAD],
)
def test_the_first_trades_are_at_the_index(name: str, seed: int) -> None:
    assert worst_basis(load_scenario(name, FEW), seed) < LIMIT


@pytest.mark.skipif(not LONG, reason="forty whole warm-ups: SEAWALL_PROFILE=long")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(OCTOBER, marks=with_october),
        pytest.param(INVERSE, marks=with_october),
        "flash_crash",
    ],
)
def test_no_warm_up_leaves_its_index(name: str) -> None:
    scenario = load_scenario(name)
    worst = {seed: worst_basis(scenario, seed) for seed in range(1, 41)}
    assert {seed: gap for seed, gap in worst.items() if gap > LIMIT} == {}


class Opened:
    """A scenario's first ten seconds: who ordered when, and what the book was then."""

    def __init__(self, scenario: Scenario) -> None:
        self.exchange = Exchange(latency=scenario.latency)
        self.exchange.before_command = self._on_command
        self.simulation = Simulation(scenario, self.exchange, samples=False)
        self.begin_ns = scenario.time.begin_ns
        self.orders: list[tuple[int, int, bool]] = []
        self.simulation.open()
        self.makers = {
            agent.account_id for agent in self.simulation.agents if isinstance(agent, MarketMaker)
        }
        self.simulation.advance(self.begin_ns + 10 * MAKERS_FIRST_NS)

    def _on_command(self, _: int, command: Command) -> None:
        if isinstance(command, SubmitOrder | AmendOrder | CancelOrder):
            (view,) = self.simulation.views.values()
            stands = bool(view.best_bid() and view.best_ask())
            self.orders.append((command.time_ns - self.begin_ns, command.account_id, stands))

    def others(self) -> list[tuple[int, int, bool]]:
        """Orders of all but the makers."""
        return [row for row in self.orders if row[1] not in self.makers]


SLOW_LINKS = ["latency.gateway_to_risk='300ms'", "latency.risk_to_matching='900ms'"]


@pytest.mark.parametrize(
    "links",
    [[], SLOW_LINKS],
    ids=["at once", "over slow links"],
)
def test_nobody_orders_before_the_makers_have_quoted(links: list[str]) -> None:
    opened = Opened(load_scenario(SMALL_CRASH, links))
    assert opened.orders[0][1] in opened.makers
    assert opened.others(), "the market opened"
    assert all(since_ns >= MAKERS_FIRST_NS for since_ns, _, _ in opened.others())
    assert all(stands for _, _, stands in opened.others())


def test_every_book_of_a_firm_is_waited_for() -> None:
    scenario = load_scenario(
        SMALL_CRASH,
        [
            "instruments.other={symbol='OTHER-PERP', settle='usd', tick='0.01', lot='0.1'}",
            "index.other={sources={one={kind='anchored', anchors=[['0s',50],['3m',50]]}}}",
            "population.retail.instrument=perp",
            "agents.crowd={kind='latent', instrument='other', capital=80000, depth=3000}",
            "agents.makers.instruments=['perp', 'other']",
        ],
    )
    simulation = Simulation(scenario, Exchange(), samples=False)
    simulation.open()
    opening = Opening()
    for agent in simulation.agents:
        opening.expect(agent, scenario.time.begin_ns)
    (crowd,) = (each for each in simulation.agents if each.name == "crowd-1")
    assert opening.keeps_out(crowd)
    simulation.advance(scenario.time.begin_ns + 10 * MAKERS_FIRST_NS)
    assert not opening.keeps_out(crowd)


def test_without_makers_a_market_is_open_at_once() -> None:
    opened = Opened(load_scenario(SMALL_CRASH, ["agents.makers=none", "time.warm_up_breach=warn"]))
    assert not opened.makers
    assert opened.orders


def test_a_market_whose_makers_cannot_quote_does_not_open_and_says_so() -> None:
    poor = ["agents.makers.size=0", "time.warm_up=10s", "time.duration=10s"]
    scenario = load_scenario(SMALL_CRASH, poor)
    opened = Opened(scenario)
    traders = range(FIRST_TRADER, FIRST_TRADER + scenario.accounts)
    assert not [row for row in opened.others() if row[1] not in traders]
    said = [text for text in opened.simulation.result().warnings if "never opened" in text]
    again = Simulation(scenario, opened.exchange, samples=False)
    again.restore(opened.simulation.snapshot())
    assert said == [text for text in again.result().warnings if "never opened" in text]
    assert said == [
        "WAVE-PERP never opened: none of its makers quoted both sides, and the other agents "
        "waited for it"
    ]


def test_after_all_orders_are_gone_the_makers_come_first_again() -> None:
    opened = Opened(load_scenario(SMALL_CRASH))
    simulation = opened.simulation
    for agent in simulation.agents:
        for order_id in list(agent.orders):
            simulation.send(CancelOrder(simulation.now_ns, agent.account_id, order_id))
    simulation.adopt(
        {
            each.account_id: {each.view.instrument_id: each.position_lots}
            for each in simulation.agents
        }
    )
    opened.orders.clear()
    simulation.advance(simulation.now_ns + 10 * MAKERS_FIRST_NS)
    agents = {agent.account_id for agent in simulation.agents} - opened.makers
    assert opened.orders[0][1] in opened.makers
    first = next(row for row in opened.orders if row[1] in agents)
    assert first[2], "an agent waited for the makers' book"
