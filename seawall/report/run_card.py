"""A run as a notebook shows it: what it was, its main figures, and where to go from there."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from seawall.report.text import html_table, plain

FRAMES: Final[tuple[str, ...]] = (
    "accounts",
    "trades",
    "series",
    "calls",
    "liquidations",
    "adl",
    "fund",
)


def run_card(path: Path, summary: Mapping[str, Any]) -> str:
    """A table of the run's main figures as HTML."""
    scenario, run = (summary.get(key) or {} for key in ("scenario", "run"))
    calls, liquidations = (summary.get(key) or {} for key in ("margin_calls", "liquidations"))
    fund = summary.get("insurance_fund") or {}
    rows = [
        ["Scenario", plain(run.get("scenario"))],
        ["Rulebook", plain(run.get("rulebook"))],
        ["Changed", plain(run.get("overrides"))],
        ["Seed", str(summary.get("seed"))],
        ["Accounts", plain(summary.get("accounts"))],
        ["Margin calls", plain(calls.get("issued"))],
        ["Accounts liquidated", plain(liquidations.get("accounts"))],
        ["Insurance fund at the start", plain(fund.get("start"))],
        ["Insurance fund at the end", plain(fund.get("end"))],
        ["Directory", str(path)],
        ["Frames", ", ".join(f"run.{name}" for name in FRAMES)],
    ]
    return f"<b>{escape(str(scenario.get('title', 'A run')))}</b>{html_table(['', ''], rows)}"
