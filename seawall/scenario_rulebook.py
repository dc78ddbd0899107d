"""A scenario's rulebook: one by name or path, with the scenario's own changes laid on top."""

import json
from pathlib import Path

from engine.toml_text import parse_toml
from risk.rulebook_file import SHIPPED, RulebookError, RulebookFile, load_rulebook, parse_rulebook
from seawall.scenario_fields import Fields, ScenarioError, WrittenFloat
from seawall.scenario_merge import RULES, MergeError, Table, merge, without_marks


def read_rulebook(fields: Fields) -> RulebookFile:
    """The ``rulebook`` key and the ``[rulebook_overrides]`` table.

    Overrides have the shape of the rulebook file; a list replaces the whole list. A bare TOML
    number such as 0.05 is taken as the decimal it was written as.

    Raises:
        ScenarioError: no such rulebook, or it (or the merged one) breaks a rule.
    """
    name = fields.text("rulebook")
    overrides = fields.raw("rulebook_overrides")
    if overrides is not None and not isinstance(overrides, dict):
        raise fields.fail("rulebook_overrides", f"{overrides!r} must be a table")
    try:
        plain = load_rulebook(name)
    except (RulebookError, OSError) as error:
        raise fields.fail("rulebook", str(error)) from None
    if not overrides:
        return plain
    try:
        merged = without_marks(merge(_tables(name), overrides, (RULES,)))
    except MergeError as error:
        raise ScenarioError(f"{fields.file}: {error}") from None
    text = "\n".join(f"{json.dumps(key)} = {_inline(value)}" for key, value in merged.items())
    try:
        return parse_rulebook(text, f"{name} with rulebook_overrides")
    except RulebookError as error:
        raise fields.fail("rulebook_overrides", str(error)) from None


def _tables(name: str) -> Table:
    is_path = "/" in name or name.endswith(".toml")
    path = Path(name) if is_path else SHIPPED / f"{name}.toml"
    return parse_toml(path.read_text(encoding="utf-8"))


def _inline(value: object) -> str:
    """A value as inline TOML; floats become decimal strings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, WrittenFloat):
        return json.dumps(value.digits)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
