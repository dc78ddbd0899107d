"""Policies that learned nothing, and their scores: what a learned one is to be measured against."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from seawall.environments.fields import values_of
from seawall.environments.maker import MakerTask
from seawall.environments.single import ExecutionEnv, MakerEnv, SeatEnv, TraderEnv, VenueEnv
from seawall.environments.venue import VenueTask

Seen = Mapping[str, float]
Policy = Callable[[Seen], Any]
"""From the fields of an observation to an action."""

TREND: Final[float] = 0.01
"""Move in a minute that a trend follower goes along with."""

RISK_AVERSION: Final[float] = 3.0
"""Of the quoting rule, per largest position and variance of a minute."""

BASE_SPREAD: Final[float] = 0.1
"""Half spread of the quoting rule at no volatility, over the widest."""


def trend_follower(env: SeatEnv) -> Policy:
    """Half of the largest position along with the last minute's move; calls are met."""

    def act(seen: Seen) -> list[float]:
        move = seen["change_60s"]
        position = max(-1.0, min(1.0, seen["position"]))
        if abs(move) > TREND:
            position = 0.5 if move > 0 else -0.5
        needed, reserve = seen["call"], seen["reserve"]
        return [position, min(1.0, 1.1 * needed / reserve) if needed and reserve else 0.0]

    return act


def reservation_quotes(env: SeatEnv) -> Policy:
    """Quotes around a reservation price that position times variance moves away from the mid
    price, after Avellaneda and Stoikov (2008), with a horizon that stays a minute away. The side
    that would go beyond the largest position is withdrawn."""
    assert isinstance(env.task, MakerTask)
    widest = env.task.widest

    def act(seen: Seen) -> list[float]:
        risk = RISK_AVERSION * seen["volatility"] ** 2
        skew = seen["position"] * risk
        half = BASE_SPREAD * widest + risk / 2
        distances = [max(0.0, min(1.0, each / widest)) for each in (half + skew, half - skew)]
        return [*distances, float(seen["position"] < 1), float(seen["position"] > -1)]

    return act


def even_pace(env: SeatEnv) -> Policy:
    """What is left over the steps that are left."""
    plan = env.session.scenario.time
    steps = -(-(plan.end_ns - plan.start_ns) // env.session.step_ns)

    def act(seen: Seen) -> list[float]:
        left = max(1, round(seen["time_left"] * steps))
        return [max(0.0, min(1.0, seen["position"] / left))]

    return act


def own_rules(env: SeatEnv) -> Policy:
    """The choices nearest to the scenario's own rules, whatever happens."""
    assert isinstance(env.task, VenueTask)
    chosen = env.task.rules_of(env.session.scenario).in_force()
    return lambda seen: chosen


def at_random(env: SeatEnv) -> Policy:
    """An action of the space, each as likely as any other; seeded by the space."""
    return lambda seen: env.action_space.sample()


RULES: Final[dict[type[SeatEnv], Callable[[SeatEnv], Policy]]] = {
    TraderEnv: trend_follower,
    MakerEnv: reservation_quotes,
    ExecutionEnv: even_pace,
    VenueEnv: own_rules,
}
"""The rule each environment is scored with, beside `at_random`."""


class Score(msgspec.Struct):
    """What a policy came to: the sum of rewards of each episode, how many ended early, all steps,
    and the processor seconds they took without the resets."""

    returns: list[float]
    terminated: int = 0
    steps: int = 0
    seconds: float = 0.0


def score(env: SeatEnv, policy: Callable[[SeatEnv], Policy], seeds: Sequence[int]) -> Score:
    """Play an episode for each seed."""
    result = Score([])
    act = policy(env)
    env.action_space.seed(min(seeds))
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        total, over = 0.0, False
        started = time.process_time()
        while not over:
            action = act(values_of(env.task.fields, observation))
            observation, reward, terminated, truncated, _ = env.step(action)
            total += reward
            over = terminated or truncated
            result.steps += 1
        result.seconds += time.process_time() - started
        result.terminated += terminated
        result.returns.append(total)
    return result
