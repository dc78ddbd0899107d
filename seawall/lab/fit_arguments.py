"""The command line of `seawall lab fit`."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from seawall.lab.study_arguments import EXIT_INTERRUPTED, add_workers, workers_of
from seawall.runs.run_arguments import termination_interrupts


def add_fit(what: Any) -> None:
    """Add `seawall lab fit`."""
    fit = what.add_parser(
        "fit", help="look for settings whose runs come near the real contract (extra fit)"
    )
    fit.add_argument("file", type=Path, help="TOML file of windows with free settings")
    fit.add_argument("--out", type=Path, help="its directory (default: out/lab/NAME)")
    fit.add_argument(
        "--trials",
        type=int,
        default=50,
        metavar="N",
        help="how many more (default 50; 0: only say what there is)",
    )
    fit.add_argument("--json", action="store_true", help="as JSON")
    add_workers(fit)
    fit.set_defaults(action=_fit)


def _fit(args: argparse.Namespace) -> int:
    from seawall.lab.realism.fit import Fit
    from seawall.lab.realism.fit_file import read_fit
    from seawall.lab.realism.fit_report import fit_result
    from seawall.lab.realism.realism_runs import real_figures
    from seawall.lab.realism.windows import read_windows

    if args.trials < 0:
        raise ValueError(f"--trials {args.trials}: must be 0 or more")
    settings, windows = read_fit(args.file), read_windows(args.file)
    real = {(each.kind, each.name): real_figures(each) for each in windows.windows}
    out = args.out or Path("out") / "lab" / args.file.stem
    seeds = range(windows.first_seed, windows.first_seed + windows.seeds)
    workers = workers_of(args)
    try:
        fit = Fit(args.file, settings, out, real, seeds)
        with termination_interrupts():
            for _ in range(args.trials):
                trial = fit.try_next(workers)
                end = ", given up" if trial.given_up else ""
                told = f"trial {trial.number}: score {trial.score:.3f}, {trial.coverage:.0%} pass"
                print(f"{told}{end}{trial.problem and f': {trial.problem}'}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"seawall: interrupted; the same command goes on in {out}", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        workers.close()
    result = fit_result(fit, settings, windows, real)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    else:
        print(*result.lines, sep="\n")
    return 0
