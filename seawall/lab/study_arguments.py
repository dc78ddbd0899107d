"""The command line of ensembles: `seawall lab run`, `report`, `again`, `fund`, and `compare`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from seawall.runs.run_arguments import termination_interrupts

if TYPE_CHECKING:
    from seawall.lab.workers import Workers

_COMPARE_EPILOG: Final[str] = """\
A and B are scenarios or run directories; --set lays a value over both, --set-b over B alone.
"agree" is the share of seeds whose difference has the sign of the mean: half is chance.

examples:
  seawall compare out/demo out/pro_rata --seeds 32
  seawall compare flash_crash flash_crash --set-b rulebook_overrides.adl.ranking=water_filling
"""

EXIT_INTERRUPTED: Final[int] = 130


def add_studies(what: Any) -> None:
    """Add what `seawall lab` can do with studies."""
    run = what.add_parser("run", help="run a study: many seeds of every cell")
    run.add_argument("study", type=Path, help="TOML file of a study")
    run.add_argument("--out", type=Path, help="its directory (default: out/lab/NAME)")
    add_workers(run)
    run.set_defaults(action=_run)
    report = what.add_parser("report", help="write report.html of a study anew")
    report.add_argument("directory", type=Path, help="directory of a study")
    report.set_defaults(action=_report)
    again = what.add_parser("again", help="one run of a study in full, with the same hash")
    again.add_argument("directory", type=Path, help="directory of a study")
    again.add_argument("--cell", type=int, required=True)
    again.add_argument("--seed", type=int, required=True)
    again.add_argument("--out", type=Path, help="run directory (default: within the study's)")
    again.add_argument("--overwrite", action="store_true", help="replace a run that is there")
    again.set_defaults(action=_again, writes_run=True)
    fund = what.add_parser("fund", help="what a study says of the size of the insurance fund")
    fund.add_argument("directory", type=Path, help="directory of a study that varies house.fund")
    fund.add_argument(
        "--cost-ratio",
        type=float,
        metavar="R",
        help="cost of a unit of fund over that of a deficit it does not cover: also print the "
        "fund of least expected cost",
    )
    fund.add_argument("--json", action="store_true", help="as JSON")
    fund.set_defaults(action=_fund)


def add_compare(add: Callable[..., Any], commands: Any) -> None:
    """Add `seawall compare`."""
    compare = add(
        commands,
        "compare",
        "compare two scenarios or runs over the same seeds",
        "Run both over the same seeds, light, and print every figure that differs with the\n"
        "interval of the mean difference.",
        _COMPARE_EPILOG,
    )
    compare.add_argument("a", metavar="A", help="scenario or run directory")
    compare.add_argument("b", metavar="B", help="scenario or run directory")
    compare.add_argument("--seeds", type=int, default=16, metavar="N", help="how many (default 16)")
    compare.add_argument("--first", type=int, default=1, metavar="SEED", help="first (default 1)")
    for name, where in (("--set", "both"), ("--set-b", "B")):
        compare.add_argument(
            name, action="append", default=[], metavar="KEY=VALUE", help=f"a value of {where}"
        )
    compare.add_argument("--json", action="store_true", help="as JSON")
    add_workers(compare)
    compare.set_defaults(action=_compare)


def add_workers(parser: Any) -> None:
    """Add the arguments that say where runs are done."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: one for each processor)"
    )
    where.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler: tcp://HOST:8786")


def workers_of(args: argparse.Namespace) -> "Workers":
    """Where the runs of a command are done, by its arguments.

    Raises:
        LabError: no cluster answers.
        ValueError: the number of workers is none.
    """
    from seawall.lab.workers import ClusterWorkers, LocalWorkers

    if args.cluster:
        return ClusterWorkers(args.cluster)
    if args.workers is not None and args.workers < 1:
        raise ValueError(f"--workers {args.workers}: must be 1 or more")
    return LocalWorkers(args.workers)


def _run(args: argparse.Namespace) -> int:
    from seawall.lab.ensemble import Ensemble
    from seawall.lab.study_directory import StudyDirectory
    from seawall.lab.study_file import read_study
    from seawall.lab.study_report import truth, write_study_report
    from seawall.lab.study_results import load

    study = read_study(args.study)
    out = args.out or Path("out") / "lab" / study.path.stem
    directory = StudyDirectory(out)
    workers = workers_of(args)
    try:
        with termination_interrupts():
            Ensemble(study, directory, workers, progress=True).run()
    except KeyboardInterrupt:
        runs = len(directory.done())
        print(
            f"seawall: interrupted; {runs:,} runs are kept in {out}, and the same command goes on",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    finally:
        workers.close()
    print(truth(load(out)))
    print(f"report: {write_study_report(out)}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from seawall.lab.study_report import write_study_report

    print(write_study_report(args.directory))
    return 0


def _again(args: argparse.Namespace) -> int:
    from seawall.lab.again import run_again

    path, state_hash, noted = run_again(
        args.directory,
        args.cell,
        args.seed,
        out=args.out,
        overwrite=args.overwrite,
        progress=True,
    )
    known = "as the study noted" if noted else "not one of the study's runs"
    print(f"state hash {state_hash}, {known}\nreport: {path / 'report.html'}")
    return 0


def _fund(args: argparse.Namespace) -> int:
    from seawall.lab.fund_size import FUND, curve_in_words, fund_curve, newsvendor_size
    from seawall.lab.precision import values_of
    from seawall.lab.study_results import load

    results = load(args.directory)
    curve = fund_curve(results)
    size = None
    if args.cost_ratio is not None:
        # What there is to cover: the deficits with the least fund that was tried.
        least = results.chosen({FUND: min((each.fund for each in curve), key=float)})
        if least["cell"].n_unique() > 1:
            raise ValueError("--cost-ratio: only of a study that varies nothing but the fund")
        size = newsvendor_size(values_of(least, "bad_debt"), args.cost_ratio)
    if args.json:
        answer = {"curve": curve, "newsvendor": size}
        print(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return 0
    print(*curve_in_words(curve), sep="\n")
    if size is not None:
        print(
            f"fund of least expected cost at a cost ratio of {args.cost_ratio:g}, by the deficits "
            f"with a fund of {curve[0].fund}: {size}"
        )
    return 0


def _compare(args: argparse.Namespace) -> int:
    from seawall.lab.compare import compare, differences_in_words, scenario_of

    if args.seeds < 1:
        raise ValueError(f"--seeds {args.seeds}: must be 1 or more")
    a = scenario_of(args.a, args.set)
    b = scenario_of(args.b, [*args.set, *args.set_b])
    workers = workers_of(args)
    try:
        found = compare(a, b, workers, first_seed=args.first, seeds=args.seeds)
    finally:
        workers.close()
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return 0
    print(f"A {args.a}, B {args.b}: {args.seeds} seeds from {args.first} on")
    print(*differences_in_words(found, args.seeds), sep="\n")
    return 0
