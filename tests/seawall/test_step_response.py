"""What a step of a quiet index does to a contract that only makers hold: it grows with the step,
without a size at which the market breaks."""

import itertools
import os
from statistics import mean, median

import msgspec
import pytest

from seawall.exchange import Exchange
from seawall.scenario import load_scenario
from seawall.simulating.simulation import Simulation

SMALL = [
    "time.warm_up=100s",
    "time.duration=75s",
    "time.warm_up_breach='warn'",
    "output.sample_every='1s'",
    "population.retail.accounts=240",
    "population.retail.leverage={3=0.2, 5=0.3, 10=0.3, 20=0.2}",
    "population.retail.utilisation=[0.7, 0.95]",
    "population.retail.stop_share=0",
    "population.hedgers.accounts=80",
    "agents.makers.count=4",
    "agents.makers.capital=600000",
    "agents.makers.size=5000",
    "agents.noise.size=400",
    "agents.arbitrage=none",
    "agents.momentum=none",
    "agents.patient=none",
]
"""Some three hundred traders, a fifth of them at twenty times their money."""

LONG = os.environ.get("SEAWALL_PROFILE") == "long"
SEEDS = range(2, 8) if LONG else (2, 3)
STEPS = (
    (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1)
    if LONG
    else (0.01, 0.03, 0.05, 0.1)
)
DURATIONS_S = (5, 10, 20, 30) if LONG else (30,)
BEGIN_S = 10


class Response(msgspec.Struct, frozen=True):
    """How far the mid falls below where the index stood, and for how many seconds nobody bids."""

    depth: float
    empty_s: int


def response(step: float, over_s: float, seed: int) -> Response:
    end = 100 * (1 - step)
    anchors = f'["0s", 100], ["{BEGIN_S}s", 100], ["{BEGIN_S + over_s:g}s", {end}], ["75s", {end}]'
    source = f'{{kind="anchored", volatility=0.1, anchors=[{anchors}]}}'
    path = f"{{warm_up_from=1.0, warm_up_volatility=0.1, sources={{alpha={source}}}}}"
    scenario = load_scenario("small_crash", [*SMALL, f"index.perp={path}"])
    columns = Simulation(scenario, Exchange(), seed=seed).run().series[0]
    begin_ns = scenario.time.start_ns + (BEGIN_S - 1) * 10**9
    first = next(i for i, time_ns in enumerate(columns["time_ns"]) if time_ns >= begin_ns)
    touch = list(zip(columns["bid_ticks"], columns["ask_ticks"], strict=True))[first:]
    mids = [(bid + ask) / 2 for bid, ask in touch if bid and ask]
    return Response(
        1.0 - min(mids) / columns["index_ticks"][first], sum(1 for bid, _ in touch if not bid)
    )


@pytest.fixture(scope="module")
def responses() -> dict[float, list[Response]]:
    return {step: [response(step, 1, seed) for seed in SEEDS] for step in STEPS}


def test_a_larger_step_is_answered_by_more_and_never_by_a_crash(
    responses: dict[float, list[Response]],
) -> None:
    depths = {step: mean(each.depth for each in found) for step, found in responses.items()}
    assert list(depths.values()) == sorted(depths.values())
    assert all(each.depth < 2 * step for step, found in responses.items() for each in found)
    assert max(each.depth for each in responses[0.03]) < 0.06


def test_makers_stay_in_the_market(responses: dict[float, list[Response]]) -> None:
    assert max(each.empty_s for found in responses.values() for each in found) <= 2


def test_the_answer_grows_without_a_jump(responses: dict[float, list[Response]]) -> None:
    """Between two steps it grows by twice their difference at most, and between close ones by what
    those sell who are liquidated there: at twenty times their money all of them at one price."""
    depths = [(step, mean(each.depth for each in found)) for step, found in responses.items()]
    for (step, depth), (larger, deeper) in itertools.pairwise(depths):
        assert deeper - depth < 2 * (larger - step) + (0.015 if LONG else 0.0)


def test_a_slower_step_is_answered_by_no_more(
    responses: dict[float, list[Response]],
) -> None:
    """By the median: a lone bid far above the index holds the price, for nobody here takes it."""
    fast = median(each.depth for each in responses[0.03])
    for duration_s in DURATIONS_S:
        slow = median(response(0.03, duration_s, seed).depth for seed in SEEDS)
        assert 0.029 < slow < fast
