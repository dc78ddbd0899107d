"""`make bench`: measure compiled and interpreted in turns, and write the table and the picture.

Every round runs both builds in fresh processes, one after the other; each case waits for a quiet
moment of the machine (`bench.quiet`); the table shows medians over the rounds.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from bench.quiet import note, quiet_turn_ns

ROOT: Final[Path] = Path(__file__).resolve().parent.parent
BEGIN: Final[str] = "<!-- figures: begin -->"
END: Final[str] = "<!-- figures: end -->"

Figures = dict[str, list[float]]


def measure(build: Path | None, *arguments: str) -> tuple[dict[str, float], list[str]]:
    """Run `bench.measure` in a fresh process; ``build`` goes before the sources.

    Returns the figures, and which of them were measured while the machine was not quiet.
    """
    paths = [str(ROOT)] if build is None else [str(build), str(ROOT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.measure", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    answer = json.loads(done.stdout)
    wanted = "interpreted" if build is None else "compiled"
    if answer["build"] != wanted:
        raise SystemExit(f"the {wanted} engine was asked for, the {answer['build']} one ran")
    return answer["figures"], answer["missed"]


def rounds_of(
    build: Path, rounds: int, arguments: list[str]
) -> tuple[Figures, Figures, Counter[str]]:
    """Figures of each round, compiled and interpreted, and what no quiet moment was found for."""
    compiled: Figures = {}
    interpreted: Figures = {}
    missed: Counter[str] = Counter()
    for number in range(rounds):
        for kind, place, into in (
            ("compiled", build, compiled),
            ("interpreted", None, interpreted),
        ):
            print(f"round {number + 1} of {rounds}, {kind}", file=sys.stderr)
            figures, unquiet = measure(place, *arguments)
            missed.update(f"{name}, {kind}" for name in unquiet)
            for name, value in figures.items():
                into.setdefault(name, []).append(value)
    return compiled, interpreted, missed


def conditions(rounds: int) -> str:
    """Machine, date and versions, in a sentence."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    packages = f"msgspec {version('msgspec')}"
    load = os.getloadavg()[1]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {model}, {os.cpu_count()} cores, load average "
        f"{load:.1f}, {platform.system()}, CPython {platform.python_version()}, {packages}; "
        f"median of {rounds} rounds in turns."
    )


def spread(values: list[float]) -> str:
    """A median with the range around it."""
    middle = median(values)
    return f"{middle:,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def table(compiled: Figures, interpreted: Figures, budgets: dict[str, float]) -> str:
    """The Markdown table of all figures."""
    lines = [
        "| what | compiled, ns | interpreted, ns | times | per second, compiled | budget, ns |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, values in compiled.items():
        fast = median(values)
        slow = median(interpreted[name])
        budget = budgets.get(name)
        shown = "" if budget is None else f"{budget:,.0f}, {'met' if fast <= budget else 'missed'}"
        rate = 1e9 / fast if fast > 0 else 0.0
        per_second = f"{rate:,.0f}" if "memory" not in name else ""
        unit = " (bytes)" if "memory" in name else ""
        lines.append(
            f"| {name}{unit} | {spread(values)} | {slow:,.0f} | {slow / max(fast, 1):.1f} "
            f"| {per_second} | {shown} |"
        )
    return "\n".join(lines)


def write_between(path: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between two markers of a file.

    Raises:
        ValueError: a marker is missing.
    """
    document = path.read_text()
    if begin not in document or end not in document:
        raise ValueError(f"{path}: the markers {begin} and {end} must both be there")
    head, _, rest = document.partition(begin)
    _, _, tail = rest.partition(end)
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def main() -> None:
    """Measure, print the table, and write it into the document if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of the compiled engine")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--document", type=Path, help="file to write the table into")
    parser.add_argument("--long", action="store_true", help="also worlds of a million accounts")
    parser.add_argument("--small", action="store_true", help="tiny worlds, to see that it works")
    args = parser.parse_args()
    arguments = [flag for flag in ("--long", "--small") if getattr(args, flag[2:])]
    limit_ns = quiet_turn_ns()
    arguments.append(f"--quiet-turn-ns={limit_ns}")
    compiled, interpreted, missed = rounds_of(args.build.resolve(), args.rounds, arguments)
    with open(ROOT / "bench" / "budgets.toml", "rb") as file:
        loaded = tomllib.load(file)
    budgets = {**loaded["budgets_ns"], **loaded["budgets_bytes"]}
    done = f"{conditions(args.rounds)} {note(limit_ns, missed)}"
    text = f"{done}\n\n{table(compiled, interpreted, budgets)}"
    print(text)
    if args.document is not None:
        write_between(args.document, text)


if __name__ == "__main__":
    main()
