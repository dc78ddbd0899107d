"""What a step of a quiet index does to a contract that only makers hold: it grows with the step,
without a size at which the market breaks."""

from statistics import mean

import msgspec
import pytest

from seawall.exchange import Exchange
from seawall.scenario import load_scenario
from seawall.simulating.simulation import Simulation

SMALL = [
    "time.warm_up=100s",
    "time.duration=75s",
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

SEEDS = (2, 3)
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
    return {step: [response(step, 1, seed) for seed in SEEDS] for step in (0.01, 0.03, 0.05, 0.1)}


def test_a_larger_step_is_answered_by_more_and_never_by_a_crash(
    responses: dict[float, list[Response]],
) -> None:
    depths = {step: mean(each.depth for each in found) for step, found in responses.items()}
    assert list(depths.values()) == sorted(depths.values())
    assert all(each.depth < 2 * step for step, found in responses.items() for each in found)
    assert max(each.depth for each in responses[0.03]) < 0.06


def test_makers_stay_in_the_market(responses: dict[float, list[Response]]) -> None:
    assert max(each.empty_s for found in responses.values() for each in found) <= 2


def test_a_step_that_takes_half_a_minute_is_answered_by_no_more(
    responses: dict[float, list[Response]],
) -> None:
    slow = mean(response(0.03, 30, seed).depth for seed in SEEDS)
    assert 0.029 < slow < mean(each.depth for each in responses[0.03])
