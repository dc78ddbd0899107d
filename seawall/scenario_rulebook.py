"""A scenario's rulebook: one by name or path, with the scenario's own changes laid on top."""

from pathlib import Path
from typing import Any

from engine.settings import SettingFault
from engine.toml_text import parse_toml
from risk.rulebook_file import SHIPPED, RulebookError, RulebookFile, load_rulebook, parse_rulebook
from risk.rules.citations import cite_overrides
from seawall.scenario_fields import ScenarioError, WrittenFloat
from seawall.scenario_merge import RULES, MergeError, merge, without_marks
from seawall.toml_writer import toml_text


def read_rulebook(name: str, overrides: dict[str, Any], file: str) -> tuple[RulebookFile, str]:
    """The ``rulebook`` key and the ``[rulebook_overrides]`` table: the rules and their TOML.

    Overrides have the shape of the rulebook file; a list replaces the whole list. A bare TOML
    number such as 0.05 is taken as the decimal it was written as.

    Raises:
        SettingFault: no such rulebook, or it (or the merged one) breaks a rule.
        ScenarioError: the two do not merge.
    """
    try:
        plain = load_rulebook(name)
    except (RulebookError, OSError) as error:
        raise SettingFault("rulebook", str(error)) from None
    if not overrides:
        return plain, _text(name)
    try:
        merged = without_marks(merge(parse_toml(_text(name)), overrides, (RULES,)))
    except MergeError as error:
        raise ScenarioError(f"{file}: {error}") from None
    cite_overrides(merged, overrides, "set by the scenario")
    text = toml_text(_with_exact(merged))
    try:
        return parse_rulebook(text, f"{name} with rulebook_overrides"), text
    except RulebookError as error:
        raise SettingFault(RULES, str(error)) from None


def _text(name: str) -> str:
    is_path = "/" in name or name.endswith(".toml")
    path = Path(name) if is_path else SHIPPED / f"{name}.toml"
    return path.read_text(encoding="utf-8-sig")


def _with_exact(value: Any) -> Any:
    """A value in which a number such as 0.05 is the text it was written as."""
    if isinstance(value, WrittenFloat):
        return value.digits
    if isinstance(value, dict):
        return {key: _with_exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_exact(inner) for inner in value]
    return value
