"""The command line of `seawall lab realism`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from seawall.lab.study_arguments import EXIT_INTERRUPTED, add_workers, workers_of
from seawall.runs.run_arguments import termination_interrupts

if TYPE_CHECKING:
    from seawall.lab.realism.row_file import Row
    from seawall.lab.realism.windows import Windows
    from seawall.lab.workers import Workers

ROWS = "rows.jsonl"


def add_realism(what: Any) -> None:
    """Add `seawall lab realism`."""
    realism = what.add_parser(
        "realism", help="set runs beside the trades of the real contract, with a verdict by figure"
    )
    realism.add_argument("windows", type=Path, help="TOML file that names scenarios by kind")
    realism.add_argument("--seeds", type=int, metavar="N", help="how many (default: as the file)")
    realism.add_argument("--first", type=int, metavar="SEED", help="first (default: as the file)")
    realism.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="KIND",
        help="crash, calm, step or mild; several times for several",
    )
    realism.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a value of every scenario",
    )
    realism.add_argument(
        "--out", type=Path, help="directory that keeps the rows: the same command goes on"
    )
    realism.add_argument("--json", action="store_true", help="as JSON")
    add_workers(realism)
    realism.set_defaults(action=_realism)


def _realism(args: argparse.Namespace) -> int:
    from seawall.lab.realism.realism_runs import real_figures
    from seawall.lab.realism.realism_table import realism, table_in_words
    from seawall.lab.realism.windows import read_windows

    windows = read_windows(args.windows, args.set, args.only)
    first = windows.first_seed if args.first is None else args.first
    count = windows.seeds if args.seeds is None else args.seeds
    if count < 1 or first < 0:
        raise ValueError(f"--seeds {count} --first {first}: at least one seed, from 0 on")
    real = {(each.kind, each.name): real_figures(each) for each in windows.windows}
    workers = workers_of(args)
    try:
        with termination_interrupts():
            rows = _rows(windows, range(first, first + count), workers, args.out)
    except KeyboardInterrupt:
        kept = f"; the same command goes on with {args.out}" if args.out else ""
        print(f"seawall: interrupted{kept}", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        workers.close()
    table = realism(windows, rows, real)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(table), indent=2).decode())
    else:
        print(*table_in_words(table), sep="\n")
    return 0


def _rows(
    windows: "Windows", seeds: Sequence[int], workers: "Workers", out: Path | None
) -> list["Row"]:
    """A row per window and seed, those that are kept among them."""
    from seawall.lab.realism.realism_runs import WindowRun, measured
    from seawall.lab.realism.row_file import RowFile, settings_hash

    settings = {(each.kind, each.name): settings_hash(each.scenario) for each in windows.windows}
    kept = RowFile(out / ROWS) if out else None
    found: dict[tuple[str, str, int], Row] = {}
    for row in kept.rows if kept else ():
        key = (row["kind"], row["name"], row["seed"])
        if row["seed"] in seeds and settings.get(key[:2]) == row["settings"]:
            found[key] = row
    missing = [
        WindowRun(window, seed)
        for seed in seeds
        for window in windows.windows
        if (window.kind, window.name, seed) not in found
    ]
    for done, row in enumerate(measured(missing, workers), 1):
        key = (row["kind"], row["name"], row["seed"])
        row["settings"] = settings[key[:2]]
        found[key] = row
        if kept:
            kept.add(row)
        _show(done, len(missing))
    return [found[key] for key in sorted(found)]


def _show(done: int, count: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == count else ""
        print(f"\r{done:,} of {count:,} runs\033[K", end=end, file=sys.stderr, flush=True)
