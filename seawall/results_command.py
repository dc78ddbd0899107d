"""The command ``results``: who lost and who won in a run, as a table that adds up to zero."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from seawall.runs.run_directory import load_run

_COLUMNS: Final[tuple[str, ...]] = ("accounts", "liquidated", "deleveraged", "paid in", "result")
_WIDTH: Final[int] = 18

_EPILOG: Final[str] = """\
Every owner of the run is in one row: the groups of the population, the agents, and the house (its
insurance fund, backstop and fees). The result is what they have at the end less what they paid in;
what some won others lost, so each asset adds up to zero. Bad debt is what accounts owe and cannot
pay.

example:
  seawall results out/demo
"""


def add_results(add: Callable[..., Any], commands: Any) -> None:
    """Add ``results`` to the commands."""
    results = add(
        commands,
        "results",
        "show who lost and who won in a run",
        "Who lost and who won: one row per group, kind of agent and account of the house.",
        _EPILOG,
    )
    results.add_argument("directory", type=Path, help="run directory")
    results.add_argument("--json", action="store_true", help="answer as JSON")
    results.set_defaults(action=_results)


def _results(args: argparse.Namespace) -> int:
    summary = load_run(args.directory).summary
    rows: list[Mapping[str, Any]] = summary["results"]
    if args.json:
        print(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode())
        return 0
    for asset in dict.fromkeys(row["asset"] for row in rows):
        _line(asset, _COLUMNS)
        for row in rows:
            if row["asset"] == asset:
                _line(row["name"], _cells(row))
    for row in summary.get("hedges", []):
        print(
            f"spot legs of {row['name']}, in none of these: {row['result']:+,.2f} after costs of "
            f"{row['costs']:,.2f}"
        )
    return 0


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    counts = (row["accounts"], row["accounts_liquidated"], row["accounts_deleveraged"])
    money = (Decimal(row["paid_in"]), Decimal(row["result"]))
    return [*(f"{count:,}" for count in counts), *(f"{amount:,.2f}" for amount in money)]


def _line(name: str, cells: Sequence[str]) -> None:
    counts = "".join(f"{cell:>13}" for cell in cells[:3])
    print(f"{name:<{_WIDTH}}{counts}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells[3:]))
