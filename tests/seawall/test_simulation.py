"""Whole runs on the real exchange: determinism, conservation, and what a cascade must contain."""

import itertools
import os
from collections import Counter
from pathlib import Path

import pytest

from engine.commands import AdvanceTime, Command, IndexPrice, SubmitOrder
from engine.events import CURES, Event, MarginCallEnded, OrderFilled
from engine.routing.bus import Latency
from risk.accounts import FIRST_TRADER, FUND
from seawall.exchange import Exchange
from seawall.records.results import Result
from seawall.records.summary import SummaryCollector
from seawall.report.data import SERIES_COLUMNS
from seawall.scenario import Scenario, load_scenario
from seawall.simulating.simulation import simulate
from seawall.simulating.simulation_result import SimulationResult

SMALL = [
    "population.retail.accounts=300",
    "population.funds.accounts=20",
    "population.hedgers.accounts=80",
    "agents.noise.count=6",
    "agents.momentum.count=3",
    "agents.patient.count=8",
    "agents.makers.size=8000",
    "agents.makers.count=3",
    "agents.arbitrage.count=2",
    "agents.arbitrage.clip=3000",
    "agents.momentum.clip=2000",
    "time.warm_up=3m",
    "time.duration=14m",
]


class Run:
    """A finished run with everything a test asks about."""

    def __init__(self, scenario: Scenario, seed: int | None = None) -> None:
        self.exchange = Exchange(latency=scenario.latency)
        self.commands: list[Command] = []
        self.exchange.before_command = lambda _, command: self.commands.append(command)
        self.events: list[Event] = []
        assets = list(scenario.assets.values())
        self.collector = SummaryCollector(assets, list(scenario.instruments.values()))
        self.ready_at = -1
        self.result: SimulationResult = simulate(
            scenario,
            self.exchange,
            seed=seed,
            listeners=[self.collector, self.events.append],
            on_ready=self._ready,
        )
        self.hash = self.exchange.state_hash()

    def _ready(self) -> None:
        self.ready_at = len(self.commands)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(load_scenario("flash_crash", SMALL))


def test_the_same_seed_gives_the_same_world(run: Run) -> None:
    again = Run(load_scenario("flash_crash", SMALL))
    assert again.hash == run.hash
    assert again.commands == run.commands
    assert again.events == run.events


def test_another_seed_gives_another_world(run: Run) -> None:
    assert Run(load_scenario("flash_crash", SMALL), seed=99).hash != run.hash


def test_the_commands_alone_rebuild_the_state(run: Run) -> None:
    exchange = Exchange()
    for command in run.commands:
        exchange.send(command)
    assert exchange.state_hash() == run.hash


def test_not_a_quantum_is_lost_and_every_invariant_holds(run: Run) -> None:
    run.exchange.check_invariants()
    assert set(run.exchange.residues_q().values()) == {0}


def test_time_never_goes_back_and_the_clock_ticks_every_second(run: Run) -> None:
    times = [command.time_ns for command in run.commands]
    assert times == sorted(times)
    ticks = [c.time_ns for c in run.commands if isinstance(c, AdvanceTime)]
    assert len(ticks) == 17 * 60 + 1
    assert {later - earlier for earlier, later in itertools.pairwise(ticks)} == {10**9}


def test_index_prints_come_before_the_clock_tick_of_their_time(run: Run) -> None:
    ticked = -1
    for command in run.commands:
        if isinstance(command, AdvanceTime):
            ticked = command.time_ns
        elif isinstance(command, IndexPrice):
            assert command.time_ns > ticked


def test_every_position_was_opened_by_a_fill(run: Run) -> None:
    setup, market = run.commands[: run.ready_at], run.commands[run.ready_at :]
    assert not any(isinstance(c, SubmitOrder | IndexPrice) for c in setup)
    assert any(isinstance(c, SubmitOrder) for c in market)
    filled = {e.account_id for e in run.events if isinstance(e, OrderFilled)}
    traders = range(FIRST_TRADER, FIRST_TRADER + 400)
    assert run.result.entered == sum(1 for account_id in traders if account_id in filled)
    assert run.result.entered > 380


def test_entries_have_many_prices(run: Run) -> None:
    prices: dict[int, int] = {}
    for event in run.events:
        if isinstance(event, OrderFilled) and FIRST_TRADER <= event.account_id < FIRST_TRADER + 400:
            prices.setdefault(event.account_id, event.price_ticks)
    assert len(set(prices.values())) > 10


