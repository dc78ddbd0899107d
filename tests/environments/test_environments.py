"""Environments: the interfaces' own checks, equal actions give equal runs, exact rewards, and what
bad actions and settings are told."""

import dataclasses
import math
import re
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gymnasium", reason="the extra gym is not installed")
pytest.importorskip("pettingzoo", reason="the extra gym is not installed")

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test, parallel_seed_test

from engine.events import LiquidationStarted, MarginCallIssued, OrderAccepted, OrderAmended
from engine.units import SECOND_NS
from risk.accounts import owner_of
from seawall import light_run
from seawall.environments import (
    ExecutionEnv,
    MakerEnv,
    MakerTask,
    MarketEnv,
    TraderEnv,
    TraderTask,
    VenueEnv,
)
from seawall.environments.baselines import RULES, at_random, score
from seawall.environments.fields import Field, values_of
from seawall.environments.single import SeatEnv
from seawall.scenario_fields import ScenarioError

SMALL = {
    "population.retail.accounts": 60,
    "population.funds.accounts": 6,
    "population.hedgers.accounts": 16,
    "agents.makers.size": 4_000,
    "time.duration": "100s",
}
EMPTY = SMALL | {"agents.makers.capital": 100_000, "agents.patient.depth": 0}
"""Makers with so little capital that the crash leaves a book without bids."""

TINY = SMALL | {
    "population.retail.accounts": 12,
    "population.funds.accounts": 2,
    "population.hedgers.accounts": 4,
    "time.warm_up": "20s",
    "time.duration": "30s",
}
KINDS = (TraderEnv, MakerEnv, ExecutionEnv, VenueEnv)
LATENCY = {"latency.gateway_to_risk": "700ms", "latency.matching_to_risk": "300ms"}

each_kind = pytest.mark.parametrize("kind", KINDS)


def play(env: SeatEnv, seed: int, choose: Callable[[dict[str, float]], Any]) -> list[Any]:
    """Every step of an episode, the reset first as one without reward."""
    observation, info = env.reset(seed=seed)
    steps = [(observation, 0.0, False, False, info)]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(choose(values_of(env.task.fields, steps[-1][0]))))
    return steps


def at_random_from(env: SeatEnv, seed: int) -> Callable[[dict[str, float]], Any]:
    env.action_space.seed(seed)
    return lambda seen: env.action_space.sample()


