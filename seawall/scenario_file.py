"""Finding and reading scenario files: built-in names, ``extends`` and ``--set`` overrides.

A scenario may start with ``extends = "NAME"``: the built-in scenario of that name, or a path
beside the file. `seawall.scenario_merge` says how the two become one.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from engine.setting_layers import MergeError, Table
from engine.settings import nearest, told
from engine.toml_lines import nearest_place
from engine.toml_text import MAX_DEPTH, TomlError, parse_toml
from seawall.scenario_fields import ScenarioError, WrittenFloat, shortened
from seawall.scenario_merge import gives_shape, merge, merge_key

BUILT_IN = Path(__file__).parent / "scenarios"
_MAX_EXTENDS = 8
_STRUCTURED = ("[", "{", '"', "'")
"""What begins so is meant as TOML, never as bare text."""


def built_in_scenarios() -> list[str]:
    """Names of the scenarios that come with the package, sorted."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def find_scenario(name_or_path: str | Path) -> Path:
    """The file of a built-in name or a path.

    Raises:
        ScenarioError: there is no such file and no such built-in scenario.
    """
    text = str(name_or_path)
    path = Path(text)
    if path.is_file():
        return path
    if text in built_in_scenarios():
        return BUILT_IN / f"{text}.toml"
    names = built_in_scenarios()
    raise ScenarioError(
        f"{text}: no such scenario file, and no built-in scenario of that name; "
        f"{nearest(text, names)}built in: {', '.join(names)}"
    )


def read_toml(path: Path) -> Table:
    """The tables of a TOML file.

    Raises:
        ScenarioError: unreadable, empty or not TOML; the message names the file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from None
    try:
        table: Table = parse_toml(text, WrittenFloat)
    except TomlError as error:
        raise ScenarioError(f"{path}: not valid TOML: {error}") from None
    if not table:
        raise ScenarioError(f"{path}: the file is empty; a scenario needs tables")
    return table


def resolve_shared(path: Path) -> Path:
    """A data path; with SEAWALL_SHARED set, the part up to a folder ``shared`` is replaced."""
    shared = os.environ.get("SEAWALL_SHARED")
    if shared and "shared" in path.parts:
        position = len(path.parts) - 1 - path.parts[::-1].index("shared")
        return Path(shared, *path.parts[position + 1 :])
    return path


def _with_home(table: Table, home: Path) -> Table:
    """Paths inside a file are relative to it: make them so before tables merge."""
    result = dict(table)
    for section in ("index", "instruments", "asset_prices", "reference"):
        result[section] = _mark_home(result[section], home) if section in result else {}
        if not result[section]:
            del result[section]
    rulebook = result.get("rulebook")
    if (
        isinstance(rulebook, str)
        and rulebook.endswith(".toml")
        and not Path(rulebook).is_absolute()
    ):
        result["rulebook"] = str(home / rulebook)
    return result


def _mark_home(value: object, home: Path) -> object:
    if not isinstance(value, dict):
        return value
    result: Table = {}
    for key, inner in value.items():
        if key in ("file", "ccxt_file") and isinstance(inner, str):
            result[key] = str(resolve_shared(home / inner))
        else:
            result[key] = _mark_home(inner, home)
    return result


def load_tables(path: Path, depth: int = 0) -> Table:
    """A scenario's tables with everything it extends merged in.

    Raises:
        ScenarioError: a file in the chain is wrong, or the chain is too long or circular.
    """
    if depth > _MAX_EXTENDS:
        raise ScenarioError(
            f"{path}: extends: more than {_MAX_EXTENDS} files deep; is it circular?"
        )
    table = _with_home(read_toml(path), path.parent)
    parent = table.pop("extends", None)
    try:
        if parent is None:
            return merge({}, table)
        return merge(load_tables(_base(path, parent), depth + 1), table)
    except MergeError as error:
        raise ScenarioError(f"{path}: {error}") from None


def _base(path: Path, parent: object) -> Path:
    """The file that the one at ``path`` extends."""
    if not isinstance(parent, str):
        raise ScenarioError(f"{path}: extends: {parent!r} must be a name or a path")
    beside = path.parent / parent
    if beside.is_file():
        return beside
    try:
        return find_scenario(parent)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: extends: {error}") from None


def told_where(path: Path, overrides: Sequence[str], place: str, problem: str) -> str:
    """The whole message about a place: the override that set it, or the file of the chain that
    comes nearest to it, the first of them, with its line."""
    within: list[str] = []
    for override in overrides:
        key = ".".join(parse_override(override)[0])
        if place == key or place.startswith((f"{key}.", f"{key}[")):
            return f"{path} with --set {shortened(override)}: {place}: {problem}"
        if key.startswith(f"{place}."):
            within.append(f"--set {shortened(override)}")
    files: list[Path] = [path]
    while parent := read_toml(files[-1]).get("extends"):
        files.append(_base(files[-1], parent))
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    closest = max(texts, key=lambda file: len(nearest_place(texts[file], place)))
    message = told(str(closest), texts[closest], place, problem)
    return f"{message} (with {', '.join(within)})" if within else message


def parse_override(text: str) -> tuple[list[str], object]:
    """``key.path=value`` as keys and a TOML value (bare words are taken as texts).

    Raises:
        ScenarioError: no ``=`` or an empty key, or a list, table or quoted text that is not TOML.
    """
    path, separator, value = text.partition("=")
    keys = [part.strip() for part in path.split(".")]
    if not separator or not all(keys):
        raise ScenarioError(f"--set {shortened(text)}: must look like key.path=value")
    if len(keys) > MAX_DEPTH:
        raise ScenarioError(f"--set {shortened(text)}: nested more than {MAX_DEPTH} deep")
    value = value.strip()
    try:
        return keys, parse_toml(f"value = {value}", WrittenFloat)["value"]
    except TomlError as error:
        if value.startswith(_STRUCTURED):
            raise ScenarioError(
                f"--set {shortened(text)}: the value is not TOML: {error}"
            ) from None
        return keys, value


def apply_overrides(table: Table, overrides: Sequence[str]) -> Table:
    """The tables with each ``key.path=value`` laid on top; their order does not matter.

    Raises:
        ScenarioError: an override is malformed, its path runs through a value, or it removes what
            is not there.
    """
    parsed = [(text, *parse_override(text)) for text in overrides]
    parsed.sort(key=lambda each: not gives_shape(each[1]))
    for text, keys, value in parsed:
        try:
            table = merge_key(table, keys, value)
        except MergeError as error:
            raise ScenarioError(f"--set {shortened(text)}: {error}") from None
    return table
