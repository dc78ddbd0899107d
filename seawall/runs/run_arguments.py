"""The commands that write run directories: `seawall run` and `seawall continue`."""

import argparse
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from seawall.scenario import Scenario

_RUN_EPILOG: Final[str] = """\
examples:
  seawall run flash_crash --out out/demo
  seawall run flash_crash --seed 8 --out out/seed8
  seawall run flash_crash --set population.retail.accounts=500 --set house.fund=1000 --out out/poor
  seawall run flash_crash --set rulebook_overrides.adl.ranking=pro_rata --out out/pro_rata
  seawall run flash_crash --out out/demo --save-every 5m
  seawall run flash_crash --light
  seawall run flash_crash --index BTCUSDT-1m-2025-10-10.zip --set instruments.perp.lot=0.0001
  seawall run my_scenario.toml

--set takes any key of a scenario file, dots between the tables; text needs no quotes. A wrong key
or value is refused before anything runs. The same scenario and seed give the same state hash.
A run that fails or is interrupted leaves nothing behind, unless it is saved on the way: with
--save-every, and then seawall continue DIR goes on from the last time.
"""

_CONTINUE_EPILOG: Final[str] = """\
DIR is what --out was; the unfinished run is kept beside it, in DIR.unfinished. The run ends with
the state hash, commands and events with which it would have ended.

example:
  seawall run flash_crash --out out/demo --save-every 5m     killed on the way, or interrupted
  seawall continue out/demo
"""


def add_runs(add: Any, commands: Any) -> None:
    """Add the commands; ``add`` makes one as `seawall.cli` makes all of them."""
    for parser in (_add_run(add, commands), _add_continue(add, commands)):
        parser.add_argument("--overwrite", action="store_true", help="replace a run that is there")
        parser.set_defaults(writes_run=True)


def _add_run(add: Any, commands: Any) -> Any:
    run = add(
        commands,
        "run",
        "run a scenario and write a run directory",
        "Run a scenario file, or a built-in one by name. The directory it writes holds\n"
        "summary.json, events.parquet, journal.sqlite, report.html and the sampled series.",
        _RUN_EPILOG,
    )
    run.add_argument("scenario", help="name of a built-in scenario, or path of a TOML file")
    run.add_argument("--seed", type=int, help="replaces the scenario's seed (0 or more)")
    run.add_argument("--out", type=Path, help="run directory (default: out/SCENARIO-seedSEED)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a value of the scenario, e.g. population.retail.accounts=500 (repeatable)",
    )
    run.add_argument(
        "--index",
        type=Path,
        metavar="FILE",
        help="prices in the place of the first contract's index; start and duration are the "
        "file's unless set (seawall data FILE shows what would be read)",
    )
    run.add_argument(
        "--save-every",
        metavar="TIME",
        help="save everything each time that much of the scenario's time has passed, e.g. 5m",
    )
    run.add_argument(
        "--light",
        action="store_true",
        help="in memory: print the figures that studies go by, write nothing",
    )
    run.add_argument("--json", action="store_true", help="with --light: as JSON")
    run.set_defaults(action=_run)
    return run


def _add_continue(add: Any, commands: Any) -> Any:
    go_on = add(
        commands,
        "continue",
        "go on with a run that was stopped and had been saved on the way",
        "Take a run that was killed, interrupted or failed up again, where it was saved last.",
        _CONTINUE_EPILOG,
    )
    go_on.add_argument("out", type=Path, metavar="directory", help="run directory of the run")
    go_on.set_defaults(action=_continue)
    return go_on


