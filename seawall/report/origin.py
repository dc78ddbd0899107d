"""The origin of a run in its report: the rules at the head, the command at the foot."""

from html import escape
from typing import Any


def origin_html(summary: dict[str, Any]) -> str:
    """Scenario, rulebook, seed, version and date, and every override; nothing for a run that kept
    none of it."""
    run = _block(summary)
    if not run:
        return ""
    facts = [
        f"Scenario <b>{_text(run, 'scenario')}</b>",
        f"rulebook <b>{_text(run, 'rulebook')}</b>",
        f"seed {escape(str(summary.get('seed', '')))}",
        f"Seawall {escape(str(summary.get('seawall_version', '')))}",
        _text(run, "date"),
    ]
    changes = "".join(f"<li><code>{escape(str(each))}</code></li>" for each in _overrides(run))
    listed = f'<p class="made">Changed:</p><ul class="made">{changes}</ul>' if changes else ""
    return f'<p class="made">{", ".join(facts)}</p>{listed}'


def warnings_html(summary: dict[str, Any]) -> str:
    """What the reader has to know before believing the figures."""
    warnings = summary.get("warnings")
    if not isinstance(warnings, list) or not warnings:
        return ""
    listed = "".join(f"<li>{escape(str(warning))}</li>" for warning in warnings)
    return f'<div class="warnings"><b>Warnings</b><ul>{listed}</ul></div>'


def again_html(summary: dict[str, Any]) -> str:
    """The command that makes the run again."""
    run = _block(summary)
    if not run:
        return ""
    return (
        f"<p>Made by <code>{_text(run, 'command')}</code>. The complete scenario and rulebook "
        "stand beside this page: <code>seawall run scenario.toml</code> makes the run of them.</p>"
    )


def _block(summary: dict[str, Any]) -> dict[str, Any]:
    run = summary.get("run")
    return run if isinstance(run, dict) else {}


def _overrides(run: dict[str, Any]) -> list[Any]:
    overrides = run.get("overrides")
    return overrides if isinstance(overrides, list) else []


def _text(run: dict[str, Any], key: str) -> str:
    return escape(str(run.get(key, "")))
