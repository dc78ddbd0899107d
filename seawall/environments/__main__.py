"""Scores and pace of the baselines: ``python -m seawall.environments [NAME ...]``."""

import argparse
import sys
import time
from typing import Final

import gymnasium

from seawall.environments.baselines import RULES, Score, at_random, score
from seawall.environments.single import TraderEnv
from seawall.lab.intervals import LabError, mean_interval
from seawall.scenario_fields import ScenarioError

_VECTOR_STEPS: Final[int] = 500


def main(arguments: list[str]) -> int:
    """Print a row per environment and policy; returns the exit code."""
    kinds = {kind.__name__.removesuffix("Env"): kind for kind in RULES}
    parser = argparse.ArgumentParser(
        prog="python -m seawall.environments",
        description="Play each environment at random and by a rule, and print what that earned: "
        "the mean of the sum of rewards with its interval of 95 %.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(kinds)} (all)")
    parser.add_argument("--episodes", type=int, default=32, metavar="N", help="seeds 1 to N (32)")
    parser.add_argument(
        "--vector", type=int, default=0, metavar="N", help="also the pace of N traders in processes"
    )
    parser.add_argument("--scenario", default="small_crash", help="(small_crash)")
    args = parser.parse_args(arguments)
    unknown = [name for name in args.names if name not in kinds]
    if unknown:
        parser.error(f"no environment {unknown[0]!r}; there are {', '.join(kinds)}")
    if args.episodes < 1:
        parser.error(f"--episodes {args.episodes}: must be 1 or more")
    if args.vector < 0:
        parser.error(f"--vector {args.vector}: must be 0 or more")
    seeds = range(1, args.episodes + 1)
    print(f"{'environment':<12} {'policy':<20} {'return':<30} {'ended early':>11} {'steps/s':>8}")
    for name in args.names or kinds:
        for policy in (at_random, RULES[kinds[name]]):
            env = kinds[name](args.scenario)
            print(_row(name, policy.__name__, score(env, policy, seeds)))
    if args.vector:
        print(f"{args.vector} traders in processes: {_vector_pace(args.vector):,.0f} steps/s")
    return 0


def _vector_pace(count: int) -> float:
    """Steps of all environments a second by the clock, resets included."""
    vector = gymnasium.vector.AsyncVectorEnv([TraderEnv] * count)
    try:
        vector.reset(seed=1)
        started = time.perf_counter()
        for _ in range(_VECTOR_STEPS):
            vector.step(vector.action_space.sample())
        return count * _VECTOR_STEPS / (time.perf_counter() - started)
    finally:
        vector.close()


def _row(name: str, policy: str, result: Score) -> str:
    early = f"{result.terminated} of {len(result.returns)}"
    pace = result.steps / result.seconds if result.seconds else 0.0
    interval = str(mean_interval(result.returns))
    return f"{name:<12} {policy.replace('_', ' '):<20} {interval:<30} {early:>11} {pace:>8,.0f}"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (LabError, ScenarioError, ValueError) as error:
        sys.exit(f"error: {error}")
