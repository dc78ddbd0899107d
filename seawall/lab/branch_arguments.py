"""The command line of `seawall branch`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

_EPILOG: Final[str] = """\
--at is a time (90s after the beginning of the window, 21:16:00 of the day) or a rule: call,
liquidation, adl, bad_debt (the first of each), index-5%. Times chosen after looking at a run prove
little; rules are better. --set takes rules only. The index does not react: a milder rule cannot
save spot here.

examples:
  seawall branch flash_crash --at adl --set rulebook.adl.ranking=water_filling --seeds 32
  seawall branch flash_crash --at index-5% --set rulebook.call.grace_s=300 --commands
"""


def add_branch(add: Callable[..., Any], commands: Any, add_workers: Callable[[Any], None]) -> None:
    """Add `seawall branch`; ``add_workers`` adds the arguments that say where runs are done."""
    branch = add(
        commands,
        "branch",
        "from a moment of a run on, other rules: what would have happened",
        "Run a scenario to a moment, put other rules in force and let everybody go on. Beside it\n"
        "runs a placebo (the same rules) and branches in which a few lots more are sold.",
        _EPILOG,
    )
    branch.add_argument("scenario", help="scenario, or run directory")
    branch.add_argument("--at", required=True, metavar="MOMENT", help="time or rule, see below")
    branch.add_argument(
        "--set",
        action="append",
        required=True,
        metavar="RULE=VALUE",
        help="a rule, e.g. rulebook.adl.ranking=pro_rata (repeatable)",
    )
    branch.add_argument("--seeds", type=int, default=16, metavar="N", help="how many (default 16)")
    branch.add_argument("--first", type=int, default=1, metavar="SEED", help="first (default 1)")
    branch.add_argument(
        "--commands",
        action="store_true",
        help="replay the run's commands as well, and say how many lost their meaning",
    )
    branch.add_argument(
        "--out", type=Path, metavar="FILE", help="Parquet file with a row per seed and world"
    )
    branch.add_argument("--json", action="store_true", help="as JSON")
    add_workers(branch)
    branch.set_defaults(action=_branch)


def _branch(args: argparse.Namespace) -> int:
    from seawall.lab.branch import (
        BranchTask,
        branch_in_words,
        branch_seed,
        rule_overrides,
        summarise,
        worlds_table,
    )
    from seawall.lab.compare import scenario_of
    from seawall.lab.dispatch import answers
    from seawall.lab.moment import Moment
    from seawall.lab.study_arguments import workers_of

    if args.seeds < 1:
        raise ValueError(f"--seeds {args.seeds}: must be 1 or more")
    overrides = rule_overrides(args.set)
    scenario = scenario_of(args.scenario, [])
    rulebook = scenario_of(args.scenario, overrides).rulebook.to_json()
    Moment(args.at, scenario.time)
    if args.commands and scenario.latency is not None:
        raise ValueError("--commands: not with latencies, where answers come later")
    seeds = range(args.first, args.first + args.seeds)
    tasks = [BranchTask(scenario, rulebook, seed, args.at, args.commands) for seed in seeds]
    workers = workers_of(args)
    try:
        found = list(answers(workers, branch_seed, tasks, lambda task: f"seed {task.seed}"))
    finally:
        workers.close()
    found.sort(key=lambda answer: answer.seed)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        worlds_table(found).write_parquet(args.out)
    spec = next(iter(scenario.instruments.values()))
    decimals = {asset.asset_id: asset.decimals for asset in scenario.assets.values()}
    summary = summarise(args.at, found, 10 ** decimals[spec.settle_asset_id])
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        return 0
    print(*branch_in_words(summary, args.set), sep="\n")
    return 0
