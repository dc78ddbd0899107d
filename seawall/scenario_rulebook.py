"""A scenario's rulebook: one by name or path, with the scenario's own changes laid on top."""

from typing import Any

from engine.setting_layers import MergeError
from engine.settings import SettingFault
from risk.rulebook_file import (
    RulebookError,
    RulebookFile,
    load_rulebook,
    parse_rulebook,
    rulebook_tables,
    rulebook_text,
)
from risk.rules.rulebook_layers import lay_rules
from seawall.scenario_fields import ScenarioError, WrittenFloat
from seawall.scenario_merge import RULES
from seawall.toml_writer import toml_text


def read_rulebook(name: str, overrides: dict[str, Any], file: str) -> tuple[RulebookFile, str]:
    """The ``rulebook`` key and the ``[rulebook_overrides]`` table: the rules and their TOML.

    Overrides have the shape of the rulebook file, levels also go by name; a list replaces the whole
    list. A bare TOML number such as 0.05 is taken as the decimal it was written as.

    Raises:
        SettingFault: no such rulebook, or it (or the merged one) breaks a rule.
        ScenarioError: the two do not merge.
    """
    try:
        plain = load_rulebook(name)
        tables = rulebook_tables(name)
    except (RulebookError, OSError) as error:
        raise SettingFault("rulebook", str(error)) from None
    if not overrides:
        return plain, whole_text(name)
    try:
        merged = lay_rules(tables, overrides, "set by the scenario")
    except MergeError as error:
        raise ScenarioError(f"{file}: {RULES}.{error}") from None
    text = toml_text(_with_exact(merged))
    try:
        return parse_rulebook(text, f"{name} with rulebook_overrides"), text
    except RulebookError as error:
        raise SettingFault(RULES, str(error)) from None


def whole_text(name: str) -> str:
    """The TOML of a rulebook that needs no other file: its own text, or all that it extends in one.

    Raises:
        RulebookError: no such rulebook, or what it extends does not fit.
    """
    return rulebook_text(name) or toml_text(rulebook_tables(name))


def _with_exact(value: Any) -> Any:
    """A value in which a number such as 0.05 is the text it was written as."""
    if isinstance(value, WrittenFloat):
        return value.digits
    if isinstance(value, dict):
        return {key: _with_exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_exact(inner) for inner in value]
    return value
