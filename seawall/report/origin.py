"""The origin of a run in its report: its rules, and the command that makes it again."""

from collections.abc import Sequence
from html import escape
from typing import Any

from seawall.report.text import html_table, plain


def origin_html(summary: dict[str, Any]) -> str:
    """Scenario, rulebook, seed, program, date and every override in a line; nothing for a run that
    kept none."""
    run = _block(summary)
    if not run:
        return ""
    facts = [
        f"Scenario <b>{_text(run, 'scenario')}</b>",
        f"rulebook <b>{_text(run, 'rulebook')}</b>",
        f"seed {escape(str(summary.get('seed', '')))}",
        f"Seawall {escape(str(summary.get('seawall_version', '')))}",
        escape(str(run.get("date", ""))[:10]),
    ]
    changes = ", ".join(f"<code>{escape(str(each))}</code>" for each in _overrides(run))
    changed = f"; changed: {changes}" if changes else ""
    return f'<p class="made">{", ".join(facts)}{changed}</p>'


def warnings_html(summary: dict[str, Any]) -> str:
    """What the reader has to know before believing the figures."""
    warnings = summary.get("warnings")
    if not isinstance(warnings, list) or not warnings:
        return ""
    listed = "".join(f"<li>{escape(str(warning))}</li>" for warning in warnings)
    return f'<div class="warnings"><b>Warnings</b><ul>{listed}</ul></div>'


def rules_html(summary: dict[str, Any], rules: Sequence[str]) -> str:
    """The command that makes the run again, the run as a computation, and the rulebook in words."""
    run = _block(summary)
    again = ""
    if run:
        again = (
            f'<p>Made by <code class="command">{_text(run, "command")}</code></p>'
            "<p>The complete scenario and rulebook stand beside this page: "
            "<code>seawall run scenario.toml</code> makes the run of them. The same scenario and "
            "seed give the same state hash on every machine.</p>"
        )
    rows = [
        ["Scenario", plain(run.get("scenario"))],
        ["Rulebook", plain(run.get("rulebook"))],
        ["Changed (--set)", plain(run.get("overrides"))],
        ["Seed", str(summary.get("seed", "not recorded"))],
        ["Seawall", plain(summary.get("seawall_version"))],
        ["Date (UTC)", plain(run.get("date"))],
        ["State hash", plain(summary.get("state_hash"))],
        ["Commands", plain(summary.get("commands"))],
        ["Events", plain(summary.get("events"))],
        ["Seconds of simulation", plain(summary.get("wall_seconds"))],
        ["Conservation residue", plain(summary.get("conservation_residue"))],
    ]
    return f"{again}{html_table(['The run', 'Value'], rows)}{_rules(rules)}"


def _rules(rules: Sequence[str]) -> str:
    if not rules:
        return ""
    text = escape("\n".join(rules))
    return f"<details><summary>The rulebook in words</summary><pre>{text}</pre></details>"


def _block(summary: dict[str, Any]) -> dict[str, Any]:
    run = summary.get("run")
    return run if isinstance(run, dict) else {}


def _overrides(run: dict[str, Any]) -> list[Any]:
    overrides = run.get("overrides")
    return overrides if isinstance(overrides, list) else []


def _text(run: dict[str, Any], key: str) -> str:
    return escape(str(run.get(key, "")))