@each_kind
def test_gymnasiums_own_check_passes(kind: type[SeatEnv]) -> None:
    name = kind.__name__.removesuffix("Env")
    env = gymnasium.make(f"seawall/{name}-v0", settings=TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_pettingzoos_own_checks_pass() -> None:
    with pytest.warns(UserWarning, match="there is no option 'options'; it does nothing"):
        parallel_api_test(MarketEnv(settings=TINY), num_cycles=60)
    parallel_seed_test(lambda: MarketEnv(settings=TINY), num_cycles=20)


@each_kind
def test_equal_actions_give_equal_runs(kind: type[SeatEnv]) -> None:
    ends = []
    for _ in range(2):
        env = kind(settings=SMALL)
        steps = play(env, 5, at_random_from(env, 2))
        ends.append((steps, env.state_hash()))
    (one, one_hash), (other, other_hash) = ends
    assert one_hash == other_hash
    assert len(one) == len(other) > 3
    for step, again in zip(one, other, strict=True):
        assert np.array_equal(step[0], again[0])
        assert step[1:] == again[1:]
    env = kind(settings=SMALL)
    play(env, 5, at_random_from(env, 3))
    assert env.state_hash() != one_hash


def test_a_trader_who_does_nothing_is_a_run_with_an_idle_account() -> None:
    env = TraderEnv(settings=SMALL)
    steps = play(env, 2, lambda seen: [0.0, 0.0])
    assert [step[1] for step in steps] == [0.0] * 101
    assert env.state_hash() == light_run(env.session.scenario, seed=2).state_hash


@pytest.mark.parametrize("settings", [{}, LATENCY], ids=["at once", "with latency"])
def test_rewards_are_the_change_of_wealth_to_the_quantum(settings: dict[str, str]) -> None:
    env = TraderEnv(settings=SMALL | settings)
    rng = np.random.default_rng(4)
    steps = play(env, 3, lambda seen: [rng.uniform(-0.3, 0.3), rng.uniform(0, 0.2)])
    infos = [step[4] for step in steps]
    start_q = infos[0]["wealth_q"]
    assert start_q == 2_000 * 10**6
    for before, step in zip(infos, steps[1:], strict=False):
        assert step[1] == (step[4]["wealth_q"] - before["wealth_q"]) / start_q
    assert infos[-1]["fills"] > 10
    assert infos[-1]["reserve_q"] < infos[0]["reserve_q"]
    assert env.session.episode is not None
    exchange = env.session.episode.exchange
    assert set(exchange.residues_q().values()) == {0}
    assert infos[-1]["equity_q"] + infos[-1]["reserve_q"] == infos[-1]["wealth_q"]


def test_a_long_is_called_and_liquidated_and_then_it_is_over() -> None:
    env = TraderEnv(settings=SMALL, exposure=15)
    seen_calls = []

    def hold(seen: dict[str, float]) -> list[float]:
        seen_calls.append((seen["call"], seen["deadline"], seen["level"]))
        return [1.0 if seen["time_left"] > 0.95 else seen["position"], 0.0]

    steps = play(env, 2, hold)
    assert steps[-1][2]
    assert not steps[-1][3]
    assert steps[-1][4]["liquidated"]
    assert steps[-1][4]["position_lots"] == 0
    called = [(call, minutes) for call, minutes, _ in seen_calls if call]
    assert called
    assert all(0 < minutes <= 1 for _, minutes in called)
    assert 0 < max(level for _, _, level in seen_calls) <= 1
    with pytest.raises(ResetNeeded, match="the episode is over"):
        env.step([0.0, 0.0])


def test_money_paid_in_meets_the_call() -> None:
    env = TraderEnv(settings=SMALL, exposure=6)

    def answer(seen: dict[str, float]) -> list[float]:
        position = 1.0 if seen["time_left"] > 0.95 else min(1.0, seen["position"])
        return [position, 1.0 if seen["call"] else 0.0]

    def ignore(seen: dict[str, float]) -> list[float]:
        return [answer(seen)[0], 0.0]

    met, left = play(env, 2, answer), play(env, 2, ignore)
    calls = [place for place, step in enumerate(met) if step[4]["call_q"]]
    assert calls
    assert met[calls[0] + 1][4]["reserve_q"] == 0
    assert met[calls[0] + 1][4]["call_q"] == 0
    assert len(left) < len(met)


def test_a_step_ends_early_when_its_owner_is_called() -> None:
    env = TraderEnv(settings=SMALL, exposure=15, step="20s")
    env.reset(seed=2)
    assert env.session.episode is not None
    times = [env.session.episode.time_ns]
    news = []

    def hear(event: Any) -> None:
        if isinstance(event, MarginCallIssued | LiquidationStarted):
            news.append((event.time_ns, owner_of(event.margin_account_id)))

    env.session.episode.exchange.subscribe(hear)
    account_id = env.session.episode.agent("trader").account_id
    over = False
    while not over:
        _, _, terminated, truncated, info = env.step([1.0, 0.0])
        times.append(info["time_ns"])
        over = terminated or truncated
    own = {time_ns for time_ns, owner in news if owner == account_id}
    assert own <= set(times)
    steps_s = {(after - before) // SECOND_NS for before, after in pairwise(times)}
    assert 20 in steps_s
    assert min(steps_s) < 20


def test_a_maker_keeps_one_quote_a_side_and_never_takes() -> None:
    env = MakerEnv(settings=SMALL)
    env.reset(seed=3)
    agent = env.session.seats["maker"].agent  # type: ignore[attr-defined]
    heard: list[Any] = []
    assert env.session.episode is not None
    env.session.episode.exchange.subscribe(heard.append)
    for distance in (0.5, 0.0, 1.0, 0.2) * 5:
        *_, info = env.step([distance, distance, 1.0, 1.0])
        sides = [order.side for order in agent.orders.values()]
        assert len(sides) == len(set(sides))
    assert info["fills"] > 0
    fills = [event for event in heard if getattr(event, "maker", None) is not None]
    assert all(event.maker for event in fills if event.account_id == agent.account_id)
    env.step([1.0, 1.0, 0.0, 0.0])
    assert agent.orders == {}


def test_an_execution_sells_all_and_is_told_the_shortfall() -> None:
    env = ExecutionEnv(settings=SMALL)
    steps = play(env, 4, lambda seen: [0.0])
    assert len(steps) == 21
    assert steps[0][4]["holding_lots"] > 0
    infos = [step[4] for step in steps]
    assert {info["position_lots"] for info in infos[:-1]} == {infos[0]["holding_lots"]}
    assert infos[-1]["position_lots"] == 0  # sold in the last step
    total = math.fsum(step[1] for step in steps)
    lost_q = infos[0]["wealth_q"] - infos[-1]["wealth_q"]
    seat = env.session.seats["execution"]
    assert total == pytest.approx(-lost_q / seat.unit_q)  # type: ignore[attr-defined]
    assert -1 < total < -0.2  # the index fell by a quarter
    sold_at_once = play(env, 4, lambda seen: [1.0])
    assert sold_at_once[-1][2]
    assert not sold_at_once[-1][4]["liquidated"]
    assert math.fsum(step[1] for step in sold_at_once) > total


def test_an_execution_gains_nothing_by_waiting_for_an_empty_book() -> None:
    env = ExecutionEnv(settings=EMPTY)
    steps = play(env, 3, lambda seen: [0.0])  # bids inside the band are for half of it in the end
    info = steps[-1][4]
    assert info["holding_lots"] > info["position_lots"] > 0
    seat = env.session.seats["execution"]
    assert info["unsold_q"] == -(-seat.value_q() * 15 // 100)  # type: ignore[attr-defined]
    lost_q = steps[0][4]["wealth_q"] - info["wealth_q"] + info["unsold_q"]
    total = math.fsum(step[1] for step in steps)
    assert total == pytest.approx(-lost_q / seat.unit_q)  # type: ignore[attr-defined]


def test_a_venue_sets_the_rules_it_chose() -> None:
    env = VenueEnv(settings=SMALL)
    env.reset(seed=2)
    assert env.session.episode is not None
    core = env.session.episode.exchange.risk.core
    env.step([3, 1, 2])
    factors = {level.kind: level.factor_ppb for level in core.rulebook.levels}
    assert factors == {"alert": 3_100_000_000, "call": 3_000_000_000, "liquidate": 1_100_000_000}
    assert core.rulebook.adl.ranking == "water_filling"
    *_, info = env.step([0, 0, 0])
    factors = {level.kind: level.factor_ppb for level in core.rulebook.levels}
    assert factors == {"alert": 2_000_000_000, "call": 1_250_000_000, "liquidate": 1_000_000_000}
    assert info["rules"] == {"call": 0, "liquidation": 0, "ranking": 0}
    steps = play(env, 2, lambda seen: [1, 0, 0])
    info = steps[-1][4]
    assert info["called_q"] > 0
    assert info["adl_q"] > 0
    seat = env.session.seats["venue"]
    weighted = 0.1 * info["adl_q"] + 0.02 * (info["liquidated_q"] + info["called_q"])
    weighted += info["bad_debt_q"]
    total = math.fsum(step[1] for step in steps)
    assert total == pytest.approx(-weighted / seat._open_q)  # type: ignore[attr-defined]


def test_who_is_liquidated_leaves_and_the_others_go_on() -> None:
    env = MarketEnv(
        {"bold": TraderTask(exposure=15), "idle": TraderTask(), "maker": MakerTask()},
        settings=SMALL,
    )
    env.reset(seed=2)
    left = []
    rewards: dict[str, float] = {}
    while env.agents:
        before = list(env.agents)
        actions = {"bold": [1.0, 0.0], "idle": [0.0, 0.0], "maker": [0.5, 0.5, 0.0, 0.0]}
        _, rewards, terminations, truncations, _ = env.step({n: actions[n] for n in before})
        left += [name for name in before if terminations[name]]
        assert sorted(rewards) == sorted(before)
    assert left == ["bold"]
    assert truncations == {"idle": True, "maker": True}
    with pytest.raises(ResetNeeded, match="nobody takes part"):
        env.step({})


def test_nobody_is_always_first() -> None:
    env = MarketEnv({"a": MakerTask(), "b": MakerTask()}, settings=SMALL)
    env.reset(seed=2)
    assert env.session.episode is not None
    heard: list[Any] = []
    env.session.episode.exchange.subscribe(heard.append)
    names = {env.session.episode.agent(name).account_id: name for name in ("a", "b")}
    firsts = []
    for size in (1.0, 0.5, 1.0, 0.5):
        heard.clear()
        env.step({name: [1.0, 1.0, size, 0.0] for name in names.values()})
        firsts.append(next(names[event.account_id] for event in heard if is_quote(event, names)))
    assert firsts == ["a", "b", "a", "b"]


def is_quote(event: Any, names: dict[int, str]) -> bool:
    return isinstance(event, OrderAccepted | OrderAmended) and event.account_id in names


def test_what_the_exchange_refuses_is_told() -> None:
    env = TraderEnv(settings=SMALL, exposure=40)
    env.reset(seed=3)
    *_, info = env.step([1.0, 0.0])
    assert any("insufficient margin" in text for text in info["refused"])


def test_several_at_once_in_processes() -> None:
    vector = gymnasium.vector.AsyncVectorEnv([lambda: TraderEnv(settings=SMALL)] * 2)
    try:
        observations, _ = vector.reset(seed=[3, 4])
        observations, *_ = vector.step(np.zeros((2, 2), np.float32))
    finally:
        vector.close()
    alone = TraderEnv(settings=SMALL)
    alone.reset(seed=4)
    assert np.array_equal(observations[1], alone.step([0.0, 0.0])[0])


@each_kind
def test_the_baselines_can_be_scored(kind: type[SeatEnv]) -> None:
    for policy in (at_random, RULES[kind]):
        result = score(kind(settings=TINY), policy, [1, 2])
        assert len(result.returns) == 2
        assert result.steps >= 2


BAD_ACTIONS = [
    (TraderEnv, [1.5, 0.0], "action: position is 1.5; allowed: -1 to 1"),
    (TraderEnv, [0.0, float("nan")], "action: deposit is nan; allowed: 0 to 1"),
    (TraderEnv, [0.0], r"action of shape \(1,\): must be 2 numbers: position, deposit"),
    (TraderEnv, "buy", "action 'buy': must be 2 numbers: position, deposit"),
    (TraderEnv, None, "must be 2 numbers"),
    (MakerEnv, [0.1, -0.1, 0, 0], "action: ask_distance is -0.1; allowed: 0 to 1"),
    (ExecutionEnv, [2], "action: share is 2; allowed: 0 to 1"),
    (VenueEnv, [4, 0, 0], "action: call is 4; allowed: 0 to 3"),
    (VenueEnv, [0.5, 0, 0], "must be 3 whole numbers: call, liquidation, ranking"),
]


@pytest.mark.parametrize(("kind", "action", "text"), BAD_ACTIONS)
def test_a_bad_action_is_refused_and_does_nothing(
    kind: type[SeatEnv], action: Any, text: str
) -> None:
    env = kind(settings=TINY)
    env.reset(seed=1)
    before = env.state_hash()
    with pytest.raises(ValueError, match=text):
        env.step(action)
    assert env.state_hash() == before


def test_actions_of_others_than_take_part_are_refused() -> None:
    env = MarketEnv({"a": TraderTask(), "b": TraderTask()}, settings=SMALL)
    with pytest.raises(ResetNeeded):
        env.step({})
    env.reset(seed=1)
    with pytest.raises(ValueError, match=r"actions of \['a'\]: must be those of \['a', 'b'\]"):
        env.step({"a": [0.0, 0.0]})
    before = env.state_hash()
    with pytest.raises(ValueError, match="position is 2"):
        env.step({"a": [0.5, 0.0], "b": [2.0, 0.0]})
    assert env.state_hash() == before


BAD_SETTINGS: list[tuple[Callable[[], Any], str]] = [
    (lambda: TraderEnv(step="1500ms"), "step '1500ms': must be a duration of whole clock ticks"),
    (lambda: TraderEnv(step="fast"), "step 'fast': must be a duration of whole clock ticks"),
    (lambda: TraderEnv(capital=0), "trader: capital is 0; must be a number above 0"),
    (lambda: TraderEnv(reserve=-1), "trader: reserve is -1; must be 0 or more"),
    (lambda: TraderEnv(leverage=0), "agents.trader.leverage"),
    (lambda: TraderEnv(instrument="x"), "agents.trader.instrument"),
    (lambda: TraderEnv("no_such_crash"), "no_such_crash"),
    (lambda: MakerEnv(widest=1), "maker: widest is 1; must lie between 0 and 1"),
    (lambda: ExecutionEnv(size=50_000), "capital is 40000.0; must be at least 1.5 times the size"),
    (lambda: VenueEnv(call=["1"]), "every factor of call must be above those of liquidation"),
    (lambda: VenueEnv(call=["0.5"]), "must be decimals of at least 1"),
    (lambda: VenueEnv(rankings=["luck"]), "luck"),
    (lambda: VenueEnv(rankings=[]), "rankings is empty"),
    (lambda: VenueEnv(weights={"adl": -1}), "weight 'adl' is -1; allowed are bad_debt, adl"),
    (
        lambda: VenueEnv(settings={"rulebook_overrides.call": "none"}),
        "has no margin calls to choose",
    ),
    (lambda: MarketEnv({}), "tasks: there must be at least one seat"),
    (lambda: MarketEnv({"makers": MakerTask()}), "the scenario has agents of this name"),
    (lambda: MarketEnv({"a b": TraderTask()}), "seat 'a b': allowed are letters"),
]


@pytest.mark.parametrize(("make", "text"), BAD_SETTINGS)
def test_a_bad_setting_is_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises((ValueError, ScenarioError)) as error:
        make()
    assert text in str(error.value)


PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()


@each_kind
def test_the_page_names_every_field_and_every_setting(kind: type[SeatEnv]) -> None:
    task = kind(settings=TINY).task
    levels = [name for name in named(task.fields) if name[:4] in ("bid_", "ask_")]
    assert len(levels) == 20
    wanted = [name for name in named(task.fields) if name not in levels]
    wanted += [field.name for field in dataclasses.fields(task)]  # type: ignore[arg-type]
    assert [name for name in wanted if f"`{name}`" not in PAGE] == []


def named(fields: tuple[Field, ...]) -> list[str]:
    return [field.name for field in fields]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.S))
def test_the_pages_examples_run(block: str) -> None:
    exec(compile(block, "environments.md", "exec"), {})