def _run(args: argparse.Namespace) -> int:
    from seawall.price_sources import recognised
    from seawall.runs.run import run_scenario
    from seawall.scenario import load_scenario

    # The seed goes the way of every other value, so that it is checked like them.
    overrides = args.set if args.seed is None else [*args.set, f"seed={args.seed}"]
    scenario = load_scenario(args.scenario, overrides, index=args.index)
    if args.light or args.json:
        return _light(args, scenario)
    args.out = args.out or Path("out") / f"{scenario.name}-seed{scenario.seed}"
    save_every_ns = _save_every_ns(args.save_every)
    print(f"{scenario.title}: {scenario.accounts:,} accounts, rulebook {scenario.rulebook.name}")
    for line in recognised(scenario):
        print(f"  {line}")
    with termination_interrupts():
        summary = run_scenario(
            scenario,
            args.out,
            overwrite=args.overwrite,
            progress=True,
            save_every_ns=save_every_ns,
        )
    return _told(summary, args.out)


def _light(args: argparse.Namespace, scenario: "Scenario") -> int:
    import msgspec

    from seawall.runs.light_run import light_run

    refused = [
        name
        for name, value in (
            ("--out", args.out),
            ("--overwrite", args.overwrite),
            ("--save-every", args.save_every),
        )
        if value
    ]
    if refused or not args.light:
        raise ValueError(
            f"{refused[0]}: a light run writes nothing; leave it or --light out"
            if refused
            else "--json: only with --light; the figures of a whole run are in summary.json"
        )
    run = light_run(scenario, progress=True)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(run), indent=2).decode())
        return 0
    width = max(map(len, run.figures))
    for name, value in run.figures.items():
        text = (
            "-" if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
        )
        print(f"{name:<{width}}  {text}")
    print(f"{'state_hash':<{width}}  {run.state_hash}")
    for warning in run.warnings:
        print(f"seawall: warning: {warning}", file=sys.stderr)
    return 0


def _save_every_ns(text: str | None) -> int:
    """The value of --save-every, 0 without it."""
    from seawall.scenario_fields import duration_ns

    if text is None:
        return 0
    found = duration_ns(text)
    if not found or found < 0:
        raise ValueError(f"--save-every {text}: must be a time such as '90s' or '5m'")
    return found


def _continue(args: argparse.Namespace) -> int:
    from seawall.runs.run import continue_run

    with termination_interrupts():
        summary = continue_run(args.out, overwrite=args.overwrite, progress=True)
    return _told(summary, args.out)


def _told(summary: Mapping[str, Any], out: Path) -> int:
    """Print what came of a run."""
    calls, liquidations = summary["margin_calls"], summary["liquidations"]
    print(
        f"  {summary['commands']:,} commands, {summary['trades']:,} trades in "
        f"{summary['wall_seconds']:.1f} s ({summary['commands_per_second']:,} commands/s)\n"
        f"  margin calls: {calls['issued']:,} issued, {calls['cured']:,} cured, "
        f"{calls['expired']:,} expired, {calls['overtaken']:,} overtaken by liquidation\n"
        f"  cured: {_cures(calls['cured_by'])}\n"
        f"  liquidations: {liquidations['accounts']:,} accounts, {liquidations['partial']:,} "
        f"partial, {liquidations['full']:,} full, {liquidations['takeovers']:,} takeovers\n"
        f"  auto-deleveraging: {summary['adl']['fills']:,} fills, "
        f"bad debt {_amounts(summary['bad_debt'])}\n"
        f"  insurance fund: {_amounts(summary['insurance_fund']['start'])} at the start, "
        f"{_amounts(summary['insurance_fund']['end'])} at the end\n"
        f"  state hash {summary['state_hash']}\n"
        f"  report: {out / 'report.html'}"
    )
    sys.stdout.flush()
    for warning in summary["warnings"]:
        print(f"seawall: warning: {warning}", file=sys.stderr)
    return 0


def _cures(counts: Mapping[str, int]) -> str:
    """What cured the calls: ``3 by deposit, 1 by price``."""
    return ", ".join(f"{count:,} by {name}" for name, count in counts.items())


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Let a request to terminate clean up like Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _amounts(by_asset: dict[str, str]) -> str:
    return ", ".join(f"{float(amount):,.2f} {asset}" for asset, amount in by_asset.items())