def test_the_summary_counts_what_the_events_say(run: Run) -> None:
    summary = run.collector.summary(
        state_hash=run.hash,
        commands=run.result.commands,
        accounts=run.result.accounts,
        fund={0: {"start": 5_000_000, "fees": -4_999_999, "end": 1}},
        backstop={0: {"start": 0, "end": 0}},
        results=[Result(0, "group", "retail", accounts=3, paid_in_q=7_000_000, other_q=-500_000)],
        residue_q={0: 0},
        wall_seconds=2.0,
    )
    kinds = Counter(type(event).__name__ for event in run.events)
    outcomes = Counter(e.outcome for e in run.events if isinstance(e, MarginCallEnded))
    cures = Counter(e.cured_by for e in run.events if isinstance(e, MarginCallEnded) and e.cured_by)
    assert summary["events"] == len(run.events) == run.exchange.events
    assert summary["commands"] == len(run.commands) == run.exchange.commands
    assert summary["trades"] == kinds["Trade"]
    assert summary["accounts"] == 400
    assert summary["margin_calls"] == {
        "issued": kinds["MarginCallIssued"],
        "cured": outcomes["cured"],
        "expired": outcomes["expired"],
        "overtaken": outcomes["overtaken"],
        "cured_by": {name: cures[name] for name in CURES},
    }
    assert sum(cures.values()) == outcomes["cured"]
    assert min(cures["deposit"], cures["reduction"], cures["price"]) > 0
    assert summary["adl"]["fills"] == kinds["Deleveraged"]
    assert summary["insurance_fund"]["start"] == {"USDT": "5"}
    assert summary["insurance_fund"]["end"] == {"USDT": "0.000001"}
    assert summary["house_accounts"]["insurance_fund"]["USDT"]["fees"] == "-4.999999"
    assert summary["results"][0]["paid_in"] == "7"
    assert summary["results"][0]["result"] == "-0.5"
    assert summary["conservation_residue"] == {"USDT": "0"}
    assert summary["commands_per_second"] == round(len(run.commands) / 2)
    assert (
        summary["liquidations"]["partial"] + summary["liquidations"]["full"]
        == (kinds["LiquidationEnded"])
    )


def test_the_crash_liquidates_and_calls(run: Run) -> None:
    assert run.collector.calls_issued > 0
    assert run.collector.full > 0
    assert FUND not in run.collector.liquidated


def test_series_have_one_row_per_sample_and_the_columns_of_the_report(run: Run) -> None:
    columns = run.result.series[0]
    assert set(SERIES_COLUMNS) <= set(columns)
    assert {len(column) for column in columns.values()} == {17 * 60 // 5 + 1}
    both = [(b, a) for b, a in zip(columns["bid_ticks"], columns["ask_ticks"], strict=True) if b]
    assert all(bid < ask for bid, ask in both if ask)
    near, far = columns["depth_bid_10"], columns["depth_bid_1000"]
    assert all(0 <= n <= f for n, f in zip(near, far, strict=True))
    ratios = run.result.margin_ratio
    assert all(low <= high for low, high in zip(ratios["p05"], ratios["p95"], strict=True))
    assert len(ratios["time_ns"]) > 10


def test_latencies_delay_the_run_but_keep_it_sound() -> None:
    links = [
        "latency.gateway_to_risk=3ms",
        "latency.risk_to_matching=1ms",
        "latency.risk_to_liquidation=50ms",
        "latency.oracle_to_risk=20ms",
    ]
    slow = load_scenario("flash_crash", [*SMALL, "time.duration=6m", *links])
    assert slow.latency == Latency(3_000_000, 20_000_000, 1_000_000, 0, 50_000_000, 0)
    run = Run(slow)
    run.exchange.check_invariants()
    assert set(run.exchange.residues_q().values()) == {0}
    assert run.collector.trades > 100
    assert Run(slow).hash == run.hash


def test_an_inverse_contract_runs_from_the_same_description() -> None:
    changes = [
        *SMALL,
        "time.duration=10m",
        "assets.usd.symbol=COIN",
        "assets.usd.decimals=8",
        "instruments.perp.kind=inverse",
        'instruments.perp.multiplier="10"',
        'instruments.perp.lot="1"',
        'instruments.perp.max_qty="200000"',
    ]
    run = Run(load_scenario("flash_crash", changes))
    run.exchange.check_invariants()
    assert set(run.exchange.residues_q().values()) == {0}
    assert run.result.entered > 380


@pytest.mark.parametrize("name", ["oct10_avax", "oct10_avax_inverse"])
def test_the_real_crash_runs_with_a_small_population(name: str) -> None:
    root = Path(__file__).parents[2]
    shared = Path(os.environ.get("SEAWALL_SHARED", root.parent / "shared"))
    if not (shared / "data" / "oct10_spot_trades").is_dir():
        pytest.skip("the shared real data is not here (set SEAWALL_SHARED)")
    small = [f"population.{group}.accounts=60" for group in ("retail", "funds", "hedgers")]
    path = root / "examples" / f"{name}.toml"
    run = Run(load_scenario(path, [*small, "time.warm_up=2m", "time.duration=10m"]))
    run.exchange.check_invariants()
    assert set(run.exchange.residues_q().values()) == {0}
    index = [ticks for ticks in run.result.series[0]["index_ticks"] if ticks]
    # Coinbase traded between 25.36 and 26.62 in the first ten minutes of the window
    assert min(index[24:]) >= 2_536 and max(index[24:]) <= 2_662
