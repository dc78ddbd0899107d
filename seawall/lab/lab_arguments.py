"""The command line of `seawall lab`."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from seawall.lab.branch_arguments import add_branch
from seawall.lab.fit_arguments import add_fit
from seawall.lab.realism_arguments import add_realism
from seawall.lab.study_arguments import add_compare, add_studies, add_workers

if TYPE_CHECKING:
    from seawall.lab.adl_study import AdlTable

_EPILOG: Final[str] = """\
examples:
  seawall lab run study.toml --workers 2                      many seeds, until it is known enough
  seawall lab run study.toml --cluster tcp://10.0.0.5:8786    the same on a Dask cluster
  seawall lab again out/lab/study --cell 3 --seed 17          one of its runs in full
  seawall lab adl out/demo                                    every policy on the run's ADL batches
  seawall lab adl out/demo --policies pro_rata,min_max --loop each in a run of its own
  seawall lab waves waves.csv.gz                              policies on a table of waves
  seawall lab realism examples/realism/october.toml           beside the real contract
  seawall lab fit fit.toml --trials 60                        settings that come near it
  seawall lab margin BTCUSDT_5m.csv.gz                        tools against procyclical margin

docs/lab.md explains the figures. --json prints them for programs.
"""


def add_lab(add: Callable[..., Any], commands: Any) -> None:
    """Put `seawall lab` and what it can do among the commands."""
    lab = add(
        commands,
        "lab",
        "studies: many seeds with intervals, ADL policies, margin tools",
        "Questions of research, put to runs and tables.",
        _EPILOG,
    )
    what = lab.add_subparsers(dest="what", required=True, metavar="WHAT")
    add_studies(what)
    _add_adl(what)
    _add_waves(what)
    _add_margin(what)
    add_realism(what)
    add_fit(what)
    add_compare(add, commands)
    add_branch(add, commands, add_workers)


def _add_adl(what: Any) -> None:
    adl = what.add_parser("adl", help="score ADL policies on the batches of a run")
    adl.add_argument("directory", type=Path, help="run directory")
    adl.add_argument(
        "--policies", default="all", metavar="NAMES", help="rankings with commas (default: all)"
    )
    adl.add_argument(
        "--horizon",
        default="0",
        metavar="SECONDS",
        help="what the closed lots would have gained until then counts as taken: 0, 0.5, 1, 2, 5 "
        "or end (default 0)",
    )
    adl.add_argument(
        "--loop",
        action="store_true",
        help="run the scenario again under each policy and score what each run did",
    )
    adl.add_argument("--json", action="store_true", help="as JSON")
    adl.set_defaults(action=_adl)


def _add_waves(what: Any) -> None:
    waves = what.add_parser("waves", help="score policies on a table of ADL waves")
    waves.add_argument("file", type=Path, help="CSV file, gzipped or not")
    waves.add_argument("--json", action="store_true", help="as JSON")
    waves.set_defaults(action=_waves)


def _add_margin(what: Any) -> None:
    margin = what.add_parser("margin", help="compare tools against procyclical margin on prices")
    margin.add_argument(
        "file", type=Path, help="CSV file of candles with open_time_ms and close, gzipped or not"
    )
    margin.add_argument("--json", action="store_true", help="as JSON, with the margin by hour")
    margin.set_defaults(action=_margin)


def _adl(args: argparse.Namespace) -> int:
    from seawall.lab.adl_policies import policies
    from seawall.lab.adl_scores import horizon_place
    from seawall.lab.adl_study import in_the_loop, run_batches, study

    chosen = policies(args.policies)
    horizon_place(args.horizon)
    if args.loop:
        found = in_the_loop(args.directory, chosen, args.horizon)
        tables = _by_asset({policy: tables for policy, (_, tables) in found.items()})
    else:
        tables = study(*run_batches(args.directory), chosen, args.horizon)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(tables), indent=2).decode())
        return 0
    if not tables:
        print(f"{args.directory}: nothing was deleveraged")
    for table in tables:
        _tell(table, args.loop)
    return 0


def _by_asset(found: dict[str, list["AdlTable"]]) -> list["AdlTable"]:
    """One table per asset with what each policy's run did; a run without batches has no row."""
    merged: dict[str, AdlTable] = {}
    for policy, tables in found.items():
        for table in tables:
            (did,) = table.scores
            row = msgspec.structs.replace(did, policy=policy)
            if table.asset in merged:
                merged[table.asset].scores.append(row)
                merged[table.asset].batches += table.batches
                merged[table.asset].fills += table.fills
            else:
                merged[table.asset] = msgspec.structs.replace(table, scores=[row])
    return list(merged.values())


def _tell(table: "AdlTable", loop: bool) -> None:
    from seawall.lab.adl_scores import scores_in_words

    needed = table.scores[0].needed
    head = f"{table.asset}: {table.fills:,} fills in {table.batches:,} batches"
    print(f"{head} of all runs" if loop else f"{head}; needed {needed:,.2f}")
    _print_lines(scores_in_words(table.scores))


def _waves(args: argparse.Namespace) -> int:
    from seawall.lab.waves import score_waves, waves_in_words

    scores = score_waves(args.file)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(scores), indent=2).decode())
        return 0
    _print_lines(waves_in_words(scores))
    return 0


def _margin(args: argparse.Namespace) -> int:
    from seawall.lab.margin_tools import hourly_closes, margin_paths, paths_in_words

    paths = margin_paths(hourly_closes(args.file))
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(paths), indent=2).decode())
        return 0
    _print_lines(paths_in_words(paths))
    return 0


def _print_lines(lines: Sequence[str]) -> None:
    print(*lines, sep="\n")
