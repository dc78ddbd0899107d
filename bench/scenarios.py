"""Whole scenario runs against the number of accounts: `flash_crash` with everything multiplied.

Each size runs in a process of its own, from the scenario to the finished run directory.
Populations, house, the largest order and the money of the agents grow alike, so it is the same
crash with more accounts. User processor time is counted, not the clock: the machine may be shared.
The loop is all from the first command to the last, with journal, events and checkpoints; before it
the program starts, after it the tables and the report are written.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import seawall.runs.run
from bench.run import ROOT, write_between
from engine.build_info import build_kind
from seawall import load_scenario, run_scenario
from seawall.runs.scenario_run import ScenarioRun
from seawall.scenario_file import find_scenario

SIZES: Final[tuple[int, ...]] = (10_000, 30_000, 100_000, 300_000, 1_000_000)
BEGIN: Final[str] = "<!-- scenarios: begin -->"
END: Final[str] = "<!-- scenarios: end -->"

_ACCOUNTS: Final[int] = 12_000
_GROWING: Final[tuple[str, ...]] = (
    "population.retail.accounts",
    "population.funds.accounts",
    "population.hedgers.accounts",
    "house.fund",
    "house.backstop",
    "instruments.perp.max_qty",
    "agents.makers.capital",
    "agents.makers.size",
    "agents.arbitrage.capital",
    "agents.arbitrage.clip",
    "agents.noise.capital",
    "agents.noise.size",
    "agents.momentum.capital",
    "agents.momentum.clip",
    "agents.patient.capital",
    "agents.patient.depth",
)
"""What grows with the accounts."""

_DECIMALS: Final[int] = 5
"""Of the dollar, one fewer than in `flash_crash`: the open interest of a million accounts is more
than the engine can count in millionths."""

_TEXTS: Final[tuple[str, ...]] = ("house.", "instruments.")


def overrides(accounts: int) -> list[str]:
    """`flash_crash` for so many accounts."""
    written = tomllib.loads(find_scenario("flash_crash").read_text())
    found = [f"assets.usd.decimals={_DECIMALS}"]
    for key in _GROWING:
        value: Any = written
        for part in key.split("."):
            value = value[part]
        grown = max(1, int(value) * accounts // _ACCOUNTS)
        found.append(f'{key}="{grown}"' if key.startswith(_TEXTS) else f"{key}={grown}")
    return found


class _TimedRun(ScenarioRun):
    """A run of which the loop's processor time is noted in `loop_s`."""

    loop_s = 0.0

    def to_the_end(self, save_every_ns: int = 0, from_ns: int | None = None) -> str:
        """Run it."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        state_hash = super().to_the_end(save_every_ns, from_ns)
        _TimedRun.loop_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
        return state_hash


def run_once(accounts: int) -> dict[str, Any]:
    """Run it here; returns what it did and what it cost."""
    seawall.runs.run.ScenarioRun = _TimedRun  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_scenario("flash_crash", overrides(accounts))
        summary = run_scenario(scenario, Path(folder) / "run")
        written = sum(each.stat().st_size for each in (Path(folder) / "run").rglob("*"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "build": build_kind(),
        "accounts": summary["accounts"],
        "entered": summary["entered"],
        "liquidated": summary["liquidations"]["accounts"],
        "commands": summary["commands"],
        "events": summary["events"],
        "loop_s": _TimedRun.loop_s,
        "user_s": used.ru_utime,
        "system_s": used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        "written_mb": written / 1e6,
    }


def run_apart(accounts: int) -> dict[str, Any]:
    """`run_once` in a process of its own."""
    command = [sys.executable, "-P", "-m", "bench.scenarios", "--once", str(accounts)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """The Markdown table."""
    lines = [
        "| accounts | entered | liquidated | commands | events | commands/s in the loop "
        "| events/s in the loop | loop, s | in all, s | system, s | peak memory, MB "
        "| run directory, MB |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        lines.append(
            f"| {row['accounts']:,} | {row['entered']:,} | {row['liquidated']:,} "
            f"| {row['commands']:,} | {row['events']:,} "
            f"| {row['commands'] / row['loop_s']:,.0f} | {row['events'] / row['loop_s']:,.0f} "
            f"| {row['loop_s']:.1f} | {row['user_s']:.1f} | {row['system_s']:.1f} "
            f"| {row['peak_mb']:,.0f} | {row['written_mb']:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run every size, print the table, and write it into the document if one is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", type=int, help="run this many accounts here, print JSON")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="most accounts (1000000)")
    parser.add_argument("--document", type=Path, help="file to write the table into")
    args = parser.parse_args()
    if args.once is not None:
        print(json.dumps(run_once(args.once)))
        return
    rows = []
    for accounts in SIZES:
        if accounts <= args.largest:
            rows.append(run_apart(accounts))
            print(json.dumps(rows[-1]), file=sys.stderr)
    text = (
        f"{datetime.now(UTC):%Y-%m-%d}, {rows[0]['build']}, {os.cpu_count()} cores, load average "
        f"{os.getloadavg()[1]:.1f}; seconds of user time.\n\n{table(rows)}"
    )
    print(text)
    if args.document is not None:
        write_between(args.document, text, BEGIN, END)


if __name__ == "__main__":
    main()
